"""Learning curves as lines: means are over the seeds at each step, and thinning keeps spikes."""

import numpy as np
import pandas as pd
import pytest

from harness.analysis.statistics.intervals import estimate
from harness.analysis.words.traces import MOST_POINTS, CurveView, thin, traces

STEPS, SEEDS = (50, 100, 150), range(5)


@pytest.fixture
def curves():
    """Two arms whose losses are evaluated at every other point, on machines of unlike speed."""
    generator = np.random.default_rng(0)
    rows = [
        {
            "arm": arm,
            "seed": seed,
            "run_id": f"{arm}-{seed}",
            "step": step + late,
            "tokens": 1024 * (step + late),
            "flops": 6e9 * (step + late),
            "seconds": (step + late) * (0.2 + 0.01 * seed),
            "val_bpb": np.nan if late else 1.5 + 10 / step + generator.normal() / 100,
        }
        for arm in ("mha", "mqa")
        for seed in SEEDS
        for step in STEPS
        for late in (0, 25)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("x", ["tokens", "flops", "seconds", "step"])
def test_a_mean_curve_is_the_mean_over_seeds_at_each_step(curves, x):
    lines = list(traces(curves, CurveView(x, "val_bpb")))
    assert [line.arm for line in lines] == ["mha", "mqa"]
    for line in lines:
        ours = curves[(curves["arm"] == line.arm) & (curves["step"] == STEPS[-1])]
        assert len(line.points) == len(STEPS)
        point = line.points.iloc[-1]
        assert point["x"] == pytest.approx(ours[x].mean())
        assert point["y"] == pytest.approx(ours["val_bpb"].mean())
        assert (point["low"], point["high"]) == (ours["val_bpb"].min(), ours["val_bpb"].max())
        assert point["n"] == len(SEEDS)


def test_the_interval_band_is_that_of_the_analysis(curves):
    line = next(traces(curves, CurveView("step", "val_bpb", "95 % interval")))
    ours = curves[(curves["arm"] == "mha") & (curves["step"] == STEPS[0])]
    expected = estimate(ours["val_bpb"].tolist(), 0.95)
    assert (line.points["low"][0], line.points["high"][0]) == (expected.low, expected.high)


def test_single_seeds_are_a_line_each(curves):
    lines = list(traces(curves, CurveView("step", "val_bpb", "single seeds")))
    assert [(line.arm, line.seed) for line in lines] == [
        (arm, seed) for arm in ("mha", "mqa") for seed in SEEDS
    ]


def test_thinning_keeps_ends_and_spikes_and_its_bound():
    values = pd.Series(np.linspace(2, 1, 50_001))
    values[31_416] = 9.0
    kept = thin(values, MOST_POINTS)
    assert len(kept) <= MOST_POINTS
    assert {0, 31_416, 50_000} <= set(kept)
