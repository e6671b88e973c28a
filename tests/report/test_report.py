"""A report says what the comparison says, loads nothing, and shows stored text as text."""

import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from itertools import product

import pytest
from stored import HOSTILE, NOISE, OPTIMUM, write

from harness.analysis.effects.answers import main_and_conditions
from harness.analysis.effects.effects import analysis_of_variance, effects
from harness.analysis.effects.holds import held
from harness.analysis.effects.pareto import pareto
from harness.analysis.statistics.values import fit_of
from harness.analysis.statistics.verdict import Verdict
from harness.analysis.verdicts.arms import mean_words
from harness.analysis.verdicts.compare import compare
from harness.analysis.words.multiplier_view import multipliers
from harness.analysis.words.numbers import difference_words, interval_words, p_words
from harness.analysis.words.sentences import sentence
from harness.report.charts.svg import standalone
from harness.report.pages import html_page, literal, markdown_page
from harness.report.verdicts import verdict_table
from harness.report.write import stored_report, write_report

VOID = {"meta", "br", "link", "img"}


class Reader(HTMLParser):
    """Balances tags, and keeps the text, the tags with their attributes, and the tables' cells."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.texts, self.rows = [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.texts.append(text)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1].append(text)


@pytest.fixture
def store(tmp_path):
    return write(tmp_path, lost=[("gqa", 3)])


@pytest.fixture
def tables(store):
    return store.open("heads")


@pytest.fixture
def report(store):
    return stored_report(store, "heads")


@pytest.fixture
def page(report):
    return Reader(html_page(report))


def test_the_page_says_the_sentences_and_numbers_of_the_comparison(tables, page):
    comparison = compare(tables.plan, tables.runs)
    said = "".join(page.texts)
    for contrast in comparison.contrasts:
        assert sentence(contrast, tables.plan) in said
        row = next(r for r in page.rows if r[:1] == [f"{contrast.arm} - {contrast.baseline}"])
        assert row[1:6] == [
            str(contrast.verdict),
            difference_words(contrast),
            interval_words(contrast),
            p_words(contrast),
            str(contrast.n),
        ]
        *_, below = (r for r in page.rows if r[:1] == row[:1])
        assert f"{contrast.sd:.3g}" in below and f"{contrast.detectable:.3g}" in below
        assert f"{contrast.rho:.2f}" in below
    for arm in comparison.arms:
        assert [arm.arm, mean_words(arm)] in [row[:2] for row in page.rows]
    for note in comparison.notes:
        assert note in page.texts


def test_every_number_of_the_page_is_on_the_markdown_page(report, page):
    markdown = markdown_page(report)
    cells = {
        cell.strip() for line in markdown.splitlines() for cell in re.split(r"(?<!\\)\|", line)
    }
    for row in page.rows:
        for cell in row:
            assert literal(cell) in cells


def test_a_margin_is_drawn_and_every_kind_of_verdict_has_its_mark(tmp_path):
    store = write(tmp_path, practical=0.01)
    tables, report = store.open("heads"), stored_report(store, "heads")
    page = Reader(html_page(report))
    verdicts = [str(c.verdict) for c in compare(tables.plan, tables.runs).contrasts]
    assert verdicts == ["practically equal", "worse"]
    marks = [a["class"] for tag, a in page.tags if a.get("class", "").startswith("claim")]
    assert marks == ["claim practically-equal", "claim worse"]
    for kind in Verdict:
        assert f".{str(kind).replace(' ', '-')} " in html_page(report)
    assert 'class="margin"' in report.figures[0].svg
    assert "narrow interval" in [cell for row in page.rows for cell in row]
    for label in ("undertrained", "one budget"):
        assert label in page.texts and label in markdown_page(report)


def test_a_failed_run_is_listed_with_its_cause_and_refuses_its_verdict(tables, page):
    [row] = [row for row in page.rows if "failed" in row]
    assert f"out of memory {HOSTILE}" in row
    table = verdict_table(tables.plan, compare(tables.plan, tables.runs))
    assert [table.rows[i][0] for i in table.muted] == ["gqa - mha"]


def test_nothing_is_loaded_from_anywhere(page):
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "img", "base", "image")
        for key, value in attributes.items():
            assert not key.startswith("on")
            if key in ("src", "href", "xlink:href", "action"):
                assert value.startswith("#")
            if key != "xmlns":
                assert "//" not in value
    style = "".join(html_style(page))
    assert "url(" not in style and "@import" not in style


def html_style(page):
    return [text for text in page.texts if "{" in text and "--page" in text]


def test_stored_text_is_text(page, report):
    assert HOSTILE in page.texts
    assert "alert(1)" not in "".join(f"{tag}{attributes}" for tag, attributes in page.tags)
    markdown = markdown_page(report)
    assert "<script" not in markdown.replace("\\<script", "")
    assert not re.search(r"(?<!\\)\]\(http", markdown)
    for line in markdown.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")


def test_rows_of_a_markdown_table_have_as_many_cells_as_its_head(report):
    width = None
    for line in markdown_page(report).splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else None
        assert width is None or cells is None or cells == width
        width = cells


def test_the_charts_are_xml_and_bring_their_style(report):
    names = {figure.name for figure in report.figures}
    assert names == {"differences", "curves", "arms"}
    for figure in report.figures:
        root = ElementTree.fromstring(standalone(figure.svg))
        assert root.find("{*}title").text
        assert ".chart" in root.find("{*}style").text


def test_a_question_of_markup_stays_a_question(tmp_path):
    store = write(tmp_path, question=f"Does {HOSTILE} matter?")
    page = Reader(html_page(stored_report(store, "heads")))
    assert f"Does {HOSTILE} matter?" in page.texts
    assert "script" not in {tag for tag, _ in page.tags}


def test_the_same_tables_give_the_same_files(tmp_path):
    store = write(tmp_path, tune=True)
    first, second = (tmp_path / name for name in ("first", "second"))
    write_report(store, "heads", first)
    write_report(store, "heads", second)
    files = sorted(path.relative_to(first) for path in first.rglob("*.*"))
    assert len(files) == 7
    for file in files:
        assert (first / file).read_bytes() == (second / file).read_bytes()


def test_the_markdown_page_shows_files_that_are_there(tmp_path):
    store = write(tmp_path, tune=True)
    _, page = write_report(store, "heads", None)
    shown = re.findall(r"(?<!\\)\]\((.+?)\)", page.read_text())
    assert len(shown) == 5
    for file in shown:
        assert (page.parent / file).is_file()
    assert store.open("heads").plan["name"] == "heads"  # the pages beside it are in nobody's way


def test_an_experiment_of_which_nothing_has_run_has_a_report(tmp_path):
    store = write(tmp_path)
    (store.folder("heads") / "runs.parquet").unlink()
    (store.folder("heads") / "curves.parquet").unlink()
    report = stored_report(store, "heads")
    assert report.figures == []
    assert "refused" in html_page(report)


def test_tuning_is_shown_with_what_was_chosen_and_every_seed(tmp_path):
    store = write(tmp_path, tune=True)
    tables, report = store.open("heads"), stored_report(store, "heads")
    page = Reader(html_page(report))
    assert "0.004 of 0.001 to 0.016" in page.texts
    fits = [fit_of(tables.plan, tables.runs, arm) for arm in tables.plan["arms"]]
    for fit in fits:
        assert fit.optimum == pytest.approx(OPTIMUM)
        assert f"{fit.optimum:.3g}" in page.texts and f"{fit.minimum:.4f}" in page.texts
    assert any(text.startswith("tuning took 30 runs") for text in page.texts)
    by_name = {figure.name: figure.svg for figure in report.figures}
    for rate in (0.002, 0.004, 0.008):
        for seed in NOISE:
            assert f"gqa at {rate:g}, seed {seed}:" in by_name["tuning-report"]
    assert "seed 1000001" in by_name["tuning"]
    assert "seed 1000001" not in by_name["tuning-report"]


def test_effects_of_factors_are_those_of_the_analysis(tmp_path, monkeypatch):
    levels = {"heads": ["mha", "mqa"], "ffn": ["swiglu", "gelu"]}
    combined = [dict(zip(levels, names, strict=True)) for names in product(*levels.values())]
    offsets = dict(
        zip(map("-".join, product(*levels.values())), (0, 0.02, 0.03, 0.09), strict=True)
    )
    monkeypatch.setattr("stored.OFFSETS", offsets)
    contrasts = {"primary": list(offsets)[1::-1]}
    design = {"factors": {"combine": "all", "levels": levels}, "of_factors": combined}
    store = write(tmp_path, baseline="mha-swiglu", contrasts=contrasts, **design)
    tables, report = store.open("heads"), stored_report(store, "heads")
    rows = Reader(html_page(report)).rows
    found = effects(tables.plan, tables.runs)
    assert len(found) == 3
    for one in found:
        row, *_ = [row for row in rows if row[0] == one.name]
        decimals = len(row[1].partition(".")[2])
        assert float(row[1]) == pytest.approx(one.difference, abs=10**-decimals)
        assert row[3:] == [str(one.n), str(one.verdict)]
    variance = analysis_of_variance(tables.plan, tables.runs)
    *_, row = [row for row in rows if row[0] == "heads x ffn"]
    assert row[4] == f"{variance.loc['heads x ffn', 'p']:.3g}"
    assert "effects" in {figure.name for figure in report.figures}


def test_conditions_are_shown_and_what_was_not_run_is_said(tmp_path):
    others = [
        {"kind": "design", "name": "re_spent", "experiment": "heads.re_spent"},
        {"kind": "budget", "name": "0.5x", "experiment": "heads.0.5x"},
    ]
    store = write(tmp_path, conditions=others)
    write(tmp_path, name="heads.re_spent", lost=[("gqa", 0)])
    report = stored_report(store, "heads")
    page = Reader(html_page(report))
    main, under = main_and_conditions(store.open("heads"), store)
    for one in held(main, under):
        [row] = [
            row
            for row in page.rows
            if row[:2] == [f"{one.arm} - {one.baseline}", f"design {one.condition}"]
        ]
        assert row[-2:] == [one.verdict, one.holds]
    assert "budget 0.5x has not been run" in page.texts
    assert any("at one size and one budget" in text for text in page.texts)
    write(tmp_path, name="heads.0.5x")
    again = Reader(html_page(stored_report(store, "heads")))
    assert any("also asked at budget 0.5x" in text for text in again.texts)
    [table] = [
        b for s in report.sections for b in s.blocks if getattr(b, "title", "") == "Does it hold?"
    ]
    assert [table.rows[i][-2] for i in table.muted] == ["refused"]


def test_multipliers_are_those_of_the_analysis(tmp_path):
    budget = {"kind": "budget", "name": "0.5x", "experiment": "heads.0.5x"}
    store = write(tmp_path, conditions=[budget])
    write(tmp_path, name="heads.0.5x", share=0.5)
    page = Reader(html_page(stored_report(store, "heads")))
    found = multipliers(*main_and_conditions(store.open("heads"), store))
    assert [one.unit for one in found] == 2 * ["flops", "seconds"]
    better = [one for one in found if one.other == HOSTILE]
    assert better[0].estimate == pytest.approx(2**0.5, rel=0.02)  # 0.05 where a doubling buys 0.1
    for one in better:
        unit = {"flops": "FLOPs", "seconds": "seconds"}[one.unit]
        [row] = [row for row in page.rows if row[:3] == [one.better, one.other, unit]]
        assert row[3:5] == [f"{one.estimate:.2f}", f"{one.low:.2f} to {one.high:.2f}"]
    times = f"mha {better[0].estimate:.2f} ({better[0].low:.2f} to {better[0].high:.2f})"
    assert [row[-1] for row in page.rows if row[0] == f"{HOSTILE} - mha"].count(times) == 1


def test_arms_worth_having_are_those_of_the_analysis(tables, page):
    comparison = compare(tables.plan, tables.runs)
    [row] = [row for row in page.rows if row[0] == "cache bytes"]
    front = pareto(tables.plan, tables.runs, comparison.arms, "cache_bytes")
    shown = [arm.arm + "?" * bool(arm.rivals) for arm in front if arm.is_on_the_front]
    assert row[1] == ", ".join(shown)
    assert all(row[0] != "training FLOPs per token" for row in page.rows)  # which all have alike
