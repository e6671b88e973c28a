"""Randomness by address: every draw is keyed by (seed, purpose, index), never restored."""

import hashlib


def address(seed: int, purpose: str, index: int = 0) -> int:
    """Return a 63-bit seed that belongs to this seed, purpose and index alone."""
    digest = hashlib.blake2b(f"{seed}/{purpose}/{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
