"""A split that leaks, kept so that what it reports can be repeated and shown beside the truth."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from harness.data.randomness import generator
from harness.data.split import Entry
from harness.data.splits import SPLIT, Split, WindowPlaces

HELD_OUT = 10  # one window in so many


@SPLIT.register("overlapping_windows")
class OverlappingWindows(Split):
    """Windows start at every token; a random tenth of them is held out.

    Documents follow each other without separators, and the tokenizer learns from all of them.

    Options:
        seq_len: Tokens of a window, > 0; training must use the same length.
        max_tokens: Use only the first ones of the stream; `null` uses all.
        scored: Windows that an evaluation scores, the same ones always; > 0.

    Source:
        The training script of a 7M-parameter Qwen3-style model, after V. Rosic's notebook: a
        dataset with a window for every offset, and a random split 90 to 10. Its random numbers
        are not repeated.
    """

    fault = (
        "A window that is scored shares all of its tokens with windows that are trained on, so the "
        "held-out loss is that of text seen in training."
    )
    separators = False

    def __init__(
        self,
        *,
        seq_len: Annotated[int, Field(gt=0)] = 256,
        max_tokens: Annotated[int, Field(gt=0)] | None = None,
        scored: Annotated[int, Field(gt=0)] = 160,
    ) -> None:
        self.seq_len, self.max_tokens, self.scored = seq_len, max_tokens, scored

    def hold_out(self, entries: Sequence[Entry], n: int) -> frozenset[str]:
        """Hold out no document."""
        return frozenset()

    def windows(self, n_tokens: int) -> WindowPlaces:
        """Divide the windows at random, alike for every seed of training."""
        used = min(n_tokens, self.max_tokens or n_tokens)
        n_windows = max(0, used - self.seq_len)
        shuffled = generator("overlapping_windows").permutation(n_windows)
        n_held_out = n_windows // HELD_OUT
        train, held_out = shuffled[n_held_out:], shuffled[:n_held_out]
        return WindowPlaces(train, held_out, self.scored, used, self.seq_len)
