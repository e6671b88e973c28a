"""Claims of the documents: tried by shipped experiments, and told as their tables have them."""

import inspect
import re
from functools import cache

import pytest
import torch
from lab import ROOT
from page import PAGE, names, table

from harness.analysis.effects.speedup import speedup
from harness.analysis.statistics.verdict import Verdict
from harness.analysis.verdicts.compare import compare
from harness.contracts.subject import distance
from harness.core.catalogue import section
from harness.core.slots import NORM, SLOTS
from harness.experiments.planning.loading import load_experiment
from harness.store.experiments import ExperimentStore

CLAIMS = table("they say")
STORE = ExperimentStore(ROOT / "results")
OPPOSITE = {"better": "worse", "worse": "better"}
FOLLOWS = {"better": "supported", "worse": "not supported", "not resolved": "open"}
NO_DIFFERENCE = {"practically equal", "trivial"}


def follows(claim, told):
    """Return what a verdict makes of a claim: that two are equal, if it says so, or of a gain."""
    if told in NO_DIFFERENCE:
        says_equal = re.search("as well as|costs little|the same", claim)
        return "supported" if says_equal else "not supported"
    return FOLLOWS[told]


@cache
def stored(experiment):
    tables = STORE.open(experiment)
    return compare(tables.plan, tables.runs), tables


def verdict(experiment, arm, against):
    """Return the stored verdict of one arm against another, whichever was the baseline."""
    for contrast in stored(experiment)[0].contrasts:
        if (contrast.arm, contrast.baseline) == (arm, against):
            return str(contrast.verdict)
        if (contrast.baseline, contrast.arm) == (arm, against):
            return OPPOSITE.get(contrast.verdict, str(contrast.verdict))
    raise AssertionError(f"{experiment} does not compare {arm} with {against}")


@pytest.mark.row("R4-05")
@pytest.mark.row("R0-14")
@pytest.mark.row("R4-04")
@pytest.mark.parametrize("claim", CLAIMS, ids=[row[0] for row in CLAIMS])
def test_a_claim_is_told_as_the_stored_verdict_has_it(claim):
    said, where, contrast, told, conclusion = claim
    (experiment,), (arm, against) = names(where), names(contrast)
    load_experiment(ROOT / f"experiments/ablations/{experiment}.yaml")
    if experiment not in STORE.names():
        assert (told, conclusion) == ("not measured", "open")
        return
    assert told == verdict(experiment, arm, against)
    assert conclusion == follows(said, told)


@pytest.mark.row("R0-14")
def test_sharing_heads_by_up_to_eight_was_measured_at_one_budget():
    """Needs the tables of experiments/ablations/kv_heads.yaml: `ablate run` writes them."""
    comparison, tables = stored("kv_heads")
    cache_bytes = {arm.arm: arm.cache_bytes for arm in comparison.arms}
    assert {cache_bytes["kv8"] / n for n in cache_bytes.values()} == {1, 2, 4, 8}
    budget = tables.runs["tokens"]
    assert (tables.runs["status"] == "done").all() and budget.nunique() == 1
    for arm in comparison.arms:
        assert arm.n >= 4 and arm.sd > 0 and arm.mean > 0
    told = {names(row[2])[0] for row in CLAIMS if names(row[1]) == ["kv_heads"]}
    assert told == {"kv4", "kv2", "kv1"}


@pytest.mark.row("R4-04")
def test_the_two_norms_differ_as_told_and_were_compared():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5, 16, generator=generator)
    rms, layer = (NORM[name](16) for name in ("rms_norm", "layer_norm"))
    assert [parameter.numel() for parameter in rms.parameters()] == [16]
    assert [parameter.numel() for parameter in layer.parameters()] == [16, 16]
    assert distance(layer(x + 3), layer(x)) < 1e-5 < 0.1 < distance(rms(x + 3), rms(x))
    torch.testing.assert_close(layer(x).mean(-1), torch.zeros(5), atol=1e-6, rtol=0)
    comparison, _ = stored("norm")
    assert {arm.arm for arm in comparison.arms} == {"rms_norm", "layer_norm"}
    (contrast,) = comparison.contrasts
    assert contrast.verdict is not Verdict.REFUSED and contrast.n >= 4


@pytest.mark.row("R4-05")
def test_feed_forwards_were_compared_at_the_same_number_of_parameters():
    comparison, tables = stored("ffn")
    arms = {arm.arm: arm for arm in comparison.arms}
    assert {"swiglu", "gelu", "relu_squared"} <= arms.keys()
    params = [arm.params for arm in arms.values()]
    assert max(params) / min(params) < 1.01
    assert {"swiglu", "gelu", "relu", "relu_squared", "reglu", "geglu"} <= set(SLOTS["ffn"])
    widths = {arm: about["matched"]["after"] for arm, about in tables.plan["arms"].items()}
    assert widths["gelu"] == widths["relu_squared"] == widths["swiglu"] * 3 / 2


@pytest.mark.row("R4-13")
def test_the_two_placements_of_norms_were_compared():
    assert verdict("block", "pre_norm", "post_norm") in FOLLOWS
    assert {"pre_norm", "post_norm"} <= set(SLOTS["block"])


@pytest.mark.row("R0-28")
@pytest.mark.parametrize(
    ("paper", "slot", "name"),
    [
        ("1910.07467", "norm", "rms_norm"),
        ("2104.09864", "position", "rope"),
        ("2305.13245", "attention", "gqa"),
        ("2204.02311", "block", "parallel"),
        ("2002.05202", "ffn", "swiglu"),
    ],
)
def test_the_papers_of_the_documents_are_cited_where_their_idea_is(paper, slot, name):
    source = section(inspect.getdoc(SLOTS[slot][name]), "Source:")
    assert f"arXiv:{paper}" in re.sub(r"\s+", " ", source)


@pytest.mark.row("R4-12")
def test_how_much_sooner_muon_gets_there_is_told_as_measured():
    """Each at the best of three rates; the claim is of 30 to 50 %."""
    comparison, tables = stored("optimizer")
    by_optimizer = {"adamw": [], "muon": []}
    for arm in comparison.arms:
        optimizer = tables.plan["arms"][arm.arm]["train"]["optimizer"]
        by_optimizer[optimizer["name"]].append((arm.mean, arm.arm, optimizer["lr"], arm.n))
    assert all(len({lr for _, _, lr, _ in arms}) >= 3 for arms in by_optimizer.values())
    (_, adamw, _, n), (_, muon, _, _) = (min(arms) for arms in by_optimizer.values())
    share = speedup(tables.curves, muon, adamw, tables.plan["metric"], "step")
    assert share.n == n >= 3
    told = f"`{muon}` reaches the last loss of `{adamw}` after {share.mean:.0%} of its steps"
    page = re.sub(r"\s+", " ", PAGE.read_text())
    assert f"{told} (95 % interval {share.low:.0%} to {share.high:.0%}, n = {share.n})" in page


def test_how_soon_another_recipe_has_the_published_loss_is_told_as_measured():
    _, tables = stored("reference-4")
    (published,) = tables.runs[tables.runs["arm"] == "as_published"].to_dict("records")
    assert (published["steps"], published["tokens"]) == (250, 1_024_000)
    pair = ("recipe", "as_published")
    share = speedup(tables.curves, *pair, tables.plan["metric"], "tokens").mean
    assert speedup(tables.curves, *pair, tables.plan["metric"], "seconds").mean < 1 / 3
    page = re.sub(r"\s+", " ", PAGE.read_text())
    assert f"ends at a loss of {published['val_loss']:.3f} on the text here" in page
    assert f"reaches it after {share:.0%} of the tokens" in page
