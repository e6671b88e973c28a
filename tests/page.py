"""docs/coming-from.md as data: its tables by their header."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "coming-from.md"


def table(header):
    """Return the rows of the table whose header begins with these words, cell by cell."""
    lines = PAGE.read_text().splitlines()
    (start,) = [i for i, line in enumerate(lines) if line.startswith(f"| {header}")]
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def names(cell):
    """Return what a cell has in backticks."""
    return re.findall(r"`([^`]+)`", cell)
