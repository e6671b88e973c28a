"""No positions: the causal mask alone tells earlier from later."""

from harness.core.slots import POSITION, Position


@POSITION.register("none")
class NoPosition(Position):
    """Leave queries and keys as they are.

    Source:
        Kazemnejad et al. 2023, "The Impact of Positional Encoding on Length Generalization in
        Transformers", arXiv:2305.19466 (NoPE).
    """
