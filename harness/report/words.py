"""Numbers and settings as a report writes them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

Tuning = Mapping[str, Any]


def number(value: float | None) -> str:
    """Write a number to three digits; a dash if it is unknown."""
    return "-" if value is None else f"{value:.3g}"


def setting_words(tuning: Tuning | None) -> str:
    """Write what was chosen, and of what: `0.004 of 0.001 to 0.008`."""
    if not tuning or tuning.get("chosen") is None:
        return "-"
    chosen, tried = tuning["chosen"], tuning["tried"]
    if isinstance(chosen, Mapping):
        return f"{changes_words(chosen)} of {len(tried)} trials"
    edge = ", at the edge" if tuning.get("at_edge") else ""
    return f"{chosen:g} of {min(tried):g} to {max(tried):g}{edge}"


def changes_words(changes: Mapping[str, Any] | None) -> str:
    """Write nested changes by dotted keys; those of the variant need no prefix."""
    return ", ".join(f"{key}={value}" for key, value in _flat(changes or {}))


def listed(phrases: Iterable[str]) -> str:
    """Write `a, b and c`."""
    *most, last = list(phrases) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def _flat(changes: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    found = []
    for key, value in changes.items():
        if isinstance(value, Mapping):
            found += _flat(value, "" if key == "variant" else f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)))
    return found
