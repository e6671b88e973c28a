"""YAML 1.2 text to plain data and the place of every key.

The data is built from the stream of events, so that limits hold before anything is expanded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from ruamel.yaml import YAML, events
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from harness.errors import Path
from harness.experiments.files.yaml_scalars import Scalar, read_scalar

MAX_DEPTH = 32
MAX_ALIASES = 100
MAX_ALIASED_VALUES = 10_000  # what all aliases together may expand to


@dataclass(frozen=True)
class Mark:
    """Where a key or a list item stands; line and column are counted from 1."""

    line: int
    column: int
    width: int = 1


class RefusedError(Exception):
    """Text that cannot be a configuration, and where."""

    def __init__(self, message: str, mark: Mark) -> None:
        super().__init__(message)
        self.mark = mark


def read_text(text: str) -> tuple[Any, dict[Path, Mark]]:
    """Read one document and return its data and the place of each key and list item.

    Raises:
        RefusedError: a syntax error, or something that configurations do without.
    """
    try:
        reader = _Reader(text)
        return reader.document(), reader.marks
    except MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        mark = Mark(at.line + 1, at.column + 1) if at else Mark(1, 1)
        message = str(error.problem or error.context)
        if "'\\t'" in message:
            message = "a tab; indent with spaces"
        raise RefusedError(message, mark) from None
    except ReaderError as error:
        lines = text[: error.position + 1].splitlines()
        message = f"the character U+{ord(text[error.position]):04X} is not allowed"
        raise RefusedError(message, Mark(len(lines), max(1, len(lines[-1])))) from None
    except (YAMLError, ValueError, OverflowError) as error:
        raise RefusedError(f"not valid YAML: {error}", Mark(1, 1)) from None


class _Reader:
    def __init__(self, text: str) -> None:
        self.events: Iterator[Any] = YAML(typ="safe", pure=True).parse(text)
        self.marks: dict[Path, Mark] = {}
        self.anchors: dict[str, Any] = {}
        self.aliases = 0
        self.aliased_values = 0

    def document(self) -> Any:
        next(self.events)  # the start of the stream
        start = next(self.events)
        if isinstance(start, events.StreamEndEvent):
            raise RefusedError("nothing is written here", Mark(1, 1))
        if start.version not in (None, (1, 2)):
            _refuse(start, "only YAML 1.2 is read; leave the %YAML line out")
        data = self._value(next(self.events), ())
        next(self.events)  # the end of the document
        after = next(self.events)
        if not isinstance(after, events.StreamEndEvent):
            _refuse(after, "a second document begins here; write one document a file")
        return data

    def _value(self, event: Any, path: Path) -> Any:
        if isinstance(event, events.AliasEvent):
            return self._expand(event, path)
        if event.tag is not None:
            _refuse(event, f"the tag {event.tag} is not allowed; values are plain text and numbers")
        data: Any
        if isinstance(event, events.ScalarEvent):
            data = _scalar(event)
        elif len(path) >= MAX_DEPTH:
            _refuse(event, f"nested too deeply; at most {MAX_DEPTH} levels are read")
        elif isinstance(event, events.SequenceStartEvent):
            data = self._sequence(path)
        else:
            data = self._mapping(path)
        if event.anchor is not None:
            if event.anchor in self.anchors:
                _refuse(event, f"the anchor &{event.anchor} is defined twice")
            self.anchors[event.anchor] = data
        return data

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self.events), events.SequenceEndEvent):
            here = (*path, len(items))
            self.marks[here] = _mark(event)
            items.append(self._value(event, here))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := next(self.events), events.MappingEndEvent):
            key = self._key(event)
            here = (*path, key)
            if key in mapping:
                first = self.marks[here].line
                _refuse(event, f"duplicate key {key!r}; it is first written on line {first}")
            self.marks[here] = _mark(event)
            mapping[key] = self._value(next(self.events), here)
        return mapping

    def _key(self, event: Any) -> str:
        if not isinstance(event, events.ScalarEvent) or event.tag is not None:
            _refuse(event, "a key must be plain text")
        if event.value == "<<" and event.implicit[0]:
            _refuse(event, "merge keys (<<) are not part of YAML 1.2; write the keys out")
        key = _scalar(event)
        if not isinstance(key, str):
            _refuse(event, f"a key must be text, but got {event.value}; put it in quotes")
        return key

    def _expand(self, event: Any, path: Path) -> Any:
        if event.anchor not in self.anchors:
            _refuse(event, f"the alias *{event.anchor} names no anchor above it")
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            _refuse(event, f"more than {MAX_ALIASES} aliases")
        return self._copy(self.anchors[event.anchor], event, len(path))

    def _copy(self, value: Any, event: Any, depth: int) -> Any:
        self.aliased_values += 1
        if self.aliased_values > MAX_ALIASED_VALUES:
            _refuse(event, f"the aliases expand to more than {MAX_ALIASED_VALUES} values")
        if not isinstance(value, dict | list):
            return value
        if depth >= MAX_DEPTH:
            _refuse(event, f"nested too deeply; at most {MAX_DEPTH} levels are read")
        if isinstance(value, list):
            return [self._copy(item, event, depth + 1) for item in value]
        return {key: self._copy(item, event, depth + 1) for key, item in value.items()}


def _scalar(event: Any) -> Scalar:
    try:
        return read_scalar(event.value, event.implicit)
    except ValueError as error:
        _refuse(event, str(error))


def _mark(event: Any) -> Mark:
    start, end = event.start_mark, event.end_mark
    width = end.column - start.column if end.line == start.line else 1
    return Mark(start.line + 1, start.column + 1, max(width, 1))


def _refuse(event: Any, message: str) -> NoReturn:
    raise RefusedError(message, _mark(event))
