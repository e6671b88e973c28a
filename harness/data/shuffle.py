"""A random order of many things, any part of which is had without the rest."""

import functools

import numpy as np
import numpy.typing as npt

from harness.data.randomness import generator

Index = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]

LARGE = 2**21  # things; of fewer, the order is kept in memory (16 MB)
ROUNDS = 8


def shuffled(first: int, count: int, n: int, seed: int, epoch: int) -> Index:
    """Return entries `first` to `first + count` of the permutation of `n` by (seed, epoch)."""
    if n < LARGE:
        return _permutation(n, seed, epoch)[first : first + count]
    return _permuted(np.arange(first, min(first + count, n)), n, seed, epoch)


@functools.lru_cache(maxsize=2)
def _permutation(n: int, seed: int, epoch: int) -> Index:
    return generator(seed, "order", epoch).permutation(n)


def _permuted(index: Index, n: int, seed: int, epoch: int) -> Index:
    """Encipher numbers below `n` as numbers below `n`, each a different one.

    Source:
        Black and Rogaway 2002, "Ciphers with Arbitrary Finite Domains", section 3: a Feistel
        network permutes the numbers of a few bits more, and is applied again to what is not below
        `n`. Its rounds are a mixing function and no cipher's: nothing is secret here.
    """
    half = np.uint64((n - 1).bit_length() + 1 >> 1)  # bits
    keys = generator(seed, "order", epoch).integers(2**64, size=ROUNDS, dtype=np.uint64)
    found = index.astype(np.uint64)
    pending = np.ones(len(found), np.bool_)
    while pending.any():
        found[pending] = _feistel(found[pending], half, keys)
        pending = found >= n
    return found.astype(np.int64)


def _feistel(number: Bits, half: np.uint64, keys: Bits) -> Bits:
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = number >> half, number & mask
    for key in keys:
        left, right = right, left ^ (_mixed(right + key) & mask)
    return (left << half) | right


def _mixed(number: Bits) -> Bits:
    """Return 32 bits that all bits of a number have a say in (the finaliser of SplitMix64)."""
    number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return number >> np.uint64(32)
