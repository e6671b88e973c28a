import time

import pytest

from harness.core.cost import measure_cost
from harness.core.match import AXES, STEP, MatchNotReached, match_d_ff
from harness.core.spec import VariantSpec
from variants.presets import preset

SEQ_LEN = 32


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


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("arm", ARMS.values(), ids=ARMS)
def test_an_arm_ends_as_near_the_baseline_as_steps_of_eight_allow(arm, axis):
    goal = target(axis)
    matched = match_d_ff(read(**arm), goal, axis, 0.01, SEQ_LEN)

    def residual(d_ff):
        return target(axis, read(**{**arm, "d_ff": d_ff})) / goal - 1

    found = matched.spec.dims.d_ff
    assert abs(matched.residual) <= 0.01 and matched.residual == residual(found)
    assert matched.cost == measure_cost(matched.spec, SEQ_LEN)
    assert matched.d_ff_before == read(**arm).dims.d_ff
    assert matched.spec == read(**{**arm, "d_ff": found})
    for other in (found - STEP, found + STEP):
        assert abs(residual(other)) >= abs(matched.residual)


def test_an_arm_that_is_equal_already_keeps_its_width():
    spec = read(d_ff=350)  # no multiple of 8
    matched = match_d_ff(spec, target("train_flops", spec), "train_flops", 0.01, SEQ_LEN)
    assert (matched.spec, matched.residual) == (spec, 0)


def test_a_match_that_is_not_reached_says_how_close_it_came():
    with pytest.raises(MatchNotReached) as caught:
        match_d_ff(read(attention="mqa"), target("params"), "params", 1e-7, SEQ_LEN)
    message = str(caught.value)
    assert "parameters cannot be matched within 0.00%" in message
    assert "the closest, d_ff = 376, is off by" in message and "steps of 8" in message


def test_a_baseline_too_small_for_any_width_is_refused_with_the_narrowest():
    small = target("params", read(d_ff=8, attention="mqa", ffn="gelu"))
    with pytest.raises(MatchNotReached, match=r"the closest, d_ff = 8, is off by \+"):
        match_d_ff(read(), small, "params", 0.01, SEQ_LEN)


def test_matching_takes_less_than_two_seconds():
    goal = AXES["train_flops"][1](measure_cost(read(n_layers=4), SEQ_LEN))
    start = time.process_time()
    match_d_ff(read(n_layers=4, attention="mqa"), goal, "train_flops", 0.01, SEQ_LEN)
    assert time.process_time() - start < 2
