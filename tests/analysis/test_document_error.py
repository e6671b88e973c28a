"""The choice of held-out documents is an error, estimated, added and checked."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness.analysis.verdicts.compare import compare
from harness.analysis.verdicts.evaluation import PairedDocuments, shared_error

N_SEEDS, N_DOCUMENTS = 5, 40


def documents_of(losses, weights):
    """Return a row for each arm, seed and document."""
    return pd.DataFrame(
        [
            {
                "arm": arm,
                "seed": seed,
                "setting": np.nan,
                "document": f"document-{j}",
                "nats": nats,
                "bytes": weights[j],
            }
            for arm, of_arm in losses.items()
            for seed, of_seed in enumerate(of_arm)
            for j, nats in enumerate(of_seed)
        ]
    )


@pytest.fixture
def compared(make_plan, make_runs):
    """Compare two arms whose differences vary over the documents by `spread`."""

    def compare_with(spread, rng=None, change=lambda table: table, shift=0.0, metric="val_bpb"):
        rng = np.random.default_rng(0) if rng is None else rng
        weights = rng.integers(1000, 5000, N_DOCUMENTS)
        per_byte = rng.normal(1.3, 0.1, N_DOCUMENTS)
        seeds = 0.01 * rng.standard_normal((2, N_SEEDS, 1))
        both = per_byte + seeds + 0.002 * rng.standard_normal((2, N_SEEDS, N_DOCUMENTS))
        both[1] += shift + spread * rng.standard_normal(N_DOCUMENTS)
        nats = both * weights
        values = nats.sum(-1) / weights.sum() / (np.log(2) if metric == "val_bpb" else 1)
        table = change(documents_of({"gqa": nats[0], "mqa": nats[1]}, weights))
        plan = make_plan(["gqa", "mqa"], range(N_SEEDS), metric=metric)
        runs = make_runs({"gqa": values[0], "mqa": values[1]}, metric)
        return compare(plan, runs, table), compare(plan, runs)

    return compare_with


def test_documents_that_agree_add_no_error(compared):
    with_documents, without = compared(spread=0.0)
    [found], [alone] = with_documents.contrasts, without.contrasts
    assert found.evaluation_error == pytest.approx(0.0, abs=2e-4)
    assert alone.evaluation_error is None
    assert found.high == pytest.approx(alone.high, rel=0.02)


def test_documents_of_all_lengths_that_agree_by_the_byte_add_no_error(compared):
    """Each is worse by as much for each of its bytes, so that any choice of them says the same."""
    [found] = compared(spread=0.0, shift=0.05)[0].contrasts
    assert found.difference > 0.03
    assert found.evaluation_error == pytest.approx(0.0, abs=2e-4)


def test_documents_that_disagree_widen_the_interval(compared):
    with_documents, without = compared(spread=0.1)
    [found], [alone] = with_documents.contrasts, without.contrasts
    # of the mean over documents, in bits; weights are not equal, and that counts as fewer
    assert found.evaluation_error == pytest.approx(0.1 / np.log(2) / np.sqrt(N_DOCUMENTS), rel=0.3)
    assert found.difference == pytest.approx(alone.difference)
    assert found.high - found.low > alone.high - alone.low
    assert any(
        note.startswith("the error by the choice of documents") for note in with_documents.notes
    )
    assert not any("documents" in note for note in without.notes)


def test_the_error_is_that_of_drawing_other_documents(compared):
    """Estimated errors against the spread of differences over worlds with other documents."""
    rng = np.random.default_rng(1)
    worlds = [compared(0.05, rng)[0].contrasts[0] for _ in range(60)]
    total = np.std([c.difference for c in worlds], ddof=1)
    predicted = np.sqrt(np.mean([c.seed_error**2 + c.evaluation_error**2 for c in worlds]))
    assert predicted == pytest.approx(total, rel=0.3)
    assert np.mean([c.evaluation_error for c in worlds]) > 0.5 * total


def test_a_difference_in_proportion_to_length_is_no_error_by_documents():
    weight = np.arange(1.0, 21.0) ** 2
    per_byte = np.array([0.1, 0.12, 0.09, 0.11])[:, None]
    assert PairedDocuments(per_byte * weight, weight).error == pytest.approx(0.0, abs=1e-9)
    unlike = PairedDocuments(per_byte * weight.mean() * np.ones(20), weight)
    assert unlike.error > 0.01


def test_noise_of_single_runs_is_no_error_that_seeds_share():
    rng = np.random.default_rng(2)
    influence = rng.standard_normal((2000, N_SEEDS, N_DOCUMENTS))
    influence -= influence.mean(axis=(-2, -1), keepdims=True)
    alone = shared_error(influence)
    shared = shared_error(influence + rng.standard_normal((2000, 1, N_DOCUMENTS)))
    assert np.mean(alone == 0) > 0.4
    assert np.sqrt(np.mean(shared**2)) == pytest.approx(1 / np.sqrt(N_DOCUMENTS), rel=0.05)


def test_the_bootstrap_is_as_wide_as_both_errors_and_the_same_every_time():
    rng = np.random.default_rng(3)
    seeds, shared = rng.standard_normal((12, 1)), rng.standard_normal(60)
    paired = PairedDocuments(seeds + 3 * shared, np.ones(60))
    low, high = paired.bootstrap(0.95)
    both = np.hypot(seeds.std() / np.sqrt(12), 3 * shared.std() / np.sqrt(60))
    assert (high - low) / 2 == pytest.approx(1.96 * both, rel=0.1)
    assert paired.bootstrap(0.95) == (low, high)
    assert low < (seeds + 3 * shared).mean() < high


def test_a_bootstrap_that_has_doubts_about_a_claim_is_told(compared):
    comparison = compared(spread=0.0, shift=0.1)[0]
    [clear] = comparison.contrasts
    assert clear.is_resolved
    assert not any("bootstrap" in note for note in comparison.notes)
    doubtful = replace(comparison, contrasts=[replace(clear, bootstrap=(-0.1, 0.2))])
    assert any("bootstrap" in note and "mqa - gqa" in note for note in doubtful.notes)


def test_losses_per_token_are_in_units_of_the_metric(compared):
    per_byte, _ = compared(spread=0.1)
    per_token, _ = compared(spread=0.1, metric="val_loss")
    ratio = per_token.contrasts[0].evaluation_error / per_byte.contrasts[0].evaluation_error
    assert ratio == pytest.approx(np.log(2))


def test_an_accuracy_does_not_add_up_from_losses(compared):
    assert compared(0.1, metric="val_accuracy")[0].contrasts[0].evaluation_error is None


def test_arms_scored_on_different_documents_are_refused(compared):
    def rename(table):
        table.loc[(table["arm"] == "mqa") & (table["document"] == "document-3"), "document"] = "new"
        return table

    def shorten(table):
        table.loc[(table["arm"] == "mqa") & (table["document"] == "document-3"), "bytes"] -= 1
        return table

    for change in (rename, shorten):
        [contrast] = compared(0.0, change=change)[0].contrasts
        assert contrast.reason == "the arms are scored on different documents"


def test_without_documents_the_plan_tells_whether_arms_are_scored_alike(make_plan, make_runs):
    values = {"gqa": [1.0, 1.1, 1.2, 1.3], "mqa": [1.2, 1.1, 1.4, 1.6]}
    for key, refused in (("held_out_documents", True), ("tokenizer", False)):
        plan = make_plan(["gqa", "mqa"], range(4))
        for arm, value in (("gqa", 32), ("mqa", 64)):
            plan["arms"][arm] = {**plan["arms"][arm], "data": {key: value}}
        [contrast] = compare(plan, make_runs(values)).contrasts
        assert (contrast.verdict == "refused") == refused


def test_a_run_whose_documents_are_not_known_leaves_the_error_unknown(compared):
    some = compared(0.1, change=lambda table: table[(table["seed"] > 0) | (table["arm"] == "gqa")])
    assert some[0].contrasts[0].evaluation_error is None
    assert some[0].contrasts[0].verdict == "not resolved"


def test_documents_of_a_tuned_arm_are_read_where_its_value_is(make_plan, make_runs):
    """Losses that are parabolas in the rate: at the optimum each document has its own minimum."""
    rng = np.random.default_rng(4)
    rates, weights = np.array([1e-3, 2e-3, 4e-3]), np.full(N_DOCUMENTS, 1000)
    lowest = 1300 + 20 * rng.standard_normal((2, N_SEEDS, 1, N_DOCUMENTS))
    lowest = lowest + 50 * rng.standard_normal((2, 1, 1, N_DOCUMENTS))
    bend = 50 * np.log(rates / 2e-3)[:, None] ** 2
    nats = lowest + bend
    values = nats.sum(-1) / weights.sum() / np.log(2)
    tuning = {"tried": rates.tolist(), "chosen": 2e-3, "at_edge": False, "report": rates.tolist()}
    plan = make_plan(["gqa", "mqa"], range(N_SEEDS))
    plan["arms"] = {name: {**arm, "tuning": tuning} for name, arm in plan["arms"].items()}
    tables, rows = [], []
    for i, rate in enumerate(rates):
        tables.append(documents_of({"gqa": nats[0, :, i], "mqa": nats[1, :, i]}, weights))
        tables[-1]["setting"] = rate
        rows.append(make_runs({"gqa": values[0, :, i], "mqa": values[1, :, i]}))
        rows[-1] = rows[-1].assign(setting=rate, purpose="report")
    [tuned] = compare(plan, pd.concat(rows), pd.concat(tables)).contrasts
    untuned = make_plan(["gqa", "mqa"], range(N_SEEDS))
    [plain] = compare(untuned, rows[1].drop(columns="setting"), tables[1]).contrasts
    assert tuned.difference == pytest.approx(plain.difference)
    assert tuned.evaluation_error == pytest.approx(plain.evaluation_error) != 0
    assert tuned.bootstrap == pytest.approx(plain.bootstrap)
