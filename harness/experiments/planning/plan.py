"""From a resolved experiment to a plan: every arm built, matched and priced before any training."""

from datetime import UTC, datetime
from typing import Any

import torch

from harness.analysis.statistics.two_stage import seeds_after_pilot
from harness.core.cost import measure_cost, training_bytes
from harness.core.match import AXES, Matched, match
from harness.errors import AblateError, ConfigError, Problem
from harness.experiments.blame import describe
from harness.experiments.planning.fairness import differs, held_equal
from harness.experiments.planning.planned import ExperimentPlan, PlannedArm
from harness.experiments.planning.run_planner import RunPlanner
from harness.experiments.planning.stages import Stages, plan_stages, tuning_metric
from harness.experiments.planning.tuning import Tuning
from harness.experiments.question.config import Arm, Resolved
from harness.experiments.question.factors import way_of
from harness.experiments.question.tuning_config import Tune
from harness.quantities import format_bytes
from harness.store.experiments import ExperimentStore
from harness.store.runs import RunStore
from harness.store.shared import shared_with
from harness.store.tables import collect
from harness.training.environment import environment_class, total_memory
from harness.training.flops import training_flops


def make_plan(
    resolved: Resolved, store: RunStore, device: torch.device, source: str
) -> ExperimentPlan:
    """Build, match and price every arm, and find what is already there.

    Args:
        resolved: The experiment.
        store: Where finished runs are looked for.
        device: Where runs will be trained.
        source: The name of the file, for the record.

    Raises:
        ConfigError: an arm cannot be built or matched, or does not fit into memory.
    """
    arms = _plan_arms(resolved, device)
    planner = RunPlanner(resolved, arms, store, environment_class(device))
    return _staged(resolved, planner, device, source)


def plan_again(plan: ExperimentPlan) -> ExperimentPlan:
    """Ask again which runs are needed, now that more have ended; arms stay as they are."""
    return _staged(plan.resolved, plan.planner, plan.device, plan.record["file"])


def _staged(
    resolved: Resolved, planner: RunPlanner, device: torch.device, source: str
) -> ExperimentPlan:
    """Plan the seeds to begin with, and once they are done the others that a rule asks for."""
    stages = plan_stages(resolved, planner, resolved.seeds.first)
    record = _record(resolved, planner, stages, source)
    if resolved.seeds.rule and stages.are_done:
        total = seeds_after_pilot(record, collect(record, planner.store)[0])
        stages = plan_stages(resolved, planner, range(total))
        record = _record(resolved, planner, stages, source)
    return ExperimentPlan(
        resolved, planner.arms, stages.runs, device, record, planner, stages.expected
    )


def _plan_arms(resolved: Resolved, device: torch.device) -> dict[str, PlannedArm]:
    problems: list[Problem] = []
    planned: dict[str, PlannedArm] = {}
    baseline = resolved.arms[resolved.baseline]
    for name in sorted(resolved.arms, key=lambda name: name != resolved.baseline):
        arm = resolved.arms[name]
        target = planned.get(resolved.baseline)
        if name != baseline.name and target is None:
            break  # the baseline itself is wrong: nothing to match against
        try:
            planned[name] = plan_arm(arm, target, resolved, device)
        except ConfigError as error:
            problems += error.within("arms", name).problems
    if problems:
        raise ConfigError(*problems)
    return {name: planned[name] for name in resolved.arms}


