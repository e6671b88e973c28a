"""Changes to an experiment from the command line: `train.budget.tokens=100k`."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.errors import ConfigError, Path, dotted
from harness.experiments.files.yaml_reader import MAX_DEPTH, RefusedError, read_text
from harness.experiments.files.yaml_source import Source

IN_BASE = ("variant", "data", "train")  # short for base.variant, base.data and base.train


def apply_overrides(data: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a deep copy of `data` in which each `key.key=value` has replaced what was there.

    The value is YAML: `5`, `gqa`, `[1, 2]`, `{name: gqa, n_kv_heads: 2}`.

    Raises:
        ConfigError: no `=`, an empty key or value, invalid YAML, or a path through a value.
    """
    return _apply(data, overrides)[0]


def override(source: Source, overrides: Sequence[str]) -> Source:
    """Apply overrides to a file, whose errors then name the command line where that is the cause.

    Raises:
        ConfigError: as `apply_overrides`.
    """
    data, applied = _apply(source.data, overrides)
    marks, overridden = source.marks, source.overridden
    for path, text in applied:
        marks = {p: mark for p, mark in marks.items() if p[: len(path)] != path}
        overridden = {p: old for p, old in overridden.items() if p[: len(path)] != path}
        parents = [path[:n] for n in range(1, len(path) + 1)]
        overridden |= {p: text for p in parents if p not in marks and p not in overridden}
    return replace(source, data=data, marks=marks, overridden=overridden)


def _apply(
    data: dict[str, Any], overrides: Sequence[str]
) -> tuple[dict[str, Any], list[tuple[Path, str]]]:
    data, applied = copy.deepcopy(data), []
    for text in overrides:
        key, value = _read(text)
        applied.append((_assign(data, key, value, text), text))
    return data, applied


def _read(text: str) -> tuple[list[str], Any]:
    key, equals, written = text.partition("=")
    keys = key.strip().split(".")
    if not equals:
        raise ConfigError.at((), f"an override must be key=value, but got {text!r}")
    if not all(keys):
        raise ConfigError.at((), f"an override must name a key, as in seeds=3, but got {text!r}")
    if len(keys) > MAX_DEPTH:
        raise ConfigError.at((), f"at most {MAX_DEPTH} levels can be overridden")
    if not written.strip():
        raise ConfigError.at(tuple(keys), f"a value must follow {text!r}; write null for none")
    try:
        value, _ = read_text(written)
    except RefusedError as refused:
        raise ConfigError.at(tuple(keys), f"{refused} (in the override {text!r})") from None
    return (["base", *keys] if keys[0] in IN_BASE else keys), value


def _assign(data: dict[str, Any], keys: list[str], value: object, text: str) -> Path:
    """Set the value in place and return the path of what was set."""
    path: Path = ()
    node: Any = data
    while True:
        key = _next_key(node, keys)
        keys = keys[key.count(".") + 1 :]
        path = (*path, key)
        if not keys:
            node[key] = value
            return path
        if node.get(key) is None:  # absent, or a key with nothing under it
            node[key] = {}
        node = node[key]
        if not isinstance(node, dict):
            raise ConfigError.at(
                path, f"is {node!r}, so {dotted(tuple(keys))!r} cannot be set in it by {text!r}"
            )


def _next_key(node: dict[str, Any], keys: list[str]) -> str:
    """Take one key, or as many as name a key with dots in it (`tune` has such keys)."""
    joined = (".".join(keys[:n]) for n in range(len(keys), 1, -1))
    return next((key for key in joined if key in node), keys[0])
