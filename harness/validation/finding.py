"""What a check expected, what it found, and whether that goes together."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How what was found stands to what is known."""

    AS_EXPECTED = "as expected"
    NOT_RESOLVED = "not resolved"
    """The runs do not tell: no contradiction."""
    OPPOSITE = "opposite"


@dataclass(frozen=True)
class Finding:
    """A known answer beside the one that was found."""

    name: str
    question: str
    expected: str
    source: str
    """Why it is known."""
    found: str
    outcome: Outcome
    seconds: float = 0.0
