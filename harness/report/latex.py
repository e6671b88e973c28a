"""A table for a paper: LaTeX with booktabs, which stored text cannot break out of."""

import re
from collections.abc import Sequence

from harness.report.document import Table

_SPECIAL = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "[": "{[}",  # or the first cell of a row would be an option of the line before
    "]": "{]}",
}
_MINUS = re.compile(r"(?<![\w.])-(?=\d)")


def latex(table: Table) -> str:
    """Return a table to be included; its note becomes a comment."""
    columns = range(len(table.columns))
    sides = "".join("r" if table.is_number(column) else "l" for column in columns)
    comments = [" ".join(text.split()) for text in (table.title, table.note)]
    lines = [f"% {comment}" for comment in comments if comment]
    lines += ["% needs \\usepackage{booktabs}", f"\\begin{{tabular}}{{{sides}}}", "\\toprule"]
    lines += [_row(table.columns), "\\midrule", *map(_row, table.rows)]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def escape(text: str) -> str:
    """Write text so that LaTeX prints it; a minus before a number becomes one."""
    signed = _MINUS.sub("\N{MINUS SIGN}", " ".join(text.split()))
    written = "".join(_SPECIAL.get(character, character) for character in signed)
    return written.replace("\N{MINUS SIGN}", "$-$")


def _row(cells: Sequence[str]) -> str:
    return " & ".join(map(escape, cells)) + r" \\"
