"""The losses of documents are kept with an experiment, small enough to be committed."""

import math

import pandas as pd
import pytest

from harness.store.documents import DOCUMENT_COLUMNS, collect_documents, no_documents
from harness.store.experiments import ExperimentStore
from harness.store.records import Measured, Result
from harness.store.runs import RunStore

DOCUMENTS = {"first": (120.25, 80), "second": (240.5, 200)}
PLAN = {
    **dict.fromkeys(("question", "baseline"), "gqa"),
    **{key: {} for key in ("contrasts", "arms")},
    **{key: [] for key in ("held_equal", "differs", "seeds")},
    "name": "attention",
    "metric": "val_bpb",
    "alpha": 0.05,
}


def planned(run_id, **keys):
    return {"arm": "gqa", "seed": 3, "run_id": run_id, "environment": "cpu", **keys}


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path)


@pytest.fixture
def train(store):
    """Finish a run, and score its weights once more."""

    def finish(run_id, status="done"):
        attempt = store.new_attempt(run_id, "cpu")
        with attempt.hold():
            attempt.finish(Result(status=status, seconds=1.0, documents=DOCUMENTS))
            again = {name: (2 * nats, size) for name, (nats, size) in DOCUMENTS.items()}
            common = {"settings": {}, "fingerprint": {}, "created": "", "seconds": 1.0}
            attempt.write_measurement("set-1", Measured(status="done", documents=again, **common))
        return attempt

    return finish


def test_every_document_of_a_report_run_is_in_the_table(store, train):
    train("a")
    train("b")
    runs = [planned("a", setting=0.004), planned("b", purpose="tuning"), planned("c")]
    found = collect_documents({**PLAN, "runs": runs}, store)
    assert found.to_dict("records") == [
        {"arm": "gqa", "seed": 3, "setting": 0.004, "document": name, "nats": nats, "bytes": size}
        for name, (nats, size) in DOCUMENTS.items()
    ]
    assert found.dtypes.astype(str).to_dict() == DOCUMENT_COLUMNS


def test_they_are_of_what_the_metric_scores(store, train):
    train("a")
    runs = [planned("a", evaluations={"report": "set-1"})]
    of_set = collect_documents({**PLAN, "metric": "report/val_bpb", "runs": runs}, store)
    assert of_set["nats"].tolist() == [240.5, 481.0]
    measured = [planned("a", measurement="set-1")]
    assert collect_documents({**PLAN, "runs": measured}, store)["nats"].tolist() == [240.5, 481.0]
    missing = {**PLAN, "metric": "other/val_bpb", "runs": runs}
    assert collect_documents(missing, store).empty


def test_runs_that_do_not_count_and_corrupt_ones_are_left_out(store, train):
    train("a", status="diverged")
    (train("b").path / "result.json").write_text("{")
    found = collect_documents({**PLAN, "runs": [planned("a"), planned("b")]}, store)
    assert found.empty
    assert found.dtypes.astype(str).to_dict() == DOCUMENT_COLUMNS


def test_a_document_without_a_finite_loss_is_nan(store):
    attempt = store.new_attempt("a", "cpu")
    with attempt.hold():
        attempt.finish(Result(status="done", seconds=1.0, documents={"first": (None, 80)}))
    [row] = collect_documents({**PLAN, "runs": [planned("a")]}, store).to_dict("records")
    assert math.isnan(row["nats"])


def test_the_table_is_kept_with_the_experiment_and_small(store, tmp_path):
    experiments = ExperimentStore(tmp_path)
    experiments.write_plan({**PLAN, "runs": []})
    assert experiments.open("attention").documents.empty
    rows = [
        {"arm": arm, "seed": seed, "setting": None, "document": f"d{j}", "nats": j / 7, "bytes": j}
        for arm in ("gqa", "mqa")
        for seed in range(50)
        for j in range(100)
    ]
    table = pd.DataFrame(rows).astype(DOCUMENT_COLUMNS)
    empty = pd.DataFrame()
    experiments.write_tables("attention", empty, empty, empty, table)
    back = experiments.open("attention").documents
    pd.testing.assert_frame_equal(back, table)
    path = experiments.folder("attention") / "documents.parquet"
    assert path.stat().st_size < 10 * len(rows)  # in bytes
    experiments.write_tables("attention", empty, empty, empty)
    assert len(experiments.open("attention").documents) == len(rows)
    assert list(no_documents().columns) == list(DOCUMENT_COLUMNS)
