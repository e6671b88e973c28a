"""Tables for programs are complete and unrounded; tables for papers cannot be broken out of."""

import io
import re

import pandas as pd
import pytest
from lab import ablate
from stored import HOSTILE, write

from harness.analysis.verdicts.compare import compare
from harness.analysis.words.numbers import interval_words
from harness.report.document import Table
from harness.report.exports import csv_table, latex_table
from harness.report.latex import escape, latex


@pytest.fixture
def tables(tmp_path):
    return write(tmp_path, tune=True).open("heads")


def test_contrasts_as_csv_are_those_of_the_comparison_to_the_last_digit(tables):
    comparison = compare(tables.plan, tables.runs)
    table = pd.read_csv(io.StringIO(csv_table(tables, "contrasts")))
    for contrast, row in zip(comparison.contrasts, table.to_dict("records"), strict=True):
        for field in ("arm", "baseline", "n", "difference", "low", "high", "sd", "detectable"):
            assert row[field] == getattr(contrast, field), field
        assert row["verdict"] == str(contrast.verdict)
        assert row["sentence"].startswith((contrast.arm, f"{contrast.arm} against"))


def test_arms_as_csv_are_those_of_the_comparison(tables):
    comparison = compare(tables.plan, tables.runs)
    table = pd.read_csv(io.StringIO(csv_table(tables, "arms")))
    assert table["arm"].tolist() == [arm.arm for arm in comparison.arms]
    assert table["mean"].tolist() == [arm.mean for arm in comparison.arms]
    assert table["cache_bytes"].tolist() == [arm.cache_bytes for arm in comparison.arms]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("val_bpb", r"val\_bpb"),
        ("95 % & $5", r"95 \% \& \$5"),
        ("1.746 ± 0.006", r"1.746 $\pm$ 0.006"),
        ("-0.004 to +0.020", "$-$0.004 to +0.020"),
        ("mqa - mha", "mqa - mha"),
        ("1e-05", "1e-05"),
        ("a\\b{c}^~#", r"a\textbackslash{}b\{c\}\textasciicircum{}\textasciitilde{}\#"),
        ("[x]\n", "{[}x{]}"),
    ],
)
def test_text_is_escaped_for_latex(text, expected):
    assert escape(text) == expected


@pytest.mark.parametrize("which", ["arms", "contrasts"])
def test_a_table_for_latex_has_the_same_cells_in_every_row(tables, which):
    lines = latex_table(tables, which).splitlines()
    [begin] = [line for line in lines if line.startswith(r"\begin")]
    n_columns = len(begin.removeprefix(r"\begin{tabular}{").removesuffix("}"))
    rows = [line for line in lines if line.endswith(r"\\")]
    assert len(rows) == 1 + {"arms": 3, "contrasts": 2}[which]
    for row in rows:
        assert len(re.findall(r"(?<!\\)&", row)) == n_columns - 1
    assert [line for line in lines if line.endswith("rule")] == [
        r"\toprule",
        r"\midrule",
        r"\bottomrule",
    ]


def test_a_table_for_latex_says_what_the_comparison_says(tables):
    text = latex_table(tables, "contrasts")
    for contrast in compare(tables.plan, tables.runs).contrasts:
        assert escape(interval_words(contrast)) in text
    assert escape(HOSTILE) in text


def test_a_note_cannot_leave_its_comment():
    table = Table("t\n\\input{x}", ["arm"], [["a"]], note="one\n\\input{y}")
    assert all(
        line.startswith(("%", "\\begin", "\\end", "\\top", "\\mid", "\\bot", "a", "arm"))
        for line in latex(table).splitlines()
    )


def test_the_command_prints_both(tmp_path):
    write(tmp_path)
    for asked in (
        ("--csv", "arms"),
        ("--csv", "contrasts"),
        ("--latex", "arms"),
        ("--latex", "contrasts"),
    ):
        ended = ablate("results", "heads", *asked, results=tmp_path)
        assert ended.code == 0, ended.err
        assert "gqa" in ended.out
    ended = ablate("results", "--latex", "arms", results=tmp_path)
    assert ended.code == 2
    assert "--latex arms is of one experiment" in ended.err
