"""Which documents are held out, and which part of them is scored."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.data.corpora import Document
from harness.errors import ConfigError


@dataclass(frozen=True)
class Entry:
    """A document without its text: `digest` is the SHA-256 of that."""

    id: str
    stratum: str
    digest: str


def distinct(
    documents: Iterable[Document], left_out: Counter[str] | None = None
) -> Iterator[tuple[Entry, str]]:
    """Yield every document's entry and text, leaving out blank ones and repetitions of a text.

    Texts that differ in white space alone are the same: the first is kept. What is left out is
    counted as `blank` or `repeated`.
    """
    seen: set[bytes] = set()
    left_out = Counter() if left_out is None else left_out
    for document in documents:
        words = " ".join(document.text.split())
        key = hashlib.sha256(words.encode()).digest()
        if not words or key in seen:
            left_out["repeated" if words else "blank"] += 1
            continue
        seen.add(key)
        digest = hashlib.sha256(document.text.encode()).hexdigest()
        yield Entry(document.id, document.stratum, digest), document.text


def hold_out(entries: Sequence[Entry], n: int) -> frozenset[str]:
    """Choose the digests of `n` documents, never more than half, in proportion to each stratum.

    Within a stratum the texts' digests decide. The document of rank r among the m of its stratum
    is worth (r + 1/2) / m and the smallest are taken: the method of Sainte-Laguë, which favours
    neither large strata nor small ones.

    Raises:
        ConfigError: there are not two documents to tell apart.
    """
    if len(entries) < 2:
        found = f"has {len(entries)} distinct document(s) with text"
        raise ConfigError.at((), f"{found}, but must have 2 or more: add documents or split files")
    strata: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        strata[entry.stratum].append(entry.digest)
    ranked = sorted(
        ((rank + 0.5) / len(digests), digest)
        for digests in strata.values()
        for rank, digest in enumerate(sorted(digests))
    )
    return frozenset(digest for _, digest in ranked[: min(n, len(entries) // 2)])


def excerpt(text: str, max_bytes: int) -> str:
    """Return whole words from the middle of a text, in at most `max_bytes` of UTF-8 (0: all).

    A word of more than 64 characters at an end is cut, between characters: not every script has
    spaces.
    """
    raw = text.encode()
    if not max_bytes or len(raw) <= max_bytes:
        return text
    start = (len(raw) - max_bytes) // 2
    middle = raw[start : start + max_bytes].decode(errors="ignore")  # drops halves of characters
    return re.sub(r"^\S{0,64}\s|\s\S{0,64}$", "", middle).strip() or middle
