"""Stored text as Markdown that shows it literally."""

import re

_SPECIAL = re.compile(r"([!-/:-@\[-`{-~])")
_CODE = re.compile(r"(`[^`]+`)")
_ARXIV = re.compile(r"(arXiv:\d{4}\.\d{4,5})")


def literal(text: str) -> str:
    """Escape everything that Markdown or Streamlit would read as more than a character."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def with_code(text: str) -> str:
    """Escape a docstring's text, but for its `code`."""
    parts = _CODE.split(text)
    return "".join(part if i % 2 else literal_part(part) for i, part in enumerate(parts))


def with_arxiv_links(text: str) -> str:
    """Escape a source, and link its arXiv numbers."""
    parts = _ARXIV.split(text)
    return "".join(_link(part) if i % 2 else literal_part(part) for i, part in enumerate(parts))


def literal_part(text: str) -> str:
    """Escape text within a line, keeping the spaces at its ends."""
    before, after = text[:1].isspace(), text[-1:].isspace() and len(text) > 1
    return " " * before + literal(text) + " " * after


def _link(identifier: str) -> str:
    number = identifier.removeprefix("arXiv:")
    return f"[arXiv\\:{number}](https://arxiv.org/abs/{number})"
