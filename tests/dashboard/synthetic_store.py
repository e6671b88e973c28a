"""Experiments that were never trained, made through the store's own writers."""

import random

import pandas as pd

from harness.store.experiments import ExperimentStore
from harness.store.records import Result
from harness.store.runs import RunStore
from harness.store.tables import collect

QUESTION = "Does *sharing* key-value heads cost <b>quality</b> :smile: :red[now] $x$?"
COST = {
    "params": 869_760,
    "params_non_embedding": 738_688,
    "train_flops_per_token": 5_996_544.0,
    "cache_bytes": 131_072,
    "cache_seq_len": 128,
    "cache_dtype": "bfloat16",
}
OFFSETS = {"mha": 0.0, "gqa_2": 0.004, "mqa": 0.03}


def plan_of(name, offsets, seeds, position="rope"):
    arms = {
        arm: {
            "variant": {"attention": {"name": "gqa"}, "position": [{"name": position}]},
            "changes": {}
            if arm == next(iter(offsets))
            else {"variant": {"attention": {"name": arm}}},
            "cost": COST | {"cache_bytes": COST["cache_bytes"] // (1 + i)},
        }
        for i, arm in enumerate(offsets)
    }
    runs = [
        {"arm": arm, "seed": s, "replica": 0, "run_id": f"{name}-{arm}-{s}", "environment": "cpu"}
        for s in seeds
        for arm in offsets
    ]
    return {
        "name": name,
        "question": QUESTION,
        "created": "2026-01-01T00:00:00+00:00",
        "baseline": next(iter(offsets)),
        "metric": "val_bpb",
        "alpha": 0.05,
        "contrasts": {},
        "held_equal": ["training FLOPs per token (within 1 %)", "the budget (200k tokens)"],
        "differs": ["parameters"],
        "seeds": list(seeds),
        "arms": arms,
        "runs": runs,
    }


def train(store, planned, offset, n_points, status="done"):
    """Leave behind what a run does: a curve that falls, and a result."""
    noise = random.Random(f"{planned['seed']}-{planned['arm']}").gauss(0, 0.004)
    noise += random.Random(planned["seed"]).gauss(0, 0.02)
    attempt = store.new_attempt(planned["run_id"], planned["environment"])
    n_points = n_points if status == "done" else n_points // 2
    with attempt.hold():
        for step in range(10, 10 * n_points + 1, 10):
            attempt.append_measurement(
                {
                    "step": step,
                    "tokens": 1024 * step,
                    "flops": 6e9 * step,
                    "seconds": step * (0.2 + abs(noise)),
                    "train_loss": 2 + offset + noise + 30 / step,
                    "val_bpb": 1.5 + offset + noise + 10 / step if step % 50 == 0 else None,
                }
            )
        metrics = {"val_bpb": 1.5 + offset + noise, "steps": 10 * n_points, "tokens_per_s": 5123.0}
        metrics["tokens"] = 10_240 * n_points
        cause = None if status == "done" else "out of *memory* :smile: :material/home: :red[x]"
        metrics = metrics if status == "done" else {}
        by_position = {0: 5.0 + noise, 1: 3.0 + offset, 2: 2.0 + offset + noise}
        found = {"metrics": metrics, "loss_by_position": by_position}
        attempt.finish(Result(status=status, seconds=41.5, cause=cause, **found))


def write_experiment(root, name, offsets, seeds, lost=(), n_points=40, **changes):
    """Plan, "train" and collect an experiment; `lost` holds (arm, seed, status)."""
    runs, experiments = RunStore(root), ExperimentStore(root)
    plan = plan_of(name, offsets, seeds, **changes)
    states = {(arm, seed): status for arm, seed, status in lost}
    for planned in plan["runs"]:
        arm, seed = planned["arm"], planned["seed"]
        train(runs, planned, offsets[arm], n_points, states.get((arm, seed), "done"))
    experiments.write_plan(plan)
    experiments.write_tables(name, *collect(plan, runs), pd.DataFrame())
    return plan
