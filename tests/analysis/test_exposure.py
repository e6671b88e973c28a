"""Arms that saw little text for their size, or the same too often, are named once."""

import io

import numpy as np
import pytest
from rich.console import Console

from harness.analysis.verdicts.compare import compare
from harness.analysis.verdicts.exposure import Exposure, exposure_notes
from harness.analysis.words.rendering import comparison_tables
from harness.analysis.words.summary import comparison_dict

BASE = 1.9 + np.array([0.0, 0.01, 0.02, 0.015, 0.005])


def test_few_tokens_and_many_epochs_are_two_things():
    arms = {"few": Exposure(4.9, 0.5), "often": Exposure(40.0, 4.1), "both": Exposure(1.0, 9.0)}
    assert exposure_notes(arms) == [
        "undertrained, fewer than 5 tokens per parameter: both 1, few 4.9",
        "repeated, more than 4 epochs of the text: often 4.1, both 9",
    ]


def test_enough_text_is_not_mentioned():
    assert exposure_notes({"a": Exposure(5.0, 4.0), "b": Exposure(None, None)}) == []


def test_arms_alike_stand_together():
    few = {name: Exposure(0.534 + i / 1e4, None) for i, name in enumerate("abc")}
    assert exposure_notes(few)[0].endswith(": all arms 0.53")
    assert exposure_notes({**few, "d": Exposure(9, 0)})[0].endswith(": a and b and c 0.53")
    assert exposure_notes({"a": Exposure(0.5, 0)})[0].endswith(": a 0.5")


@pytest.mark.parametrize("epochs", [None, 4.5])
def test_a_comparison_says_it_once(make_plan, make_runs, epochs):
    plan = make_plan(["gqa", "mqa"], range(5))
    runs = make_runs({"gqa": BASE, "mqa": BASE + 0.01})
    runs["tokens"] = 656_000
    if epochs:
        runs["epochs"] = np.where(runs["arm"] == "gqa", epochs, 1.0)
    comparison = compare(plan, runs)
    notes = ["undertrained, fewer than 5 tokens per parameter: all arms 0.5"]
    notes += ["repeated, more than 4 epochs of the text: gqa 4.5"] if epochs else []
    assert comparison.notes == comparison_dict(comparison, plan)["notes"] == notes
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(*comparison_tables(comparison, plan))
    text = console.export_text()
    for note in notes:
        assert text.count(f"({note})") == 1


def test_runs_that_do_not_count_say_nothing(make_plan, make_runs):
    runs = make_runs({"gqa": BASE})
    runs["tokens"], runs["epochs"] = 10**9, [1, 9, 9, 9, 9]
    runs.loc[1:, "status"] = "diverged"
    assert compare(make_plan(["gqa"], range(5)), runs).notes == []
