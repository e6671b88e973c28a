"""How an arm changes the base: patches of nested mappings."""

from collections.abc import Mapping
from typing import Any

# Where a mapping replaces its predecessor even without a `name`: it holds exactly one key.
WHOLE = frozenset({"budget"})
# A precision is one component for both of these, or a mapping of them.
SIDES = ("train", "infer")


def merge(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` changed by `patch`.

    Mappings merge key by key, with two exceptions. A component that is named, be it by the same
    name, is replaced whole: it never inherits its predecessor's options (a mapping without `name`
    changes options of the component that is there). And a budget is replaced whole.
    """
    merged = dict(base)
    for key, value in patch.items():
        before = merged.get(key)
        if isinstance(before, str) and isinstance(value, Mapping) and "name" not in value:
            before = dict.fromkeys(SIDES, before) if key == "precision" else {"name": before}
        mergeable = isinstance(before, Mapping) and isinstance(value, Mapping)
        if mergeable and "name" not in value and key not in WHOLE:
            assert isinstance(before, Mapping)
            merged[key] = merge(before, value)
        else:
            merged[key] = value
    return merged
