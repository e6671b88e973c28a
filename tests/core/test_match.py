import random

import pytest

from harness.core.cost import measure_cost
from harness.core.match import AXES, MatchNotReached, match
from harness.core.slots import PER_LAYER, SLOTS
from harness.core.spec import VariantSpec
from harness.errors import AblateError, ConfigError
from variants.presets import preset

SEQ_LEN = 32
COUNTED = [axis for axis in AXES if axis != "kv_bytes"]


def read(**changes):
    return VariantSpec.read({**preset("tiny"), "n_layers": 1, "vocab_size": 64, **changes})


def target(axis, spec=None):
    return AXES[axis][1](measure_cost(spec or read(), SEQ_LEN))


ARMS = {
    "mqa": {"attention": "mqa"},
    "mha": {"attention": "mha"},
    "gelu": {"ffn": "gelu"},
    "layer_norm": {"norm": "layer_norm"},
    "far away": {"ffn": "gelu", "d_ff": 8},
    "off the grid": {"ffn": "relu_squared", "d_ff": 1001},
}


@pytest.mark.parametrize("axis", COUNTED)
@pytest.mark.parametrize("arm", ARMS.values(), ids=ARMS)
def test_an_arm_ends_as_near_the_baseline_as_steps_of_eight_allow(arm, axis):
    goal = target(axis)
    matched = match(read(**arm), goal, axis, 0.01, SEQ_LEN)

    def residual(d_ff):
        return target(axis, read(**{**arm, "d_ff": d_ff})) / goal - 1

    found = matched.spec.dims.d_ff
    assert abs(matched.residual) <= 0.01 and matched.residual == residual(found)
    assert matched.cost == measure_cost(matched.spec, SEQ_LEN)
    assert (matched.by, matched.before) == ("d_ff", read(**arm).dims.d_ff)
    assert matched.after == found and found % 8 == 0
    assert matched.spec == read(**{**arm, "d_ff": found})
    for other in (found - 8, found + 8):
        assert abs(residual(other)) >= abs(matched.residual)


def test_an_arm_that_is_equal_already_keeps_its_width():
    spec = read(d_ff=350)  # no multiple of 8
    matched = match(spec, target("train_flops", spec), "train_flops", 0.01, SEQ_LEN)
    assert (matched.spec, matched.residual) == (spec, 0)


def test_steps_are_as_fine_as_the_tolerance_needs_and_no_finer():
    experts = {"name": "moe", "n_experts": 8, "top_k": 2}
    by_tolerance = {
        tolerance: match(read(ffn=experts), target("params"), "params", tolerance, SEQ_LEN).after
        for tolerance in (0.3, 0.1, 0.01)
    }
    assert by_tolerance == {0.3: 40, 0.1: 40, 0.01: 44}


