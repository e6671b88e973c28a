"""An experiment's YAML file: its data, and errors that point at the line that caused them."""

import difflib
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.errors import AblateError, ConfigError, Path, dotted
from harness.experiments.files.yaml_reader import Mark, RefusedError, read_text

MAX_BYTES = 2**20
_BASE: tuple[Path, ...] = (("base",),)


class SourceError(AblateError):
    """What is wrong with an experiment's file, with the lines in question."""


@dataclass(frozen=True)
class Place:
    """Where a value was written: in a line of a file or on the command line.

    `path` is the path as written there, which for an arm's value may begin with `base`.
    """

    path: Path
    where: str
    line: int | None = None
    excerpt: str = ""


@dataclass(frozen=True)
class Source:
    """What a file says and where. `overridden` holds what the command line replaced, as typed."""

    name: str
    data: dict[str, Any]
    lines: tuple[str, ...]
    marks: dict[Path, Mark]
    overridden: dict[Path, str] = field(default_factory=dict)

    def line(self, path: Path) -> int | None:
        """Return the line of the key at `path` or of its nearest ancestor in the file."""
        mark = self.marks.get(self._nearest(path))
        return mark.line if mark else None

    def locate(self, path: Path, alternatives: Sequence[Path] = ()) -> Place:
        """Find where the value at `path` was written.

        An arm inherits, so what stands at `arms.NAME.x` may have been written under one of the
        `alternatives`, or at `base.x`: the place that knows more of the path is taken.
        """
        candidates = [(len(self._nearest(path)[2:]), path)]
        if path[:1] == ("arms",):
            for root in (*alternatives, *_BASE):
                inherited = (*root, *path[2:])
                candidates.append((len(self._nearest(inherited)) - len(root), inherited))
        return self._place(max(candidates, key=lambda candidate: candidate[0])[1])

    def error(
        self, error: ConfigError, alternatives: Mapping[str, Sequence[Path]] | None = None
    ) -> SourceError:
        """Render each problem once, at the place that caused it; `alternatives` are by arm."""
        arms_at: dict[tuple[Place, str], list[str]] = {}
        for problem in error.problems:
            arm = str(problem.path[1]) if problem.path[:1] == ("arms",) and problem.path[1:] else ""
            place = self.locate(problem.path, (alternatives or {}).get(arm, ()))
            arms = arms_at.setdefault((place, problem.message), [])
            if place.path != problem.path and str(problem.path[1]) not in arms:
                arms.append(str(problem.path[1]))
        return SourceError("\n".join(_render(*report, arms) for report, arms in arms_at.items()))

    def _nearest(self, path: Path) -> Path:
        while path and path not in self.marks and path not in self.overridden:
            path = path[:-1]
        return path

    def _place(self, path: Path) -> Place:
        nearest = self._nearest(path)
        if override := self.overridden.get(nearest):
            mark = Mark(1, 1, override.index("="))
            return Place(path, "command line", None, _excerpt("", override, mark))
        if mark_in_file := self.marks.get(nearest):
            return _place_in_file(self.name, self.lines, mark_in_file, path)
        return Place(path, self.name)


def read_yaml(path: pathlib.Path) -> Source:
    """Read an experiment's file.

    Raises:
        SourceError: no such file, or not one mapping in plain YAML of reasonable size.
    """
    text = _read_file(path)
    lines = tuple(text.splitlines())
    try:
        data, marks = read_text(text)
    except RefusedError as refused:
        place = _place_in_file(str(path), lines, refused.mark)
        raise SourceError(_render(place, str(refused))) from None
    if not isinstance(data, dict):
        raise SourceError(f"{path}  must be a mapping of keys to values, but got {data!r:.60}")
    return Source(str(path), data, lines, marks)


def _read_file(path: pathlib.Path) -> str:
    try:
        if path.is_dir():
            raise SourceError(f"{path}  must be a YAML file, but is a folder")
        if path.exists() and not path.is_file():
            raise SourceError(f"{path}  must be a regular file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise SourceError(f"{path}  no such file.{_suggest(path)}") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"{str(path)!r:.200}  cannot be read: {error}") from None
    if len(content) > MAX_BYTES:
        raise SourceError(f"{path}  must not be larger than 1 MiB")
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}  must be UTF-8 text, but byte {error.start} is not") from None


def _suggest(path: pathlib.Path) -> str:
    beside = [file.name for file in path.parent.glob("*") if file.suffix in (".yaml", ".yml")]
    close = difflib.get_close_matches(path.name, sorted(beside), n=1)
    return f" Did you mean {str(path.with_name(close[0]))!r}?" if close else ""


def _place_in_file(name: str, lines: tuple[str, ...], mark: Mark, path: Path = ()) -> Place:
    text = lines[mark.line - 1] if mark.line <= len(lines) else ""
    where = f"{name}:{mark.line}:{mark.column}"
    return Place(path, where, mark.line, _excerpt(str(mark.line), text, mark))


def _excerpt(number: str, text: str, mark: Mark) -> str:
    """Show the line with a caret under the key, and of a long line the part around it."""
    start = max(0, mark.column - 61) if len(text) > 100 else 0
    shown = "".join(c if c.isprintable() else " " for c in text[start : start + 100])
    caret = " " * (mark.column - 1 - start) + "^" * min(mark.width, 40)
    return f"\n{number:>5} | {shown}\n      | {caret}"


def _render(place: Place, message: str, arms: Sequence[str] = ()) -> str:
    said = f"{dotted(place.path)}: {message}" if place.path else message
    inherited_by = f" (in {'arm' if len(arms) == 1 else 'arms'} {', '.join(arms)})" if arms else ""
    return f"{place.where}  {said}{inherited_by}{place.excerpt}"
