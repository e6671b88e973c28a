"""Which combinations of levels become arms."""

import itertools

import numpy as np
import pytest

from harness.errors import ConfigError
from harness.experiments.planning.plan_view import describe_changes
from harness.experiments.question.factors import combinations
from harness.experiments.question.fraction import regular_fraction

HEADS = {"mha": {"variant": {"attention": "mha"}}, "mqa": {"variant": {"attention": "mqa"}}}
FFN = {"swiglu": None, "gelu": {"variant": {"ffn": "gelu"}}}
NORM = {"rms": None, "layer": {"variant": {"norm": "layer_norm"}}}
THREE = {"heads": HEADS, "ffn": FFN, "norm": NORM}


@pytest.mark.parametrize(
    ("n_factors", "resolution", "n_rows"),
    [(3, 3, 4), (4, 4, 8), (5, 5, 16), (5, 3, 8), (6, 4, 16), (7, 3, 8), (8, 4, 16), (8, 5, 64)],
)
def test_fractions_have_the_sizes_of_the_textbook_and_their_resolution(
    n_factors, resolution, n_rows
):
    """Box, Hunter and Hunter, table 12.15. Resolution R: any R - 1 columns hold all combinations
    equally often."""
    rows = regular_fraction(n_factors, resolution)
    assert len(rows) == len(set(rows)) == n_rows
    assert (0,) * n_factors in rows
    table = np.array(rows)
    for columns in itertools.combinations(range(n_factors), resolution - 1):
        _, counts = np.unique(table[:, columns], axis=0, return_counts=True)
        assert set(counts) == {n_rows // 2 ** (resolution - 1)}


@pytest.mark.parametrize(("n_factors", "resolution"), [(2, 3), (3, 4), (4, 5)])
def test_there_is_no_fraction_where_all_combinations_are_needed(n_factors, resolution):
    assert regular_fraction(n_factors, resolution) is None


def test_one_at_a_time_changes_each_factor_from_the_first_levels():
    levels = {**THREE, "norm": {**NORM, "dyt": None}}
    assert list(combinations(levels, "one_at_a_time")) == [
        "mha-swiglu-rms",
        "mqa-swiglu-rms",
        "mha-gelu-rms",
        "mha-swiglu-layer",
        "mha-swiglu-dyt",
    ]


def test_leave_one_out_takes_each_change_back_from_all_of_them():
    assert list(combinations(THREE, "leave_one_out")) == [
        "mqa-gelu-layer",
        "mha-gelu-layer",
        "mqa-swiglu-layer",
        "mqa-gelu-rms",
    ]


def test_a_fraction_is_planned_with_what_it_cannot_tell_apart(small, plan):
    data = small(factors=THREE, combine={"fractional": 3}, baseline="mha-swiglu-rms")
    del data["arms"]
    record = plan(data).record
    assert len(record["arms"]) == 4
    assert record["factors"] == {
        "combine": "fractional",
        "levels": {"heads": ["mha", "mqa"], "ffn": ["swiglu", "gelu"], "norm": ["rms", "layer"]},
    }
    assert describe_changes(record["arms"]["mqa-gelu-rms"]["changes"])


@pytest.mark.parametrize(
    ("combine", "message"),
    [
        ("fractional", r"combine: no fraction of 3 factors has resolution IV; use `all`, or {frac"),
        ("every", "unknown way to combine levels 'every'"),
        ({"fractional": 7}, r"must be one of all, .* or {fractional: RESOLUTION} with one of 3"),
        (3, "must be one of all"),
    ],
)
def test_what_cannot_be_combined_so_is_refused(small, plan, combine, message):
    data = small(factors=THREE, combine=combine, baseline="mha-swiglu-rms")
    del data["arms"]
    with pytest.raises(ConfigError, match=message):
        plan(data)


def test_ways_that_need_two_levels_say_so():
    with pytest.raises(ConfigError, match=r"factors\.norm: leave_one_out needs two levels"):
        combinations({**THREE, "norm": {"rms": None}}, "leave_one_out")


def test_combine_without_factors_is_a_mistake(small, plan):
    with pytest.raises(ConfigError, match="combine: says how `factors` are combined"):
        plan(small(combine="one_at_a_time"))
