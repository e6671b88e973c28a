"""A report as HTML and as Markdown: templates draw it, and escape everything that was stored."""

import re
from pathlib import Path

import jinja2
from markupsafe import Markup

from harness.report.charts.svg import STYLE
from harness.report.document import Report

_FOLDER = Path(__file__).with_name("templates")
_MARKDOWN = re.compile(r"([\\`*{}\[\]<>#|~$&]|(?<!\w)_|_(?!\w))")
_SIDES = {True: Markup(' class="number"'), False: ""}


def html_page(report: Report) -> str:
    """Return a page that stands alone: it loads nothing from anywhere."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (_FOLDER / "report.css").read_text() + STYLE
    template = environment.get_template("report.html")
    return template.render(report=report, style=Markup(style), svg=Markup, side=_SIDES)


def markdown_page(report: Report) -> str:
    """Return a page for a forge, which shows the charts from the files beside it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else literal(str(value)),
    )
    return environment.get_template("report.md").render(report=report, raw=Markup)


def literal(text: str) -> str:
    """Escape what Markdown would read as more than a character."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
