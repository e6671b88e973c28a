"""From an experiment's mapping to its arms: every reference checked, every mistake told at once.

Nothing is built or trained here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from harness.core.dimension import WIDTHS, Dimension
from harness.core.match import AXES
from harness.core.registry import use_folder
from harness.errors import ConfigError, Problem, unknown
from harness.experiments.files.merge import merge
from harness.experiments.question.arms import check_parts, resolve_arm, with_tokens
from harness.experiments.question.config import (
    METRICS,
    NAME,
    Arm,
    Experiment,
    Match,
    MatchOptions,
    Patch,
    Resolved,
)
from harness.experiments.question.evaluation_set import read_options, sets_of
from harness.experiments.question.factors import MAX_RUNS, combinations
from harness.experiments.question.report_apart import report_apart
from harness.experiments.question.seeds_config import Seeds, read_seeds
from harness.experiments.question.tuned_settings import check_settings
from harness.experiments.question.tuning_config import Tune, read_tune
from harness.schema import parse
from harness.training.schedules import SCHEDULE


def resolve(data: Mapping[str, object], folder: Path) -> Resolved:
    """Check an experiment's mapping and resolve its arms.

    Args:
        data: What the YAML file says.
        folder: Of the file; `components` are relative to it.

    Raises:
        ConfigError: all problems, with paths such as `arms.mqa.variant.attention.n_kv_heads`.
    """
    experiment = parse(Experiment, data)
    listed = read_options(experiment.evaluate)
    folders = tuple(_component_folder(folder, written) for written in experiment.components)
    problems: list[Problem] = []
    arms: dict[str, Arm] = {}
    seeds = _seeds(experiment)
    patches = _patches(experiment, seeds)
    check_parts(experiment.base, "base")
    experiment = experiment.model_copy(update={"base": with_tokens(experiment.base, folder)})
    for name, (patch, levels) in patches.items():
        try:
            check_parts(patch)
            arms[name] = resolve_arm(experiment.base, name, patch, levels, folder)
        except ConfigError as error:
            problems += error.within("arms", name).problems
    tune = _tune(experiment, seeds, arms, problems)
    if tune:
        experiment, arms, listed = report_apart(experiment, arms, listed)
    for name, arm in arms.items():
        try:
            sets = sets_of(listed, arm.variant.dims, arm.data, arm.train.seq_len)
            arms[name] = replace(arm, evaluate=sets)
        except ConfigError as error:
            problems += error.problems
    match, references = _match(experiment, problems), list(patches)
    baseline = experiment.baseline or references[0]
    if baseline not in patches:
        problems.append(Problem(("baseline",), unknown("arm", baseline, references)))
    contrasts = _contrasts(experiment, references, problems)
    _check_expected(experiment, contrasts, problems)
    scored = [*(one.name for one in listed), *_branches(arms.values())]
    metrics = [*METRICS, *(f"{name}/{metric}" for name in scored for metric in METRICS)]
    if experiment.analysis.metric not in metrics:
        message = unknown("metric", experiment.analysis.metric, metrics)
        problems.append(Problem(("analysis", "metric"), message))
    for one in {one.name: one for arm in arms.values() for one in arm.evaluate}.values():
        if experiment.analysis.metric == f"{one.name}/val_bpb" and not one.scored.data.has_bytes:
            advice = f"{one.name!r} is no text of known size; choose {one.name}/{one.metric}"
            problems.append(Problem(("analysis", "metric"), advice))
    for name, arm in arms.items():
        if match and Dimension(match.by).is_set_by(arm.changes.get("variant", {})):
            adjusts = f"this arm sets {match.by}, which `match` adjusts; add `match: none`"
            path = ("arms", name, "variant", *match.by.split("."))
            problems.append(Problem(path, adjusts))
        if experiment.analysis.metric == "val_bpb" and not arm.data.has_bytes:
            unknown_size = f"arm {name!r} is not scored on text of known size"
            message = f"{unknown_size}: there is val_loss or val_accuracy, but no val_bpb"
            problems.append(Problem(("analysis", "metric"), message))
    if problems:
        raise ConfigError(*dict.fromkeys(problems))
    return Resolved(experiment, arms, baseline, contrasts, match, folders, seeds, tune)


def _seeds(experiment: Experiment) -> Seeds:
    try:
        return read_seeds(experiment.seeds)
    except ConfigError as error:
        raise error.within("seeds") from None


def _tune(
    experiment: Experiment, seeds: Seeds, arms: Mapping[str, Arm], problems: list[Problem]
) -> Tune | None:
    """Read `tune`, and try its settings on every arm."""
    if experiment.tune is None:
        return None
    try:
        tune = read_tune(experiment.tune)
        for arm in arms.values():
            check_settings(tune, arm.train)
        if shared := sorted({*tune.seeds} & {*seeds.first}):
            message = f"seed {shared[0]} is one of those that settings are chosen on"
            problems.append(Problem(("seeds",), message))
        return tune
    except ConfigError as error:
        problems += error.within("tune").problems
        return None


def _branches(arms: Iterable[Arm]) -> set[str]:
    """Return the names of the branches that the schedules of all arms have."""
    schedules = [SCHEDULE.build(arm.train.schedule) for arm in arms]
    names = [{branch.name for branch in schedule.branches()} for schedule in schedules]
    return set.intersection(*names) if names else set()


def _component_folder(folder: Path, written: str) -> Path:
    path = (folder / Path(written).expanduser()).resolve()
    use_folder(path)
    return path


def _patches(experiment: Experiment, seeds: Seeds) -> dict[str, tuple[Patch, dict[str, str]]]:
    if bool(experiment.arms) == bool(experiment.factors):
        raise ConfigError.at((), "must have either `arms` or `factors`")
    if experiment.arms:
        patches = {name: (patch or {}, dict[str, str]()) for name, patch in experiment.arms.items()}
    else:
        patches = {}
        for name, levels in combinations(experiment.factors, experiment.combine).items():
            patch: Patch = {}
            for factor, level in levels.items():
                patch = merge(patch, experiment.factors[factor][level] or {})
            patches[name] = (patch, levels)
    kind = "arms" if experiment.arms else "factors"
    if experiment.arms and experiment.combine != "all":
        raise ConfigError.at(("combine",), "says how `factors` are combined, and here are `arms`")
    for name in patches:
        if not NAME.fullmatch(name):
            message = f"must be named with letters, digits, '.', '_' and '-', but got {name!r}"
            raise ConfigError.at((kind, name), message)
    if not patches:
        raise ConfigError.at((kind,), "a factor without levels makes no arms")
    if len(patches) * seeds.most > MAX_RUNS:
        runs = f"{len(patches)} arms x {seeds.most} seeds"
        raise ConfigError.at(("seeds",), f"{runs} are more than {MAX_RUNS} runs")
    return patches


def _match(experiment: Experiment, problems: list[Problem]) -> Match | None:
    if isinstance(experiment.match, str):
        return None
    try:
        options = parse(MatchOptions, experiment.match)
        chosen = options.model_dump(exclude={"by"}, exclude_none=True)
        if len(chosen) != 1:
            raise ConfigError.at((), f"must have exactly one of {', '.join(AXES)}, or be `none`")
        axis = next(axis for axis in AXES if axis in chosen)
        try:
            Dimension(options.by)
        except ConfigError as error:
            raise error.within("by") from None
        if axis == "kv_bytes" and options.by in WIDTHS:
            hint = "name what does, as in {kv_bytes: 1%, by: attention.n_kv_heads}"
            raise ConfigError.at(("by",), f"{options.by} does not change cache bytes: {hint}")
        return Match(axis, chosen[axis], options.by)
    except ConfigError as error:
        problems += error.within("match").problems
        return None


def _check_expected(
    experiment: Experiment, contrasts: Mapping[str, object], problems: list[Problem]
) -> None:
    for name in experiment.expect:
        if name not in contrasts:
            problems.append(Problem(("expect", name), unknown("contrast", name, contrasts)))


def _contrasts(
    experiment: Experiment, arms: list[str], problems: list[Problem]
) -> dict[str, tuple[str, str]]:
    contrasts = {}
    for name, written in experiment.contrasts.items():
        parts = [part.strip() for part in written.split(" - ")]
        if len(parts) != 2 or parts[0] == parts[1]:
            message = f"must be two arms with a minus between them (`a - b`), but got {written!r}"
            problems.append(Problem(("contrasts", name), message))
            continue
        for arm in parts:
            if arm not in arms:
                problems.append(Problem(("contrasts", name), unknown("arm", arm, arms)))
        contrasts[name] = (parts[0], parts[1])
    return contrasts
