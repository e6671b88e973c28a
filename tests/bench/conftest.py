"""Workloads so small that a round takes milliseconds."""

import pytest
import torch

from harness.bench.workload import read_workload

TINY = [
    *("d_model=16", "n_layers=2", "n_heads=2", "d_ff=32", "vocab_size=64"),
    *("attention.n_kv_heads=1", "init.std=0.3"),
]


@pytest.fixture(autouse=True)
def threads_as_before():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def workload():
    """Return a function that makes a workload on one thread: 2 sequences of so many tokens."""

    def workload(seq_len, *changes):
        return read_workload([*TINY, *changes], 2, seq_len, "cpu", threads=1)

    return workload
