"""What shape each schedule has, and the rates that other projects' schedules give."""

import math

import pytest

from harness.errors import ConfigError
from harness.training.config import TrainConfig
from harness.training.schedules import SCHEDULE

BUDGET = {"budget": {"steps": 10}}


def schedule(name, **options):
    return SCHEDULE.build(SCHEDULE.resolve({"name": name, **options}))


@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
def test_the_cosine_is_half_of_one(final):
    chosen = schedule("cosine", warmup=0.2, final=final)
    assert chosen.factor(0.6) == pytest.approx((1 + final) / 2)
    quarter = final + (1 - final) * (1 + math.cos(math.pi / 4)) / 2
    assert chosen.factor(0.4) == pytest.approx(quarter)


def test_the_bits_of_the_cosine_are_those_of_its_formula():
    """Stored runs were trained with them."""
    warmup, final = 0.05, 0.1
    chosen = schedule("cosine", warmup=warmup, final=final)
    for step in range(1000):
        spent = step / 999
        done = (spent - warmup) / (1 - warmup)
        decay = final + (1 - final) * (1 + math.cos(math.pi * done)) / 2
        expected = max(spent / warmup, 0.01) if spent < warmup else decay
        assert chosen.factor(spent) == expected


def test_a_longer_cycle_is_cut_off_by_the_budget():
    whole, cut = schedule("cosine", final=0.1), schedule("cosine", final=0.1, cycle=4.0)
    assert [cut.factor(x / 10) for x in range(11)] == [whole.factor(x / 40) for x in range(11)]


def test_the_line_is_straight():
    chosen = schedule("linear", warmup=0.2, final=0.1)
    found = [chosen.factor(0.2 + 0.8 * share) for share in (0, 0.25, 0.5, 1)]
    assert found == pytest.approx([1, 0.775, 0.55, 0.1])


def test_the_exponential_falls_by_the_same_ratio():
    chosen = schedule("exponential", warmup=0.0, final=0.01)
    found = [chosen.factor(share) for share in (0, 0.25, 0.5, 0.75, 1)]
    assert found == pytest.approx([1, 0.01**0.25, 0.1, 0.01**0.75, 0.01])


@pytest.mark.parametrize(
    ("shape", "quarter"),
    [("linear", 0.75), ("sqrt", 0.5), ("cosine", (1 + math.cos(math.pi / 4)) / 2)],
)
def test_the_stable_rate_decays_at_the_end(shape, quarter):
    chosen = schedule("wsd", decay=0.4, shape=shape, final=0.2)
    assert [chosen.factor(spent) for spent in (0.05, 0.3, 0.6)] == [1, 1, 1]
    assert chosen.factor(0.7) == pytest.approx(0.2 + 0.8 * quarter)


def test_branches_of_a_stable_run_share_its_rates_until_they_decay():
    """A branch at a fraction of a long run is a run of its own budget and a warmup as long."""
    n_steps, decay = 1000, 0.2
    trunk = schedule("wsd", warmup=0.1, decay=decay)
    for at in (0.2, 0.4, 0.8):
        length = round(at * n_steps / (1 - decay))
        branch = schedule("wsd", warmup=0.1 * n_steps / length, decay=decay)
        stable = range(round(at * n_steps))
        assert [branch.factor(k / length) for k in stable] == pytest.approx(
            [trunk.factor(k / n_steps) for k in stable]
        )
        assert branch.factor(1.0) == pytest.approx(0, abs=1e-12)


def test_parts_follow_each_other():
    parts = [
        {"schedule": {"name": "cosine", "final": 0.5}, "until": 0.5},
        {"schedule": {"name": "linear", "warmup": 0.0}, "until": 1.0, "peak": 0.5},
    ]
    chosen = schedule("combined", parts=parts)
    first, second = schedule("cosine", final=0.5), schedule("linear", warmup=0.0)
    assert [chosen.factor(x / 20) for x in range(10)] == [first.factor(x / 10) for x in range(10)]
    later = [chosen.factor(x / 20) for x in range(10, 21)]
    assert later == pytest.approx([0.5 * second.factor(x / 10) for x in range(11)])


# What other projects' schedules give, with steps as fractions of theirs


