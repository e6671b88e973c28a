"""A plan says what will be trained, what is equal and what is not, before anything is."""

import io
import json

import pytest
import torch
from lab import VARIANT, ablate, files, write_corpus, write_yaml
from rich.console import Console

from harness.core.cost import measure_cost
from harness.core.model import LanguageModel
from harness.data.dataset import load_dataset
from harness.errors import ConfigError
from harness.experiments.planning.plan_view import plan_view
from harness.experiments.planning.prepared import prepare

WIDE = {**VARIANT, "d_model": 32, "d_ff": 256}
FACTORS = {
    "heads": {"mha": {"variant": {"attention": "mha"}}, "mqa": {"variant": {"attention": "mqa"}}},
    "ffn": {"gelu": {"variant": {"ffn": "gelu"}}, "swiglu": None, "geglu": {"variant": None}},
}


def wide(small, **changes):
    data = small(**changes)
    data["base"]["variant"] = WIDE
    return data


@pytest.mark.parametrize("axis", ["train_flops", "params", "non_embedding_params"])
def test_matched_arms_cost_the_same_within_the_tolerance(small, plan, axis):
    planned = plan(wide(small, match={axis: "2%"}))
    costs = {name: arm.matched.cost for name, arm in planned.arms.items()}
    key = {
        "train_flops": "train_flops_per_token",
        "params": "params",
        "non_embedding_params": "params_non_embedding",
    }[axis]
    of = {name: getattr(cost, key) for name, cost in costs.items()}
    residual = of["gelu"] / of["swiglu"] - 1
    assert abs(residual) <= 0.02
    assert planned.arms["gelu"].matched.residual == pytest.approx(residual)
    matched = planned.arms["gelu"].matched
    assert matched.before == 256 < matched.spec.dims.d_ff
    assert measure_cost(matched.spec, 32) == matched.cost
    assert planned.arms["swiglu"].matched.spec == planned.resolved.arms["swiglu"].variant


def test_runs_are_trained_with_the_matched_variant(small, plan):
    planned = plan(wide(small, match={"params": "2%"}))
    for run in planned.runs:
        assert run.config.variant == planned.arms[run.arm].matched.spec


def test_without_match_nothing_is_changed(small, plan):
    planned = plan(wide(small))
    assert {arm.matched.spec.dims.d_ff for arm in planned.arms.values()} == {256}


def test_arms_keep_the_order_of_the_file_and_runs_go_seed_by_seed(small, plan):
    planned = plan(small(arms={"z": {}, "a": {}, "m": {}}, baseline="m", seeds=[3, 1]))
    assert list(planned.arms) == list(planned.record["arms"]) == ["z", "a", "m"]
    runs = [(run.config.seed, run.arm) for run in planned.runs]
    assert runs == [(3, "z"), (3, "a"), (3, "m"), (1, "z"), (1, "a"), (1, "m")]


def test_the_first_arm_is_the_baseline_unless_one_is_named(small, plan):
    data = small()
    assert plan(data).record["baseline"] == "swiglu"
    del data["baseline"]
    assert plan(data).record["baseline"] == "gelu"


def test_what_is_held_equal_is_said(small, plan):
    assert plan(wide(small, match={"params": "2%"})).record["held_equal"] == [
        "parameters (within 2 %)",
        "the budget (4 steps)",
        "the batches",
        "the learning rate and its schedule",
    ]


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({"budget": {"steps": 5}}, "the budget (4 steps)"),
        ({"batch_size": 3}, "the batches"),
        ({"seq_len": 16}, "the batches"),
        ({"optimizer": {"lr": 0.5}}, "the learning rate and its schedule"),
        ({"schedule": {"final": 0.5}}, "the learning rate and its schedule"),
    ],
)
def test_what_an_arm_changes_is_not_called_equal(small, plan, change, lost):
    before = plan(small()).record["held_equal"]
    after = plan(small(arms={"swiglu": {}, "other": {"train": change}})).record["held_equal"]
    assert set(before) - set(after) == {lost}
    assert set(after) < set(before)


