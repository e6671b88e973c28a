"""The catalogue for the terminal: by slot, each component with its cost and its options."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.analysis.units import count, size


def components_view(entries: Sequence[dict[str, Any]], detailed: bool) -> RenderableType:
    """Draw components with the cost of the `tiny` preset with each.

    Args:
        entries: Of `harness.core.catalogue`.
        detailed: Whether the meaning of options and the sources are told too.
    """
    parts: list[RenderableType] = []
    for slot, of_slot in groupby(entries, key=lambda entry: entry["slot"]):
        parts.append(Text(slot, "bold underline"))
        for entry in of_slot:
            parts += [_headline(entry), *_body(entry, detailed), Text()]
    return Group(*parts, Text("Costs are those of the preset tiny with the component in it."))


def _headline(entry: dict[str, Any]) -> RenderableType:
    line = Table.grid(expand=True, padding=(0, 2, 0, 0))
    line.add_column(overflow="fold")
    line.add_column(justify="right", no_wrap=True)
    name = Text(f"  {entry['name']}", "red" if "broken" in entry else "bold")
    if aliases := entry.get("aliases"):
        name.append(f" (also {', '.join(aliases)})", "not bold")
    line.add_row(name, _cost(entry.get("cost")))
    return line


def _cost(cost: dict[str, Any] | None) -> str:
    if cost is None:
        return ""
    params, flops = count(cost["params"]), count(cost["train_flops_per_token"])
    return f"{params} parameters, {flops} FLOPs/token, cache {size(cost['cache_bytes'])}"


def _body(entry: dict[str, Any], detailed: bool) -> Iterator[RenderableType]:
    if "broken" in entry:
        yield _indented(Text(f"broken: {entry['broken']}", "red"))
        return
    yield _indented(Text(entry["summary"]))
    if entry["fault"]:
        yield _indented(Text(f"A known fault: {entry['fault']}", "yellow"))
    options = [_option(option) for option in entry["options"]]
    if detailed:
        for written, option in zip(options, entry["options"], strict=True):
            yield _indented(Text.assemble((written, "cyan"), f"  {option['meaning']}"))
        yield _indented(Text(f"Source: {entry['source']}", "dim"))
    elif options:
        yield _indented(Text(", ".join(options), "cyan"))


def _indented(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 4))


def _option(option: dict[str, Any]) -> str:
    if option["required"]:
        return f"{option['name']}: {option['type']}"
    default = option["default"]
    as_yaml = {None: "null", True: "true", False: "false"}
    written = as_yaml[default] if default is None or isinstance(default, bool) else default
    return f"{option['name']}={written}"
