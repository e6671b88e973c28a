"""A study's report says what its events say, claims what is confirmed, and loads nothing."""

import io
import re
import xml.etree.ElementTree as ElementTree

import pandas as pd
import pytest
from stored import HOSTILE, write
from studies import BOUND, SPACE, definition, events, write_study
from test_report import Reader

from harness.analysis.study.front import front
from harness.analysis.study.read import read_study, study_of
from harness.analysis.words.sentences import sentence
from harness.report.charts.svg import standalone
from harness.report.pages import html_page, markdown_page
from harness.report.study.build import build_study_report
from harness.report.study.exports import study_csv, study_latex
from harness.report.study.scales import scales
from harness.report.study.tables import all_trials, front_table

SHARES = {"val_bpb": {"lr": 0.7, "d_ff": 0.3}}
AGAIN = {"experiment": "heads", "trials": [12, 4]}


@pytest.fixture
def study(tmp_path):
    write(tmp_path)
    return read_study(write_study(tmp_path, confirmed=AGAIN, question=HOSTILE), "kv")


@pytest.fixture
def report(study):
    return build_study_report(study, SHARES)


def section(report, title):
    return next(one for one in report.sections if one.title == title)


def test_the_page_loads_nothing_and_runs_nothing(report):
    page = Reader(html_page(report))
    assert not {tag for tag, _ in page.tags} & {"script", "img", "link", "iframe"}
    assert not any(
        name in ("src", "href") and not value.startswith("#")
        for _, about in page.tags
        for name, value in about.items()
    )
    assert HOSTILE in page.texts
    assert len(html_page(report)) < 200_000


def test_the_same_events_give_the_same_bytes(study, report):
    again = build_study_report(study, SHARES)
    assert html_page(again) == html_page(report)
    assert markdown_page(again) == markdown_page(report)


def test_every_chart_is_drawn_and_stands_alone(report):
    names = [figure.name for figure in report.figures]
    assert len(set(names)) == len(names)
    expected = {"front-1", "history-1", "history-2", "hypervolume", "rungs", "distribution-1"}
    expected |= {"distribution-2", "timeline", "importances-1", "slice-1", "slice-4", "parallel"}
    assert expected <= set(names)
    for figure in report.figures:
        ElementTree.fromstring(standalone(figure.svg))
        assert not re.search(r"\bnan\b|\binf\b", figure.svg)
        assert figure.alt
        assert re.fullmatch(r"[a-z0-9-]+", figure.name)


def test_a_confirmed_trial_is_claimed_in_the_words_of_the_comparison(study, report):
    about = study.confirmation
    claims = [b for b in section(report, "Result").blocks if b.kind == "claim"]
    expected = [
        (str(contrast.verdict), f"Trial {trial}: {sentence(contrast, about.plan)}")
        for trial, contrast in zip(AGAIN["trials"], about.comparison.contrasts, strict=True)
    ]
    assert [(one.verdict, one.sentence) for one in claims[:2]] == expected
    assert claims[2].verdict == "not confirmed"
    assert claims[2].sentence.startswith("Trials 1, 17 are the best of 13 single runs")


def test_without_a_confirmation_the_only_claim_is_that_there_is_none():
    report = build_study_report(study_of(definition(), events()), {})
    claims = [b for one in report.sections for b in one.blocks if b.kind == "claim"]
    assert [one.verdict for one in claims] == ["not confirmed"]
    column = [row[-1] for row in front_table(study_of(definition(), events())).rows]
    assert column == ["not confirmed"] * 3


def test_the_front_is_listed_with_its_values_parameters_and_verdicts(study):
    table = front_table(study)
    best = front(study.trials, study.objectives)
    assert [row[0] for row in table.rows] == [str(number) for number in best["number"]]
    assert table.rows[0][:2] == ["12", "1.8593"]
    verdict = str(study.confirmation.comparison.contrasts[0].verdict)
    assert [row[-1] for row in table.rows] == [verdict, "not confirmed", "not confirmed"]
    assert table.rows[2][table.columns.index("n_kv_heads")] == "-"


def test_every_trial_is_listed_also_those_that_failed(study):
    table = all_trials(study)
    assert [row[0] for row in table.rows] == [str(number) for number in range(24)]
    said = {row[0]: row for row in table.rows}
    assert said["0"][1] == "done, enqueued"
    assert (said["5"][1], said["5"][-1]) == ("failed", "out of memory")
    assert (said["6"][1], said["6"][-1]) == ("diverged", "the loss became NaN")
    assert f"above {BOUND:g}" in said["3"][-1]
    assert said["9"][table.columns.index("same_as")] == "2"
    assert said["7"][table.columns.index("lost")] == "1"
    not_done = {i for i, row in enumerate(table.rows) if not row[1].startswith("done")}
    assert table.muted == not_done
    assert table.rows[12][table.columns.index("val_bpb")] == "1.8593"


