"""What is wrong with a search's file is one message with its line, before anything trains."""

import copy

import pytest
from lab import write_yaml
from searching import Stopped, search, stop_after, table

from harness.experiments.files.yaml_source import SourceError
from harness.search.question import load_search

pytestmark = pytest.mark.usefixtures("deterministic")

LR = {"low": 1e-3, "high": 3e-2, "log": True}
WRONG = {
    "a mistyped key": ({"objectivs": ["val_bpb"]}, "Did you mean 'objectives'"),
    "an unknown path": ({"space": {"variant.attn": ["gqa"]}}, "Did you mean 'attention'"),
    "an unknown option": (
        {"space": {"train.optimizer.learning_rate": LR}},
        "space.train.optimizer.learning_rate: unknown",
    ),
    "an unknown component": (
        {"space": {"variant.attention": ["gqa", "mlaa"]}},
        "space.variant.attention: unknown attention 'mlaa'. Did you mean 'mla'",
    ),
    "an unknown objective": ({"objectives": ["val_bp"]}, "Did you mean 'val_bpb'"),
    "a direction": ({"objectives": {"val_bpb": "less"}}, "minimize or maximize"),
    "costs alone": ({"objectives": ["params"]}, "known before training"),
    "an unknown cost": ({"constraints": {"kv_byte": 100}}, "Did you mean 'kv_bytes'"),
    "a bound that is none": ({"constraints": {"params": "many"}}, "must be a count"),
    "an unknown sampler": ({"sampler": "tpee"}, "Did you mean 'tpe'"),
    "an unknown option of it": (
        {"sampler": {"name": "tpe", "n_startup": 3}},
        "Did you mean 'n_startup_trials'",
    ),
    "one for one objective": (
        {"sampler": "cmaes", "objectives": ["val_bpb", "params"]},
        "serves one objective",
    ),
    "an unknown pruner": ({"pruner": "medium"}, "Did you mean 'median'"),
    "two ways to stop": ({"pruner": "median", "rungs": [0.5]}, "stands beside `rungs`"),
    "a pruner of several": (
        {"pruner": "median", "objectives": ["val_bpb", "params"]},
        "serves one objective",
    ),
    "a rung between evaluations": ({"rungs": [0.3, 1]}, "rungs.0: trials are evaluated at 4"),
    "rungs that fall": ({"rungs": [0.5, 0.25]}, "fractions that rise"),
    "a grid of a continuum": ({"sampler": "grid"}, "has no list of values for a grid"),
    "no trials": ({"trials": 0}, "trials: must be a count"),
    "a point of nothing": ({"enqueue": [{"train.optimizer.lrr": 0.01}]}, "enqueue.0"),
    "a storage": ({"storage": "mysql://x"}, "storage: must be sqlite"),
    "a relative journal": ({"storage": "journal:here.log"}, "needs an absolute path"),
    "a broken base": (
        {"base": {"variant": {"preset": "tny"}, "train": {"budget": {"steps": 1}}}},
        "Did you mean 'tiny'",
    ),
    "a metric of nothing": ({"analysis": {"metric": "val_bbp"}}, "unknown metric"),
    "a confirmation": ({"confirm": {"tops": 1}}, "Did you mean 'top'"),
    "a limit": ({"limits": {"hour": 1}}, "Did you mean 'hours'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_is_none_is_refused_with_its_line(write, case):
    changes, told = WRONG[case]
    with pytest.raises(SourceError) as refused:
        load_search(write(**changes))
    assert told in str(refused.value)
    assert "kv.yaml:" in str(refused.value)


def test_a_space_in_which_nothing_can_be_trained_is_refused(write, tmp_path):
    with pytest.raises(SourceError, match="none can be trained; most often because params is"):
        search(write(constraints={"params": 10}), tmp_path)
    assert not list(tmp_path.glob("runs/*"))
    assert not (tmp_path / "studies").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"space": {"variant.attention": ["gqa", "mla", "gated_delta"]}},
        {"objectives": ["val_loss"]},
        {"constraints": {"params": "1M"}},
        {"sampler": {"name": "tpe", "seed": 1}},
        {"rungs": [0.5, 1]},
        {"seed": 1},
        {"match": {"params": "5%", "by": "d_ff"}},
    ],
)
def test_a_study_that_asks_something_else_now_is_refused_and_nothing_is_lost(
    mapping, tmp_path, change
):
    path = write_yaml(tmp_path / "kv.yaml", mapping(trials=1))
    search(path, tmp_path)
    before = table(tmp_path)
    write_yaml(path, mapping(trials=1, **change))
    (key,) = change
    with pytest.raises(SourceError, match=f"{key}: has changed since the study 'kv' was begun"):
        search(path, tmp_path)
    assert table(tmp_path) == before


def test_a_base_that_has_changed_is_refused(mapping, tmp_path):
    path = write_yaml(tmp_path / "kv.yaml", mapping(trials=1))
    search(path, tmp_path)
    changed = copy.deepcopy(mapping(trials=1))
    changed["base"]["variant"]["d_model"] = 32
    write_yaml(path, changed)
    with pytest.raises(SourceError, match="base: has changed since"):
        search(path, tmp_path)


def test_more_trials_of_the_same_study_may_be_asked_for(mapping, tmp_path):
    path = write_yaml(tmp_path / "kv.yaml", mapping(trials=2))
    search(path, tmp_path)
    first = table(tmp_path)
    write_yaml(path, mapping(trials=4))
    search(path, tmp_path)
    assert table(tmp_path)[:2] == first
    assert len(table(tmp_path)) == 4


def test_a_database_that_cannot_be_reached_at_the_start_is_one_message(write, tmp_path):
    from harness.errors import AblateError

    (tmp_path / "file").write_text("")
    storage = f"journal:{tmp_path / 'file' / 'below.log'}"
    with pytest.raises(AblateError, match="cannot be used"):
        search(write(storage=storage), tmp_path)


def test_a_study_that_another_process_runs_is_refused(write, tmp_path):
    from harness.store.errors import StoreError
    from harness.store.studies import StudyStore

    files = StudyStore(tmp_path).files("kv")
    with files.hold(), pytest.raises(StoreError, match="another process is running this study"):
        search(write(), tmp_path)


def test_a_stopped_search_says_so_in_its_events(write, tmp_path, monkeypatch):
    with monkeypatch.context() as patched, pytest.raises(Stopped):
        stop_after(3, patched)
        search(write(trials=2), tmp_path)
    search(write(trials=2), tmp_path)
    assert [row[3] for row in table(tmp_path)] == ["done", "done"]
