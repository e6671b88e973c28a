"""Multi-query associative recall: look up what stood beside a key before."""

from typing import Annotated

import numpy as np
from pydantic import Field

from harness.data.corpora import CORPUS, Examples, Probe


@CORPUS.register("associative_recall")
class AssociativeRecall(Probe):
    """Pairs of a key and its value, then keys of these at random: the answers are their values.

    Options:
        n_pairs: Pairs of an example, > 0.
        n_questions: Keys that are asked for, each independently of the others; > 0.
        n_keys: Different keys, at least `n_pairs`.
        n_values: Different values, > 1.

    Source:
        Arora et al. 2023, "Zoology", arXiv:2312.04927, section 3. There every key is asked for
        once, with filler between; here the answer follows the question, so that keys are asked for
        independently: the last ones could be told from what is left. Values may repeat.
    """

    def __init__(
        self,
        *,
        n_pairs: Annotated[int, Field(gt=0, le=2**16)] = 8,
        n_questions: Annotated[int, Field(gt=0, le=2**16)] = 8,
        n_keys: Annotated[int, Field(gt=0, le=2**20)] = 32,
        n_values: Annotated[int, Field(gt=1, le=2**20)] = 32,
    ) -> None:
        if n_keys < n_pairs:
            raise ValueError(f"n_keys must be at least n_pairs ({n_pairs}), but got {n_keys}")
        self.n_pairs, self.n_questions = n_pairs, n_questions
        self.n_keys, self.n_values = n_keys, n_values
        self.vocab_size = 1 + n_keys + n_values
        self.length = 2 * (n_pairs + n_questions)

    def draw(self, generator: np.random.Generator, n: int) -> Examples:
        """Draw keys without repetition, values with."""
        keys = 1 + generator.random((n, self.n_keys)).argsort(1)[:, : self.n_pairs]
        values = 1 + self.n_keys + generator.integers(self.n_values, size=keys.shape)
        pairs = np.stack([keys, values], axis=2)  # N pairs 2
        asked = generator.integers(self.n_pairs, size=(n, self.n_questions, 1))
        questions = np.take_along_axis(pairs, asked, axis=1)
        ids = np.concatenate([pairs, questions], axis=1).reshape(n, self.length)
        answers = np.zeros(ids.shape, np.bool_)
        answers[:, 2 * self.n_pairs + 1 :: 2] = True
        return Examples(ids, answers)
