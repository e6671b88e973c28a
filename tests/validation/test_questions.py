from types import SimpleNamespace

import pytest
import torch

from harness.analysis.statistics.verdict import Verdict
from harness.experiments.planning.loading import load_experiment
from harness.store.runs import RunStore
from harness.validation.finding import Outcome
from harness.validation.questions import FOLDER, KNOWN, outcome
from harness.validation.suite import FULL, MANY_RUNS, SAME_ARMS

AS, OPEN, OPPOSITE = Outcome.AS_EXPECTED, Outcome.NOT_RESOLVED, Outcome.OPPOSITE


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
@pytest.mark.parametrize("overrides", [(), FULL], ids=["quick", "full"])
def test_every_contrast_of_a_question_has_an_expectation_and_a_source(known, overrides):
    resolved = load_experiment(known.file, overrides).resolved
    assert set(resolved.contrasts) == set(known.sources)
    compared = {frozenset(pair) for pair in resolved.contrasts.values()}
    others = set(resolved.arms) - {resolved.baseline}
    assert compared == {frozenset((arm, resolved.baseline)) for arm in others}
    expected = set(resolved.experiment.expect)
    assert expected == (set() if known.refused else set(known.sources))


@pytest.mark.parametrize("file", [*(known.file for known in KNOWN), SAME_ARMS], ids=str)
def test_every_question_can_be_planned_and_its_data_prepared(file, tmp_path):
    loaded = load_experiment(file)
    plan = loaded.plan(RunStore(tmp_path), torch.device("cpu"))
    assert set(loaded.prepare_data(plan)) == set(loaded.resolved.arms)
    assert plan.pending


def test_every_file_is_asked():
    files = set(FOLDER.glob("*.yaml"))
    assert files == {known.file for known in KNOWN} | {SAME_ARMS}


def test_a_full_suite_asks_for_more_seeds():
    assert len(load_experiment(SAME_ARMS, MANY_RUNS).resolved.seeds.first) == 800
    assert len(load_experiment(KNOWN[0].file, FULL).resolved.seeds.first) == 8


def contrast(verdict, low=0.01, high=0.03, margin=None):
    return SimpleNamespace(verdict=Verdict(verdict), low=low, high=high, margin=margin)


@pytest.mark.parametrize(
    ("found", "expected", "is_"),
    [
        (contrast("worse"), "worse", AS),
        (contrast("better"), "worse", OPPOSITE),
        (contrast("not resolved"), "worse", OPEN),
        (contrast("refused"), "worse", OPEN),
        (contrast("practically equal"), "worse", OPEN),
        (contrast("practically equal"), "practically equal", AS),
        (contrast("trivial"), "practically equal", AS),
        (contrast("worse", 0.01, 0.03, 0.02), "practically equal", OPEN),
        (contrast("worse", 0.021, 0.03, 0.02), "practically equal", OPPOSITE),
        (contrast("better", -0.03, -0.021, 0.02), "practically equal", OPPOSITE),
        (contrast("refused"), "refused", AS),
        (contrast("worse"), "refused", OPPOSITE),
        (contrast("not resolved"), "refused", OPPOSITE),
    ],
)
def test_only_what_is_resolved_contradicts(found, expected, is_):
    assert outcome(found, expected) is is_
