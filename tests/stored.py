"""A stored experiment with everything that a report may meet, made without training."""

import math

import pandas as pd

from harness.store.experiments import ExperimentStore

HOSTILE = "a|b</script><script>alert(1)</script> [x](http://evil.example) *c*_d_ & $e$"
OPTIMUM = 0.0045
RATES = (0.002, 0.004, 0.008)
NOISE = {0: 0.012, 1: -0.007, 2: 0.003, 3: -0.011, 4: 0.006}
OFFSETS = {"mha": 0.0, "gqa": 0.002, HOSTILE: 0.05}


def cost(i):
    return {
        "params": 900_000 + 1000 * i,
        "params_active": 900_000 + 1000 * i,
        "params_non_embedding": 800_000,
        "train_flops_per_token": 6e6,
        "cache_bytes": 262_144 // (i + 1),
        "cache_seq_len": 128,
        "weight_bytes": 3_600_000,
    }


def arm(i, name):
    tokenizer = {"name": "bpe", "vocab_size": 1024}
    return {
        "variant": {"d_model": 128, "attention": {"name": f"{i}"}},
        "data": {"corpus": {"name": "sotu"}, "tokenizer": tokenizer},
        "train": {
            "budget": {"tokens": 500_000},
            "seq_len": 128,
            "batch_size": 4,
            "optimizer": {"name": "adamw", "lr": 0.004},
            "schedule": {"name": "cosine"},
        },
        "changes": {"variant": {"attention": name}} if i else {},
        "matched": {"residual": 0.001 * i, "d_ff": 352 + 8 * i, "d_ff_before": 352},
        "cost": cost(i),
    }


def tuned(plan, runs):
    """Add what `tune:` leaves: tuning runs on two seeds, report runs at three rates."""
    key = "train.optimizer.lr"
    tune = {"key": key, "keys": [key], "factor": 2.0, "points": 4, "extend": 4, "trials": None}
    plan["tune"] = {**tune, "seeds": [10**6, 10**6 + 1], "protocol": "fitted", "metric": "val_bpb"}
    rows = []
    for name, about in plan["arms"].items():
        tried = [0.001, *RATES, 0.016]
        about["tuning"] = {"tried": tried, "chosen": 0.004, "at_edge": False, "trials_spent": 10}
        about["tuning"] |= {"report": list(RATES), "edge": None}
        for purpose, rates, seeds in (
            ("tuning", tried, plan["tune"]["seeds"]),
            ("report", RATES, plan["seeds"]),
        ):
            for rate in rates:
                worse = 0.01 * math.log2(rate / OPTIMUM) ** 2
                ours = runs[runs["arm"] == name].head(len(seeds))
                rows.append(
                    ours.assign(
                        purpose=purpose,
                        setting=rate,
                        seed=list(seeds),
                        run_id=[f"{purpose}-{name}-{rate}-{seed}" for seed in seeds],
                        val_bpb=ours["val_bpb"] + worse,
                    )
                )
    table = pd.concat(rows, ignore_index=True)
    keys = ["arm", "seed", "replica", "run_id", "purpose", "setting"]
    plan["runs"] = table[keys].to_dict("records")
    return plan, table


def curves_of(runs):
    """Draw the runs that stand for their arm, as the store does."""
    points = [
        {
            **{key: run[key] for key in ("arm", "seed", "run_id")},
            "step": step,
            "tokens": 512 * step,
            "val_bpb": run["val_bpb"] + 40 / step - 40 / 977,
            "train_loss": 2.0,
        }
        for run in runs[runs["status"] == "done"].to_dict("records")
        if run.get("purpose", "report") == "report" and run.get("setting", 0.004) == 0.004
        for step in (200, 400, 600, 800, 977)
    ]
    return pd.DataFrame(points)


QUESTION = "What does sharing cost?"


def write(root, name="heads", question=QUESTION, *, tune=False, lost=(), share=1.0, **more):
    """Write an experiment; `lost` has (arm, seed) of runs that failed, `share` is of its budget."""
    arms = {n: arm(i, n) for i, n in enumerate(OFFSETS)}
    plan = {
        "name": name,
        "question": question,
        "created": "2026-01-02T03:04:05+00:00",
        "file": "experiments/heads.yaml",
        "baseline": "mha",
        "metric": "val_bpb",
        "alpha": 0.05,
        "contrasts": {"primary": ["gqa", "mha"]},
        "held_equal": ["training FLOPs per token (within 1 %)", "the budget (500k tokens)"],
        "differs": ["cache bytes"],
        "match": {"axis": "train_flops", "within": 0.01},
        "seeds": list(NOISE),
        "arms": arms,
        "runs": [
            {"arm": a, "seed": s, "replica": 0, "run_id": f"{a}-{s}"} for a in arms for s in NOISE
        ],
        **more,
    }
    for about, levels in zip(arms.values(), more.get("of_factors", []), strict=False):
        about["factors"] = levels
    rows = []
    for i, (arm_name, offset) in enumerate(OFFSETS.items()):
        for seed, noise in NOISE.items():
            failed = (arm_name, seed) in lost
            value = (
                1.75
                - 0.1 * math.log2(share)
                + offset
                + noise
                + 0.001 * ((seed * 7 + i * 3) % 5 - 2)
            )
            rows.append(
                {
                    "arm": arm_name,
                    "seed": seed,
                    "replica": 0,
                    "run_id": f"{arm_name}-{seed}",
                    "environment": "cpu-torch2.13.0",
                    "status": "failed" if failed else "done",
                    "cause": f"out of memory {HOSTILE}" if failed else None,
                    "val_bpb": None if failed else value,
                    "tokens": 500_224,
                    "flops": 3e12 * share,
                    "seconds": (90.0 + seed) * share,
                    "tokens_per_s": 5000.0,
                    "share_of_peak": 0.7,
                    "peak_memory": 300_000_000,
                }
            )
    runs = pd.DataFrame(rows)
    if tune:
        plan, runs = tuned(plan, runs)
    store = ExperimentStore(root)
    store.write_plan(plan)
    store.write_tables(name, runs, curves_of(runs), pd.DataFrame())
    return store
