"""The sampler is wired rightly: it learns in a conditional space, and goes on where it was."""

import pytest

from harness.search.samplers import SamplerChoice
from harness.search.space_keys import read_space
from harness.search.suggester import Suggester

SPACE = read_space(
    {
        "variant.attention": ["a", "b", "c"],
        "a.x": {"path": "variant.ax", "low": 0.0, "high": 1.0, "when": {"variant.attention": "a"}},
        "b.x": {"path": "variant.bx", "low": 0.0, "high": 1.0, "when": {"variant.attention": "b"}},
        "b.y": {"path": "variant.by", "low": 0.0, "high": 1.0, "when": {"variant.attention": "b"}},
        "c.x": {"path": "variant.cx", "low": 0.0, "high": 1.0, "when": {"variant.attention": "c"}},
        "c.y": {"path": "variant.cy", "low": 0.0, "high": 1.0, "when": {"variant.attention": "c"}},
        "c.z": {"path": "variant.cz", "low": 0.0, "high": 1.0, "when": {"variant.attention": "c"}},
    }
)
TRIALS, SEEDS = 50, range(12)


def loss(point):
    """Three branches of one, two and three parameters; the best one is the hardest to find."""
    match point["variant.attention"]:
        case "a":
            return 1.0 + (point["a.x"] - 0.2) ** 2
        case "b":
            return 0.5 + 2 * (point["b.x"] - 0.6) ** 2 + 2 * (point["b.y"] - 0.3) ** 2
    x, y, z = point["c.x"], point["c.y"], point["c.z"]
    return 4 * ((x - 0.75) ** 2 + (y - 0.4) ** 2 + (z - 0.1) ** 2)


def definition(n_objectives=1, pruner=None):
    from optuna.distributions import distribution_to_json

    return {
        "name": "test",
        "question": "",
        "objectives": [{"key": f"val_{i}", "direction": "minimize"} for i in range(n_objectives)],
        "space": {
            one.name: {"distribution": distribution_to_json(one.distribution)}
            for one in SPACE.parameters
        },
        "pruner": pruner,
    }


def asked(number, point):
    event = {"trial": number, "event": "asked", "params": point, "run_id": f"r{number}"}
    return {**event, "arm": {}, "cost": {}, "constraints": {"params": -0.5}, "at": "2025-01-01"}


def ended(number, *values):
    found = {f"val_{i}": value for i, value in enumerate(values)}
    about = {"trial": number, "event": "ended", "status": "done", "values": found}
    return {**about, "at": "2025-01-01"}


def run(sampler, n_trials, objective=loss, stop_at=None):
    """Suggest and tell; at `stop_at`, begin anew from the events."""
    events, suggester = [], Suggester(definition(), SPACE, sampler)
    for number in range(n_trials):
        if number == stop_at:
            suggester = Suggester(definition(), SPACE, sampler)
            suggester.replay(events)
        point = suggester.ask({})
        for event in (asked(number, point), ended(number, objective(point))):
            suggester.apply(event)
            events.append(event)
    return [event["params"] for event in events if event["event"] == "asked"]


def test_grouped_tpe_beats_random_in_a_conditional_space():
    wins = 0
    for seed in SEEDS:
        best = [
            min(map(loss, run(SamplerChoice(name, seed), TRIALS))) for name in ("tpe", "random")
        ]
        wins += best[0] < best[1]
    assert wins >= 10


@pytest.mark.parametrize("name", ["tpe", "random", "nsgaii", "qmc"])
def test_a_suggester_made_again_suggests_the_same(name):
    options = {"population_size": 4} if name == "nsgaii" else {}
    choice = SamplerChoice(name, 3, options)
    assert run(choice, 16) == run(choice, 16, stop_at=13)


def test_points_that_are_fixed_are_taken_as_they_are():
    suggester = Suggester(definition(), SPACE, SamplerChoice())
    point = suggester.ask({"variant.attention": "b", "b.x": 0.125})
    assert point["variant.attention"] == "b"
    assert point["b.x"] == 0.125
    assert set(point) == {"variant.attention", "b.x", "b.y"}


@pytest.mark.parametrize(("name", "share"), [("tpe", 0.15), ("nsgaii", 0.25)])
def test_a_sampler_learns_what_a_constraint_forbids(name, share):
    """One branch breaks a bound: of later suggestions fewer lie in it than by chance."""
    options = {"population_size": 8} if name == "nsgaii" else {}
    suggester = Suggester(definition(), SPACE, SamplerChoice(name, 0, options))
    forbidden = []
    for number in range(100):
        point = suggester.ask({})
        is_forbidden = point["variant.attention"] == "c"
        forbidden.append(is_forbidden)
        event = asked(number, point)
        event["constraints"] = {"params": 0.5 if is_forbidden else -0.5}
        suggester.apply(event)
        if is_forbidden:
            about = {"violations": {"params": 0.5}, "reason": "too large", "at": "2025-01-01"}
            suggester.apply({"trial": number, "event": "infeasible", **about})
        else:
            suggester.apply(ended(number, loss(point)))
    assert sum(forbidden[50:]) < share * len(forbidden[50:])
