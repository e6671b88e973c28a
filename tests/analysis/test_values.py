"""The number that an arm has at a seed: a mean, or what a parabola through three settings says."""

import numpy as np
import pandas as pd
import pytest

from harness.analysis.statistics.values import (
    better_beyond,
    fit,
    fit_of,
    read_at,
    report_runs,
    seed_values,
)
from harness.analysis.statistics.verdict import Verdict
from harness.analysis.verdicts.compare import compare
from harness.analysis.verdicts.tuning import tuning_objection, tuning_words

RATES = [0.002, 0.004, 0.008]
TUNE = {"key": "train.optimizer.lr", "keys": ["train.optimizer.lr"], "seeds": [10**6, 10**6 + 1]}


def parabola(rate, *, optimum, minimum, curvature=0.02):
    return minimum + curvature * np.log2(np.asarray(rate) / optimum) ** 2


@pytest.fixture
def tuned(make_plan):
    """Return a plan whose arms are tuned, and runs of it, from losses by arm, seed and setting."""

    def make(losses, rates=RATES, *, protocol="fitted", **of_tuning):
        seeds = range(len(next(iter(losses.values()))))
        plan = make_plan(list(losses), seeds, tune={**TUNE, "protocol": protocol})
        tuning = {
            "keys": TUNE["keys"],
            "tried": [0.001, *RATES],
            "chosen": 0.004,
            "at_edge": False,
            "edge": None,
            "report": list(rates),
            "trials_spent": 8,
        }
        for arm in plan["arms"].values():
            arm["tuning"] = {**tuning, **of_tuning}
        rows = [
            {
                "arm": arm,
                "seed": seed,
                "replica": 0,
                "run_id": f"{arm}-{seed}-{rate}",
                "environment": "cpu",
                "status": "done" if np.isfinite(loss) else "diverged",
                "purpose": "report",
                "setting": rate,
                "tokens_per_s": 1.0,
                "tokens": 1,
                "seconds": 1.0,
                "val_bpb": loss if np.isfinite(loss) else np.nan,
            }
            for arm, table in losses.items()
            for seed, of_seed in enumerate(table)
            for rate, loss in zip(rates, of_seed, strict=True)
        ]
        return plan, pd.DataFrame(rows)

    return make


@pytest.mark.parametrize("optimum", [0.0025, 0.004, 0.0061])
def test_the_fit_of_a_parabola_is_that_parabola(optimum):
    losses = np.stack([parabola(RATES, optimum=optimum, minimum=m) for m in (1.7, 1.8)])
    found = fit(RATES, losses)
    assert found.optimum == pytest.approx(optimum)
    assert found.minimum == pytest.approx(1.75)
    assert not found.clamped


def test_the_mean_of_the_values_is_the_fitted_minimum(tuned):
    rng = np.random.default_rng(0)
    losses = parabola(RATES, optimum=0.005, minimum=1.7) + 0.01 * rng.standard_normal((6, 3))
    plan, runs = tuned({"mha": losses})
    found = fit_of(plan, runs, "mha")
    assert seed_values(plan, runs, "val_bpb")["mha"].mean() == pytest.approx(found.minimum)
    assert found.minimum < losses.mean(axis=0).min()


def test_the_fit_of_an_accuracy_is_its_maximum():
    losses = np.stack([1 - parabola(RATES, optimum=0.005, minimum=0.2)] * 2)
    found = fit(RATES, losses, maximised=True)
    assert found.optimum == pytest.approx(0.005)
    assert found.minimum == pytest.approx(0.8)


@pytest.mark.parametrize(("optimum", "at"), [(0.001, 0.002), (0.02, 0.008)])
def test_an_optimum_beyond_the_settings_is_not_extrapolated(optimum, at):
    losses = np.stack([parabola(RATES, optimum=optimum, minimum=1.7)] * 2)
    found = fit(RATES, losses)
    assert found.optimum == pytest.approx(at) and found.clamped
    assert found.minimum == pytest.approx(losses.min())


def test_a_curve_that_bends_downwards_has_the_best_of_its_points():
    found = fit(RATES, np.array([[1.72, 1.73, 1.70]]))
    assert found.optimum == 0.008 and found.clamped
    assert found.minimum == pytest.approx(1.70)


def test_of_more_settings_the_best_and_its_neighbours_are_fitted():
    rates = [*RATES, 0.016, 0.032]
    losses = np.stack([parabola(rates, optimum=0.0085, minimum=1.7)] * 2)
    losses[:, [0, 4]] = 1.702  # far from the parabola, and from its best point
    found = fit(rates, losses)
    assert found.settings == (0.004, 0.008, 0.016)
    assert found.optimum == pytest.approx(0.0085)


def test_a_setting_is_read_off_the_parabola_through_all_points():
    losses = np.array([[1.0, 2.0, 5.0]])
    for rate, loss in zip(RATES, losses[0], strict=True):
        assert read_at(RATES, losses, rate) == pytest.approx(loss)


