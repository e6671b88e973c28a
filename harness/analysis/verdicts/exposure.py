"""Whether arms saw too little text for their size, or the same text too often."""

from collections.abc import Mapping
from itertools import groupby
from typing import NamedTuple

LEAST_TOKENS_PER_PARAM = 5
MOST_EPOCHS = 4


class Exposure(NamedTuple):
    """What an arm is trained on, or was; None: not known."""

    tokens_per_param: float | None
    epochs: float | None

    @property
    def is_undertrained(self) -> bool:
        """Whether it saw so few tokens that an order of arms may change with more."""
        return self.tokens_per_param is not None and self.tokens_per_param < LEAST_TOKENS_PER_PARAM

    @property
    def is_repeated(self) -> bool:
        """Whether it saw its text so often that more of it would have taught more."""
        return self.epochs is not None and self.epochs > MOST_EPOCHS


def exposure_notes(arms: Mapping[str, Exposure]) -> list[str]:
    """Name the arms that are undertrained and those whose text is repeated, each with its number.

    Source:
        Hoffmann et al. 2022, arXiv:2203.15556: the best size for a budget sees about 20 tokens for
        each parameter, of which 5 is a quarter. Muennighoff et al. 2023, arXiv:2305.16264: text
        seen up to 4 times is worth nearly as much as new text.
    """
    too_few = {n: arm.tokens_per_param for n, arm in arms.items() if arm.is_undertrained}
    too_often = {n: arm.epochs for n, arm in arms.items() if arm.is_repeated}
    notes = {
        f"undertrained, fewer than {LEAST_TOKENS_PER_PARAM} tokens per parameter": too_few,
        f"repeated, more than {MOST_EPOCHS} epochs of the text": too_often,
    }
    everyone = len(arms)
    return [f"{note}: {_listed(found, everyone)}" for note, found in notes.items() if found]


def _listed(found: Mapping[str, float | None], everyone: int) -> str:
    """Write `a 0.5, b and c 0.6`: arms with the same number stand together."""
    words = {name: f"{value:.2g}" for name, value in found.items()}
    if len(words) == everyone > 1 and len(set(words.values())) == 1:
        return f"all arms {next(iter(words.values()))}"
    alike = groupby(sorted(words, key=words.__getitem__), key=words.__getitem__)
    return ", ".join(f"{' and '.join(names)} {value}" for value, names in alike)
