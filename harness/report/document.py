"""What a report is made of; the templates draw these, and compute nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_BEGINS_NUMBERS = set("0123456789+-<")


@dataclass(frozen=True)
class Table:
    """Words in rows; the first column names what a row is about."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    muted: frozenset[int] = frozenset()
    """The rows whose numbers count for nothing: shown, but greyed."""
    kind: Literal["table"] = "table"

    def is_number(self, column: int) -> bool:
        """Whether all of a column is numbers, which stand on the right."""
        return column > 0 and all(row[column][:1] in _BEGINS_NUMBERS for row in self.rows)

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows), self.title


@dataclass(frozen=True)
class Figure:
    """A chart, as SVG."""

    name: str
    """Of the file beside the Markdown page, without its ending."""
    svg: str
    alt: str
    caption: str = ""
    kind: Literal["figure"] = "figure"


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str
    kind: Literal["paragraph"] = "paragraph"


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: Sequence[str]
    kind: Literal["bullets"] = "bullets"


@dataclass(frozen=True)
class Facts:
    """Names and what they stand for."""

    pairs: Sequence[tuple[str, str]]
    kind: Literal["facts"] = "facts"


@dataclass(frozen=True)
class Claim:
    """A verdict, and the sentence that says it in full."""

    verdict: str
    sentence: str
    labels: Sequence[str] = ()
    """What is to be known before it is repeated."""
    kind: Literal["claim"] = "claim"


@dataclass(frozen=True)
class Code:
    """Lines for a shell."""

    text: str
    kind: Literal["code"] = "code"


Block = Table | Figure | Paragraph | Bullets | Facts | Claim | Code


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it; `folded` opens on demand."""

    title: str
    blocks: Sequence[Block]
    folded: bool = False

    @property
    def anchor(self) -> str:
        """Its name in links."""
        return self.title.lower().replace(" ", "-")


@dataclass(frozen=True)
class Report:
    """A whole report."""

    title: str
    question: str
    sections: Sequence[Section]

    @property
    def figures(self) -> list[Figure]:
        """All charts, in order."""
        blocks = (block for section in self.sections for block in section.blocks)
        return [block for block in blocks if isinstance(block, Figure)]
