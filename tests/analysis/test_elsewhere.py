"""Runs made elsewhere get the verdicts that ours would, and every mistake is told with its line."""

import numpy as np
import pytest
from lab import ROOT, ablate

from harness.analysis.statistics.verdict import Verdict
from harness.analysis.verdicts.compare import compare
from harness.analysis.verdicts.elsewhere import Asked, read_runs
from harness.analysis.words.sentences import sentence
from harness.errors import AblateError
from harness.store.experiments import ExperimentStore

BASE = 1.9 + np.array([0.0, 0.01, 0.02, 0.015, 0.005])
NOISE = np.array([0.001, -0.002, 0.0015, -0.0005, 0.0])
VALUES = {"old": BASE, "new": BASE + 0.01 + NOISE}


@pytest.fixture
def write(tmp_path):
    """Write a file of lines, or of values by arm; return its path."""

    def write(lines=None, metric="loss", values=VALUES):
        if lines is None:
            rows = [f"{a},{s},{v}" for a, over in values.items() for s, v in enumerate(over)]
            lines = [f"arm,seed,{metric}", *rows]
        file = tmp_path / "runs.csv"
        file.write_text("\n".join(lines) + "\n")
        return file

    return write


def test_the_verdict_is_that_of_our_own_runs(write, make_plan, make_runs):
    ours = compare(make_plan(["old", "new"], range(5)), make_runs(VALUES)).contrasts
    plan, runs = read_runs(write(metric="val_bpb"), Asked())
    [theirs] = compare(plan, runs).contrasts
    for field in ("difference", "low", "high", "sd", "rho", "n", "verdict", "detectable"):
        assert getattr(theirs, field) == getattr(ours[0], field), field


def test_a_committed_experiment_judged_from_its_csv_has_the_same_intervals(tmp_path):
    tables = ExperimentStore(ROOT / "results").open("position")
    file = tmp_path / "position.csv"
    tables.runs.to_csv(file, index=False)
    baseline, metric = tables.plan["baseline"], tables.plan["metric"]
    plan, runs = read_runs(file, Asked(metric=metric, baseline=baseline))
    plan["contrasts"] = tables.plan["contrasts"]
    theirs, ours = compare(plan, runs), compare(tables.plan, tables.runs)
    assert [c.arm for c in theirs.contrasts] == [c.arm for c in ours.contrasts]
    for one, other in zip(theirs.contrasts, ours.contrasts, strict=True):
        assert (one.low, one.high, one.verdict) == pytest.approx(
            (other.low, other.high, other.verdict)
        )


def test_every_sentence_says_that_nothing_is_known(write):
    for asked in (Asked(), Asked(baseline="new")):
        plan, runs = read_runs(write(), asked)
        [contrast] = compare(plan, runs).contrasts
        said = sentence(contrast, plan)
        assert said.endswith("in runs made elsewhere: nothing is known of what was held equal.")
        assert "matched" not in said and "planned" not in said
        assert contrast.labels == ()


@pytest.mark.parametrize(
    ("metric", "maximise", "expected"),
    [
        ("loss", False, Verdict.WORSE),
        ("score", True, Verdict.BETTER),
        ("val_bpb", False, Verdict.WORSE),
        ("val_accuracy", False, Verdict.BETTER),
    ],
)
def test_less_is_better_unless_said_or_known(write, metric, maximise, expected):
    plan, runs = read_runs(write(metric=metric), Asked(maximise=maximise))
    [contrast] = compare(plan, runs).contrasts
    assert contrast.verdict is expected


def test_a_missing_seed_refuses(write):
    lines = write().read_text().splitlines()
    plan, runs = read_runs(write(lines[:-1]), Asked())
    [contrast] = compare(plan, runs).contrasts
    assert contrast.verdict is Verdict.REFUSED
    assert contrast.reason == "new lacks seed 4 (not planned)"


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "NaN"])
def test_what_is_no_finite_number_diverged(write, value):
    lines = write().read_text().splitlines()
    plan, runs = read_runs(write([*lines[:-1], f"new,4,{value}"]), Asked())
    assert runs["status"].tolist() == ["done"] * 9 + ["diverged"]
    [contrast] = compare(plan, runs).contrasts
    assert contrast.verdict is Verdict.REFUSED


