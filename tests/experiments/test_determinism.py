"""A run is a function of its configuration: not of where, when or beside what it is trained."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.data.batches import batches
from harness.data.dataset import load_dataset
from harness.experiments.running.execution import Execution
from harness.experiments.running.local import run_inline, run_workers
from harness.store.runs import RunStore
from harness.store.status import Status

CPU = torch.device("cpu")
MEASURED = {"seconds", "tokens_per_s", "share_of_peak", "peak_memory"}


def curves(runs, folder, workers=0):
    """Train runs and return their curves, results and final documents by arm and seed."""
    store = RunStore(folder)
    engine = (
        run_workers(runs, store, Execution(CPU), workers)
        if workers
        else run_inline(runs, store, Execution(CPU))
    )
    ended = [event for event in engine if event.status is not Status.RUNNING]
    assert [event.cause for event in ended] == [None] * len(runs)
    found = {}
    for run in runs:
        (attempt,) = store.attempts(run.run_id)
        points = [
            {key: value for key, value in point.items() if key not in MEASURED}
            for point in attempt.read_curve()
        ]
        found[run.arm, run.config.seed] = points, attempt.read_result().documents
    return found


@pytest.fixture
def runs(small, plan):
    return plan(small()).pending


@pytest.fixture
def reference(runs, tmp_path, deterministic):
    return curves(runs, tmp_path / "reference")


@pytest.mark.row("R4-38")
def test_the_same_run_gives_the_same_bits_whatever_the_global_generator(runs, reference, tmp_path):
    torch.manual_seed(12345)
    torch.rand(7)
    again = curves(runs[::-1], tmp_path / "again")
    assert again == reference
    assert len(reference["gelu", 0][0]) == 4
    assert reference["gelu", 0] != reference["gelu", 1]


def test_a_worker_gives_the_bits_of_this_process(runs, reference, tmp_path):
    assert curves(runs[:1], tmp_path / "alone", workers=1).items() <= reference.items()
    assert curves(runs, tmp_path / "three", workers=3) == reference


def test_arms_with_the_same_seed_see_the_same_batches(runs):
    seen = {}
    for run in runs:
        dataset, train = load_dataset(run.config.data), run.config.train
        order = batches(dataset, train.batch_size, train.seq_len, run.config.effective_seed, CPU)
        seen[run.arm, run.config.seed] = torch.stack([order[i][0] for i in range(5)])
    assert torch.equal(seen["gelu", 0], seen["swiglu", 0])
    assert not torch.equal(seen["gelu", 0], seen["gelu", 1])


def test_a_replica_has_other_weights_and_other_data(runs, reference, tmp_path):
    planned = runs[0]
    copy = replace(planned.config, replica=1)
    assert copy.run_id() != planned.run_id
    assert copy.effective_seed != planned.config.effective_seed
    run = replace(planned, config=copy, run_id=copy.run_id())
    ((points, documents),) = curves([run], tmp_path / "replica").values()
    before = reference[run.arm, run.config.seed]
    assert points[0]["train_loss"] != before[0][0]["train_loss"]
    assert documents.keys() == before[1].keys()  # the split is the same
    dataset = load_dataset(copy.data)
    starts = [
        batches(dataset, 2, 32, seed, CPU).order.order.starts(0)
        for seed in (copy.effective_seed, planned.config.effective_seed)
    ]
    assert not np.array_equal(*starts)
