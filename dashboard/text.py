"""Stored text as Markdown that shows it literally."""

import re

_SPECIAL = re.compile(r"([!-/:-@\[-`{-~])")
_APART = re.compile(r"(`[^`]+`|arXiv:\d{4}\.\d{4,5})")


def literal(text: str) -> str:
    """Escape everything that Markdown or Streamlit would read as more than a character."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def from_docstring(text: str) -> str:
    """Escape a docstring's text, but for its `code`, and link its arXiv numbers."""
    return "".join(_part(part) for part in _APART.split(text))


def _part(text: str) -> str:
    if not _APART.fullmatch(text):
        return _literal_part(text)
    return _link(text) if text.startswith("arXiv:") else text


def _literal_part(text: str) -> str:
    """Escape text within a line, keeping the spaces at its ends."""
    before, after = text[:1].isspace(), text[-1:].isspace() and len(text) > 1
    return " " * before + literal(text) + " " * after


def _link(identifier: str) -> str:
    number = identifier.removeprefix("arXiv:")
    return f"[arXiv\\:{number}](https://arxiv.org/abs/{number})"
