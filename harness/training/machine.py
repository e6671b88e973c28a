"""What a training takes of its machine: memory, and a share of its speed."""

import functools
import resource
import sys
import time

import torch

from harness.core.slots import Precision

SECONDS = 0.1  # of products; the fastest counts, because other processes only slow them down
SIZE = {"cpu": 512, "cuda": 4096}  # large enough for full speed


def peak_memory(device: torch.device) -> int:
    """Return the most bytes held so far.

    On a CPU they are all that this process has had in memory, the interpreter and its libraries
    (some 400 MB) and everything it did before included; on a GPU, what tensors have taken there.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def forget_peak_memory(device: torch.device) -> None:
    """Let a GPU's peak begin anew; a process has only one."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def training_peak(precision: Precision, device: torch.device) -> float:
    """Return the FLOPs a second of matrix products in the type that training multiplies in."""
    with precision.autocast(device):
        active = torch.is_autocast_enabled(device.type)
        return matmul_peak(device, torch.get_autocast_dtype(device.type) if active else None)


def matmul_peak(device: torch.device, dtype: torch.dtype | None = None) -> float:
    """Return the FLOPs a second of large square products on as many threads as torch has now.

    They are measured once in a process, for a tenth of a second; in fp32, if no type is given.
    """
    return _measured_peak(device, dtype or torch.float32, torch.get_num_threads())


@functools.lru_cache
def _measured_peak(device: torch.device, dtype: torch.dtype, _threads: int) -> float:
    size = SIZE[device.type]
    a, b = torch.ones(2, size, size, device=device, dtype=dtype)
    best, ends = float("inf"), time.perf_counter() + SECONDS
    with torch.autocast(device.type, enabled=False):
        while time.perf_counter() < ends or best == float("inf"):
            _synchronize(device)
            started = time.perf_counter()
            a @ b
            _synchronize(device)
            best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
