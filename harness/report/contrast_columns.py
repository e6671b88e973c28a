"""The columns of the verdict table: each says one thing of a contrast, in words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.analysis.effects.multiplier import Multiplier
from harness.analysis.units import decimals_for
from harness.analysis.verdicts.compare import Comparison
from harness.analysis.verdicts.contrasts import Contrast
from harness.analysis.verdicts.costs import signed_percent
from harness.analysis.words.numbers import difference_words, interval_words, narrow_words, p_words
from harness.report.trade import multiplier_words
from harness.report.words import number, setting_words
from harness.store.tables import Plan

Words = Callable[[Contrast], str]
_ALWAYS = {"verdict", "difference", "interval", "n"}
CLAIM = {*_ALWAYS, "adjusted p", "margin", "narrow interval", "diverged"}
"""What is claimed; the other columns are what it rests on."""


def contrast_columns(
    plan: Plan, comparison: Comparison, multipliers: Sequence[Multiplier] = ()
) -> dict[str, Words]:
    """Return what to say of each contrast; a column that would be empty is left out."""
    arms: Mapping[str, Any] = plan["arms"]
    columns: dict[str, Words] = {
        "verdict": lambda c: str(c.verdict),
        "difference": difference_words,
        "interval": interval_words,
        "adjusted p": p_words,
        "n": lambda c: str(c.n),
        "sd": lambda c: number(c.sd),
        "rho": lambda c: "-" if c.rho is None else f"{c.rho:.2f}",
        "detectable": lambda c: number(c.detectable),
        "margin": lambda c: number(c.margin),
        "narrow interval": lambda c: narrow_words(c) if c.margin else "-",
        "diverged": _diverged,
        "seed error": lambda c: number(c.seed_error),
        "evaluation error": lambda c: number(c.evaluation_error),
        "over seeds and documents": _bootstrap,
        "setting": lambda c: setting_words(arms[c.arm].get("tuning")),
        "residual": lambda c: _residual(arms[c.arm].get("matched")),
        "times less compute": lambda c: multiplier_words(multipliers, c.arm, c.baseline),
    }
    return {
        title: words
        for title, words in columns.items()
        if title in _ALWAYS or any(words(contrast) != "-" for contrast in comparison.contrasts)
    }


def _diverged(contrast: Contrast) -> str:
    found = contrast.diverged
    if found is None:
        return "-"
    return f"{found.k_arm}/{found.n_arm} against {found.k_base}/{found.n_base}"


def _bootstrap(contrast: Contrast) -> str:
    if contrast.bootstrap is None:
        return "-"
    low, high = contrast.bootstrap
    decimals = decimals_for(low, high)
    return f"{low:+.{decimals}f} to {high:+.{decimals}f}"


def _residual(matched: Mapping[str, Any] | None) -> str:
    residual = (matched or {}).get("residual")
    return "-" if residual is None else signed_percent(residual)
