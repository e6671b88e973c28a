"""Where a run happens: the device, and the class of environments whose results may be pooled."""

import os
import platform
from typing import Any, Literal

import torch

from harness.errors import AblateError


def choose_device(wanted: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """Return the device to train on; `auto` prefers a GPU.

    Raises:
        AblateError: CUDA was asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise AblateError("device: cuda was asked for, but torch sees no CUDA device here")
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def environment_class(device: torch.device) -> str:
    """Name the class of environments that results are comparable within: `cpu-torch2.13.0`."""
    return f"{device.type}-torch{torch.__version__.split('+')[0]}"


def describe_environment(device: torch.device) -> dict[str, Any]:
    """Return what might explain a difference between two machines."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "class": environment_class(device),
        "device": device.type,
        "gpu": gpu,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "cpu_count": os.cpu_count(),
    }


def make_deterministic(device: torch.device, threads: int) -> None:
    """Set this process up so that the same run gives the same bits, whatever runs beside it.

    Args:
        device: Where training will happen.
        threads: On a CPU; their number changes the order of sums and thereby the last bits.
    """
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # costs bandwidth and changes no result; the module sets its attributes dynamically
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.backends.cuda.matmul.allow_tf32 = False


def total_memory(device: torch.device) -> int:
    """Return the bytes that this machine, or its GPU, has in all."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[1])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
