"""The learning rate is a function of the fraction of the budget alone."""

import inspect
import json
import math
from itertools import pairwise

import pytest

from harness.core.catalogue import section
from harness.errors import ConfigError
from harness.training.config import TrainConfig
from harness.training.schedules import SCHEDULE

COMBINED = SCHEDULE.schema("combined").model_fields["parts"].examples[0]
WRITTEN = [
    *({"name": name} for name in SCHEDULE if name != "combined"),
    {"name": "combined", "parts": COMBINED},
    {"name": "cosine", "warmup": 0.0, "final": 0.1},
    {"name": "linear", "warmup": 0.3, "first": 0.01, "final": 0.5},
    {"name": "exponential", "rate": 3.0},
    {"name": "wsd", "decay": 0.95, "shape": "sqrt", "final": 0.1},
    {"name": "wsd", "decay": 0.1, "shape": "cosine", "warmup": 0.9},
    {"name": "multi_step", "milestones": [0.5], "factors": [0.0]},
]
BUDGET = {"budget": {"steps": 10}}

every_schedule = pytest.mark.parametrize(
    "written", WRITTEN, ids=lambda w: "-".join(map(str, w.values()))
)


def schedule(name, **options):
    return SCHEDULE.build(SCHEDULE.resolve({"name": name, **options}))


def factors(written, n=10_000):
    chosen = SCHEDULE.build(SCHEDULE.resolve(written))
    return [chosen.factor(i / n) for i in range(n + 1)]


def refusal(**written):
    with pytest.raises(ConfigError) as caught:
        TrainConfig.read({**BUDGET, "schedule": written})
    return caught.value


# Contracts


@every_schedule
def test_factors_are_shares_of_the_peak_and_the_peak_is_reached(written):
    found = factors(written)
    assert min(found) >= 0
    assert max(found) == pytest.approx(1, abs=1e-3)


@every_schedule
def test_the_first_step_learns(written):
    assert factors(written)[0] >= 0.001


@every_schedule
def test_it_ends_at_final(written):
    finals = {"constant": 1.0, "exponential": 0.01, "multi_step": 0.1}
    final = written.get("final", finals.get(written["name"], 0.0))
    if "rate" in written:  # nears it, no more
        final += (1 - final) * math.exp(-written["rate"])
    final = written.get("factors", [final])[-1]
    assert factors(written)[-1] == pytest.approx(final, abs=1e-12)


@every_schedule
def test_only_milestones_are_jumps(written):
    n = 20_000
    found = factors(written, n)
    jumps = [i / n for i, (a, b) in enumerate(pairwise(found), 1) if abs(a - b) > 0.01]
    milestones = {"multi_step": [0.8, 0.9]}.get(written["name"], [])
    assert jumps == pytest.approx(written.get("milestones", milestones))


@every_schedule
def test_it_is_written_as_json_and_read_back(written):
    config = TrainConfig.read({**BUDGET, "schedule": written})
    assert json.loads(json.dumps(config.to_dict())) == config.to_dict()
    assert TrainConfig.read(config.to_dict()) == config
    assert TrainConfig.read({**BUDGET, **config.identity()}) == config


@pytest.mark.parametrize("name", list(SCHEDULE))
def test_a_schedule_says_what_it_is(name):
    text = inspect.getdoc(SCHEDULE[name])
    assert section(text, "Source:")
    about = section(text, "Options:")
    assert [o for o in SCHEDULE.schema(name).model_fields if f"{o}:" not in about] == []


# Warmup


WITH_WARMUP = [name for name in SCHEDULE if "warmup" in SCHEDULE.schema(name).model_fields]


@pytest.mark.parametrize("name", WITH_WARMUP)
def test_the_warmup_rises_in_a_line_to_the_peak(name):
    chosen = schedule(name, warmup=0.2)
    found = [chosen.factor(spent) for spent in (0.0, 0.001, 0.02, 0.1, 0.2)]
    assert found == pytest.approx([0.01, 0.01, 0.1, 0.5, 1])


@pytest.mark.parametrize("name", WITH_WARMUP)
def test_without_warmup_it_begins_at_the_peak(name):
    assert schedule(name, warmup=0.0).factor(0.0) == 1.0


@pytest.mark.parametrize("name", WITH_WARMUP)
def test_the_first_factor_raises_the_whole_line(name):
    """So that ten steps of warmup are at 0.1, 0.2, ... and the tenth has the peak."""
    chosen = schedule(name, warmup=0.1, first=0.1)
    assert [chosen.factor(k / 100) for k in range(10)] == pytest.approx(
        [(k + 1) / 10 for k in range(10)]
    )
    assert schedule(name, warmup=0.1, first=0.0).factor(0.0) == 0.0


# Refusals


@pytest.mark.parametrize(
    ("written", "option"),
    [
        ({"name": "cosine", "warmup": 1}, "warmup"),
        ({"name": "cosine", "warmup": -0.1}, "warmup"),
        ({"name": "cosine", "final": 1.1}, "final"),
        ({"name": "cosine", "end": 0}, "end"),
        ({"name": "cosine", "cycle": 0.5}, "cycle"),
        ({"name": "constant", "final": 0.1}, "final"),
        ({"name": "exponential", "final": 0.0}, "final"),
        ({"name": "wsd", "decay": 0.0}, "decay"),
        ({"name": "wsd", "shape": "square"}, "shape"),
        ({"name": "multi_step", "milestones": [0.5, 1.0]}, "milestones"),
        ({"name": "combined", "parts": []}, "parts"),
    ],
    ids=lambda w: "-".join(map(str, w.values())) if isinstance(w, dict) else w,
)
def test_options_out_of_bounds_are_refused(written, option):
    assert refusal(**written).problems[0].path[:2] == ("schedule", option)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"name": "wsd", "warmup": 0.5, "decay": 0.6}, r"warmup \(0.5\) and decay \(0.6\)"),
        ({"name": "linear", "warmup": 0.0, "first": 0.1}, r"first \(0.1\) .* warmup is 0"),
        ({"name": "multi_step", "factors": [0.1]}, "2 milestones and 1 factors"),
        ({"name": "multi_step", "milestones": [0.9, 0.8]}, r"must rise.* got \[0.9, 0.8\]"),
        ({"name": "multi_step", "warmup": 0.85}, r"above the warmup \(0.85\)"),
    ],
)
def test_options_that_contradict_each_other_are_refused(written, message):
    with pytest.raises(ConfigError, match=message):
        raise refusal(**written)


def test_a_mistake_inside_a_part_is_told_where_it_is():
    parts = [COMBINED[0], {"schedule": {"name": "linear", "finnal": 0}, "until": 1.0}]
    (problem,) = refusal(name="combined", parts=parts).problems
    assert problem.path == ("schedule", "parts", 1, "schedule", "finnal")
    assert "Did you mean 'final'" in problem.message


def test_an_option_that_is_written_but_default_leaves_the_identity():
    def identity(inner):
        parts = [{"schedule": inner, "until": 1.0}]
        written = {"name": "combined", "parts": parts}
        return TrainConfig.read({**BUDGET, "schedule": written}).identity()["schedule"]

    assert identity("cosine") == identity({"name": "cosine", "final": 0.0})
    assert identity("cosine") != identity({"name": "cosine", "final": 0.1})