@pytest.mark.row("R3-20")
@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        (
            "cosine",
            {},
            {
                0: 1e-7, 499: 5e-5, 999: 1e-4, 1000: 1e-4, 5000: 9.838110e-5,
                25_500: 5.05e-5, 50_000: 1e-6,
            },
        ),
        ("linear", {}, {0: 1e-7, 5000: 9.191837e-5, 50_000: 1e-6}),
        ("exponential", {"rate": 3.0}, {5000: 7.849566e-5, 25_500: 2.308989e-5}),
    ],
)  # fmt: skip
def test_rates_over_1000_steps_of_warmup_and_50000_in_all(name, options, expected):
    chosen = schedule(name, warmup=0.02, first=1 / 1000, final=0.01, **options)
    found = {step: 1e-4 * chosen.factor(step / 50_000) for step in expected}
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.row("R3-21")
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"optimizer": {"lr": 0.0}}, "optimizer.lr: "),
        ({"schedule": {"final": -0.1}}, "schedule.final: "),
        ({"schedule": {"final": 1.5}}, "schedule.final: "),  # above the peak
        ({"schedule": {"warmup": -0.1}}, "schedule.warmup: "),
        ({"budget": {"steps": 0}}, "budget.steps: "),
        ({"schedule": {"warmup": 1.0}}, "schedule.warmup: "),
        ({"schedule": "cosinus"}, "Did you mean 'cosine'"),
        ({"schedule": {"final": 1 / 0.5}}, "schedule.final: "),  # a final divisor below 1
    ],
)
def test_nonsense_is_refused_before_training(change, told):
    with pytest.raises(ConfigError) as caught:
        TrainConfig.read({**BUDGET, **change})
    assert told in str(caught.value)
    assert len(caught.value.problems) == 1


@pytest.mark.row("R3-21")
def test_a_final_divisor_is_a_final_factor():
    assert 1e-4 * schedule("cosine", final=1 / 100).factor(1.0) == pytest.approx(1e-6)


@pytest.mark.row("R4-22")
def test_factors_over_25_steps_of_warmup_and_500_in_all():
    chosen = schedule("cosine", warmup=0.05, final=0.1, first=0.0)
    expected = {0: 0, 1: 0.04, 24: 0.96, 25: 1.0, 50: 0.9939, 100: 0.9458, 249: 0.5901}
    found = {k: chosen.factor(k / 500) for k in expected}
    assert found == pytest.approx(expected, abs=5e-5)
    assert chosen.factor(499 / 500) == pytest.approx(0.1, abs=5e-5)
    assert schedule("cosine", warmup=0.05, final=0.1).factor(0.0) == 0.01, "the first step learns"


@pytest.mark.row("R4-22")
def test_a_schedule_that_counts_half_of_its_steps_can_be_repeated(lab):
    """A published run that counts micro-batches ends after 250 updates of a schedule of 500."""
    written = {"name": "cosine", "warmup": 0.05, "final": 0.1, "first": 0.0, "cycle": 2.0}
    points = list(lab.train(lab.config({"steps": 250}, schedule=written, optimizer={"lr": 0.01})))
    assert points[-1].lr == pytest.approx(0.005901, abs=5e-7)
    chosen = schedule(**written)
    assert [chosen.factor(k / 250) for k in (1, 25)] == pytest.approx([0.04, 1.0])


@pytest.mark.row("R3-23")
def test_the_rate_drops_to_31_and_10_percent_at_80_and_90():
    chosen = schedule("multi_step", warmup=2000 / 100_000)
    steps = {1000: 0.5, 2000: 1, 79_999: 1, 80_000: 0.316, 89_999: 0.316, 90_000: 0.1, 99_999: 0.1}
    assert {k: chosen.factor(k / 100_000) for k in steps} == pytest.approx(steps)


@pytest.mark.row("R3-23")
@pytest.mark.parametrize(
    ("ends", "told"),
    [([0.5, 0.4, 1.0], "overlap"), ([0.5, 0.5], "overlap"), ([0.5, 0.9], "leave a gap")],
)
def test_parts_neither_overlap_nor_leave_gaps(ends, told):
    parts = [{"schedule": "constant", "until": end} for end in ends]
    with pytest.raises(ConfigError, match=f"'combined': parts {told}"):
        TrainConfig.read({**BUDGET, "schedule": {"name": "combined", "parts": parts}})
