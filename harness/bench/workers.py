"""How much faster two one-thread workers finish a set of runs than one."""

import tempfile
import time
from pathlib import Path

import torch

from harness.experiments.planning.plan import make_plan
from harness.experiments.question.resolve import resolve
from harness.experiments.running.execution import Execution
from harness.experiments.running.local import run_workers
from harness.store.runs import RunStore
from harness.store.status import Status

EXPERIMENT = {
    "name": "workers",
    "base": {
        "variant": {"preset": "tiny"},
        "train": {"budget": {"tokens": "120k"}, "evaluations": 1},
    },
    "arms": {"only": {}},
    "seeds": 4,
}


def worker_speedup() -> float:
    """Return the time of four runs one after the other over that of two at a time.

    Both include the start of every worker; a run not counted warms caches up first.
    """
    _seconds(workers=2, seeds=2)
    one, two = _seconds(workers=1), _seconds(workers=2)
    two_again, one_again = _seconds(workers=2), _seconds(workers=1)
    return (one + one_again) / (two + two_again)


def _seconds(workers: int, seeds: int = 4) -> float:
    device = torch.device("cpu")
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(Path(folder))
        plan = make_plan(resolve({**EXPERIMENT, "seeds": seeds}, Path(folder)), store, device, "")
        started = time.perf_counter()
        for event in run_workers(plan.pending, store, Execution(device), workers):
            assert event.status in {Status.RUNNING, Status.DONE}, event.cause
        return time.perf_counter() - started
