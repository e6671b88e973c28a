"""Optuna's storage follows the events, also after it was away, wrong or gone."""

import threading
import time

import optuna
import pytest
from searching import files_of, search

from harness.errors import AblateError
from harness.search.mirror import Mirror, rebuild
from harness.search.question import load_search
from harness.search.run import rebuild_view
from harness.search.storage import check_storage, open_storage, redacted
from harness.store.runs import RunStore

DEFINITION = {
    "name": "kv",
    "question": "",
    "objectives": [{"key": "val_bpb", "direction": "minimize"}],
    "space": {
        "lr": {
            "distribution": '{"name": "FloatDistribution", "attributes": '
            '{"low": 0.0, "high": 1.0, "step": null, "log": false}}'
        }
    },
}


def events(n_trials, n_ended=None):
    found = []
    for number in range(n_trials):
        about = {"trial": number, "at": "2025-01-01T00:00:00+00:00"}
        asked = {"params": {"lr": 0.25}, "run_id": f"r{number}", "arm": {}, "cost": {}}
        found.append({**about, "event": "asked", **asked, "constraints": {"params": -0.1}})
        if number < (n_trials if n_ended is None else n_ended):
            ended = {"status": "done", "values": {"val_bpb": 1.5 + number}}
            found.append({**about, "event": "ended", **ended})
    return found


class Away:
    """A storage that cannot be written for a while."""

    def __init__(self, storage):
        self.storage, self.is_away = storage, threading.Event()

    def __getattr__(self, name):
        found = getattr(self.storage, name)
        if not callable(found):
            return found

        def call(*args, **kwargs):
            if self.is_away.is_set():
                raise optuna.exceptions.StorageInternalError("the server closed the connection")
            return found(*args, **kwargs)

        return call


def trials_of(storage):
    study = optuna.load_study(study_name="kv", storage=storage)
    return [(t.number, t.state.name, t.value, t.constraints) for t in study.trials]


def test_a_view_that_is_rebuilt_is_the_view_that_followed(tmp_path):
    followed = open_storage("sqlite", tmp_path)
    mirror = Mirror(DEFINITION, lambda: followed, print)
    for event in events(5, 3):
        mirror.apply([event])
    assert mirror.close(60) == 0
    again = optuna.storages.InMemoryStorage()
    rebuild(DEFINITION, events(5, 3), again)
    assert trials_of(followed) == trials_of(again)
    assert [state for _, state, *_ in trials_of(followed)] == ["COMPLETE"] * 3 + ["RUNNING"] * 2


def test_sqlite_keeps_what_is_committed(tmp_path):
    storage = open_storage("sqlite", tmp_path)
    with storage.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # full


def test_a_storage_that_is_away_is_told_once_and_then_has_everything():
    said = []
    away = Away(optuna.storages.InMemoryStorage())
    mirror = Mirror(DEFINITION, lambda: away, said.append)
    mirror.apply(events(2))
    while mirror._outbox:
        time.sleep(0.01)
    away.is_away.set()
    mirror.apply(events(4)[4:])
    while not said:
        time.sleep(0.01)
    time.sleep(0.5)
    away.is_away.clear()
    assert mirror.close(60) == 0
    assert len(said) == 2
    assert "away, training goes on" in said[0]
    assert "is back" in said[1]
    assert [number for number, *_ in trials_of(away.storage)] == [0, 1, 2, 3]


def test_what_is_not_written_at_the_end_is_counted():
    away = Away(optuna.storages.InMemoryStorage())
    mirror = Mirror(DEFINITION, lambda: away, lambda _: None)
    away.is_away.set()
    mirror.apply(events(3))
    assert mirror.close(1) == 3


def test_a_view_that_contradicts_the_events_is_made_again():
    storage = optuna.storages.InMemoryStorage()
    changed = [{**e, "values": {"val_bpb": 9.0}} if e["event"] == "ended" else e for e in events(2)]
    rebuild(DEFINITION, changed, storage)
    mirror = Mirror(DEFINITION, lambda: storage, print)
    mirror.apply(events(3))
    assert mirror.close(60) == 0
    assert [value for _, _, value, _ in trials_of(storage)] == [1.5, 2.5, 3.5]


def test_another_s_study_of_the_same_name_is_left_alone():
    storage = optuna.storages.InMemoryStorage()
    theirs = optuna.create_study(study_name="kv", storage=storage)
    theirs.add_trial(optuna.create_trial(value=1.0))
    with pytest.raises(AblateError, match="another study that is named 'kv'"):
        Mirror(DEFINITION, lambda: storage, print)
    with pytest.raises(AblateError, match="another study that is named 'kv'"):
        rebuild(DEFINITION, events(1), storage)
    assert len(theirs.trials) == 1


def test_a_password_is_told_to_nobody():
    address = "postgresql://me:secret@host/db"
    check_storage(address)
    assert redacted(address) == "postgresql://me@host/db"


@pytest.mark.usefixtures("deterministic")
def test_a_journal_is_written_and_rebuilt(write, tmp_path):
    journal = tmp_path / "journals" / "kv.log"
    path = write(trials=2, storage=f"journal:{journal}")
    search(path, tmp_path)
    first = trials_of(open_storage(f"journal:{journal}", tmp_path))
    assert len(first) == 2
    journal.unlink()
    assert rebuild_view(load_search(path), RunStore(tmp_path)) == 2
    assert trials_of(open_storage(f"journal:{journal}", tmp_path)) == first
    assert not (files_of(tmp_path).path / "study.db").exists()
