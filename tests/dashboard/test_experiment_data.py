"""Pages show what the command line says, and follow the files."""

import pandas as pd
import pytest
from synthetic_store import write_experiment

from dashboard.data import load, load_all, losses
from dashboard.tables import arm_table, run_table
from harness.analysis.verdicts.arms import mean_words
from harness.analysis.verdicts.compare import compare
from harness.analysis.words.rendering import arm_table as terminal_table
from harness.errors import AblateError
from harness.store.experiments import ExperimentStore

MANY = {"a": 0.0, "b": 0.01}


@pytest.fixture
def store(results):
    return ExperimentStore(results)


def test_the_arm_table_says_what_the_terminal_says(store):
    for name in ("heads", "positions"):
        experiment = load(store, name)
        shown = arm_table(experiment)
        terminal = terminal_table(experiment.comparison, experiment.plan)
        for column, cells in zip(shown.columns, terminal.columns, strict=True):
            assert list(shown[column]) == [str(cell) for cell in cells.cells]


def test_a_mean_without_an_interval_has_none(store, make_single):
    (arm, *_) = compare(make_single.plan, make_single.runs).arms
    assert "±" not in mean_words(arm)


@pytest.fixture
def make_single(tmp_path):
    write_experiment(tmp_path, "single", MANY, [0])
    return ExperimentStore(tmp_path).open("single")


def test_a_changed_file_is_read_again(tmp_path):
    store = ExperimentStore(tmp_path)
    plan = write_experiment(tmp_path, "live", MANY, range(2), n_points=2)
    assert load(store, "live").n_done == 4
    tables = store.open("live")
    store.write_tables("live", tables.runs.head(1), tables.curves, pd.DataFrame())
    assert load(store, "live").n_done == 1
    store.write_plan({**plan, "question": "Another?"})
    assert load(store, "live").plan["question"] == "Another?"


def test_what_cannot_be_read_is_a_message_that_names_the_file(store):
    readable, errors = load_all(store, store.names())
    assert [experiment.name for experiment in readable] == ["heads", "positions"]
    assert len(errors) == 1
    assert str(store.folder("torn") / "plan.json") in errors[0]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("runs.parquet", b"PAR1"),
        ("curves.parquet", b""),
        ("plan.json", b"[]"),
        ("plan.json", b'{"name": "x"}'),
        ("plan.json", None),
    ],
)
def test_every_corrupt_file_is_one_clear_error(tmp_path, file, content):
    plan = write_experiment(tmp_path, "x", MANY, range(2), n_points=1)
    store = ExperimentStore(tmp_path)
    if content is None:
        store.write_plan({**plan, "arms": {arm: {} for arm in plan["arms"]}})
    else:
        (store.folder("x") / file).write_bytes(content)
    with pytest.raises(AblateError, match=file):
        load(store, "x")


def test_a_name_that_is_no_folder_is_refused(store):
    with pytest.raises(AblateError, match="must be"):
        load(store, "../../etc/passwd")


def test_lost_runs_are_named_with_their_cause(store):
    (lost,) = losses(load(store, "positions"))
    assert lost == "none, seed 3: failed (out of *memory* :smile: :material/home: :red[x])"


def test_varying_columns_come_first_and_constant_ones_are_left_out(store):
    one = run_table([load(store, "heads")], all_columns=False)
    assert list(one.columns[:3]) == ["arm", "changes", "seed"]
    assert list(one["changes"][:3]) == ["", "attention.name=gqa_2", "attention.name=mqa"]
    assert "environment" not in one and "experiment" not in one and "replica" not in one
    both = run_table([load(store, name) for name in ("heads", "positions")], all_columns=False)
    assert both.columns[0] == "experiment"
    assert len(both) == 15 + 8
    everything = run_table([load(store, "heads")], all_columns=True)
    assert {"environment", "params", "replica"} <= set(everything.columns)
