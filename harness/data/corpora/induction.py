"""Induction: say what came after the last time."""

from typing import Annotated

import numpy as np
from pydantic import Field

from harness.data.corpora import CORPUS, Examples, Probe


@CORPUS.register("induction")
class Induction(Probe):
    """Random symbols with a 0 among them, and at the end another 0: the answer follows the first.

    Options:
        n_tokens: Ids before the last 0, > 1.
        n_symbols: Different symbols, > 1.

    Source:
        Fu et al. 2022, "Hungry Hungry Hippos", arXiv:2212.14052, section 3.1, with a symbol that
        asks as there; the behaviour is described by Olsson et al. 2022, arXiv:2209.11895.
    """

    def __init__(
        self,
        *,
        n_tokens: Annotated[int, Field(gt=1, le=2**16)] = 30,
        n_symbols: Annotated[int, Field(gt=1, le=2**20)] = 16,
    ) -> None:
        self.n_tokens, self.n_symbols = n_tokens, n_symbols
        self.vocab_size, self.length = 1 + n_symbols, n_tokens + 2

    def draw(self, generator: np.random.Generator, n: int) -> Examples:
        """Draw every symbol, and the place of the 0, independently."""
        question = generator.integers(1, self.vocab_size, size=(n, self.n_tokens))
        place = generator.integers(self.n_tokens - 1, size=(n, 1))
        np.put_along_axis(question, place, 0, axis=1)
        return Examples.asking(question, np.take_along_axis(question, place + 1, axis=1))
