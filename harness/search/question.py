"""A search's file, read: its space, what it wants, and the base that all trials change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from optuna.distributions import distribution_to_json

from harness.errors import ConfigError, Problem
from harness.experiments.files.overrides import override
from harness.experiments.files.yaml_source import Source, read_yaml
from harness.experiments.question.config import Resolved
from harness.experiments.question.resolve import resolve
from harness.schema import parse
from harness.search.keys import SHARED, Confirm, Limits, Rungs, SearchFile, read_rungs
from harness.search.objectives import Objective, read_constraints, read_objectives
from harness.search.samplers import SamplerChoice, read_pruner, read_sampler
from harness.search.space import Parameter, Point, Space
from harness.search.space_keys import read_point, read_space
from harness.search.storage import check_storage, redacted
from harness.store.studies import FORMAT

T = TypeVar("T")

BASE = "base"
"""The arm that no parameter changes: what trials are matched to and compared with."""
MOST_POINTS = 100_000  # of a grid
FRESH = ("name", "question", "file", "stamped", "storage", "trials", "limits", "confirm")
"""Keys of a definition that may change while the study stays the same: no trial depends on them."""


@dataclass(frozen=True)
class Search:
    """Everything that a search's file says, checked."""

    source: Source
    folder: Path
    file: SearchFile
    space: Space
    objectives: tuple[Objective, ...]
    bounds: Mapping[str, float]
    sampler: SamplerChoice
    rungs: Rungs | None
    pruner: Mapping[str, Any] | None
    limits: Limits
    enqueue: tuple[Point, ...]
    confirm: Confirm | None
    base: Resolved

    @property
    def name(self) -> str:
        """What the study is stored as."""
        return self.file.name

    @property
    def n_trials(self) -> int:
        """How many trials are asked for: of a grid no more than it has points."""
        size = self.space.size if self.sampler.name == "grid" else None
        return min(self.file.trials, size or self.file.trials)

    def resolved(self, name: str, point: Point) -> Resolved:
        """Return the experiment of one arm that a point is.

        Raises:
            ConfigError: the configuration is refused; with paths below `arms.<name>`.
        """
        try:
            patch = self.space.patch(point)
        except ConfigError as error:
            raise error.within("arms", name) from None
        return resolve(self.mapping({name: patch}, [self.file.seed]), self.folder)

    def mapping(self, arms: Mapping[str, Any], seeds: Sequence[int]) -> dict[str, Any]:
        """Return the mapping of an experiment with the base, data and match of the search."""
        shared = {key: self.source.data[key] for key in SHARED if key in self.source.data}
        settings = {"match": self.file.match, "samples": self.file.samples}
        return {**shared, **settings, "arms": dict(arms), "seeds": list(seeds)}

    @cached_property
    def definition(self) -> dict[str, Any]:
        """What the store keeps of it."""
        match = self.base.match
        return {
            "format": FORMAT,
            "name": self.name,
            "question": self.file.question,
            "file": self.source.name,
            "definition": {**self.source.data, "storage": redacted(self.file.storage)},
            "objectives": [{"key": o.key, "direction": o.direction} for o in self.objectives],
            "constraints": dict(self.bounds),
            "space": {
                one.name: {
                    "path": ".".join(one.path),
                    "distribution": distribution_to_json(one.distribution),
                    "when": {name: list(of) for name, of in one.when.items()} or None,
                    "values": [[label, value] for label, value in one.values.items()],
                }
                for one in self.space.parameters
            },
            "sampler": self.sampler.to_dict(),
            "rungs": list(self.rungs.at) if self.rungs else None,
            "keep": self.rungs.keep if self.rungs else None,
            "cohort": self.rungs.size if self.rungs else None,
            "pruner": dict(self.pruner) if self.pruner else None,
            "trials": self.n_trials,
            "limits": self.limits.model_dump(exclude_none=True),
            "enqueue": [dict(point) for point in self.enqueue],
            "match": match and {"axis": match.axis, "within": match.tolerance, "by": match.by},
            "confirm": self.confirm and self.confirm.model_dump(),
            "metric": self.file.analysis.metric,
            "seed": self.file.seed,
            "storage": redacted(self.file.storage),
        }


def load_search(path: Path, overrides: Sequence[str] = ()) -> Search:
    """Read a search's file and check all of it.

    Raises:
        SourceError: every mistake, each with its line.
        ConfigError: an override that is none.
    """
    return read_search(override(read_yaml(path), overrides), path.parent)


def read_search(source: Source, folder: Path) -> Search:
    """Check a search that has been read; what it names is relative to `folder`.

    Raises:
        SourceError: every mistake, each with its line.
    """
    try:
        search = _read(source, folder)
        _check_values(search)
    except ConfigError as error:
        raise source.error(error) from None
    return search


