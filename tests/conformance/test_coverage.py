"""Every row has a test with its mark, or is in the page's list of what is not included."""

import re

from page import table
from rows import EXISTING, covering_tests

MOST_DECLINED = 5
NOT_YET = "not built yet"
ROW = r"R\d-\d\d"


def listed():
    """Return the rows that the page says are not included, with the reason."""
    found = {}
    for _, rows, why in table("what | rows"):
        for part in rows.split(", "):
            first, last = re.fullmatch(rf"({ROW})(?: to ({ROW}))?", part).groups()
            start, end = EXISTING.index(first), EXISTING.index(last or first)
            found |= dict.fromkeys(EXISTING[start : end + 1], why)
    return found


def test_every_row_that_is_included_is_covered():
    covered = covering_tests()
    assert [row for row in EXISTING if row not in covered and row not in listed()] == []


def test_marks_name_rows_that_exist():
    assert {row: tests for row, tests in covering_tests().items() if row not in EXISTING} == {}


def test_a_row_that_is_covered_is_not_told_to_be_missing():
    assert {row: tests for row, tests in covering_tests().items() if row in listed()} == {}


def test_few_rows_are_declined():
    declined = {row: why for row, why in listed().items() if why != NOT_YET}
    assert len(declined) <= MOST_DECLINED
    assert all(declined.values()), "a row that is declined has a reason"
