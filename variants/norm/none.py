"""No normalisation."""

from jaxtyping import Float
from torch import Tensor

from harness.core.slots import NORM, Norm


@NORM.register("none")
class NoNorm(Norm):
    """Leave every vector as it is.

    Source:
        Zhang, Dauphin and Ma 2019, "Fixup Initialization: Residual Learning Without
        Normalization", arXiv:1901.09321, which starts residual outputs at zero to train so.
    """

    def forward(self, x: Float[Tensor, "*B W"]) -> Float[Tensor, "*B W"]:
        return x
