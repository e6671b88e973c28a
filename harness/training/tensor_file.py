"""Tensors in a safetensors file: data and no code, read and written with errors of the system."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from harness.errors import AblateError


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors, none of which shares its memory with another.

    Raises:
        OSError: the system refuses it, for instance because the disk is full.
    """
    try:
        save_file(dict(tensors), path)
    except SafetensorError as error:  # it keeps the number in its text alone
        if found := re.search(r"\(os error (\d+)\)", str(error)):
            number = int(found[1])
            raise OSError(number, os.strerror(number), str(path)) from error
        raise


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read what `write_tensors` has written, onto the CPU.

    Raises:
        AblateError: it is no such file.
    """
    try:
        return load_file(path)
    except SafetensorError as error:
        raise AblateError(f"{path.name} is no safetensors file: {error}") from None