def test_environments_and_states_are_read(write):
    lines = ["arm,seed,loss,environment,status,note"]
    lines += [f"{a},{s},{1 + s},{'gpu' if s else 'cpu'},done,x" for a in "ab" for s in range(5)]
    plan, runs = read_runs(write([*lines, "a,5,,cpu,failed,y"]), Asked(metric="loss"))
    [contrast] = compare(plan, runs).contrasts
    assert "different environments" in contrast.reason
    assert "a lacks seed 5 (failed)" in contrast.reason


def test_runs_that_chose_a_setting_do_not_answer(write):
    lines = ["arm,seed,loss,purpose", *(f"{a},{s},{1 + s},report" for a in "ab" for s in range(4))]
    _, runs = read_runs(write([*lines, "a,1000000,1,tuning"]), Asked())
    assert sorted(runs["seed"].unique()) == [0, 1, 2, 3]


def test_a_file_of_excel_is_read(write):
    file = write()
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert len(read_runs(file, Asked())[1]) == 10


@pytest.mark.parametrize(
    ("lines", "asked", "expected"),
    [
        (["arm,sed,loss", "a,0,1"], {}, r"unknown column 'seed'\. Did you mean 'sed'\?"),
        (["arm,seed,loss"], {}, "has a header, but no run below it"),
        ([""], {}, "unknown column 'arm'"),
        (["arm,seed,loss", "a,0,1", "b,x,1"], {}, r"line 3, column seed: .* whole .* but got 'x'"),
        (["arm,seed,loss", "a,-1,1"], {}, "line 2, column seed"),
        (["arm,seed,loss", "a,0,low"], {}, r"line 2, column loss: must be a number, but got 'low'"),
        (["arm,seed,loss", "a,0,"], {}, r"line 2, column loss: .*nan for a run that diverged"),
        (["arm,seed,loss", ",0,1"], {}, "line 2, column arm: must name an arm"),
        (["arm,seed,loss", "a,0,1,2"], {}, "line 2: has more values"),
        (["arm,seed,loss", "a,0,1", "a,0,2"], {}, "line 3, .* a has this seed in line 2 already"),
        (["arm,seed,loss,status", "a,0,1,fine"], {"metric": "loss"}, "line 2, column status"),
        (["arm,seed,loss", "a,0,1", "a,1,2"], {}, "nothing to compare: 'a' is the only arm"),
        (["arm,seed,x,y", "a,0,1,2"], {}, "--metric names it: x, y"),
        (["arm,seed", "a,0"], {}, "no other column is there"),
        (["arm,seed,loss", "a,0,1"], {"metric": "los"}, r"unknown metric 'los'\. Did you mean"),
        (["arm,seed,loss", "a,0,1"], {"baseline": "b"}, "unknown arm 'b'"),
        (["arm,seed,loss", 'a,0,"1'], {}, "cannot be read as CSV"),
    ],
)
def test_a_mistake_is_told_with_its_place(write, lines, asked, expected):
    file = write(lines)
    with pytest.raises(AblateError, match=expected) as told:
        read_runs(file, Asked(**asked))
    assert str(told.value).startswith(str(file))


def test_no_file_and_no_text_are_told(tmp_path):
    with pytest.raises(AblateError, match="no such file"):
        read_runs(tmp_path / "none.csv", Asked())
    file = tmp_path / "binary.csv"
    file.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(AblateError, match="cannot be read as CSV"):
        read_runs(file, Asked())


def test_the_command_takes_a_file_a_name_or_an_experiments_file(write, tmp_path):
    ended = ablate("compare", write(), "--json", results=tmp_path)
    assert ended.code == 0, ended.err
    assert ended.json["contrasts"][0]["verdict"] == "worse"
    shown = ablate("compare", write(), "--maximise", "--alpha", "0.1", results=tmp_path)
    assert "better" in shown.out and "90 % interval" in shown.out
    question = ROOT / "experiments/ablations/norm.yaml"
    named = ablate("compare", question, "--json", results=ROOT / "results")
    assert named.json == ablate("compare", "norm", "--json", results=ROOT / "results").json
    refused = ablate("compare", "norm", "--alpha", "0.1", results=ROOT / "results")
    assert refused.code == 2 and "are for a CSV file" in refused.err
    curves = ablate("compare", write(), "--until", "step", results=tmp_path)
    assert curves.code == 2 and "needs learning curves" in curves.err


def test_the_largest_difference_that_makes_none_is_passed_on(write):
    plan, _ = read_runs(write(), Asked(practical=0.5, alpha=0.1))
    assert (plan["practical"], plan["alpha"]) == (0.5, 0.1)
