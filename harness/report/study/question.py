"""What a study asked, of which space, how it searched, and how to do it again."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from harness.analysis.study.read import Study
from harness.analysis.study.spent import spent
from harness.analysis.study.words import count_words, param_words, spent_words
from harness.analysis.units import percent
from harness.report.document import Bullets, Code, Facts, Section, Table
from harness.report.words import listed


def question(study: Study) -> Section:
    """Say what was looked for, and when it was asked."""
    definition = study.definition
    stamped = definition.get("stamped") or {}
    looked_for = [f"{one.key} ({one.direction})" for one in study.objectives]
    pairs = [
        ("asked", stamped.get("time") or "not noted"),
        ("commit", stamped.get("commit") or "not noted"),
        ("looked for", listed(looked_for)),
        ("bounds", listed(_bounds(study)) or "none"),
        ("confirmed by", _confirm(definition.get("confirm"))),
    ]
    return Section("Question", [Facts(pairs)])


def design(study: Study) -> Section:
    """Show the space, and how it was searched with which budget."""
    return Section("Design", [space_table(study), Facts(list(_search(study.definition)))])


def compute(study: Study) -> Section:
    """Tell what was spent, and what pruning saved."""
    lines = [count_words(study), spent_words(study)]
    saved = spent(study.trials).saved_flops
    if saved:
        lines.append(
            "pruned trials were compared at equal fractions of the budget; what they would have "
            "reached at its end is not known"
        )
    return Section("Compute", [Bullets(lines)])


def reproduce(study: Study) -> Section:
    """Give the commands."""
    definition = study.definition
    file = shlex.quote(definition.get("file") or "FILE")
    commit = (definition.get("stamped") or {}).get("commit") or ""
    clean = commit.removesuffix("-dirty")
    lines = [f"git checkout {clean}"] * bool(clean)
    if commit != clean:
        lines[0] += "  # and changes that were not committed"
    lines += ["pip install -e .", f"ablate search {file}", f"ablate report {study.name}"]
    return Section("How to repeat it", [Code("\n".join(lines))])


def space_table(study: Study) -> Table:
    """Tell of each parameter its path, what it may be, and when there is one."""
    rows = [
        [name, asked["path"], _range(json.loads(asked["distribution"])), _when(asked.get("when"))]
        for name, asked in study.definition["space"].items()
    ]
    return Table("Space", ["parameter", "changes", "values", "when"], rows)


def _range(distribution: Mapping[str, Any]) -> str:
    about = distribution["attributes"]
    if "choices" in about:
        return ", ".join(map(_choice, about["choices"]))
    ends = f"{about['low']:g} to {about['high']:g}"
    if about.get("log"):
        return f"{ends}, by its logarithm"
    step = about.get("step")
    return f"{ends}, by {step:g}" if step not in (None, 1) else ends


def _choice(value: object) -> str:
    return param_words(value) if isinstance(value, str | float) else json.dumps(value)


def _when(when: Mapping[str, Any] | None) -> str:
    if not when:
        return "always"
    return " and ".join(f"{name} is {_choices(value)}" for name, value in when.items())


def _choices(value: Any) -> str:
    return " or ".join(map(_choice, value)) if isinstance(value, list) else _choice(value)


def _bounds(study: Study) -> list[str]:
    bounds = study.definition.get("constraints") or {}
    return [f"{key} at most {value:g}" for key, value in bounds.items()]


def _confirm(confirm: Mapping[str, Any] | None) -> str:
    if not confirm:
        return "nothing: what is best here is one run of it"
    return f"the best {confirm['top']}, each with {confirm['seeds']} fresh seeds"


def _search(definition: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "sampler", _settings(definition["sampler"])
    match definition:
        case {"rungs": [_, *_] as rungs}:
            shares = listed(percent(fraction) for fraction in rungs)
            yield "rungs", f"at {shares} of the budget; of each the best {_kept(definition)} go on"
        case {"pruner": {"name": _} as pruner}:
            yield "pruner", _settings(pruner)
        case _:
            yield "pruner", "none: every trial is trained to its end"
    yield "trials", str(definition["trials"])
    match definition.get("match"):
        case {"axis": axis, "within": within}:
            yield "matched", f"{axis}, within {percent(within)}"
        case None:
            yield "matched", "nothing"
        case other:
            yield "matched", str(other)


def _kept(definition: Mapping[str, Any]) -> str:
    keep = definition.get("keep")
    return "part" if keep is None else percent(keep)


def _settings(settings: Mapping[str, Any]) -> str:
    others = (f"{key}={value}" for key, value in settings.items() if key != "name")
    return ", ".join([settings["name"], *others])
