"""Quantities are read exactly, refused clearly, and written so that they can be read back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.quantities import (
    Count,
    Flops,
    Fraction,
    Seconds,
    format_bytes,
    format_count,
    format_duration,
    parse_quantity,
)
from harness.schema import Frozen, parse


class Options(Frozen):
    tokens: Count = 1
    flops: Flops = 1.0
    seconds: Seconds = 1.0
    share: Fraction = 1.0


@pytest.mark.parametrize(
    ("written", "kind", "expected"),
    [
        ("1M", "count", 1_000_000),
        ("100k", "count", 100_000),
        ("1.5G", "count", 1_500_000_000),
        ("1.5B", "count", 1_500_000_000),
        ("20_000", "count", 20_000),
        (20_000, "count", 20_000),
        (1e6, "count", 1_000_000),
        ("1e6", "count", 1_000_000),
        ("1.1M", "count", 1_100_000),  # in floats 1.1 * 10**6 is 1100000.0000000002
        (" 2 k ", "count", 2_000),
        ("2e14", "flops", 2e14),
        ("0.2P", "flops", 2e14),
        (5, "flops", 5.0),
        ("90s", "seconds", 90.0),
        ("10m", "seconds", 600.0),
        ("2h", "seconds", 7200.0),
        (1.5, "seconds", 1.5),
        ("1%", "fraction", 0.01),
        ("5 %", "fraction", 0.05),
        (0, "fraction", 0.0),
        ("100%", "fraction", 1.0),
    ],
)
def test_a_quantity_is_read_exactly(written, kind, expected):
    read = parse_quantity(written, kind)
    assert read == expected
    assert type(read) is type(expected)


NEVER = [True, None, [], "", "M", "1 2", "1/3", "-1", -1, "1m2", "0x10", "٣", math.nan, math.inf]
NEVER += [1e31, 10**400, "1e31", "1e999999999", "9" * 100, "9" * 5000, "nan", "--", "1Q"]


@pytest.mark.parametrize("kind", ["count", "flops", "seconds", "fraction"])
@pytest.mark.parametrize("written", NEVER, ids=lambda value: repr(value)[:20])
def test_what_is_no_quantity_is_refused(written, kind):
    with pytest.raises(ValueError, match=r"must be a .* such as"):
        parse_quantity(written, kind)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        (0, "count"),
        (2.5, "count"),
        ("2.5", "count"),
        ("1m", "count"),  # neither a million nor a minute
        ("1%", "count"),
        (0, "flops"),
        ("10s", "flops"),
        ("0s", "seconds"),
        ("10M", "seconds"),
        (1.01, "fraction"),
        ("101%", "fraction"),
        ("1k", "fraction"),
    ],
)
def test_each_kind_has_its_own_bounds_and_units(written, kind):
    with pytest.raises(ValueError, match="must be a"):
        parse_quantity(written, kind)


def test_schemas_take_quantities_though_they_are_strict():
    options = parse(Options, {"tokens": "1M", "flops": 3, "seconds": "10m", "share": "1%"})
    assert options == Options(tokens=1_000_000, flops=3.0, seconds=600.0, share=0.01)
    assert parse(Options, options.model_dump()) == options


def test_the_error_says_what_was_expected_and_what_came():
    with pytest.raises(ConfigError) as caught:
        parse(Options, {"tokens": 2.5})
    assert str(caught.value) == "tokens: must be a count such as 1M or 250_000, but got 2.5"


@given(st.integers(1, 10**30))
def test_a_written_count_reads_back_to_three_digits(number):
    assert parse_quantity(format_count(number), "count") == pytest.approx(number, rel=0.0051)


@given(st.text(max_size=12) | st.floats() | st.integers())
def test_whatever_is_read_lies_within_its_bounds(value):
    try:
        number = parse_quantity(value, "count")
    except ValueError:
        return
    assert isinstance(number, int)
    assert 1 <= number <= 10**30


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1_300_000, "1.3M"),
        (999, "999"),
        (1_000, "1k"),
        (999_999, "1M"),
        (0, "0"),
        (-1_300_000, "-1.3M"),
        (1.5e9, "1.5B"),
    ],
)
def test_counts_are_short(number, text):
    assert format_count(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.51, "0.51 s"),
        (45.2, "45 s"),
        (59.7, "1 m 00 s"),
        (125, "2 m 05 s"),
        (3725, "1 h 02 m"),
        (97_200, "1 d 03 h"),
    ],
)
def test_durations_show_their_two_largest_units(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (512, "512 B"), (1_300, "1.3 kB"), (2_500_000, "2.5 MB")]
)
def test_bytes_are_in_si_units(number, text):
    assert format_bytes(number) == text