def test_costs_that_differ_are_told_with_their_difference(small, plan):
    planned = plan(small(arms={"swiglu": {}, "mha": {"variant": {"attention": "mha"}}}))
    swiglu, mha = (planned.arms[name].matched.cost for name in ("swiglu", "mha"))
    assert (
        f"cache bytes (mha {100 * (mha.cache_bytes / swiglu.cache_bytes - 1):+.1f} %)"
        in (planned.record["differs"])
    )
    assert "cache bytes (mha +100.0 %)" in planned.record["differs"]
    assert plan(small(arms={"swiglu": {}, "same": {}})).record["differs"] == []


def test_factors_make_every_combination(small, plan):
    data = small(factors=FACTORS, contrasts={"x": "mqa-gelu - mha-gelu"})
    del data["arms"], data["baseline"]
    planned = plan(data)
    names = [f"{h}-{f}" for h in ("mha", "mqa") for f in ("gelu", "swiglu", "geglu")]
    assert list(planned.arms) == names
    assert planned.record["arms"]["mqa-swiglu"]["factors"] == {"heads": "mqa", "ffn": "swiglu"}
    spec = planned.arms["mqa-gelu"].matched.spec
    assert (spec.attention[0].options["n_kv_heads"], spec.ffn[0].name) == (1, "gelu")
    assert planned.arms["mha-geglu"].matched.spec.ffn[0].name == "swiglu"  # the level changes none


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"a": {}}, "a factor without levels makes no arms"),
        ({"a": {"x-y": None, "x": None}, "b": {"z": None, "y-z": None}}, "named 'x-y-z'"),
        ({f"f{i}": dict.fromkeys("abcde") for i in range(40)}, "are more than 10000 runs"),
        ({"a": {"x y": None}}, "must be named with letters"),
    ],
)
def test_factors_that_make_no_arms_are_refused(small, plan, factors, message):
    data = small(factors=factors)
    del data["arms"], data["baseline"]
    with pytest.raises(ConfigError, match=message):
        plan(data)


def test_an_unreachable_match_says_how_far_off_it_is(small, plan):
    arms = {"swiglu": {}, "mha": {"variant": {"attention": "mha"}}}
    with pytest.raises(ConfigError, match=r"closest, d_ff = \d+, is off by .* one step of it") as e:
        plan(small(match={"params": "0.01%"}, arms=arms))
    assert e.value.problems[0].path[:2] == ("arms", "mha")


def test_planned_arms_build_and_are_priced_as_they_are(small, plan):
    for arm in plan(wide(small, match={"params": "2%"})).arms.values():
        with torch.device("meta"):
            model = LanguageModel(arm.matched.spec)
        assert sum(p.numel() for p in model.parameters()) == arm.matched.cost.params


def test_shared_parameters_agree_also_where_matching_widened_them(small, plan):
    planned = plan(wide(small, match={"params": "2%"}))
    models = {
        name: LanguageModel(arm.matched.spec).initialize(7) for name, arm in planned.arms.items()
    }
    narrow, broad = (dict(models[name].named_parameters()) for name in ("swiglu", "gelu"))
    shared = narrow.keys() & broad.keys()
    resized = [name for name in shared if narrow[name].shape != broad[name].shape]
    assert sorted(resized) == ["blocks.0.ffn.down_proj.weight", "blocks.0.ffn.up_proj.weight"]
    for name in shared:
        common = tuple(map(min, narrow[name].shape, broad[name].shape))
        part = tuple(slice(size) for size in common)
        assert torch.equal(narrow[name][part], broad[name][part]), name


