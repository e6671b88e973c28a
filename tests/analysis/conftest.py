"""A plan and its runs, as small as a comparison allows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import pytest

COST = {
    "params": 1_312_000,
    "params_non_embedding": 850_000,
    "train_flops_per_token": 7_934_000,
    "cache_bytes": 12_400,
    "cache_seq_len": 128,
    "cache_dtype": "float32",
}


def plan_of(
    arms: Sequence[str] | Mapping[str, Any], seeds: Sequence[int], **changes: Any
) -> dict[str, Any]:
    if not isinstance(arms, Mapping):
        arms = {arm: {"variant": {}, "changes": {}, "cost": COST} for arm in arms}
    plan = {
        "name": "attention",
        "question": "What does sharing key-value heads cost?",
        "baseline": next(iter(arms)),
        "metric": "val_bpb",
        "alpha": 0.05,
        "contrasts": {},
        "held_equal": ["training FLOPs per token (within 1 %)", "tokens (1M)"],
        "differs": ["parameters"],
        "seeds": list(seeds),
        "arms": dict(arms),
        "runs": [],
    }
    return {**plan, **changes}


def runs_of(values: Mapping[str, Sequence[float]], metric: str = "val_bpb") -> pd.DataFrame:
    """One done run for each arm and seed."""
    rows = [
        {
            "arm": arm,
            "seed": seed,
            "replica": 0,
            "run_id": f"{arm}-{seed}",
            "environment": "cpu",
            "status": "done",
            "tokens_per_s": 1000.0 + seed,
            "seconds": 60.0,
            metric: value,
        }
        for arm, over_seeds in values.items()
        for seed, value in enumerate(over_seeds)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def make_plan() -> Callable[..., dict[str, Any]]:
    return plan_of


@pytest.fixture
def make_runs() -> Callable[..., pd.DataFrame]:
    return runs_of
