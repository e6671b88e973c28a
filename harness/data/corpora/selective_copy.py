"""Selective copying: repeat what stands between blanks, and forget the blanks."""

from typing import Annotated

import numpy as np
from pydantic import Field

from harness.data.corpora import CORPUS, Examples, Probe

BLANK = 1


@CORPUS.register("selective_copy")
class SelectiveCopy(Probe):
    """Symbols at random places among blanks, a 0, and the symbols in their order: the answers.

    Options:
        n_tokens: Symbols to be copied, > 0.
        n_blanks: Blanks among them, > 0.
        n_symbols: Different symbols, > 1.

    Source:
        Gu and Dao 2023, "Mamba", arXiv:2312.00752, section 3.1, after Jing et al. 2019, "Gated
        Orthogonal Recurrent Units", arXiv:1706.02761; answers are read one after the other, each
        after the one before it.
    """

    def __init__(
        self,
        *,
        n_tokens: Annotated[int, Field(gt=0, le=2**16)] = 8,
        n_blanks: Annotated[int, Field(gt=0, le=2**16)] = 24,
        n_symbols: Annotated[int, Field(gt=1, le=2**20)] = 16,
    ) -> None:
        self.n_tokens, self.n_blanks, self.n_symbols = n_tokens, n_blanks, n_symbols
        self.vocab_size, self.length = 2 + n_symbols, 2 * n_tokens + n_blanks + 1

    def draw(self, generator: np.random.Generator, n: int) -> Examples:
        """Draw places without repetition, symbols with."""
        symbols = generator.integers(2, self.vocab_size, size=(n, self.n_tokens))
        places = generator.random((n, self.n_tokens + self.n_blanks)).argsort(1)
        question = np.full(places.shape, BLANK)
        np.put_along_axis(question, np.sort(places[:, : self.n_tokens]), symbols, axis=1)
        return Examples.asking(question, symbols)
