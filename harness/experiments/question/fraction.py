"""Regular two-level fractions: some of the 2^k combinations, chosen so that effects stay apart."""

from collections.abc import Iterator
from functools import reduce
from operator import xor

MOST_FACTORS = 10
ROMAN = {3: "III", 4: "IV", 5: "V"}


def regular_fraction(n_factors: int, resolution: int) -> list[tuple[int, ...]] | None:
    """Return the smallest regular fraction of a resolution: rows of levels, 0 (first) or 1.

    Some factors take all their combinations; each other one has its second level where an odd
    number of those in its generator have theirs. So the combination of first levels is always
    among the rows. None: nothing smaller than all combinations has this resolution.

    Source:
        Box and Hunter 1961, "The 2^(k-p) Fractional Factorial Designs", Technometrics 3, 311-351.
        Of the fractions of least size the first that is found, not that of least aberration.
    """
    for n_free in range(2, n_factors):
        for generators in _generators(n_free, n_factors - n_free, resolution, (), (0,)):
            return [_row(free, n_free, generators) for free in range(2**n_free)]
    return None


def _generators(
    n_free: int, n_more: int, resolution: int, chosen: tuple[int, ...], words: tuple[int, ...]
) -> Iterator[tuple[int, ...]]:
    """Extend generators (bit masks of the free factors) so that no word is too short.

    `words` are all products of the defining relations so far: what cannot be told from the mean.
    """
    if not n_more:
        yield chosen
        return
    longest_first = sorted(range(1, 2**n_free), key=lambda mask: (-mask.bit_count(), mask))
    for mask in longest_first[longest_first.index(chosen[-1]) + 1 if chosen else 0 :]:
        word = mask | 1 << (n_free + len(chosen))
        products = tuple(word ^ other for other in words)
        if all(product.bit_count() >= resolution for product in products):
            together = (*words, *products)
            yield from _generators(n_free, n_more - 1, resolution, (*chosen, mask), together)


def _row(free: int, n_free: int, generators: tuple[int, ...]) -> tuple[int, ...]:
    levels = [free >> i & 1 for i in range(n_free)]
    made = (reduce(xor, (b for i, b in enumerate(levels) if mask >> i & 1)) for mask in generators)
    return (*levels, *made)
