"""One file, several experiments: the main one, and the same question under other conditions.

Each condition is an ordinary experiment, stored as `<main>.<condition>`, that differs from the main
one in a single respect: how arms are matched (a design), the budget, the size (a scale), or the
seeds (a confirmation, which is known only when the main one has its verdicts).
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from harness.analysis.verdicts.compare import Comparison
from harness.analysis.verdicts.contrasts import Contrast
from harness.errors import ConfigError, Problem
from harness.errors import Path as KeyPath
from harness.experiments.files.merge import merge
from harness.experiments.question.arms import PER_PARAM, check_parts, with_preset
from harness.experiments.question.condition_keys import Conditions, share_name
from harness.experiments.question.config import NAME, Resolved
from harness.experiments.question.seeds_config import Seeds
from harness.quantities import parse_quantity
from harness.schema import parse

Kind = Literal["design", "budget", "scale", "confirm"]
FIRST_FRESH_SEED = 2_000_000  # no experiment reports on such seeds, nor tunes on them
_UNITS = {"tokens": "count", "steps": "count", "flops": "flops", "seconds": "seconds"}


@dataclass(frozen=True)
class Condition:
    """In what respect an experiment differs from the main one of its file."""

    kind: Kind
    name: str
    main: str

    @property
    def experiment(self) -> str:
        """What it is stored as."""
        return f"{self.main}.{self.name}"

    def to_dict(self) -> dict[str, Any]:
        """Return what its own plan says of it."""
        return asdict(self)

    def listed(self) -> dict[str, Any]:
        """Return what the plan of the main experiment says of it."""
        return {"kind": self.kind, "name": self.name, "experiment": self.experiment}


@dataclass(frozen=True)
class Asked:
    """A condition with the mapping of its experiment."""

    condition: Condition
    data: dict[str, Any]


def main_question(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mapping of the main experiment: the first design, the budget as it is written.

    Raises:
        ConfigError: the keys of conditions are wrong.
    """
    keys = _keys(data)
    main = dict(data)
    if keys.designs:
        if "match" in data:
            raise ConfigError.at(("designs",), "say what `match` says, name by name; remove one")
        main["match"] = next(iter(keys.designs.values()))
    if keys.parametrization == "mup":
        main["base"] = _with_base_width(main.get("base") or {})
    return main


def other_conditions(data: Mapping[str, Any]) -> Iterator[Asked]:
    """Yield every condition besides the main one whose experiment is known beforehand.

    Raises:
        ConfigError: a condition's name may not name a folder, or it has no budget to scale.
    """
    keys, main = _keys(data), main_question(data)
    plain = {key: value for key, value in main.items() if key not in Conditions.model_fields}
    name = str(data.get("name"))

    def asked(kind: Kind, called: str, change: Mapping[str, Any], where: KeyPath) -> Asked:
        condition = Condition(kind, called, name)
        if not NAME.fullmatch(condition.experiment):
            message = f"must be named with letters, digits, '.', '_' and '-', but got {called!r}"
            raise ConfigError.at(where, message)
        return Asked(condition, {**plain, **change, "name": condition.experiment})

    for design, match in list(keys.designs.items())[1:]:
        yield asked("design", design, {"match": match}, ("designs", design))
    for i, share in enumerate(keys.budgets):
        if share != 1:
            yield asked("budget", share_name(share), _scaled(plain, share), ("budgets", i))
    for scale, patch in keys.scales.items():
        check_parts(patch, "scales", scale)
        base = _resized(plain.get("base") or {}, patch, keys.parametrization == "mup")
        yield asked("scale", scale, {"base": base}, ("scales", scale))


def within_designs(error: ConfigError, design: str) -> ConfigError:
    """Return an error of `match` as one of the design that says it."""

    def moved(problem: Problem) -> Problem:
        if problem.path[:1] != ("match",):
            return problem
        return Problem(("designs", design, *problem.path[1:]), problem.message)

    return ConfigError(*map(moved, error.problems))


def _resized(base: Mapping[str, Any], patch: Mapping[str, Any], mup: bool) -> dict[str, Any]:
    """Return a base changed by a scale's patch; a preset in it replaces the base's variant.

    The width at which muP changes nothing stays that of the main experiment.
    """
    before = base.get("variant") or {}
    merged = merge(base, {key: value for key, value in patch.items() if key != "variant"})
    merged["variant"] = with_preset(before, patch.get("variant") or {})
    if mup:
        merged["variant"]["mup_base_width"] = before["mup_base_width"]
    return merged


def confirmation(resolved: Resolved, verdicts: Comparison) -> Resolved | None:
    """Return the main experiment again, on fresh seeds, with the arms of its resolved contrasts.

    Arms are matched to the baseline, which is therefore always one of them. None: nothing is
    resolved.
    """
    experiment = resolved.experiment
    claims = [contrast for contrast in verdicts.contrasts if _is_resolved(contrast)]
    if not claims:
        return None
    named = {arm for claim in claims for arm in (claim.arm, claim.baseline)} | {resolved.baseline}
    arms = {name: replace(arm, levels={}) for name, arm in resolved.arms.items() if name in named}
    fresh = tuple(range(FIRST_FRESH_SEED, FIRST_FRESH_SEED + experiment.confirm))
    changes = {
        "name": f"{experiment.name}.confirm",
        "seeds": list(fresh),
        "factors": {},
        "confirm": 0,
    }
    return replace(
        resolved,
        experiment=experiment.model_copy(update=changes),
        arms=arms,
        contrasts={claim.name: (claim.arm, claim.baseline) for claim in claims},
        seeds=Seeds(fresh, held=resolved.seeds.held),
    )


def _is_resolved(contrast: Contrast) -> bool:
    if contrast.reason is not None or contrast.low is None or contrast.high is None:
        return False
    return contrast.low > 0 or contrast.high < 0


def _keys(data: Mapping[str, Any]) -> Conditions:
    return parse(Conditions, {k: v for k, v in data.items() if k in Conditions.model_fields})


def _scaled(data: Mapping[str, Any], share: float) -> dict[str, Any]:
    """Return base, arms and factors with every budget multiplied."""

    def patch(written: Any) -> Any:
        train = written.get("train") if isinstance(written, Mapping) else None
        if not isinstance(train, Mapping) or not isinstance(train.get("budget"), Mapping):
            return written
        return {**written, "train": {**train, "budget": _budget(train["budget"], share)}}

    def each(patches: Any) -> Any:
        return {name: patch(one) for name, one in patches.items()}

    changed: dict[str, Any] = {"base": patch(data.get("base"))}
    if data.get("arms"):
        changed["arms"] = each(data["arms"])
    if data.get("factors"):
        changed["factors"] = {factor: each(levels) for factor, levels in data["factors"].items()}
    return changed


def _budget(budget: Mapping[str, Any], share: float) -> dict[str, Any]:
    """Multiply a budget; the main experiment has been read before, so that it is one."""
    ((unit, amount),) = budget.items()
    if unit == PER_PARAM:
        return {unit: share * amount}
    scaled = share * parse_quantity(amount, _UNITS[unit])  # type: ignore[arg-type]
    return {unit: max(round(scaled), 1) if _UNITS[unit] == "count" else scaled}


def _with_base_width(base: Mapping[str, Any]) -> dict[str, Any]:
    """Name the width at which muP changes nothing: that of the file's base."""
    variant = with_preset(base.get("variant") or {}, {})
    width = variant.get("d_model")
    if not isinstance(width, int):
        raise ConfigError.at(("parametrization",), "mup needs `base.variant.d_model`, or a preset")
    return {**base, "variant": {"mup_base_width": width, **variant}}
