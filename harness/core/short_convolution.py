"""A short causal convolution over tokens, with what it must remember of the last ones."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from harness.core.context import Context
from harness.core.recurrence import document_starts


class ShortConvolution(nn.Module):
    """`y_t = x_t + sum_j weight[:, j] * x_(t-j)` for j from 0 to `kernel - 1`, each channel alone.

    It starts near the identity, as matrices start small. Tokens of other documents and padding are
    not read: that is why it is written as shifted products (which are no slower on CPU).
    """

    def __init__(self, width: int, kernel: int = 4) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width, kernel))

    def forward(
        self,
        x: Float[Tensor, "B T W"],
        context: Context,
        state: Float[Tensor, "B k W"] | None = None,
    ) -> tuple[Float[Tensor, "B T W"], Float[Tensor, "B k W"] | None]:
        """Return the outputs, and the state after them if one was given.

        A state is the last `kernel - 1` inputs; zeros where there were none. Padding must then
        follow the tokens of its row.
        """
        if context.valid is not None:
            x = x * context.valid[..., None]
        n_tokens, reach = x.shape[1], self.weight.shape[1] - 1
        earlier = x.new_zeros(len(x), reach, x.shape[2]) if state is None else state.to(x.dtype)
        seen = torch.cat((earlier, x), dim=1)
        document = None
        if (starts := document_starts(context)) is not None:
            document = F.pad(starts, (reach, 0)).cumsum(1)[..., None]
        y = x * (1 + self.weight[:, 0])
        for back in range(1, reach + 1):
            there = slice(reach - back, reach - back + n_tokens)
            tap = seen[:, there]
            if document is not None:
                tap = tap * (document[:, there] == document[:, reach:])
            y = torch.addcmul(y, tap, self.weight[:, back])
        return y, None if state is None else self._last(seen, context)

    def _last(self, seen: Float[Tensor, "B S W"], context: Context) -> Float[Tensor, "B k W"]:
        reach = self.weight.shape[1] - 1
        if context.valid is None:
            return seen[:, seen.shape[1] - reach :].clone()  # or all of `seen` is kept alive
        ends = context.valid.sum(1, keepdim=True)
        places = ends + torch.arange(reach, device=seen.device)
        return seen.gather(1, places[..., None].expand(-1, -1, seen.shape[2]))
