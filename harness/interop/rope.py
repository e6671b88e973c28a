"""Rotary positions in `config.json`: as transformers 5 names them, and as version 4 did."""

from collections.abc import Mapping
from typing import Any

from harness.core.registry import ComponentSpec
from harness.errors import ConfigError, unknown

_YARN = {  # ours -> theirs
    "factor": "factor",
    "original_max_seq_len": "original_max_position_embeddings",
    "beta_fast": "beta_fast",
    "beta_slow": "beta_slow",
    "attention_factor": "attention_factor",
}
_DEFAULT_THETA = 10_000.0  # of transformers, where a file says nothing; no released model's
_SAME = {"truncate": True, "partial_rotary_factor": 1.0}  # said aloud, it changes nothing


def rope_fields(position: ComponentSpec) -> dict[str, Any]:
    """Write a position component twice, for readers of either version."""
    theta = position.options["theta"]
    scaling: dict[str, Any] = {}
    if position.name == "yarn":
        said = {theirs: position.options[ours] for ours, theirs in _YARN.items()}
        said = {key: value for key, value in said.items() if value is not None}
        scaling = {"rope_type": "yarn", **said}
    parameters = {"rope_theta": theta, **(scaling or {"rope_type": "default"})}
    return {"rope_parameters": parameters, "rope_theta": theta, "rope_scaling": scaling or None}


def read_position(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the position component that a configuration describes.

    Raises:
        ConfigError: a kind of scaling that we do not have; the path names the field.
    """
    field = "rope_parameters" if config["rope_parameters"] else "rope_scaling"
    said = {key: value for key, value in (config[field] or {}).items() if value is not None}
    kind = said.pop("rope_type", said.pop("type", "default"))
    said.pop("type", None)
    theta = said.pop("rope_theta", config["rope_theta"] or _DEFAULT_THETA)
    if config["rope_theta"] not in (None, theta):
        beside = f"is {theta}, but rope_theta beside it is {config['rope_theta']}"
        raise ConfigError.at((field, "rope_theta"), beside)
    if kind not in ("default", "yarn"):
        raise ConfigError.at((field, "rope_type"), unknown("kind", kind, ["default", "yarn"]))
    ours = {theirs: ours for ours, theirs in _YARN.items()} if kind == "yarn" else {}
    for key, value in said.items():
        if key not in ours and _SAME.get(key) != value:
            raise ConfigError.at((field, key), f"{value!r} cannot be expressed here")
    if kind == "default":
        return {"name": "rope", "theta": float(theta)}
    said.setdefault("original_max_position_embeddings", config["max_position_embeddings"])
    if "factor" not in said:
        raise ConfigError.at((field, "factor"), "this key is required")
    options = {ours[key]: value for key, value in said.items() if key in ours}
    return {"name": "yarn", "theta": float(theta), **options}