@pytest.mark.parametrize(
    ("by", "arm", "axis", "after"),
    [
        ("d_model", {"ffn": "gelu", "n_heads": 4, "head_dim": 32}, "params", lambda n: n % 2 == 0),
        ("n_layers", {"ffn": "gelu", "d_ff": 176}, "params", lambda n: n > 1),
        ("attention.n_kv_heads", {"attention": "mqa"}, "kv_bytes", lambda n: n == 2),
        ("ffn.d_ff", {"ffn": {"name": "moe", "d_ff": 100}}, "active_params", lambda n: n > 100),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_dimensions_are_solved_for_too(by, arm, axis, after):
    goal = target(axis)
    matched = match(read(**arm), goal, axis, 0.25, SEQ_LEN, by)
    assert abs(target(axis, matched.spec) / goal - 1) <= 0.25
    assert matched.by == by and after(matched.after)


@pytest.mark.parametrize(("start", "goal"), [("mqa", 4), ("mha", 1)])
def test_heads_that_do_not_divide_are_passed_over(start, goal):
    baseline = target("kv_bytes", read(attention={"name": "gqa", "n_kv_heads": goal}))
    by = "attention.n_kv_heads"
    matched = match(read(attention=start), baseline, "kv_bytes", 0.01, SEQ_LEN, by)
    assert matched.after == goal


def test_every_component_of_a_cycle_that_has_the_option_is_changed():
    spec = read(n_layers=2, attention=["mqa", "linear"])
    goal = target("kv_bytes", read(n_layers=2, attention=["gqa", "linear"]))
    matched = match(spec, goal, "kv_bytes", 0.01, SEQ_LEN, "attention.n_kv_heads")
    assert [one.options.get("n_kv_heads") for one in matched.spec.attention] == [2, None]


def test_a_match_that_is_not_reached_says_how_close_it_came_and_what_limits_it():
    with pytest.raises(MatchNotReached) as caught:
        match(read(attention="mqa"), target("params"), "params", 1e-7, SEQ_LEN)
    message = str(caught.value)
    assert "parameters cannot be matched within 0.00% by d_ff" in message
    assert "the closest, d_ff = 373, is off by" in message
    assert "one step of it, 373 to 374, is 0.20%" in message


def test_a_baseline_too_small_for_any_width_is_refused_with_the_narrowest():
    small = target("params", read(d_ff=8, attention="mqa", ffn="gelu"))
    with pytest.raises(MatchNotReached, match=r"the closest, d_ff = 1, is off by \+.*no smaller"):
        match(read(), 0.9 * small, "params", 0.01, SEQ_LEN)


def test_a_feed_forward_that_chooses_its_own_width_is_not_matched_by_it():
    with pytest.raises(MatchNotReached, match="do not depend on it; name another dimension"):
        match(read(ffn="llama_swiglu"), target("params"), "params", 0.01, SEQ_LEN)


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("d_fff", "Did you mean 'd_ff'"),
        ("attention.n_kv_head", "gqa has no option 'n_kv_head'"),
        ("attention.bias", "must be one whole number"),
    ],
)
def test_a_dimension_that_is_not_there_is_named(by, message):
    with pytest.raises(ConfigError) as caught:
        match(read(), 1.0, "params", 0.01, SEQ_LEN, by)
    assert message in str(caught.value)


def pairs_of_components(number: int):
    """Yield (baseline, arm): random components of this project in every slot of both."""
    chance = random.Random(7)

    def variant():
        while True:
            names = {
                slot: chance.choice([name for name in registry if is_ours(slot, name)])
                for slot, registry in SLOTS.items()
                if slot != "precision"
            }
            try:
                spec = read(n_layers=2, **names)
                measure_cost(spec, SEQ_LEN)
            except (AblateError, ValueError):
                continue  # components that exclude each other
            return spec

    for _ in range(number):
        yield variant(), variant()


def is_ours(slot, name):
    return SLOTS[slot][name].__module__.startswith("variants.")


def by_of(spec):
    """Return what an experiment with such an arm would adjust: `llama_swiglu` has no `d_ff`."""
    return "d_model" if spec.ffn[0].name == "llama_swiglu" else "d_ff"


def check_pairs(number: int) -> None:
    refused, axes = [], random.Random(11)
    for baseline, arm in pairs_of_components(number):
        axis = axes.choice(COUNTED)
        goal = target(axis, baseline)
        try:
            matched = match(arm, goal, axis, 0.01, SEQ_LEN, by_of(arm))
        except MatchNotReached as why:
            assert "is off by" in str(why) and ("one step" in str(why) or "no smaller" in str(why))
            refused.append(str(why))
            continue
        assert abs(target(axis, matched.spec) / goal - 1) <= 0.01
    assert len(refused) <= 0.05 * number, "\n".join(refused)


def test_random_pairs_of_components_are_matched_within_a_percent():
    assert set(PER_LAYER) < set(SLOTS)
    check_pairs(20)


@pytest.mark.slow
def test_two_hundred_random_pairs_are_matched_within_a_percent():
    check_pairs(220)
