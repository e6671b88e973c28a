"""Texts from far away, written down as they come, so that each is asked for once."""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from harness.data.cache import not_writable

END = "end"  # of everything there is, where a text would stand


def kept_texts(folder: Path, read_from: Callable[[int], Iterable[str]]) -> Iterator[str]:
    """Yield the texts that `folder` keeps from the first on, then those that `read_from` adds.

    Each is written before it is yielded, so nothing is lost if the reader stops or is killed. A
    file that begins with text n has it in its name; one that is damaged counts up to there, and
    processes that come together write different files.

    Args:
        folder: Of one source that never changes.
        read_from: Returns the texts from the one of this number on.

    Raises:
        AblateError: the folder cannot be written.
    """
    n, read = 0, set[Path]()
    while files := sorted(set(folder.glob(f"{n}-*.jsonl")) - read):
        read.add(files[0])
        for text in _intact(files[0]):
            if text is None:
                return
            yield text
            n += 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / f"{n}-{uuid.uuid4().hex}.jsonl").open("x", encoding="utf-8")
    except OSError as error:
        raise not_writable(error) from error
    with file:
        for text in read_from(n):
            file.write(_line(text))
            file.flush()
            yield text
        file.write(_line(None))


def _line(text: str | None) -> str:
    written = END if text is None else json.dumps(text)
    return f"{_digest(written)} {written}\n"


def _intact(file: Path) -> Iterator[str | None]:
    """Yield the texts of a file, None at the end of all, up to the first damaged line."""
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            digest, _, written = line.removesuffix("\n").partition(" ")
            if digest != _digest(written):
                return
            yield None if written == END else json.loads(written)


def _digest(written: str) -> str:
    return hashlib.sha256(written.encode()).hexdigest()[:16]
