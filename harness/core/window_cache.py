"""What a layer remembers when its attention reaches back a limited number of tokens."""

import torch
from jaxtyping import Int
from torch import Tensor

from harness.core.cache import Cache
from harness.core.context import Context
from harness.errors import AblateError


class WindowCache(Cache):
    """The latest W tokens of each row: buffers (B, W, ...), position p in slot p % W."""

    def append(
        self, context: Context, **entries: Tensor
    ) -> tuple[dict[str, Tensor], Int[Tensor, "B S"] | None]:
        """Add entries (B, T, ...); return the kept ones and these after them, with positions.

        Positions of slots without a token are larger than every query's, so a causal mask hides
        them. None stands for the positions if all there is are the T tokens themselves. Padding
        must follow the tokens of its row.

        Raises:
            CacheFull: there is no room for T more tokens in some row.
        """
        n_tokens = next(iter(entries.values())).shape[1]
        self.check_room(context, n_tokens)
        was_empty = self._longest == 0
        # layers with the same window agree, and share their mask if they share the positions
        key = ("window slots", self._n_slots, n_tokens)
        positions, kept = context.once(key, lambda: self._positions_and_kept(context, n_tokens))
        rows = torch.arange(len(kept), device=kept.device)[:, None]
        so_far = {}
        for name, entry in entries.items():
            buffer = self.buffers[name]
            so_far[name] = torch.cat((buffer.to(entry.dtype), entry.detach()), dim=1)
            self.buffers[name] = so_far[name][rows, kept].to(buffer.dtype)
        self._advance(context, n_tokens)
        return (entries, None) if was_empty else (so_far, positions)

    def crop(self, lengths: Int[Tensor, "B"]) -> None:
        """Forget all but the first `lengths` tokens of each row.

        Raises:
            AblateError: a cut row has lost tokens that its new last one would see.
        """
        cut = lengths < self.lengths
        if bool((cut & (self.lengths > self._n_slots)).any()):
            lost = f"a row of more than {self._n_slots} tokens has forgotten its first ones"
            raise AblateError(f"{lost} and cannot be cropped")
        self.lengths = torch.minimum(self.lengths, lengths)
        self._measure()

    @property
    def _n_slots(self) -> int:
        return next(iter(self.buffers.values())).shape[1]

    def _positions_and_kept(self, context: Context, n_tokens: int) -> tuple[Tensor, Tensor]:
        """Return positions of slots and new tokens in a row, and which of these stay (B, W)."""
        before = self.lengths[:, None]
        counts = n_tokens if context.valid is None else context.valid.sum(1, keepdim=True)
        held, holds = self._latest(before), self._latest(before + counts)
        steps = torch.arange(n_tokens, device=before.device)
        positions = torch.cat((torch.where(held < 0, self.max_len, held), before + steps), dim=1)
        slots = torch.arange(self._n_slots, device=before.device)
        return positions, torch.where(holds < before, slots, self._n_slots + holds - before)

    def _latest(self, lengths: Int[Tensor, "B 1"]) -> Int[Tensor, "B W"]:
        """Return the last position below `lengths` that belongs to each slot, negative for none."""
        slots = torch.arange(self._n_slots, device=lengths.device)
        return lengths - 1 - (lengths - 1 - slots) % self._n_slots