def test_the_plan_command_writes_json_and_nothing_else(small, tmp_path):
    file = write_yaml(tmp_path / "x.yaml", small())
    ended = ablate("plan", file, "seeds=3", "--json", results=tmp_path / "results")
    assert ended.code == 0, ended.err
    assert ended.json["pending"] == 6
    assert ended.json["seeds"] == [0, 1, 2]
    assert list(ended.json["arms"]) == ["gelu", "swiglu"]
    assert ended.json["seconds"] > 0
    assert not files(tmp_path / "results")
    shown = ablate("plan", file, results=tmp_path / "results")
    assert shown.code == 0
    for part in ("swiglu *", "ffn: gelu", "4 (2 arms x 2 seeds), 0 already in the store"):
        assert part in shown.out
    assert json.loads(json.dumps(ended.json)) == ended.json


def test_arms_that_are_the_same_runs_are_named(small, plan):
    arms = {"a": {}, "b": {"variant": {"attention": {"n_kv_heads": 1}}}, "c": {"train": {}}}
    arms["d"] = {"variant": {"ffn": "gelu"}}
    shown = drawn(plan(small(arms=arms, baseline="a")))
    assert "the same: a, b, c; there is nothing to compare between them" in shown
    assert "the same" not in drawn(plan(small()))


def test_without_a_match_none_is_shown(small, plan):
    assert "match" not in drawn(plan(small()))
    assert "match" in drawn(plan(wide(small, match={"params": "2%"})))


def test_arms_that_see_little_text_or_the_same_too_often_are_named(small, plan):
    long = {"train": {"budget": {"steps": 4000}}}
    longer = {"train": {"budget": {"flops": 1e12}}}
    timed = {"train": {"budget": {"seconds": 60}}}
    planned = plan(small(arms={"swiglu": {}, "a": long, "b": longer, "c": timed}))
    params = planned.arms["swiglu"].matched.cost.params
    per_epoch = load_dataset(planned.arms["swiglu"].arm.data).order(2, 32, 0).tokens_per_epoch
    shown = drawn(planned)
    few = 4 * 64 / params
    assert f"undertrained, fewer than 5 tokens per parameter: swiglu {few:.2g}" in shown
    flops = planned.arms["b"].matched.cost.train_flops_per_token
    epochs = {"a": 4000 * 64 / per_epoch, "b": 1e12 / flops / per_epoch}
    for name, n in epochs.items():
        assert f"{name} {n:.2g}" in shown.split("repeated, more than 4 epochs of the text: ")[1]
    assert "undertrained" not in drawn(plan(small(arms={"swiglu": long})))
    assert "epochs of" not in drawn(plan(small(arms={"swiglu": {}})))


def test_documents_that_do_not_enter_are_counted_for_a_person(small, tmp_path):
    folder = write_corpus(tmp_path / "corpus")
    (folder / "again.txt").write_text((folder / "03.txt").read_text())
    (folder / "blank.txt").write_text(" \n")
    data = small()
    data["base"]["data"]["corpus"]["path"] = str(folder)
    file = write_yaml(tmp_path / "x.yaml", data)
    line = "left out of the corpus 'local': 1 blank, 1 repeated"
    planned = ablate("plan", file, results=tmp_path / "results")
    assert planned.out.count(line) == 1
    asked = ablate("plan", file, "--json", results=tmp_path / "results").json
    assert asked["data"]["gelu"]["left_out"] == {"blank": 1, "repeated": 1}
    assert 0 < asked["data"]["gelu"]["epochs"] < 1
    assert line in ablate("run", file, "--inline", results=tmp_path / "results").out.splitlines()
    assert "left out" not in ablate("plan", write_yaml(file, small()), results=tmp_path / "r").out


def test_a_corpus_that_fills_no_batch_is_told_before_training(small, tmp_path):
    file = write_yaml(tmp_path / "x.yaml", small())
    ended = ablate("plan", file, "train.batch_size=4096", results=tmp_path / "results")
    assert ended.code == 2
    assert "batch_size: the training text has" in ended.err


def drawn(planned):
    console = Console(width=120, record=True, file=io.StringIO())
    data = {name: prepare(arm, load_dataset(arm.arm.data)) for name, arm in planned.arms.items()}
    console.print(plan_view(planned, data, None, None))
    return " ".join(console.export_text().split())
