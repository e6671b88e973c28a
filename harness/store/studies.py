"""A study's folder: its definition, and the events of its trials, which only ever grow.

`study.json` says what is asked; `trials.jsonl` has one event a line, in the order in which things
happened, and is the truth: everything else in the folder can be made again from these two files.

Every event has `seq` (0, 1, 2, ...), `trial` (its number; -1: of the study as a whole), `event` and
`at` (ISO 8601, UTC). What else it says, by `event`:

- `asked`: `params`, `enqueued`, `retry_of` (null), `run_id` (null: it cannot be built), `seed`,
  `arm` (path to value), `matched` (null, or `by`, `before`, `after`, `residual`), `cost`;
- `infeasible`: `violations` (bound to how far the trial is above it), `reason`;
- `started`: `worker`, `attempt` (environment/number), `from_step`;
- `rung`: `fraction`, `values`, `seconds` and `flops` so far;
- `lost`: `worker`, `cause`;
- `ended`: `status`, `values` (null), `cause` (null), `seconds`, `flops`, `rung`, `same_as` (null);
- `confirmed`: `experiment`, `trials`.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import AblateError, unknown
from harness.store import lock
from harness.store.atomic import (
    encode_json,
    null_for_nan,
    remove_leftovers,
    write_bytes,
    write_json,
)
from harness.store.errors import StoreError, writing
from harness.store.names import check_name, is_name

Event = dict[str, Any]
DEFINITION_KEYS = {"format", "name", "objectives", "space", "sampler", "trials"}
FORMAT = 1


class StudyFiles:
    """The folder of one study; whoever writes does so inside `with files.hold():`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self._next: int | None = None  # of the event to come; None: we are not the writer

    @property
    def trials(self) -> Path:
        """Where the events are."""
        return self.path / "trials.jsonl"

    @property
    def exists(self) -> bool:
        """Whether the study has been begun."""
        return (self.path / "study.json").exists()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the writer; what a writer that died has left half written is put aside.

        Raises:
            StoreError: another process is the writer, or an event cannot be read.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with lock.hold(self.path / "lock", "another process is running this study"):
            remove_leftovers(self.path)
            self._put_torn_aside()
            self._next = len(self.events())
            try:
                yield
            finally:
                self._next = None

    def read_definition(self) -> dict[str, Any]:
        """Read what the study asks.

        Raises:
            StoreError: the file is missing, corrupt, or of a later version.
        """
        path = self.path / "study.json"
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise StoreError(path, "there is no such file: the study was never begun") from None
        except (ValueError, RecursionError) as error:
            raise StoreError(path, f"corrupt: {error}") from None
        if not isinstance(found, dict) or not found.keys() >= DEFINITION_KEYS:
            raise StoreError(path, f"corrupt: must have {', '.join(sorted(DEFINITION_KEYS))}")
        if found["format"] != FORMAT:
            later = f"has format {found['format']!r}; this version of ablate reads {FORMAT}"
            raise StoreError(path, later)
        return found

    def write_definition(self, definition: Mapping[str, Any]) -> None:
        """Write down what the study asks; what its trials depend on never changes."""
        assert self._next is not None, "only the holder writes"
        write_json(self.path / "study.json", dict(definition))

    def events(self) -> list[Event]:
        """Read what has happened so far; a torn last line does not count.

        Raises:
            StoreError: another line is corrupt, or one is missing.
        """
        found, _, broken = _read(self.trials)
        if broken:
            raise StoreError(self.trials, broken)
        return found

    def append(self, event: Mapping[str, Any]) -> Event:
        """Add an event, with its number and the time; durable when this returns.

        Raises:
            StoreError: there was no room for it; the file is as it was.
        """
        assert self._next is not None, "only the holder writes"
        now = datetime.now(UTC).isoformat(timespec="seconds")
        whole = null_for_nan({"seq": self._next, **event, "at": now})
        line = (encode_json(whole) + "\n").encode()
        with writing(self.trials), self.trials.open("ab") as file:
            before = file.tell()
            try:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), before)
                raise
        self._next += 1
        return whole

    def _put_torn_aside(self) -> None:
        """Cut off what is no whole event at the end, and keep it in a file of its own."""
        events, size, broken = _read(self.trials)
        if broken or not self.trials.exists():
            return
        torn = self.trials.read_bytes()[size:]
        if torn:
            write_bytes(self.path / f"torn-{len(events)}-{len(torn)}.txt", torn)
            with writing(self.trials), self.trials.open("r+b") as file:
                file.truncate(size)
                os.fsync(file.fileno())


class StudyStore:
    """The studies under a results root: `<root>/studies/<name>/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = root / "studies"

    def names(self) -> list[str]:
        """List the studies that have been begun, sorted."""
        found = self._folder.glob("*/study.json")
        return sorted(p.parent.name for p in found if is_name(p.parent.name))

    def files(self, name: str) -> StudyFiles:
        """Return the folder of a study, begun or not.

        Raises:
            AblateError: `name` may not name a folder.
        """
        return StudyFiles(self._folder / check_name("a study's name", name))

    def open(self, name: str) -> StudyFiles:
        """Return the folder of a study.

        Raises:
            AblateError: there is no such study.
        """
        if name not in self.names():
            raise AblateError(unknown("study", name, self.names()))
        return self.files(name)


def _read(path: Path) -> tuple[list[Event], int, str | None]:
    """Return the events, the bytes that hold them, and what is wrong before the last line."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return [], 0, None
    events: list[Event] = []
    size = 0
    lines = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        event = _event(line)
        if event is None or number == len(lines):  # the last one lacks its newline
            rest = content[size + len(line) + 1 :]
            broken = f"corrupt: line {number} is no event of a study" if rest.strip() else None
            return events, size, broken
        if event["seq"] != len(events):
            return events, size, f"corrupt: line {number} is not the event number {len(events)}"
        events.append(event)
        size += len(line) + 1
    return events, size, None


def _event(line: bytes) -> Event | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    known = isinstance(event, dict) and {"seq", "trial", "event"} <= event.keys()
    return event if known else None
