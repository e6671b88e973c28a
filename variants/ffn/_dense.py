"""Dense feed-forwards, with a gate and without: a component says which activation."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import FeedForward


class GatedFeedForward(FeedForward):
    """`down(activation(gate(x)) * up(x))`, with `d_ff` hidden channels and no biases."""

    output_projections = ("down_proj.weight",)

    def __init__(self, dims: Dims, layer_idx: int) -> None:
        super().__init__(dims, layer_idx)
        self.gate_proj = nn.Linear(dims.d_model, dims.d_ff, bias=False)
        self.up_proj = nn.Linear(dims.d_model, dims.d_ff, bias=False)
        self.down_proj = nn.Linear(dims.d_ff, dims.d_model, bias=False)

    @abstractmethod
    def activation(self, x: Float[Tensor, "B T F"]) -> Float[Tensor, "B T F"]: ...

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        hidden = self.activation(self.gate_proj(x)) * self.up_proj(x)
        return self.down_proj(context.drop(hidden))


class PlainFeedForward(FeedForward):
    """`down(activation(up(x)))`, with `d_ff` hidden channels and no biases."""

    output_projections = ("down_proj.weight",)

    def __init__(self, dims: Dims, layer_idx: int) -> None:
        super().__init__(dims, layer_idx)
        self.up_proj = nn.Linear(dims.d_model, dims.d_ff, bias=False)
        self.down_proj = nn.Linear(dims.d_ff, dims.d_model, bias=False)

    @abstractmethod
    def activation(self, x: Float[Tensor, "B T F"]) -> Float[Tensor, "B T F"]: ...

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        return self.down_proj(context.drop(self.activation(self.up_proj(x))))
