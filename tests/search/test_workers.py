"""Workers die and the search does not: every trial ends once, and goes on from its checkpoint."""

import os
import signal
import time

import optuna
import pytest
from lab import attempts, start_ablate, write_yaml
from searching import files_of, search, state_of, table

from harness.store.runs import RunStore
from harness.store.status import Status


def kill_one(results, already):
    """Kill the worker of a trial that is under way; say whether there was one."""
    try:
        state = state_of(results)
    except Exception:  # it has not begun
        return False
    for trial in reversed(state.trials):
        started = [
            e
            for e in files_of(results).events()
            if e["trial"] == trial.number and e["event"] == "started"
        ]
        if not trial.is_running or not started:
            continue
        pid = int(started[-1]["worker"].removeprefix("process "))
        if pid in already:
            continue
        already.add(pid)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        return True
    return False


def killed_search(path, results, workers, patience):
    """Run a search in a process of its own, and kill a worker every second."""
    process = start_ablate(
        "search", path, "--workers", workers, "--checkpoint-seconds", 0, results=results
    )
    killed, deadline = set(), time.monotonic() + patience
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(1.0)
        kill_one(results, killed)
    out, err = process.communicate(timeout=patience)
    assert process.returncode == 0, out + err
    return len(killed)


def check(results, n_trials):
    """Hold what must hold however often workers died."""
    state = state_of(results)
    assert len(state.trials) == n_trials
    assert all(trial.is_over for trial in state.trials)
    assert {trial.status for trial in state.trials} <= {"done", "pruned", "duplicate"}
    stored = {}
    for trial in state.trials:
        if trial.status in ("done", "pruned"):
            (attempt,) = RunStore(results).attempts(trial.run_id)
            steps = [point["step"] for point in attempt.read_curve()]
            assert steps == sorted(set(steps))
            expected = Status.DONE if trial.status == "done" else Status.INTERRUPTED
            assert attempt.status is expected
            if trial.status == "done":
                stored[trial.number] = attempt.read_result().metrics["val_bpb"]
    best = min(stored, key=lambda number: stored[number])
    assert min(t.values["val_bpb"] for t in state.done) == stored[best]
    url = f"sqlite:///{files_of(results).path / 'study.db'}"
    study = optuna.load_study(study_name="kv", storage=url)
    assert len(study.trials) == n_trials
    assert not study.get_trials(states=[optuna.trial.TrialState.RUNNING])
    assert study.best_value == stored[best]
    assert len(attempts(results)) == len({trial.run_id for trial in state.trials})


def test_workers_that_are_killed_lose_nothing(write, mapping, tmp_path):
    base = mapping()["base"]
    base["train"] |= {"budget": {"steps": 400}, "evaluations": 4}
    path = write(base=base, trials=4, rungs=[0.5, 1])
    n_killed = killed_search(path, tmp_path, 2, 400)
    check(tmp_path, 4)
    lost = [e for e in files_of(tmp_path).events() if e["event"] == "lost"]
    assert len(lost) <= n_killed


@pytest.mark.slow
def test_a_hundred_trials_survive_a_worker_killed_every_second(write, mapping, tmp_path):
    base = mapping()["base"]
    base["train"] |= {"budget": {"steps": 100}, "evaluations": 4}
    path = write(base=base, trials=100)
    assert killed_search(path, tmp_path, 4, 3000) > 10
    check(tmp_path, 100)


def test_in_workers_a_pruner_is_asked_too(write, tmp_path):
    lr = {"train.optimizer.lr": {"low": 1e-4, "high": 3e-2, "log": True}}
    points = [{"train.optimizer.lr": rate} for rate in (0.02, 0.03, 0.0001)]
    pruner = {"name": "median", "n_startup_trials": 2}
    path = write(space=lr, pruner=pruner, trials=3, enqueue=points)
    search(path, tmp_path / "workers", workers=1, inline=False)
    search(path, tmp_path / "inline")
    assert table(tmp_path / "workers") == table(tmp_path / "inline")


def test_one_worker_gives_what_this_process_gives(write, tmp_path):
    path = write(rungs=[0.5, 1], trials=4)
    search(path, tmp_path / "workers", workers=1, inline=False)
    search(path, tmp_path / "inline")
    assert table(tmp_path / "workers") == table(tmp_path / "inline")


def test_a_trial_that_always_kills_its_worker_ends_as_failed(mapping, tmp_path):
    folder = tmp_path / "mine" / "ffn"
    folder.mkdir(parents=True)
    (folder / "deadly.py").write_text(DEADLY)
    space = {"variant.ffn": ["deadly", "gelu"]}
    content = mapping(space=space, components=["mine"], sampler="grid", trials=2)
    path = write_yaml(tmp_path / "kv.yaml", content)
    search(path, tmp_path, workers=1, inline=False)
    by_ffn = {trial.params["variant.ffn"]: trial for trial in state_of(tmp_path).trials}
    assert by_ffn["gelu"].status == "done"
    assert by_ffn["deadly"].status == "failed"
    assert "exit code 3" in by_ffn["deadly"].ended["cause"]


DEADLY = '''
"""A feed-forward that ends its process where it is trained."""

import os

from harness.core.slots import FFN
from variants.ffn.gelu import GELU


@FFN.register("deadly")
class Deadly(GELU):
    """Source: none."""

    def forward(self, x, context):
        is_trained = x.device.type == "cpu" and x.requires_grad
        if is_trained and tuple(x.shape[:2]) == (2, 32):
            os._exit(3)
        return super().forward(x, context)
'''
