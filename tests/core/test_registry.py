import re
from typing import Annotated, Literal

import pytest
from pydantic import Field

from harness.core.registry import Registry
from harness.core.slots import ATTENTION, FFN, NORM, POSITION, SLOTS, FeedForward
from harness.core.spec import VariantSpec
from harness.errors import ConfigError

WRITTEN = {
    "d_model": 32, "n_layers": 2, "n_heads": 4, "d_ff": 48, "vocab_size": 61, "max_seq_len": 32,
}  # fmt: skip
DIMS = VariantSpec.read(WRITTEN).dims


def refusal(registry, value):
    with pytest.raises(ConfigError) as caught:
        registry.resolve(value, DIMS)
    return caught.value


@pytest.mark.parametrize(
    ("slot", "typo", "meant"),
    [("attention", "gqqa", "gqa"), ("attention", "mqaa", "mqa"), ("ffn", "swigl", "swiglu"),
     ("norm", "rmsnorm", "rms_norm"), ("block", "prenorm", "pre_norm")],
)  # fmt: skip
def test_an_unknown_name_is_answered_with_the_nearest_spelling(slot, typo, meant):
    message = str(refusal(SLOTS[slot], typo))
    assert f"unknown {slot} {typo!r}" in message and f"Did you mean {meant!r}?" in message


def test_an_unknown_option_is_answered_with_the_nearest_spelling_and_its_path():
    error = refusal(ATTENTION, {"name": "gqa", "n_kv_head": 2})
    assert error.problems[0].path == ("n_kv_head",)
    assert "Did you mean 'n_kv_heads'?" in str(error)


@pytest.mark.parametrize(("alias", "n_kv_heads"), [("mha", 4), ("mqa", 1)])
def test_an_alias_is_its_canonical_component(alias, n_kv_heads):
    written_out = ATTENTION.resolve({"name": "gqa", "n_kv_heads": n_kv_heads}, DIMS)
    assert ATTENTION.resolve(alias, DIMS) == written_out
    assert ATTENTION.resolve({"name": alias, "n_kv_heads": n_kv_heads}, DIMS) == written_out
    assert ATTENTION.resolve({"name": alias, "bias": True}, DIMS).options["bias"] is True
    assert VariantSpec.read({**WRITTEN, "attention": alias}) == VariantSpec.read(
        {**WRITTEN, "attention": {"name": "gqa", "n_kv_heads": n_kv_heads}}
    )


def test_a_default_that_depends_on_the_dims_is_written_out():
    assert ATTENTION.resolve("gqa", DIMS) == ATTENTION.resolve(
        {"name": "gqa", "n_kv_heads": 2}, DIMS
    )
    assert ATTENTION.non_default(ATTENTION.resolve("gqa", DIMS), DIMS) == {"name": "gqa"}


def test_an_option_that_contradicts_its_alias_is_refused():
    error = refusal(ATTENTION, {"name": "mqa", "n_kv_heads": 2})
    assert error.problems[0].path == ("n_kv_heads",)
    assert "'mqa' is 'gqa' with n_kv_heads fixed to 1" in str(error)


@pytest.mark.parametrize(
    ("registry", "value"),
    [
        (ATTENTION, {"name": "gqa", "n_kv_heads": True}),
        (ATTENTION, {"name": "gqa", "n_kv_heads": "2"}),
        (ATTENTION, {"name": "gqa", "n_kv_heads": 2.0}),
        (ATTENTION, {"name": "gqa", "n_kv_heads": 0}),
        (ATTENTION, {"name": "gqa", "qk_norm": 1}),
        (ATTENTION, {"name": "gqa", "qk_norm": "off"}),
        (NORM, {"name": "rms_norm", "eps": "1e-6"}),
        (NORM, {"name": "rms_norm", "eps": 0.0}),
        (NORM, {"name": "rms_norm", "eps": float("nan")}),
        (POSITION, {"name": "rope", "theta": 1.0}),
        (POSITION, {"name": "rope", "theta": True}),
    ],
)
def test_a_value_of_another_type_or_out_of_bounds_is_refused_by_its_key(registry, value):
    error = refusal(registry, value)
    (option,) = value.keys() - {"name"}
    assert [p.path for p in error.problems] == [(option,)]
    assert repr(value[option]) in str(error)


@pytest.mark.parametrize("value", [3, None, ["gqa"], {"n_kv_heads": 2}, {"name": 3}])
def test_what_is_no_component_is_refused_with_what_was_expected(value):
    assert "must be a name or" in str(refusal(ATTENTION, value))


def own_registry():
    """A registry of one component with a required option, beside those on disk."""
    registry: Registry[FeedForward] = Registry("ffn", FeedForward, "variants.ffn")

    @registry.register("needy", aliases={"half": lambda dims: {"size": dims.d_ff // 2}})
    class Needy(FFN["swiglu"]):
        def __init__(
            self, dims, layer_idx, *, size: Annotated[int, Field(ge=1)],
            kind: Literal["a", "b"] = "a",
        ) -> None:  # fmt: skip
            super().__init__(dims.resized(d_ff=size), layer_idx)

    return registry


def test_a_required_option_is_asked_for_and_kept():
    registry = own_registry()
    error = refusal(registry, "needy")
    assert (error.problems[0].path, "required" in str(error)) == (("size",), True)
    spec = registry.resolve({"name": "needy", "size": 5}, DIMS)
    assert registry.non_default(spec, DIMS) == {"name": "needy", "size": 5}
    assert registry.resolve("half", DIMS).options == {"size": 24, "kind": "a"}
    assert "'a' or 'b'" in str(refusal(registry, {"name": "needy", "size": 5, "kind": "c"}))
    assert registry.build(spec, DIMS, 0).up_proj.out_features == 5


def test_a_name_is_given_once_and_only_to_what_fills_the_slot():
    registry = own_registry()
    for name, aliases in [("needy", None), ("half", None), ("other", {"needy": dict})]:
        with pytest.raises(ValueError, match="registered twice"):
            registry.register(name, aliases)(FFN["swiglu"])
    with pytest.raises(TypeError, match=re.escape("must inherit FeedForward")):
        registry.register("norm")(NORM["rms_norm"])