def test_a_duplicate_of_the_very_first_trial_says_so():
    happened = [e | {"same_as": 0} if e.get("same_as") is not None else e for e in events()]
    table = all_trials(study_of(definition(), happened))
    assert table.rows[9][table.columns.index("same_as")] == "0"


def test_the_design_names_the_space_the_sampler_and_the_rungs(report):
    space, facts = section(report, "Design").blocks
    assert [row[:2] for row in space.rows] == [[name, path] for name, (path, *_) in SPACE.items()]
    assert [row[2:] for row in space.rows] == [
        ["mha, gqa, mqa", "always"],
        ["2 to 4", "attention is gqa"],
        ["128 to 384, by 64", "always"],
        ["0.001 to 0.01, by its logarithm", "always"],
    ]
    said = dict(facts.pairs)
    assert said["sampler"] == "tpe, seed=0"
    assert said["rungs"].startswith("at 25 %, 50 % and 100 % of the budget; of each the best 50 %")


def test_a_study_without_rungs_names_its_pruner_or_that_there_is_none():
    for pruner, said in ((None, "none: every trial"), ({"name": "median", "n": 5}, "median, n=5")):
        study = study_of(definition(rungs=None, pruner=pruner), [])
        facts = section(build_study_report(study, {}), "Design").blocks[1]
        assert dict(facts.pairs)["pruner"].startswith(said)


def test_the_commands_repeat_the_study(report):
    [code] = section(report, "How to repeat it").blocks
    assert "ablate search experiments/searches/kv.yaml" in code.text
    assert "git checkout abc123" in code.text


def test_a_study_that_has_just_begun_has_a_report_without_charts():
    report = build_study_report(study_of(definition(), []), {})
    assert report.figures == []
    assert "No trial is done" in html_page(report)


@pytest.mark.parametrize("until", [1, 4, 8, 20, 40, 60])
def test_a_study_that_is_running_has_a_report(until):
    for keys in (("val_bpb",), ("val_bpb", "kv_bytes")):
        study = study_of(definition(objectives=keys), events(keys)[:until])
        page = html_page(build_study_report(study, {}))
        Reader(page)
        assert not re.search(r"\bnan\b|NA>|NaT", page)


def test_choices_have_names_on_an_axis_and_rates_round_ticks(study):
    trials = study.trials[study.trials["status"] == "done"]
    found = {scale.name: scale for scale in scales(study, trials)}
    assert found["attention"].names == {0.0: "gqa", 1.0: "mqa"}
    assert found["attention"].values[17] == 1.0
    assert 17 not in found["n_kv_heads"].values
    assert found["n_kv_heads"].names == {2.0: "2", 3.0: "3", 4.0: "4"}
    assert found["lr"].log_ticks == [0.001, 0.002, 0.005]
    assert found["d_ff"].axis.low < 128 < 384 < found["d_ff"].axis.high


def test_a_dot_is_drawn_for_each_trial_that_is_done_and_a_line_for_each_at_a_rung(report):
    drawn = {figure.name: figure.svg for figure in report.figures}
    circles = [drawn[name].count("<circle") for name in ("history-1", "front-1", "slice-4")]
    assert circles == [13, 13, 13]
    assert drawn["slice-2"].count("<circle") == 9  # of the branch that has it
    assert drawn["rungs"].count('class="line a0"') == 13 + 1  # and in the legend
    assert drawn["parallel"].count('class="thin') == 13
    assert drawn["timeline"].count("<rect") == 19


def test_tables_for_programs_are_complete_and_unrounded(study):
    trials = pd.read_csv(io.StringIO(study_csv(study, "trials")))
    assert len(trials) == 24
    expected = study.trials["objective.val_bpb"]
    assert trials["objective.val_bpb"].dropna().tolist() == expected.dropna().tolist()
    best = pd.read_csv(io.StringIO(study_csv(study, "front")))
    assert best["number"].tolist() == [12, 1, 17, 4]
    low = study.confirmation.comparison.contrasts[0].low
    assert best["low"].iloc[0] == low


@pytest.mark.parametrize("which", ["trials", "front"])
def test_a_table_for_latex_has_the_same_cells_in_every_row(study, which):
    lines = study_latex(study, which).splitlines()
    rows = [line for line in lines if line.endswith(r"\\")]
    assert len(rows) == (25 if which == "trials" else 4)
    assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1
