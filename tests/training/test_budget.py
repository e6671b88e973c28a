"""A budget has one unit, is spent in it and is never nothing."""

import pytest

from harness.errors import ConfigError
from harness.schema import parse
from harness.training.budget import Budget

SPENT = {"tokens": 50, "steps": 5, "flops": 500.0, "seconds": 5.0}


@pytest.mark.parametrize("unit", SPENT)
def test_only_its_own_unit_is_counted(unit):
    budget = parse(Budget, {unit: 2 * SPENT[unit]})
    assert budget.fraction(**SPENT) == 0.5
    assert budget.fraction(**(dict.fromkeys(SPENT, 0) | {unit: SPENT[unit]})) == 0.5
    assert budget.unit == unit
    assert budget.amount == 2 * SPENT[unit]


@pytest.mark.parametrize("unit", SPENT)
def test_a_fraction_is_never_more_than_one(unit):
    assert parse(Budget, {unit: 1}).fraction(**SPENT) == 1.0


@pytest.mark.parametrize("unit", SPENT)
@pytest.mark.parametrize("amount", [0, -1, "0", "", None, True, float("nan")])
def test_nothing_is_no_budget(unit, amount):
    with pytest.raises(ConfigError):
        parse(Budget, {unit: amount})


@pytest.mark.parametrize("units", [{}, {"tokens": 1, "steps": 1}, {"flops": 1, "seconds": 1}])
def test_there_is_exactly_one_unit(units):
    with pytest.raises(ConfigError, match="exactly one of tokens, steps, flops and seconds"):
        parse(Budget, units)


@pytest.mark.parametrize(
    ("written", "amount", "said"),
    [
        ({"tokens": "1.5M"}, 1_500_000, "1.5M tokens"),
        ({"steps": 20}, 20, "20 steps"),
        ({"flops": "2e14"}, 2e14, "200T FLOPs"),
        ({"seconds": "10m"}, 600, "10 m 00 s"),
    ],
)
def test_amounts_are_written_as_people_do(written, amount, said):
    budget = parse(Budget, written)
    assert budget.amount == amount
    assert str(budget) == said
