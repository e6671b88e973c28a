"""A parameter is named by the end of its path that no other one has."""

import pytest

from harness.analysis.study.names import short_names


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["train.optimizer.lr", "variant.attention"], ["lr", "attention"]),
        (["variant.ffn", "variant.ffn.d_ff"], ["ffn", "d_ff"]),
        (["variant.ffn.scale", "variant.norm.scale"], ["ffn.scale", "norm.scale"]),
        (["lr", "train.optimizer.lr"], ["lr", "optimizer.lr"]),
        (["lr"], ["lr"]),
    ],
)
def test_the_shortest_end_that_tells_names_apart_is_used(names, short):
    assert short_names(names) == dict(zip(names, short, strict=True))
