"""`ablate results` and `ablate report` know studies as they know experiments."""

import io
import json

import pandas as pd
import pytest
from lab import ablate, files
from searching import search
from stored import write
from studies import write_study

from harness.analysis.study.confirmed import summary_frame
from harness.analysis.study.read import read_study
from harness.search.reporting import write_study_report, write_tables
from harness.store.studies import StudyStore

AGAIN = {"experiment": "heads", "trials": [12, 4]}


@pytest.fixture
def results(tmp_path):
    write(tmp_path)
    write_study(tmp_path, confirmed=AGAIN)
    return tmp_path


def test_the_tables_are_those_of_the_events(results):
    studies = StudyStore(results)
    write_tables(studies, "kv")
    study, folder = read_study(studies, "kv"), studies.open("kv").path
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "trials.parquet"), study.trials)
    summary = pd.read_csv(folder / "summary.csv")
    assert summary["number"].tolist() == summary_frame(study)["number"].tolist()
    before = files(results)
    write_tables(studies, "kv")
    assert files(results) == before  # and nothing half-written beside them


def test_the_report_has_importances_and_lies_beside_the_tables(results):
    html, markdown = write_study_report(StudyStore(results), "kv")
    assert html == results / "studies/kv/report.html"
    assert "Importance of parameters" in html.read_text()
    assert "figures/importances-1.svg" in markdown.read_text()
    assert (results / "studies/kv/figures/importances-1.svg").exists()


def test_experiments_and_studies_are_listed(results):
    ended = ablate("results", results=results)
    assert ended.code == 0, ended.err
    assert "heads" in ended.out
    assert "23/24" not in ended.out
    assert "24/24" in ended.out
    rows = json.loads(ablate("results", "--json", results=results).out)
    assert [row.get("experiment") or row.get("study") for row in rows] == ["heads", "kv"]
    assert rows[1]["best"] == "val_bpb 1.8593 and kv_bytes 18 kB, front of 3"
    assert rows[1]["confirmed"].startswith("gqa: ")


def test_the_trials_of_a_study_are_shown_and_what_was_best(results):
    ended = ablate("results", "kv", results=results)
    assert ended.code == 0, ended.err
    assert "not confirmed: trials 1, 17 are" in ended.out
    assert "became NaN" in ended.out
    rows = json.loads(ablate("results", "kv", "--json", results=results).out)
    assert len(rows) == 24
    assert (
        rows[12]["objective.val_bpb"]
        == read_study(StudyStore(results), "kv").trials["objective.val_bpb"].iloc[12]
    )


@pytest.mark.parametrize(("which", "n_rows"), [("trials", 24), ("front", 4)])
def test_tables_are_printed_for_programs_and_papers(results, which, n_rows):
    table = pd.read_csv(io.StringIO(ablate("results", "kv", "--csv", which, results=results).out))
    assert len(table) == n_rows
    printed = ablate("results", "kv", "--latex", which, results=results).out
    assert printed.endswith("\\end{tabular}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("results", "kv", "--csv", "runs"), "--csv of a study must be trials or front, but got"),
        (("results", "kv", "--latex", "arms"), "--latex of a study must be trials or front"),
        (("results", "heads", "--csv", "front"), "--csv of an experiment must be runs or curves"),
        (("results", "heads", "--latex", "trials"), "--latex of an experiment must be arms or"),
        (("results", "--csv", "trials"), "is of one experiment or study: give its name"),
        (("report", "kw"), "unknown experiment or study 'kw'"),
    ],
)
def test_what_there_is_not_is_one_message(results, arguments, message):
    ended = ablate(*arguments, results=results)
    assert ended.code == 2
    assert message in ended.err
    assert "Traceback" not in ended.err


def test_a_name_of_both_is_not_guessed(results):
    write_study(results, "heads")
    ended = ablate("report", "heads", results=results)
    assert ended.code == 2
    assert "is an experiment and a study" in ended.err


def test_the_report_of_a_study_is_written_where_it_is_wanted(results, tmp_path):
    before = files(results / "studies")
    ended = ablate("report", "kv", "--out", tmp_path / "out", results=results)
    assert ended.code == 0, ended.err
    assert ended.out.split() == [str(tmp_path / "out" / p) for p in ("report.html", "report.md")]
    assert files(results / "studies") == before


def test_a_corrupt_event_is_one_message(results):
    path = results / "studies/kv/trials.jsonl"
    path.write_text("nonsense\n" + path.read_text())
    ended = ablate("results", "kv", results=results)
    assert ended.code == 2
    assert "trials.jsonl: corrupt: line 1" in ended.err


def test_a_search_leaves_its_tables_and_can_be_reported(write, results, deterministic):
    space = {
        "variant.attention": ["gqa", "mla"],
        "train.optimizer.lr": {"low": 1e-3, "high": 3e-2, "log": True},
    }
    wanted = {"space": space, "trials": 4, "objectives": ["val_bpb", "kv_bytes"]}
    state = search(write(name="real", rungs=[0.5, 1.0], **wanted), results).state
    study = read_study(StudyStore(results), "real")
    assert study.trials["status"].tolist() == [trial.status for trial in state.trials]
    for trial in state.done:
        row = study.trials.iloc[trial.number]
        assert {one.key: row[one.column] for one in study.objectives} == trial.values
        assert row["params.train.optimizer.lr"] == trial.params["train.optimizer.lr"]
    assert study.trials["flops"].sum() == state.spent("flops")
    stored = pd.read_parquet(results / "studies/real/trials.parquet")
    pd.testing.assert_frame_equal(stored, study.trials)
    html, _ = write_study_report(StudyStore(results), "real")
    assert "not confirmed" in html.read_text()
