"""What a layer remembers of earlier tokens: per-token entries, or a state that is replaced.

Every cache keeps a length per row, so rows of a batch may differ in length from the start:
prompts of several lengths, and rows that are inserted and reset while others go on.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Int
from torch import Tensor

from harness.errors import AblateError

if TYPE_CHECKING:
    from harness.core.context import Context


class CacheFull(AblateError):
    """More tokens than the cache was made for."""


class Cache:
    """Named buffers with the batch in front, and how many tokens each row has seen."""

    def __init__(self, buffers: dict[str, Tensor], max_len: int) -> None:
        self.buffers = buffers
        self.max_len = max_len
        first = next(iter(buffers.values()))
        self.lengths: Int[Tensor, "B"] = torch.zeros(  # noqa: UP037
            len(first), dtype=torch.long, device=first.device
        )
        self._initial = {name: buffer[:1].clone() for name, buffer in self._kept().items()}
        # Known without asking the device:
        self.aligned = True  # all rows have seen `_longest` tokens; False means they need not
        self._longest = 0  # never below max(lengths)

    def _kept(self) -> dict[str, Tensor]:
        """Return the buffers whose rows do not start as zeros."""
        return {}

    @property
    def nbytes(self) -> int:
        """Bytes of all buffers, as allocated."""
        return sum(b.nbytes for b in self.buffers.values())

    def insert(self, row: int, other: "Cache", other_row: int = 0) -> None:
        """Replace a row by a row of another cache of the same kind and length."""
        for name, buffer in self.buffers.items():
            buffer[row] = other.buffers[name][other_row]
        self.lengths[row] = other.lengths[other_row]
        self._measure()

    def reset(self, rows: Sequence[int] | None = None) -> None:
        """Forget some rows, or everything."""
        for name, buffer in self.buffers.items():
            buffer[slice(None) if rows is None else list(rows)] = self._initial.get(name, 0)
        self.lengths[slice(None) if rows is None else list(rows)] = 0
        self._measure()

    def crop(self, lengths: Int[Tensor, "B"]) -> None:
        """Forget all but the first `lengths` tokens of each row."""
        raise NotImplementedError

    def _advance(self, context: "Context", n_tokens: int) -> None:
        counts = n_tokens if context.valid is None else context.valid.sum(1)
        self.lengths = self.lengths + counts
        self._longest = min(self._longest + n_tokens, self.max_len)
        self.aligned = self.aligned and context.valid is None

    def _measure(self) -> None:
        shortest, self._longest = torch.stack(self.lengths.aminmax()).tolist()
        self.aligned = shortest == self._longest

    def check_room(self, context: "Context", n_tokens: int) -> None:
        """Refuse more tokens than fit, before any layer has taken them.

        Raises:
            CacheFull: there is no room for the tokens of some row.
        """
        if self._longest + n_tokens <= self.max_len:
            return
        self._measure()  # padding may have made it too pessimistic
        counts = n_tokens if context.valid is None else context.valid.sum(1)
        if int((self.lengths + counts).max()) > self.max_len:
            held = f"{self._longest} tokens and {n_tokens} more do not fit"
            raise CacheFull(f"the cache holds at most {self.max_len} tokens: {held}")


class TokenCache(Cache):
    """Entries per token: buffers (B, max_len, ...), a token's entry standing at its position."""

    def append(
        self, context: "Context", **entries: Tensor
    ) -> tuple[dict[str, Tensor], Int[Tensor, "1 S"] | None]:
        """Add entries (B, T, ...) and return all of them so far, with their positions (1, S).

        Slots beyond a row's length hold no tokens; their positions are larger than every query's,
        so a causal mask hides them. None stands for the positions if there was nothing before, and
        the keys are the queries' own. Padding must follow the tokens of its row.

        Raises:
            CacheFull: there is no room for T more tokens in some row.
        """
        n_tokens = next(iter(entries.values())).shape[1]
        self.check_room(context, n_tokens)
        was_empty = self._longest == 0
        if self.aligned and context.valid is None:
            place = slice(self._longest, self._longest + n_tokens)
            for name, entry in entries.items():
                self.buffers[name][:, place] = entry.detach()
        else:
            self._scatter(context, n_tokens, entries)
        self._advance(context, n_tokens)
        if was_empty:
            return entries, None
        longest, device = self._longest, self.lengths.device
        so_far = {
            name: self.buffers[name][:, :longest].to(entry.dtype) for name, entry in entries.items()
        }
        positions = context.once(
            ("slots", longest, device), lambda: torch.arange(longest, device=device)[None]
        )
        return so_far, positions

    def crop(self, lengths: Int[Tensor, "B"]) -> None:
        """Forget all but the first `lengths` tokens of each row."""
        self.lengths = torch.minimum(self.lengths, lengths)
        self._measure()

    def _scatter(self, context: "Context", n_tokens: int, entries: Mapping[str, Tensor]) -> None:
        """Write the tokens, without padding, to where each row ends."""
        slots = self.lengths[:, None] + torch.arange(n_tokens, device=self.lengths.device)
        rows = torch.arange(len(slots), device=slots.device)[:, None].expand_as(slots)
        keep = ... if context.valid is None else context.valid
        for name, entry in entries.items():
            buffer = self.buffers[name]
            buffer[rows[keep], slots[keep]] = entry[keep].detach().to(buffer.dtype)


