"""Every component as data: what it is, its options, where it comes from and what it costs."""

import inspect
import itertools
from typing import Any

from harness.core.cost import measure_cost
from harness.core.registry import Registry
from harness.core.slots import SLOTS
from harness.core.spec import VariantSpec
from harness.errors import ConfigError
from variants.presets import preset

REFERENCE, VOCAB_SIZE, SEQ_LEN = "tiny", 1024, 256


def catalogue(slots: list[str] | None = None) -> list[dict[str, Any]]:
    """Describe the components of some slots, or of all; costs are of `tiny` with each."""
    entries = []
    for slot in slots or list(SLOTS):
        registry = SLOTS[slot]
        for name in registry:
            try:
                entries.append(_describe(slot, registry, name))
            except Exception as error:  # its author's to mend; the others are listed all the same
                why = f"cannot be priced: {type(error).__name__}: {error}"
                entries.append({"slot": slot, "name": name, "broken": why})
        entries += [
            {"slot": slot, "name": name, "broken": why} for name, why in registry.broken.items()
        ]
    return entries


def _describe(slot: str, registry: Registry[Any], name: str) -> dict[str, Any]:
    component = registry[name]
    text = inspect.getdoc(component) or ""
    return {
        "slot": slot,
        "name": name,
        "aliases": sorted(a for a, target in registry.aliases().items() if target == name),
        "summary": text.split("\n\n")[0].replace("\n", " "),
        "description": text,
        "source": section(text, "Source:"),
        "fault": getattr(component, "fault", ""),
        "options": _options(registry, name, text),
        "file": inspect.getsourcefile(component),
        "cost": _cost(slot, name),
    }


def section(docstring: str, title: str) -> str:
    """Return the indented text under a title of a docstring, empty if there is none."""
    return " ".join(line.strip() for line in _lines(docstring, title)).strip()


def _lines(docstring: str, title: str) -> list[str]:
    lines = docstring.splitlines()
    if title not in lines:
        return []
    body = itertools.takewhile(
        lambda line: line.startswith(" ") or not line, lines[lines.index(title) + 1 :]
    )
    return [line.removeprefix("    ") for line in body]


def _options(registry: Registry[Any], name: str, docstring: str) -> list[dict[str, Any]]:
    schema = registry.schema(name).model_json_schema()
    required = schema.get("required", [])
    meanings = _meanings(docstring)
    return [
        {"name": option, "type": _type(about), "required": option in required}
        | ({} if option in required else {"default": about.get("default")})
        | {"meaning": meanings.get(option, "")}
        for option, about in schema.get("properties", {}).items()
    ]


def _meanings(docstring: str) -> dict[str, str]:
    """Return what `Options:` says of each option; a line that is indented goes on."""
    meanings: dict[str, str] = {}
    option = ""
    for line in _lines(docstring, "Options:"):
        if line.startswith(" "):
            meanings[option] += f" {line.strip()}"
        elif line:
            option, _, meaning = line.partition(":")
            meanings[option] = meaning.strip()
    return meanings


def _type(about: dict[str, Any]) -> str:
    if "enum" in about:
        return " | ".join(map(repr, about["enum"]))
    if "anyOf" in about:
        return " | ".join(_type(choice) for choice in about["anyOf"])
    return {"integer": "int", "number": "float", "boolean": "bool", "string": "str"}.get(
        about.get("type", "any"), about.get("type", "any")
    )


def _cost(slot: str, name: str) -> dict[str, Any] | None:
    """Price the reference variant with this component in it; None if it cannot stand alone."""
    try:
        written = {**preset(REFERENCE), "vocab_size": VOCAB_SIZE, slot: name}
        cost = measure_cost(VariantSpec.read(written), SEQ_LEN)
    except ConfigError:  # it has a required option, or excludes a component of the reference
        return None
    kept = ("params", "train_flops_per_token", "cache_bytes", "seq_len", "cache_dtype")
    return {key: value for key, value in cost.to_dict().items() if key in kept}
