"""Cut a sequence into blocks, so that attention over a short window does not compute the square.

The queries of a block read the keys of their own block and of the few before it that their window
reaches. The blocks of all rows together are then one batch of short sequences.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor

# Measured on one CPU thread at windows of 16 to 1,024: shorter blocks spend their time on copies,
# longer ones on pairs that the mask hides.
BLOCK = 64


@dataclass(frozen=True)
class WindowBlocks:
    """The cut of rows of `n_tokens` for a window of `window`: N blocks of Q queries and R keys."""

    n_tokens: int
    window: int

    @property
    def n_blocks(self) -> int:
        """Blocks of queries in a row; the last one may be filled up."""
        return -(-self.n_tokens // BLOCK)

    @property
    def n_before(self) -> int:
        """Blocks before their own that queries reach."""
        return -(-(self.window - 1) // BLOCK)

    @property
    def n_keys(self) -> int:
        """Keys that a block of queries is given."""
        return (1 + self.n_before) * BLOCK

    def queries(self, x: Shaped[Tensor, "B T *axes"]) -> Shaped[Tensor, "BN Q *axes"]:
        """Cut what belongs to queries."""
        return self._filled(x, 0).unflatten(1, (-1, BLOCK)).flatten(0, 1)

    def keys(self, x: Shaped[Tensor, "B T *axes"]) -> Shaped[Tensor, "BN R *axes"]:
        """Cut what belongs to keys, which stand in every block that may reach them."""
        blocks = self._filled(x, self.n_before * BLOCK).unflatten(1, (-1, BLOCK))
        shifted = [blocks[:, i : i + self.n_blocks] for i in range(1 + self.n_before)]
        return torch.cat(shifted, dim=2).flatten(0, 1)

    def pairs(self, x: Float[Tensor, "#B H #T #T"], n_rows: int) -> Float[Tensor, "BN H Q R"]:
        """Cut what belongs to pairs of a query and a key."""
        whole = x.expand(n_rows, -1, self.n_tokens, self.n_tokens)
        n_after = self.n_blocks * BLOCK - self.n_tokens
        filled = F.pad(whole, (self.n_before * BLOCK, n_after, 0, n_after))
        bands = filled.unfold(3, self.n_keys, BLOCK).unflatten(2, (-1, BLOCK))  # B H N Q N R
        return bands.diagonal(dim1=2, dim2=4).movedim(-1, 1).flatten(0, 1)

    def joined(self, x: Shaped[Tensor, "BN Q *axes"]) -> Shaped[Tensor, "B T *axes"]:
        """Put what belongs to queries together again."""
        return x.unflatten(0, (-1, self.n_blocks)).flatten(1, 2)[:, : self.n_tokens]

    def distances(self, n_rows: int, device: torch.device) -> Int[Tensor, "BN Q R"]:
        """Return how far each key lies before each query: -1 where a row has no such key yet."""
        queries = torch.arange(self.n_blocks * BLOCK, device=device).view(-1, BLOCK, 1)
        first_keys = queries[:, :1] - self.n_before * BLOCK
        keys = first_keys + torch.arange(self.n_keys, device=device)  # N 1 R
        return torch.where(keys >= 0, queries - keys, -1).repeat(n_rows, 1, 1)

    def _filled(self, x: Tensor, n_before: int) -> Tensor:
        n_after = self.n_blocks * BLOCK - self.n_tokens
        return F.pad(x, (0, 0) * (x.ndim - 2) + (n_before, n_after))
