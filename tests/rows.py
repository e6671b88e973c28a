"""Which tests cover which row, read from the source without importing it.

A row is a behaviour that one of five earlier projects describes; docs/coming-from.md says more.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
LAST = {"R0": 29, "R1": 22, "R2": 35, "R3": 27, "R4": 39}
EXISTING = [f"{project}-{n:02}" for project, last in LAST.items() for n in range(1, last + 1)]


def covering_tests() -> dict[str, list[str]]:
    """Return the ids of the tests, or of the files, that carry the mark of each row."""
    found = defaultdict(list)
    for file in sorted(TESTS.rglob("test_*.py")):
        for node, rows in _marks(ast.parse(file.read_text())):
            name = str(file.relative_to(TESTS.parent))
            for row in rows:
                found[row].append(f"{name}::{node}" if node else name)
    return dict(found)


def _marks(module: ast.Module) -> Iterator[tuple[str, list[str]]]:
    """Yield each test with its rows; marks that belong to no test are those of the file."""
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            rows = [row for decorator in node.decorator_list for row in _rows(decorator)]
            if rows:
                yield node.name, rows
        elif rows := _rows(node):
            yield "", rows


def _rows(tree: ast.AST) -> list[str]:
    return [
        argument.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.row")
        for argument in node.args
        if isinstance(argument, ast.Constant)
    ]
