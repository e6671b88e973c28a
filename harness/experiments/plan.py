"""From a resolved experiment to a plan: every arm built, matched and priced before any training."""

from datetime import UTC, datetime
from typing import Any

import torch

from harness.core.cost import measure_cost, training_bytes
from harness.core.match import AXES, Matched, match
from harness.errors import AblateError, ConfigError, Problem
from harness.experiments.blame import describe
from harness.experiments.config import Arm, Resolved
from harness.experiments.evaluation_set import HELD_OUT
from harness.experiments.factors import way_of
from harness.experiments.fairness import differs, held_equal
from harness.experiments.final_scoring import FinalScoring, final_scorings
from harness.experiments.planned import ExperimentPlan, PlannedArm, PlannedRun
from harness.experiments.reuse import Reuse
from harness.experiments.run_config import RunConfig
from harness.quantities import format_bytes
from harness.store.runs import RunStore
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
    runs = _plan_runs(resolved, arms, store, environment_class(device))
    record = _record(resolved, arms, runs, store, source)
    return ExperimentPlan(resolved, arms, runs, device, record)


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
            planned[name] = _plan_arm(arm, target, resolved, device)
        except ConfigError as error:
            problems += error.within("arms", name).problems
    if problems:
        raise ConfigError(*problems)
    return {name: planned[name] for name in resolved.arms}


def _plan_arm(
    arm: Arm, target: PlannedArm | None, resolved: Resolved, device: torch.device
) -> PlannedArm:
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


def _plan_runs(
    resolved: Resolved, arms: dict[str, PlannedArm], store: RunStore, environment: str
) -> list[PlannedRun]:
    """List the runs seed by seed, so that early results are already paired."""
    reuse, runs = Reuse(store), []
    scorings: dict[str, dict[str, FinalScoring]] = {}
    for seed in resolved.experiment.seed_list:
        configs = {name: _config_of(resolved, arms[name], seed) for name in arms}
        ids = {name: _id_of(name, config) for name, config in configs.items()}
        scorings = scorings or {
            name: final_scorings(config, resolved.arms[name].evaluate)
            for name, config in configs.items()
        }
        for name, run_id in ids.items():
            sharing = [scorings[other] for other in ids if ids[other] == run_id]
            needed = [scoring for of_arm in sharing for scoring in of_arm.values()]
            found = reuse.find(configs[name], run_id, environment, needed)
            attempt = found.attempt
            stored = {n: attempt and s.find(attempt) for n, s in scorings[name].items()}
            runs.append(
                PlannedRun(
                    arm=name,
                    config=configs[name],
                    run_id=run_id,
                    environment=environment,
                    done=attempt,
                    scorings=scorings[name],
                    measured={n: measurement for n, measurement in stored.items() if measurement},
                    lost_weights=found.lost_weights,
                    interrupted=found.interrupted,
                )
            )
    return runs


def _config_of(resolved: Resolved, planned: PlannedArm, seed: int) -> RunConfig:
    experiment, train = resolved.experiment, planned.arm.train
    return RunConfig(
        variant=planned.matched.spec,
        data=planned.arm.data,
        train=train,
        seed=seed,
        replica=experiment.replica,
        salt=experiment.name if train.budget.unit == "seconds" else "",
        component_folders=resolved.component_folders,
        init_from=planned.arm.init_from,
        samples=experiment.samples,
    )


def _id_of(arm: str, config: RunConfig) -> str:
    try:
        return config.run_id()
    except ConfigError as error:  # only now is the corpus looked at
        raise error.within("arms", arm, "data") from None


def _record(
    resolved: Resolved,
    arms: dict[str, PlannedArm],
    runs: list[PlannedRun],
    store: RunStore,
    source: str,
) -> dict[str, Any]:
    experiment = resolved.experiment
    recorded = {name: _arm_record(planned) for name, planned in arms.items()}
    return {
        "name": experiment.name,
        "question": experiment.question,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "file": source,
        "baseline": resolved.baseline,
        "metric": experiment.analysis.metric,
        "alpha": experiment.analysis.alpha,
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
        "seeds": experiment.seed_list,
        "factors": {
            "combine": way_of(experiment.combine),
            "levels": {name: list(levels) for name, levels in experiment.factors.items()},
        }
        if experiment.factors
        else None,
        "arms": recorded,
        "runs": [_run_record(run, store) for run in runs],
    }


def _arm_record(planned: PlannedArm) -> dict[str, Any]:
    cost, train = planned.matched.cost, planned.arm.train
    update = planned.flops.per_step / train.tokens_per_step
    return {
        "variant": planned.matched.spec.to_dict(),
        "data": planned.arm.data.to_dict(),
        "train": train.to_dict(),
        "init_from": planned.arm.init_from.to_dict() if planned.arm.init_from else None,
        "changes": planned.arm.changes,
        "factors": planned.arm.levels,
        "matched": planned.matched.to_dict(),
        "cost": {
            **cost.to_dict(),
            "update_flops_per_token": update,
            "cache_seq_len": cost.seq_len,
        },
    }


def _run_record(run: PlannedRun, store: RunStore) -> dict[str, Any]:
    """Say which attempts count: the one that is reused, or those still to come."""
    known = [a.number for a in store.attempts(run.run_id) if a.environment == run.environment]
    return {
        "arm": run.arm,
        "seed": run.config.seed,
        "replica": run.config.replica,
        "run_id": run.run_id,
        "environment": run.environment,
        "reuses": run.done.number if run.done else None,
        "attempts_from": run.interrupted.number if run.interrupted else max(known, default=0) + 1,
        "measurement": run.measurements.get(HELD_OUT),
        "evaluations": {n: m for n, m in run.measurements.items() if n != HELD_OUT},
    }
