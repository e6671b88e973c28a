"""Which trials go on: the best of a cohort, compared where all of them were."""

import pytest

from harness.search.halving import decide
from harness.search.keys import Rungs
from harness.search.objectives import Objective
from harness.search.state import StudyState

ONE = (Objective("val_bpb", "minimize"),)
TWO = (*ONE, Objective("kv_bytes", "minimize"))
RUNGS = Rungs(at=[0.25, 0.5, 1.0], keep=0.5, cohort=4)


@pytest.fixture
def study():
    """Build a study by trials: each a list of what it reached, perhaps with how it ended."""

    def make(*trials):
        state = StudyState()
        for number, (rungs, ended) in enumerate(trials):
            about = {"trial": number, "params": {}, "run_id": f"run{number}", "arm": {}}
            state.apply({"event": "asked", **about})
            for fraction, values in zip((0.25, 0.5), rungs, strict=False):
                if not isinstance(values, dict):
                    values = {"val_bpb": values}
                state.apply(
                    {"event": "rung", "trial": number, "fraction": fraction, "values": values}
                )
            if ended:
                state.apply({"event": "ended", "trial": number, "status": ended, "values": None})
        return state

    return make


def test_nothing_is_decided_before_the_cohort_has_arrived(study):
    state = study(([1.0], None), ([2.0], None), ([3.0], None), ([], None))
    decisions = decide(state, RUNGS, ONE, no_more=False)
    assert decisions.pruned == []
    assert decisions.level == {0: 0, 1: 0, 2: 0, 3: 0}


def test_nothing_is_decided_before_the_cohort_is_whole(study):
    state = study(([1.0], None), ([2.0], None))
    assert decide(state, RUNGS, ONE, no_more=False).pruned == []
    assert decide(state, RUNGS, ONE, no_more=True).pruned == [1]


def test_the_better_half_goes_on_rung_by_rung(study):
    state = study(([3.0], None), ([1.0], None), ([4.0], None), ([2.0], None))
    decisions = decide(state, RUNGS, ONE, no_more=False)
    assert decisions.pruned == [0, 2]
    assert decisions.level == {0: 0, 1: 1, 2: 0, 3: 1}
    state = study(([3.0], "pruned"), ([1.0, 0.9], None), ([4.0], "pruned"), ([2.0, 0.8], None))
    decisions = decide(state, RUNGS, ONE, no_more=False)
    assert decisions.pruned == [1]
    assert decisions.level[3] == 2


def test_what_diverged_counts_as_beaten(study):
    state = study(([3.0], None), ([1.0], None), ([], "diverged"), ([2.0], None))
    assert decide(state, RUNGS, ONE, no_more=False).pruned == [0]


def test_with_two_objectives_the_front_goes_on(study):
    values = [(1.0, 9.0), (2.0, 8.0), (2.5, 8.5), (3.0, 9.5)]
    trials = [([{"val_bpb": a, "kv_bytes": b}], None) for a, b in values]
    assert decide(study(*trials), RUNGS, TWO, no_more=False).pruned == [2, 3]


def test_a_cohort_is_compared_with_itself_alone(study):
    state = study(*[([9.0 + i], None) for i in range(4)], *[([1.0 + i], None) for i in range(4)])
    assert decide(state, RUNGS, ONE, no_more=False).pruned == [2, 3, 6, 7]


def test_by_default_a_cohort_lets_two_trials_reach_the_end():
    assert Rungs(at=[0.25, 0.5, 1.0], keep=0.5).size == 8
    assert Rungs(at=[0.5], keep=0.25).size == 8
    assert Rungs(at=[0.5]).at == [0.5, 1.0]