class StateCache(Cache):
    """A recurrent state: buffers (B, ...) replaced at every call, of one size at any length.

    A row that is reset gets back the values that the buffers were made with.
    """

    def _kept(self) -> dict[str, Tensor]:
        return self.buffers

    def update(self, context: "Context", n_tokens: int, **states: Tensor) -> None:
        """Replace the states by those after `n_tokens` more tokens.

        The component itself keeps padding (`context.valid`) from changing a state.
        """
        for name, state in states.items():
            self.buffers[name] = state.detach().to(self.buffers[name].dtype)
        self._advance(context, n_tokens)

    def crop(self, lengths: Int[Tensor, "B"]) -> None:
        """Do nothing if nothing is cut.

        Raises:
            AblateError: a state has no memory of how it was some tokens ago.
        """
        if bool((lengths < self.lengths).any()):
            raise AblateError("a recurrent state cannot be cropped: take a copy before going on")


class CompositeCache(Cache):
    """The caches of several parts of one layer, by name, which see the same tokens."""

    def __init__(self, parts: dict[str, Cache]) -> None:
        self.parts = parts
        self.max_len = min(part.max_len for part in parts.values())

    @property
    def buffers(self) -> dict[str, Tensor]:  # type: ignore[override]
        """All buffers, under the names of their parts."""
        return {f"{p}.{n}": b for p, part in self.parts.items() for n, b in part.buffers.items()}

    @property
    def lengths(self) -> Int[Tensor, "B"]:  # type: ignore[override]
        """Tokens that each row has seen: the same in every part."""
        return next(iter(self.parts.values())).lengths

    @property
    def aligned(self) -> bool:  # type: ignore[override]
        """Whether all rows have seen as many tokens, as far as is known."""
        return next(iter(self.parts.values())).aligned

    def insert(self, row: int, other: "Cache", other_row: int = 0) -> None:
        """Replace a row by a row of another cache of the same kind and length."""
        assert isinstance(other, CompositeCache)
        for name, part in self.parts.items():
            part.insert(row, other.parts[name], other_row)

    def reset(self, rows: Sequence[int] | None = None) -> None:
        """Forget some rows, or everything."""
        for part in self.parts.values():
            part.reset(rows)

    def crop(self, lengths: Int[Tensor, "B"]) -> None:
        """Forget all but the first `lengths` tokens of each row, if every part can."""
        for part in sorted(self.parts.values(), key=lambda p: not isinstance(p, StateCache)):
            part.crop(lengths)  # states first: one that refuses leaves the others as they are

    def check_room(self, context: "Context", n_tokens: int) -> None:
        """Refuse more tokens than fit, before any part has taken them."""
        for part in self.parts.values():
            part.check_room(context, n_tokens)
