"""The catalogue of components, from the command line in a process of its own: it needs torch."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.data import Experiment
from harness.errors import AblateError

_COMMAND = [sys.executable, "-m", "harness.cli", "components", "--json"]
_SECONDS = 120.0
_VARIANTS = Path(__file__).resolve().parents[1] / "variants"

Entry = dict[str, Any]


def catalogue() -> list[Entry]:
    """Describe every component; asked again when a file of `variants/` has changed.

    Raises:
        AblateError: the command failed, hung or printed no JSON.
    """
    files = list(_VARIANTS.rglob("*.py"))
    return _ask(len(files), max((file.stat().st_mtime_ns for file in files), default=0))


def read_catalogue(command: list[str], seconds: float) -> list[Entry]:
    """Run the command and read what it prints.

    Raises:
        AblateError: it failed, took longer than `seconds`, or printed no JSON.
    """
    shown = " ".join(["ablate", *command[3:]])
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise AblateError(f"`{shown}` took longer than {seconds:g} s") from None
    if done.returncode:
        raise AblateError(f"`{shown}` failed: {done.stderr.strip() or done.returncode}")
    try:
        entries: list[Entry] = json.loads(done.stdout)
    except ValueError as error:
        raise AblateError(f"`{shown}` printed no JSON: {error}") from None
    return entries


def used_by(experiments: Iterable[Experiment], slot: str, name: str) -> list[str]:
    """Name the experiments with an arm that has this component in this slot."""
    return [
        experiment.name
        for experiment in experiments
        if any(
            name in component_names(arm["variant"].get(slot))
            for arm in experiment.plan["arms"].values()
        )
    ]


def component_names(written: Any) -> Iterator[str]:
    """List the components written in a slot: one, a cycle over the layers, or one a phase."""
    match written:
        case str():
            yield written
        case {"name": str(name)}:
            yield name
        case dict():
            for part in written.values():
                yield from component_names(part)
        case list():
            for part in written:
                yield from component_names(part)


@st.cache_data(max_entries=4, show_spinner="Asking the registry for its components ...")
def _ask(n_files: int, newest: int) -> list[Entry]:
    """Read the catalogue; the arguments are there for the cache's key."""
    return read_catalogue(_COMMAND, _SECONDS)
