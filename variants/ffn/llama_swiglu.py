"""SwiGLU feed-forward as wide as Llama makes it."""

import math
from typing import Annotated

from pydantic import Field

from harness.core.dims import Dims
from harness.core.slots import FFN
from variants.ffn.swiglu import SwiGLU


@FFN.register("llama_swiglu")
class LlamaSwiGLU(SwiGLU):
    """`swiglu` whose hidden width follows from `d_model` alone; `d_ff` is not read.

    The width is `int(multiplier * int(2/3 * 4 d_model))`, rounded up to a multiple of
    `multiple_of`: three matrices then have about as many parameters as two of width `4 d_model`.

    Options:
        multiple_of: What the width is rounded up to, >= 1.
        multiplier: Of the width before it is rounded, > 0; 1.3 in Llama 2 70B.
        two_thirds: Whether the factor 2/3 applies. The tlama-core project leaves it out wherever
            it is given a multiplier, also one of 1.

    Source:
        Touvron et al. 2023, "LLaMA", arXiv:2302.13971, section 2.2 (two thirds of 4 d); rounding
        and multiplier as in the authors' code of Llama 2.
    """

    def __init__(
        self,
        dims: Dims,
        layer_idx: int,
        *,
        multiple_of: Annotated[int, Field(ge=1)] = 256,
        multiplier: Annotated[float, Field(gt=0)] = 1.0,
        two_thirds: bool = True,
    ) -> None:
        nominal = 8 * dims.d_model // 3 if two_thirds else 4 * dims.d_model
        width = multiple_of * math.ceil(int(multiplier * nominal) / multiple_of)
        super().__init__(dims.resized(d_ff=width), layer_idx)
