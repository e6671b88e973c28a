import numpy as np
import pandas as pd
import pytest

from harness.validation.finding import Outcome
from harness.validation.same_arms import compare_same_arms, same_arms_finding

N_RUNS = 128
PLAN = {
    "name": "same-arms",
    "question": "Does a variant differ from itself?",
    "baseline": "same",
    "metric": "val_bpb",
    "alpha": 0.05,
    "contrasts": {},
    "held_equal": [],
    "differs": [],
    "seeds": list(range(N_RUNS)),
    "arms": {"same": {"cost": {"params": 1000}}},
    "runs": [],
}


def runs_of(values):
    rows = [
        {"arm": "same", "seed": i, "replica": 0, "run_id": f"r{i}", "environment": "cpu"}
        | {"status": "done", "val_bpb": value}
        for i, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def noise():
    return 2.7 + 0.01 * np.random.default_rng(5).standard_normal(N_RUNS)


def test_runs_that_differ_by_their_seeds_alone_are_rarely_told_apart(noise):
    found = compare_same_arms(PLAN, runs_of(noise))
    assert len(found.contrasts) == 16 and {contrast.n for contrast in found.contrasts} == {4}
    assert found.outcome is Outcome.AS_EXPECTED
    assert found.most_claims == 3


def test_no_run_is_used_twice(noise):
    found = compare_same_arms(PLAN, runs_of(noise))
    means = [values.mean() for eight in noise.reshape(-1, 8) for values in (eight[4:], eight[:4])]
    differences = [a - b for a, b in zip(means[::2], means[1::2], strict=True)]
    assert [contrast.difference for contrast in found.contrasts] == pytest.approx(differences)


def test_arms_that_do_differ_contradict_it(noise):
    second = np.arange(N_RUNS) % 8 >= 4
    found = compare_same_arms(PLAN, runs_of(noise + 0.02 * second))
    assert found.n_claims > found.most_claims and found.outcome is Outcome.OPPOSITE


def test_seeds_that_hang_together_contradict_it_without_any_claim(noise):
    """Half of each difference taken away: p crowd near 1."""
    eights = noise.reshape(-1, 2, 4)
    alike = eights - 0.97 * (eights.mean(2, keepdims=True) - eights.mean((1, 2), keepdims=True))
    found = compare_same_arms(PLAN, runs_of(alike.ravel()))
    assert found.n_claims == 0 and found.uniformity < 0.01
    assert found.outcome is Outcome.OPPOSITE


def test_missing_runs_are_no_answer(noise):
    runs = runs_of(noise)
    runs.loc[3, "status"] = "failed"
    finding = same_arms_finding(compare_same_arms(PLAN, runs))
    assert finding.outcome is Outcome.NOT_RESOLVED
    assert finding.found == "15 of 16 experiments have a verdict"
