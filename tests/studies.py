"""A stored study with everything that its readers may meet, made without training."""

import json
import math
from datetime import UTC, datetime, timedelta

import optuna
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from harness.store.studies import StudyStore

SPACE = {
    "attention": ("variant.attention", CategoricalDistribution(["mha", "gqa", "mqa"]), None),
    "n_kv_heads": ("variant.attention.n_kv_heads", IntDistribution(2, 4), {"attention": "gqa"}),
    "d_ff": ("variant.ffn.d_ff", IntDistribution(128, 384, step=64), None),
    "lr": ("train.optimizer.lr", FloatDistribution(1e-3, 1e-2, log=True), None),
}
RUNGS = [0.25, 0.5, 1.0]
BOUND = 40_000.0
FULL_FLOPS = 1e12
FULL_SECONDS = 40.0
HEADS = {"mha": 8, "mqa": 1}
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def definition(name="kv", *, objectives=("val_bpb", "kv_bytes"), trials=24, **more):
    space = {
        key: {"path": path, "distribution": distribution_to_json(distribution), "when": when}
        for key, (path, distribution, when) in SPACE.items()
    }
    return {
        "format": 1,
        "name": name,
        "question": "Which small cache is best?",
        "file": "experiments/searches/kv.yaml",
        "definition": {},
        "objectives": [{"key": key, "direction": "minimize"} for key in objectives],
        "constraints": {"kv_bytes": BOUND},
        "space": space,
        "sampler": {"name": "tpe", "seed": 0},
        "rungs": RUNGS,
        "keep": 0.5,
        "pruner": None,
        "trials": trials,
        "match": None,
        "confirm": {"top": 2, "seeds": 5},
        "stamped": {"time": "2026-01-02T03:04:05+00:00", "commit": "abc123"},
        "storage": "sqlite",
        **more,
    }


def suggested(number):
    attention = "mha" if number % 5 == 3 else ("gqa", "gqa", "mqa")[number % 3]
    params = {"attention": attention, "d_ff": 128 + 64 * (number * 7 % 5)}
    params["lr"] = 1e-3 * 10 ** ((number * 5 % 11) / 11)
    if attention == "gqa":
        params["n_kv_heads"] = 2 + number // 3 % 3
    return params


def loss(params, fraction=1.0):
    heads = HEADS.get(params["attention"], params.get("n_kv_heads"))
    off = 0.03 * math.log2(params["lr"] / 4e-3) ** 2
    return 1.7 + off + 0.3 / heads + 20 / params["d_ff"] + 0.3 * (1 / fraction - 1)


class Log:
    """Events as a supervisor writes them, a second apart."""

    def __init__(self):
        self.events = []

    def add(self, trial, event, **more):
        at = (BEGAN + timedelta(seconds=len(self.events))).isoformat()
        seq = len(self.events)
        self.events.append({"seq": seq, "trial": trial, "event": event, "at": at, **more})


def events(keys=("val_bpb", "kv_bytes"), trials=24, confirmed=None):
    """Return what happened.

    Trials 5 and 6 failed and diverged, 7 lost its worker, 9 is 2 again. Of the others, those with
    more heads than the bound allows are infeasible, and some are pruned at half of their budget.
    """
    log, seen = Log(), {}
    for number in range(trials):
        params = suggested(2 if number == 9 else number)
        heads = HEADS.get(params["attention"], params.get("n_kv_heads"))
        cache = 6_000.0 * heads
        log.add(
            number,
            "asked",
            params=params,
            enqueued=number == 0,
            retry_of=None,
            run_id=f"run{number:02}",
            seed=0,
            arm={SPACE[key][0]: value for key, value in params.items()},
            matched={"by": "d_ff", "before": 352, "after": 360, "residual": 0.001},
            cost={"params": 900_000 + params["d_ff"], "kv_bytes": cache, "cache_dtype": "float32"},
        )
        if cache > BOUND:
            reason = f"kv_bytes is {cache:g}, above {BOUND:g}"
            log.add(number, "infeasible", violations={"kv_bytes": cache - BOUND}, reason=reason)
            continue
        if (same := seen.get(json.dumps(params))) is not None:
            told = {"values": None, "seconds": 0.0, "flops": 0.0, "rung": None, "same_as": same}
            log.add(number, "ended", status="duplicate", cause=None, **told)
            continue
        seen[json.dumps(params)] = number
        log.add(number, "started", worker="w0", attempt="cpu/1", from_step=0)
        train(log, number, params, cache, keys)
    if confirmed:
        log.add(-1, "confirmed", **confirmed)
    return log.events


def train(log, number, params, cache, keys):
    if number in (5, 6):
        status = "failed" if number == 5 else "diverged"
        cause = "out of memory" if number == 5 else "the loss became NaN"
        told = {"values": None, "seconds": 3.0, "flops": 0.1 * FULL_FLOPS, "rung": None}
        log.add(number, "ended", status=status, cause=cause, same_as=None, **told)
        return
    for fraction in RUNGS:
        known = {"val_bpb": loss(params, fraction), "kv_bytes": cache}
        values = {key: known[key] for key in keys}
        so_far = {"seconds": FULL_SECONDS * fraction, "flops": FULL_FLOPS * fraction}
        log.add(number, "rung", fraction=fraction, values=values, **so_far)
        if number == 7 and fraction == 0.25:
            log.add(number, "lost", worker="w0", cause="killed by signal 9")
            log.add(number, "started", worker="w1", attempt="cpu/1", from_step=100)
        if fraction == 0.5 and number % 4 == 3 and number != 7:
            told = {"values": values, "cause": None, "rung": fraction, "same_as": None}
            log.add(number, "ended", status="pruned", **told, **so_far)
            return
    told = {"values": values, "cause": None, "rung": 1.0, "same_as": None}
    log.add(number, "ended", status="done", **told, **so_far)


def write_study(root, name="kv", confirmed=None, **more):
    """Write a study into a results root."""
    defined = definition(name, **more)
    keys = [one["key"] for one in defined["objectives"]]
    files = StudyStore(root).files(name)
    with files.hold():
        files.write_definition(defined)
    happened = events(keys, defined["trials"], confirmed)
    files.trials.write_text("".join(json.dumps(event) + "\n" for event in happened))
    return StudyStore(root)


STATES = {
    "done": optuna.trial.TrialState.COMPLETE,
    "pruned": optuna.trial.TrialState.PRUNED,
    "failed": optuna.trial.TrialState.FAIL,
    "diverged": optuna.trial.TrialState.FAIL,
    "infeasible": optuna.trial.TrialState.FAIL,
    "duplicate": optuna.trial.TrialState.FAIL,
}


def optuna_study(defined, happened):
    """Return the same as a study of Optuna's own, to check numbers against."""
    directions = [one["direction"] for one in defined["objectives"]]
    study = optuna.create_study(directions=directions)
    asked = {e["trial"]: e for e in happened if e["event"] == "asked"}
    for event in happened:
        if event["event"] not in ("ended", "infeasible"):
            continue
        params = asked[event["trial"]]["params"]
        status = event.get("status", "infeasible")
        values = list(event["values"].values()) if status == "done" else None
        distributions = {name: SPACE[name][1] for name in params}
        study.add_trial(
            optuna.trial.create_trial(
                state=STATES[status], params=params, distributions=distributions, values=values
            )
        )
    return study
