"""The columns of the verdict table: each says one thing of a contrast, in words."""

from collections.abc import Callable, Mapping
from typing import Any

from harness.analysis.compare import Comparison
from harness.analysis.contrasts import Contrast
from harness.analysis.costs import signed_percent
from harness.analysis.words import difference_words, interval_words
from harness.report.words import number, setting_words
from harness.store.tables import Plan

Words = Callable[[Contrast], str]


def contrast_columns(plan: Plan, comparison: Comparison) -> dict[str, Words]:
    """Return what to say of each contrast; a column that would be empty is left out."""
    arms: Mapping[str, Any] = plan["arms"]
    columns: dict[str, Words] = {
        "verdict": lambda c: str(c.verdict),
        "difference": difference_words,
        "interval": interval_words,
        "n": lambda c: str(c.n),
        "sd": lambda c: number(c.sd),
        "rho": lambda c: "-" if c.rho is None else f"{c.rho:.2f}",
        "margin": lambda c: number(known(c, "margin")),
        "detectable": lambda c: number(c.detectable),
        "adjusted p": lambda c: p_words(known(c, "p_adjusted")),
        "method": lambda c: known(c, "method") or "-",
        "diverged": _diverged,
        "evaluation error": lambda c: number(known(c, "evaluation_error")),
        "over documents": _bootstrap,
        "setting": lambda c: setting_words(arms[c.arm].get("tuning")),
        "residual": lambda c: _residual(arms[c.arm].get("matched")),
    }
    contrasts = comparison.contrasts
    always = {"verdict", "difference", "interval", "n"}
    return {
        title: words
        for title, words in columns.items()
        if title in always or any(words(contrast) != "-" for contrast in contrasts)
    }


def known(contrast: Contrast, field: str) -> Any:
    """Return a field of a contrast, None where it has none."""
    return getattr(contrast, field, None)


def p_words(p: float | None) -> str:
    """Write a probability to two digits, and none below a thousandth."""
    if p is None:
        return "-"
    return "<0.001" if p < 0.001 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def _diverged(contrast: Contrast) -> str:
    counts = known(contrast, "diverged")
    if not counts or not (counts.k_arm or counts.k_base):
        return "-"
    return f"{counts.k_arm}/{counts.n_arm} against {counts.k_base}/{counts.n_base}"


def _bootstrap(contrast: Contrast) -> str:
    interval = known(contrast, "bootstrap")
    return f"{interval[0]:+.4f} to {interval[1]:+.4f}" if interval else "-"


def _residual(matched: Mapping[str, Any] | None) -> str:
    residual = (matched or {}).get("residual")
    return "-" if residual is None else signed_percent(residual)
