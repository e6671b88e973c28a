"""Copying: repeat a string."""

from typing import Annotated

import numpy as np
from pydantic import Field

from harness.data.corpora import CORPUS, Examples, Probe


@CORPUS.register("copy")
class Copy(Probe):
    """Random symbols, a 0, and the same symbols again: these are the answers.

    Options:
        n_tokens: Symbols to be copied, > 0.
        n_symbols: Different symbols, > 1.

    Source:
        Graves et al. 2014, "Neural Turing Machines", arXiv:1410.5401, section 4.1; of strings of
        tokens as in Jelassi et al. 2024, "Repeat After Me", arXiv:2402.01032, of one length.
    """

    def __init__(
        self,
        *,
        n_tokens: Annotated[int, Field(gt=0, le=2**16)] = 16,
        n_symbols: Annotated[int, Field(gt=1, le=2**20)] = 32,
    ) -> None:
        self.n_tokens, self.n_symbols = n_tokens, n_symbols
        self.vocab_size, self.length = 1 + n_symbols, 2 * n_tokens + 1

    def draw(self, generator: np.random.Generator, n: int) -> Examples:
        """Draw every symbol independently."""
        symbols = generator.integers(1, self.vocab_size, size=(n, self.n_tokens))
        return Examples.asking(symbols, symbols)
