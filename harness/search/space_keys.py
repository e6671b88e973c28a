"""What stands under `space`: the parameters of a search, read from YAML."""

from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from harness.errors import ConfigError, Problem, unknown
from harness.experiments.question.arms import PARTS
from harness.schema import Frozen, parse
from harness.search.space import Parameter, Point, Space, Value

RESERVED = ("train.budget", "variant.preset")


class ParameterOptions(Frozen):
    """The mapping of a parameter: its choices, or its bounds, and when it is there."""

    path: str | None = None
    choices: list[Any] | dict[str, Any] | None = None
    low: int | float | None = None
    high: int | float | None = None
    step: int | float | None = None
    log: bool = False
    when: dict[str, Any] | None = None


def read_space(written: Mapping[str, Any]) -> Space:
    """Read the parameters in the order of the file.

    Raises:
        ConfigError: every mistake, with its path below `space`.
    """
    problems: list[Problem] = []
    parameters: list[Parameter] = []
    if not written:
        raise ConfigError.at((), "must name at least one parameter, as in train.optimizer.lr")
    for name, value in written.items():
        try:
            parameters.append(_parameter(name, value, Space(tuple(parameters))))
        except ConfigError as error:
            problems += error.within(name).problems
    if problems:
        raise ConfigError(*problems)
    _check_paths(parameters)
    return Space(tuple(parameters))


def read_point(written: Mapping[str, Any], space: Space) -> Point:
    """Read a point that was picked by hand; what it leaves out is suggested.

    Raises:
        ConfigError: a parameter that is none, is not there under what is chosen, or a wrong value.
    """
    problems = [
        Problem((name,), unknown("parameter", name, space.names))
        for name in written
        if name not in space.names
    ]
    for parameter in space.parameters:
        if parameter.name not in written:
            continue
        value = written[parameter.name]
        if not parameter.holds(value):
            must = f"must be one of its values, {describe(parameter)}, but got {value!r}"
            problems.append(Problem((parameter.name,), must))
        for name, of in parameter.when.items():
            if name in written and written[name] not in of:
                message = f"is only there when {name} is {_listed(of)}"
                problems.append(Problem((parameter.name,), message))
    if problems:
        raise ConfigError(*problems)
    return {name: written[name] for name in space.names if name in written}


def describe(parameter: Parameter) -> str:
    """Write what a parameter may be: `gqa, mqa` or `0.0001 to 0.01 (log)`."""
    match parameter.distribution:
        case CategoricalDistribution(choices=choices):
            return _listed(choices)
        case IntDistribution() | FloatDistribution() as d:
            step = f" in steps of {d.step:g}" if d.step not in (None, 1) else ""
            return f"{d.low:g} to {d.high:g}{step}{' (log)' if d.log else ''}"
    raise AssertionError("there are no other distributions")


def _parameter(name: str, written: Any, above: Space) -> Parameter:
    options = parse(
        ParameterOptions, {"choices": written} if isinstance(written, list) else written
    )
    path = (options.path or name).split(".")
    if path[0] not in PARTS or len(path) < 2 or not all(path):
        where = "path" if options.path else None
        known = f"must begin with {', '.join(f'{part}.' for part in PARTS)}"
        raise ConfigError.at((where,) if where else (), f"{known} as variant.n_layers does")
    if any(".".join(path).startswith(reserved) for reserved in RESERVED):
        raise ConfigError.at((), "is what all trials are given alike; it cannot be searched")
    when = _conditions(options.when or {}, above)
    bounds = {key: getattr(options, key) for key in ("low", "high", "step")}
    given = [key for key, value in bounds.items() if value is not None]
    if options.choices is not None:
        if given or options.log:
            raise ConfigError.at((given[0] if given else "log",), "stands beside `choices`")
        values = _choices(options.choices)
        return Parameter(name, tuple(path), CategoricalDistribution(list(values)), values, when)
    return Parameter(name, tuple(path), _range(options), {}, when)


def _range(options: ParameterOptions) -> BaseDistribution:
    low, high, step = options.low, options.high, options.step
    if low is None or high is None:
        example = "{low: 1e-4, high: 1e-2, log: true}"
        raise ConfigError.at(
            (), f"must be a list of choices, or have `low` and `high` as {example}"
        )
    if not low < high or (options.log and low <= 0):
        above = " above 0, as its logarithm is taken," if options.log else ""
        said = f"low {low:g} and high {high:g}"
        raise ConfigError.at((), f"must have `low`{above} below `high`, but got {said}")
    if step is not None and (step <= 0 or options.log):
        message = "must be above 0" if step <= 0 else "does not go together with `log`"
        raise ConfigError.at(("step",), message)
    if type(low) is int and type(high) is int:
        if step is not None and type(step) is not int:
            raise ConfigError.at(
                ("step",), f"must be a whole number, as low and high are: {step!r}"
            )
        return IntDistribution(
            low, high - (high - low) % (step or 1), log=options.log, step=step or 1
        )
    if step is None:
        return FloatDistribution(float(low), float(high), log=options.log)
    n_steps = int((high - low) / step + 1e-9)
    return FloatDistribution(float(low), float(f"{low + n_steps * step:.12g}"), step=float(step))


def _choices(written: list[Any] | dict[str, Any]) -> dict[Value, Any]:
    """Return what each choice writes, by a short text for what is no plain value."""
    named = written.items() if isinstance(written, dict) else ((_label(v), v) for v in written)
    values: dict[Value, Any] = {}
    for label, value in named:
        if label in values and type(label) is type(next(k for k in values if k == label)):
            raise ConfigError.at(("choices",), f"{label!r} is listed twice")
        values[label] = value
    if not values:
        raise ConfigError.at(("choices",), "must list at least one choice")
    return values


def _label(value: Any) -> Value:
    match value:
        case Mapping():
            options = ", ".join(f"{k}={_label(v)}" for k, v in value.items() if k != "name")
            return f"{value.get('name', '')}({options})" if options else str(value.get("name"))
        case list():
            return "+".join(str(_label(one)) for one in value)
    return value


def _conditions(written: Mapping[str, Any], above: Space) -> dict[str, tuple[Value, ...]]:
    conditions: dict[str, tuple[Value, ...]] = {}
    for name, value in written.items():
        if name not in above.names:
            message = unknown("parameter above this one", name, above.names)
            raise ConfigError.at(("when", name), message)
        values = tuple(value) if isinstance(value, list) else (value,)
        if above[name].size is None:
            raise ConfigError.at(("when", name), "has no list of values that could be named")
        for one in values:
            if not above[name].holds(one):
                message = unknown(f"value of {name}", one, map(str, above[name].listed))
                raise ConfigError.at(("when", name), message)
        conditions[name] = values
    return conditions


def _check_paths(parameters: list[Parameter]) -> None:
    """Refuse two parameters that would write the same path at once."""
    for i, one in enumerate(parameters):
        for other in parameters[:i]:
            apart = any(
                not set(one.when[name]) & set(other.when[name])
                for name in one.when.keys() & other.when.keys()
            )
            if one.path == other.path and not apart:
                message = (
                    f"writes {'.'.join(one.path)}, and so does {other.name!r} at the same time"
                )
                raise ConfigError.at((one.name,), message)


def _listed(values: Any) -> str:
    return " or ".join(str(value) for value in values)
