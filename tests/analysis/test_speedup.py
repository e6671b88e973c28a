"""When a curve first reaches a loss, and what share of another run that is."""

import math

import pandas as pd
import pytest

from harness.analysis.effects.speedup import shares_spent, speedup, speedup_lines, spent_until


def curve(arm, seed, losses, every=10):
    """Return an evaluation every so many steps, and a point without one between them."""
    rows = []
    for i, loss in enumerate(losses, start=1):
        common = {"arm": arm, "seed": seed, "tokens": 100 * i * every, "seconds": 0.5 * i}
        rows.append({**common, "step": i * every, "val_loss": loss})
        rows.append({**common, "step": i * every + 1, "val_loss": None})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("target", "steps"), [(5.0, 10), (4.5, 15), (3.0, 30), (2.5, 35), (2.0, 40)]
)
def test_a_loss_is_reached_between_two_evaluations(target, steps):
    falling = curve("a", 0, [5.0, 4.0, 3.0, 2.0])
    assert spent_until(falling, "val_loss", target) == pytest.approx(steps)


def test_the_first_time_counts_and_other_units_are_measured_alike():
    rising = curve("a", 0, [5.0, 3.0, 4.0, 2.0])
    assert spent_until(rising, "val_loss", 4.0) == 15
    assert spent_until(rising, "val_loss", 4.0, "tokens") == 1500
    assert math.isnan(spent_until(rising, "val_loss", 1.9))


@pytest.fixture
def curves():
    return pd.concat(
        [
            curve("slow", 0, [5.0, 4.0, 3.0, 2.0]),
            curve("fast", 0, [4.0, 2.0, 1.0, 0.5]),
            curve("slow", 1, [5.0, 4.0, 3.0, 2.0]),
            curve("fast", 1, [3.0, 2.0, 1.0, 0.5]),
            curve("slow", 2, [5.0, 4.0, 3.0, 0.1]),
            curve("fast", 2, [3.0, 2.0, 1.0, 0.5]),
        ]
    )


def test_shares_are_by_seed(curves):
    assert shares_spent(curves, "fast", "slow", "val_loss").to_dict() == pytest.approx(
        {0: 0.5, 1: 0.5, 2: math.nan}, nan_ok=True
    )
    found = speedup(curves, "fast", "slow", "val_loss", "step")
    assert (found.n, found.mean) == (2, 0.5)


def test_what_never_gets_there_is_told(curves):
    pairs = [("fast", "slow"), ("slow", "fast")]
    first, second = speedup_lines(pairs, curves, "val_loss", "tokens")
    assert first == (
        "fast reaches the last val_loss of slow after 50% (50% to 50%) of its tokens, undecayed, "
        "n = 2; 1 of 3 never"
    )
    assert second.startswith("slow reaches the last val_loss of fast after ")