def test_a_seed_that_lacks_a_setting_has_no_value_and_no_say_in_the_fit(tuned):
    losses = np.stack([parabola(RATES, optimum=0.004, minimum=m) for m in (1.7, 1.8, 2.8)])
    plan, runs = tuned({"mha": losses})
    runs = runs[(runs["seed"] != 2) | (runs["setting"] != 0.008)]
    values = seed_values(plan, runs, "val_bpb")["mha"]
    assert values.dropna().index.tolist() == [0, 1]
    assert fit_of(plan, runs, "mha").minimum == pytest.approx(1.75)


def test_a_setting_at_which_a_run_diverged_is_out(tuned):
    losses = np.stack([parabola(RATES, optimum=0.004, minimum=m) for m in (1.7, 1.8)])
    losses[1, 2] = np.inf
    plan, runs = tuned({"mha": losses})
    found = fit_of(plan, runs, "mha")
    assert found.settings == (0.002, 0.004) and found.optimum == 0.004
    assert seed_values(plan, runs, "val_bpb")["mha"].tolist() == pytest.approx([1.7, 1.8])


def test_another_metric_is_read_at_the_optimum_of_the_one_that_is_compared(tuned):
    losses = np.stack([parabola(RATES, optimum=0.004, minimum=1.7)] * 2)
    plan, runs = tuned({"mha": losses})
    runs["other"] = parabola(runs["setting"], optimum=0.002, minimum=1.0)
    values = seed_values(plan, runs, "other")["mha"]
    assert values.tolist() == pytest.approx([1.02, 1.02])


def test_runs_for_other_purposes_are_not_part_of_the_report(make_plan, make_runs):
    runs = make_runs({"mha": [1.0, 2.0]})
    assert len(report_runs(runs)) == 2  # tables of earlier versions have no purposes
    runs["purpose"] = ["report", "tuning"]
    plan = make_plan(["mha"], [0])
    assert seed_values(plan, runs, "val_bpb")["mha"].to_dict() == {0: 1.0}


def noisy(means, n, sd=0.001):
    rng = np.random.default_rng(0)
    return np.asarray(means) + sd * rng.standard_normal((n, len(means)))


@pytest.mark.parametrize(
    ("losses", "side"),
    [
        (noisy([1.70, 1.75, 1.80], 4), -1),
        (noisy([1.80, 1.75, 1.70], 4), 1),
        (noisy([1.75, 1.70, 1.75], 4), 0),
        (noisy([1.75, 1.7001, 1.70], 4, sd=0.01), 0),  # lower, and not resolved
        (noisy([1.80, 1.75, 1.70], 1), 0),  # one seed resolves nothing
        (np.array([[1.8, 1.7, np.inf], [1.8, 1.7, 1.6]] * 2), 0),  # beyond it, runs diverge
        (np.array([[1.6, 1.7, np.inf], [1.61, 1.7, 1.6]] * 2), -1),
    ],
)
def test_something_better_may_lie_beyond_an_outermost_setting_that_is_resolved_to_be_best(
    losses, side
):
    assert better_beyond(losses) == side


def test_an_arm_at_the_edge_is_refused_and_its_numbers_are_shown(tuned):
    losses = noisy(parabola(RATES, optimum=0.004, minimum=1.7), 5)
    plan, runs = tuned({"mha": losses, "mqa": losses + 0.1})
    plan["arms"]["mqa"]["tuning"] |= {"at_edge": True, "edge": 0.008}
    (contrast,) = compare(plan, runs).contrasts
    assert contrast.verdict is Verdict.REFUSED
    assert (
        "mqa is at the edge of its tuning grid (0.008, the largest of 4 tried)" in contrast.reason
    )
    assert contrast.difference == pytest.approx(0.1)


def test_an_unfinished_choice_is_refused(tuned):
    plan, _ = tuned({"mha": noisy([1.7] * 3, 4)}, chosen=None, report=[])
    assert tuning_objection(plan, "mha") == "the tuning of mha is not finished"


def test_tuned_arms_are_paired(tuned):
    shared = np.array([[0.3], [-0.1], [0.2], [0.0], [-0.4]])
    curve = parabola(RATES, optimum=0.004, minimum=1.7)
    losses = {"mha": curve + shared + noisy([0] * 3, 5), "mqa": curve + 0.01 + shared}
    plan, runs = tuned(losses)
    (contrast,) = compare(plan, runs).contrasts
    assert contrast.n == 5 and contrast.rho > 0.99
    assert contrast.verdict is Verdict.WORSE


def test_every_protocol_is_named_with_its_weakness(tuned):
    losses = {"mha": noisy([1.7] * 3, 4), "mqa": noisy([1.7] * 3, 4)}
    plan, _ = tuned(losses)
    assert tuning_words(plan, "mha", "mqa") == (
        "each at the minimum of a parabola through three learning rates around the best of 4 "
        "(chosen on 2 other seeds)"
    )
    plan, _ = tuned(losses, protocol="best", report=[0.004])
    assert tuning_words(plan, "mha", "mqa") == (
        "each at the best of 4 learning rates (chosen on 2 other seeds), whose error all seeds of "
        "an arm share"
    )
    assert tuning_words({**plan, "tune": None}, "mha", "mqa") == ""