def plan_arm(
    arm: Arm, target: PlannedArm | None, resolved: Resolved, device: torch.device
) -> PlannedArm:
    """Build an arm on the meta device, match it to the target if the question asks so, price it.

    Raises:
        ConfigError: it cannot be built, run or matched, or does not fit into memory.
    """
    seq_len = arm.train.seq_len
    by = resolved.match.by if resolved.match else "d_ff"
    try:
        checkpointing = arm.train.gradient_checkpointing
        rows = arm.train.batch_size // arm.train.micro_batches
        memory = training_bytes(arm.variant, rows, seq_len, checkpointing)
        available = total_memory(device)
        if memory > available:
            needs = f"training needs about {format_bytes(memory)}"
            has = f"this machine has {format_bytes(available)}"
            message = f"{needs} for weights, gradients, moments and activations; {has}"
            raise ConfigError.at((), message)
        if target is None or resolved.match is None or arm.variant == target.arm.variant:
            matched = Matched.unchanged(arm.variant, measure_cost(arm.variant, seq_len), by)
        else:
            axis, tolerance = resolved.match.axis, resolved.match.tolerance
            goal = AXES[axis][1](target.matched.cost)
            matched = match(arm.variant, goal, axis, tolerance, seq_len, by)
        flops = training_flops(matched.spec, arm.train, matched.cost)
    except ConfigError as error:
        raise error.within("variant") from None
    except AblateError as error:
        raise ConfigError.at(("variant",), str(error)) from None
    except Exception as error:  # a component that cannot run is its author's to mend
        raise ConfigError.at(("variant",), f"cannot be run: {describe(error)}") from error
    if arm.init_from:
        arm.init_from.check(matched.spec)
        arm.init_from.check_tokenizer(arm.data)
    return PlannedArm(arm, matched, flops, memory)


def _record(resolved: Resolved, planner: RunPlanner, stages: Stages, source: str) -> dict[str, Any]:
    experiment, tune = resolved.experiment, resolved.tune
    recorded = {
        name: _arm_record(planned, tune, stages.tunings.get(name))
        for name, planned in planner.arms.items()
    }
    runs = [planner.record(run) for run in stages.runs]
    return {
        "name": experiment.name,
        "question": experiment.question,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "file": source,
        "baseline": resolved.baseline,
        "metric": experiment.analysis.metric,
        "alpha": experiment.analysis.alpha,
        "practical": None
        if experiment.analysis.practical == "none"
        else experiment.analysis.practical,
        "contrasts": {name: list(pair) for name, pair in resolved.contrasts.items()},
        "match": resolved.match
        and {
            "axis": resolved.match.axis,
            "within": resolved.match.tolerance,
            "by": resolved.match.by,
        },
        "held_equal": held_equal(list(recorded.values()), resolved.match),
        "differs": differs(recorded, resolved.baseline),
        "evaluate": {
            one.name: {"metric": one.metric, "seq_len": one.seq_len, "changes": written}
            for one, written in zip(
                resolved.arms[resolved.baseline].evaluate, experiment.evaluate, strict=True
            )
        },
        "tune": tune and tune.to_dict(tuning_metric(resolved)),
        "seeds": list(stages.seeds),
        "seeds_rule": resolved.seeds.rule and resolved.seeds.rule.to_dict(),
        "held_sources": list(resolved.seeds.held),
        "expect": dict(experiment.expect),
        "factors": {
            "combine": way_of(experiment.combine),
            "levels": {name: list(levels) for name, levels in experiment.factors.items()},
        }
        if experiment.factors
        else None,
        "arms": recorded,
        "shared": shared_with(ExperimentStore(planner.store.root), experiment.name, runs),
        "runs": runs,
    }


def _arm_record(planned: PlannedArm, tune: Tune | None, tuning: Tuning | None) -> dict[str, Any]:
    train = planned.arm.train
    return {
        "variant": planned.matched.spec.to_dict(),
        "data": planned.arm.data.to_dict(),
        "train": train.to_dict(),
        "init_from": planned.arm.init_from.to_dict() if planned.arm.init_from else None,
        "changes": planned.arm.changes,
        "factors": planned.arm.levels,
        "matched": planned.matched.to_dict(),
        "tuning": tuning.to_dict(tune) if tune and tuning else None,
        "cost": cost_record(planned),
    }


def cost_record(planned: PlannedArm) -> dict[str, Any]:
    """Return what is kept of the costs of an arm."""
    cost = planned.matched.cost
    update = planned.flops.per_step / planned.arm.train.tokens_per_step
    return {**cost.to_dict(), "update_flops_per_token": update, "cache_seq_len": cost.seq_len}
