"""Whether text that is scored was trained on."""

from harness.data.base import TokenDataset

RUN = 64  # tokens: longer than most quotations, shorter than what a leaking split shares
CHUNK = 2**24  # tokens searched at a time


def leaked_share(dataset: TokenDataset, run: int = RUN) -> float:
    """Return the share of the held-out text that is also trained on, word for word.

    Excerpts are cut into runs of tokens, and each run is looked for in the whole training text: a
    shared position, a repeated document and a passage that two documents share all count.

    Raises:
        ValueError: no excerpt is as long as a run.
    """
    train = dataset.train
    runs = {
        document.tokens[start : start + run].astype(train.dtype).tobytes()
        for document in dataset.held_out
        for start in range(1, len(document.tokens) - run + 1, run)
    }
    if not runs:
        raise ValueError(f"no held-out excerpt has {run} tokens")
    found: set[bytes] = set()
    for start in range(0, len(train), CHUNK):
        text = train[start : start + CHUNK + run - 1].tobytes()
        found |= {part for part in runs - found if _occurs(part, text, train.itemsize)}
    return len(found) / len(runs)


def _occurs(part: bytes, text: bytes, itemsize: int) -> bool:
    """Whether `part` starts at a multiple of `itemsize`: not in the middle of a token."""
    place = text.find(part)
    while place % itemsize and place >= 0:
        place = text.find(part, place + 1)
    return place >= 0