def _read(source: Source, folder: Path) -> Search:
    file, problems = parse(SearchFile, source.data), list[Problem]()

    def collect(key: str, reader: Callable[[], T]) -> T | None:
        try:
            return reader()
        except ConfigError as error:
            problems.extend(error.within(key).problems)
            return None

    base = _base(source, file, folder, problems)
    sets = [one.name for one in base.arms[BASE].evaluate] if base else []
    wanted = file.objectives or file.analysis.metric
    space = collect("space", lambda: read_space(file.space))
    objectives = collect("objectives", lambda: read_objectives(wanted, sets))
    bounds = collect("constraints", lambda: read_constraints(file.constraints))
    limits = collect("limits", lambda: parse(Limits, file.limits))
    n_objectives = len(objectives or [0])
    sampler = collect("sampler", lambda: read_sampler(file.sampler, n_objectives))
    pruner = collect("pruner", lambda: read_pruner(file.pruner)) if file.pruner else None
    confirm = collect("confirm", lambda: parse(Confirm, file.confirm)) if file.confirm else None
    points = [
        collect("enqueue", lambda i=i, p=point: _enqueued(i, p, space))  # type: ignore[misc]
        for i, point in enumerate(file.enqueue if space else [])
    ]
    collect("storage", lambda: check_storage(file.storage))
    rungs = None
    try:
        rungs = read_rungs(file.rungs)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(*problems)
    assert base and space and objectives and sampler and limits and bounds is not None
    search = Search(
        source=source,
        folder=folder,
        file=file,
        space=space,
        objectives=objectives,
        bounds=bounds,
        sampler=sampler,
        rungs=rungs,
        pruner=pruner,
        limits=limits,
        enqueue=tuple(point for point in points if point is not None),
        confirm=confirm,
        base=base,
    )
    _check_together(search)
    return search


def _base(
    source: Source, file: SearchFile, folder: Path, problems: list[Problem]
) -> Resolved | None:
    shared = {key: source.data[key] for key in SHARED if key in source.data}
    settings = {"match": file.match, "samples": file.samples}
    try:
        return resolve({**shared, **settings, "arms": {BASE: None}, "seeds": [file.seed]}, folder)
    except ConfigError as error:
        problems += error.problems
        return None


def _enqueued(index: int, written: Mapping[str, Any], space: Space | None) -> Point:
    assert space
    try:
        return read_point(written, space)
    except ConfigError as error:
        raise error.within(index) from None


def _check_together(search: Search) -> None:
    """Refuse keys that do not go together.

    Raises:
        ConfigError: with the path of one of them.
    """
    stops = "rungs" if search.rungs else "pruner" if search.pruner else None
    train = search.base.arms[BASE].train
    if search.rungs and search.pruner:
        raise ConfigError.at(("pruner",), "stands beside `rungs`, which decide the same")
    if search.pruner and len(search.objectives) > 1:
        message = "serves one objective; `rungs` compare trials by several"
        raise ConfigError.at(("pruner",), message)
    if stops and not any(objective.in_training for objective in search.objectives):
        message = "compares trials in training, and no objective is known before its end"
        raise ConfigError.at((stops,), message)
    if stops and any(p.path == ("train", "evaluations") for p in search.space.parameters):
        message = "is where trials are compared; it cannot be searched beside " + stops
        raise ConfigError.at(("space", "train.evaluations"), message)
    for i, fraction in enumerate(search.rungs.at if search.rungs else ()):
        share = fraction * train.evaluations
        if abs(share - round(share)) > 1e-6:
            at = f"trials are evaluated at {train.evaluations} even fractions of the budget"
            message = f"{fraction:g} is none of them; change train.evaluations"
            raise ConfigError.at(("rungs", i), f"{at}: {message}")
    if search.sampler.name == "grid" and search.enqueue:
        raise ConfigError.at(("enqueue",), "a grid has every point already")
    if search.sampler.name == "grid":
        for parameter in search.space.parameters:
            if parameter.size is None:
                message = "has no list of values for a grid: add `step`, or name `choices`"
                raise ConfigError.at(("space", parameter.name), message)
        if (search.space.size or 0) > MOST_POINTS:
            message = f"a grid of {search.space.size} points is more than {MOST_POINTS}"
            raise ConfigError.at(("sampler",), message)


def _check_values(search: Search) -> None:
    """Refuse paths, components and options that do not exist, whatever else is chosen.

    Raises:
        ConfigError: with the path of the parameter.
    """
    problems: list[Problem] = []
    for parameter in search.space.parameters:
        for value in _telling(parameter):
            point = {**_above(search.space, parameter), parameter.name: value}
            try:
                search.resolved("trial", point)
            except ConfigError as error:
                # what is unknown stays so; other refusals depend on the rest of the point
                problems += [
                    Problem(("space", parameter.name), problem.message)
                    for problem in error.problems
                    if problem.message.startswith("unknown ")
                ]
    if problems:
        raise ConfigError(*dict.fromkeys(problems))


def _telling(parameter: Parameter) -> list[Any]:
    """Return the values whose existence is asked: all choices, but only the bounds of a range."""
    listed = parameter.listed
    return listed if parameter.values else [listed[0], listed[-1]]


def _above(space: Space, parameter: Parameter) -> Point:
    """Return the values under which a parameter is there."""
    point: Point = {}
    for name, values in parameter.when.items():
        point |= _above(space, space[name])
        point[name] = values[0]
    return {name: point[name] for name in space.names if name in point}
