"""A search over every component of every slot ends, and each of them is trained."""

import json

import pytest
from searching import search, state_of

from harness.core.slots import SLOTS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("deterministic")]

TRIALS = 60
DECLARED = ("does not go together with", "needs a component that provides")
"""Words of what a component declares of others."""


def components(slot):
    """Every component of a slot that is ours, with an option where it has to be told."""
    registry = SLOTS[slot]
    names = [name for name in registry if registry[name].__module__.startswith("variants.")]
    return names if slot != "precision" else [{"train": n, "infer": n} for n in names]


def written(component):
    return json.dumps(component, sort_keys=True)


def test_every_component_is_trained_at_least_once_and_nothing_crashes(write, mapping, tmp_path):
    base = mapping()["base"]
    base["variant"] |= {"d_model": 32, "n_layers": 2, "n_heads": 2, "d_ff": 64, "max_seq_len": 64}
    base["train"] |= {"budget": {"steps": 2}, "evaluations": 1}
    space = {f"variant.{slot}": components(slot) for slot in SLOTS}
    labels = {slot: {written(c) for c in components(slot)} for slot in SLOTS}
    trained = {slot: set() for slot in SLOTS}
    for seed in range(4):
        name = f"all-{seed}"
        sampler = {"name": "random", "seed": seed}
        search(write(name=name, base=base, space=space, sampler=sampler, trials=TRIALS), tmp_path)
        for trial in state_of(tmp_path, name).trials:
            assert trial.status in ("done", "infeasible", "duplicate", "diverged"), trial.ended
            if trial.status == "infeasible":
                assert any(word in trial.infeasible["reason"] for word in DECLARED)
            else:
                for slot in SLOTS:
                    trained[slot].add(written(trial.asked["arm"][f"variant.{slot}"]))
        if all(trained[slot] == labels[slot] for slot in SLOTS):
            return
    missing = {slot: labels[slot] - trained[slot] for slot in SLOTS}
    raise AssertionError(f"never trained: {missing}")
