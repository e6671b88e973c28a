"""Looking ahead is caught before training, and looked for in what is too good."""

import io

import pytest
import torch
from lab import ablate, attempts, write_yaml
from rich.console import Console

from harness.experiments.files.yaml_source import Source
from harness.experiments.planning.loading import Loaded
from harness.experiments.planning.plan import make_plan
from harness.experiments.question.conditions import main_question
from harness.experiments.question.resolve import resolve
from harness.experiments.running.leak import leak_report, look_for_leaks
from harness.experiments.running.run import HowToRun, run_experiment
from harness.store.experiments import ExperimentStore
from harness.store.runs import RunStore

LEAKY = '''
import torch.nn.functional as F
from harness.core.slots import FFN
from variants.ffn.swiglu import SwiGLU


@FFN.register("{name}")
class Leaky(SwiGLU):
    """It reads the next token, of more than {least} tokens.

    Source:
        A planted fault.
    """

    def forward(self, x, context):
        ahead = F.pad(x[:, 1:], (0, 0, 0, 1))
        return super().forward(x + ahead if x.shape[1] > {least} else x, context)
'''


@pytest.fixture
def own_components(tmp_path):
    folder = tmp_path / "own" / "ffn"
    folder.mkdir(parents=True)
    for name, least in (("leaks", 0), ("leaks_late", 20)):
        (folder / f"{name}.py").write_text(LEAKY.format(name=name, least=least))


def test_a_component_of_ones_own_that_looks_ahead_fails_before_its_first_step(
    small, tmp_path, own_components
):
    """In the run's own process: what goes wrong there costs that run alone."""
    arms = {"leaky": {"variant": {"ffn": "leaks"}}, "plain": {}}
    data = small(arms=arms, baseline="plain", components=["own"], seeds=1)
    results = tmp_path / "results"
    ended = ablate("run", write_yaml(tmp_path / "x.yaml", data), "--inline", results=results)
    assert ended.code == 1
    assert "blocks.0.ffn (ffn) looks ahead" in ended.out and "is refused" in ended.out
    by_status = {attempt.status: attempt for attempt in attempts(results)}
    assert set(by_status) == {"failed", "done"}
    assert by_status["failed"].read_curve() == []


@pytest.fixture
def finish(small, tmp_path, deterministic):
    """Train arms that differ by far, and return what there is for a leak test."""

    def run(**changes):
        arms = {"slow": {"train": {"optimizer": {"lr": 1e-7}}}, "plain": {}}
        data = small(**{"arms": arms, "baseline": "plain", "seeds": 4, **changes})
        data["base"]["train"]["budget"] = {"steps": 30}
        store, experiments = RunStore(tmp_path / "results"), ExperimentStore(tmp_path / "results")
        loaded = Loaded(Source("x.yaml", data, (), {}), resolve(main_question(data), tmp_path))
        console = Console(file=io.StringIO())
        outcome = run_experiment(loaded, store, experiments, HowToRun(inline=True), console)
        return outcome, store, experiments

    return run


def test_an_arm_is_tested_with_its_trained_weights_on_held_out_text(finish):
    outcome, store, _ = finish()
    report = leak_report(outcome.plan, "plain", store)
    assert report.leak is None
    assert report.weights == "of seed 0"
    assert (report.n_rows, report.n_tokens, report.positions) == (4, 32, (1, 8, 16, 31))
    assert "no output depends on a later token" in str(report)


def test_without_finished_runs_the_weights_are_drawn_at_random(small, tmp_path):
    store = RunStore(tmp_path / "results")
    plan = make_plan(resolve(small(), tmp_path), store, torch.device("cpu"), "x.yaml")
    report = leak_report(plan, "gelu", store)
    assert (report.leak, report.weights) == (None, "drawn at random")


def test_what_is_too_good_is_tested_before_it_is_shown(finish):
    """A rate of nearly nothing is worse by more than ten standard deviations of the seeds."""
    outcome, store, experiments = finish()
    assert [contrast.suspicious for contrast in outcome.comparison.contrasts] == [True]
    console = Console(file=io.StringIO())
    again = look_for_leaks(outcome, store, experiments, console)
    assert console.file.getvalue().count("no output depends on a later token") == 2
    kept = experiments.open("small").plan["arms"]
    assert {arm["leak"]["found"] for arm in kept.values()} == {None}
    assert [c.verdict for c in again.comparison.contrasts] == ["worse"]


def test_a_verdict_on_an_arm_that_looks_ahead_is_refused(finish, small, own_components):
    """The leak shows in sequences longer than those that are tested before training."""
    base = small()["base"]
    base["variant"]["ffn"] = "leaks_late"
    outcome, store, experiments = finish(base=base, components=["own"])
    console = Console(file=io.StringIO())
    again = look_for_leaks(outcome, store, experiments, console)
    [contrast] = again.comparison.contrasts
    assert contrast.verdict == "refused"
    assert "slow looks ahead: blocks.0.ffn (ffn) looks ahead: its output" in contrast.reason
    assert "blocks.0.ffn (ffn) looks ahead" in console.file.getvalue()


def test_what_is_not_too_good_is_not_tested(finish):
    arms = {"a": {}, "b": {"train": {"optimizer": {"lr": 4.1e-3}}}}
    outcome, store, experiments = finish(arms=arms, baseline="a")
    assert look_for_leaks(outcome, store, experiments, Console(file=io.StringIO())) is outcome
