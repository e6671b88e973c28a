"""A comparison as data: a table for `summary.csv`, a dictionary for `--json`."""

from dataclasses import asdict
from typing import Any

import pandas as pd

from harness.analysis.verdicts.compare import Comparison
from harness.analysis.verdicts.contrasts import Contrast
from harness.analysis.words.sentences import sentence
from harness.store.tables import Plan

_OF_CONTRAST = [name for name in Contrast.__dataclass_fields__ if name != "arm"]


def summary_frame(comparison: Comparison) -> pd.DataFrame:
    """Return a row for each arm and contrast of it; the contrast's columns say so.

    An arm in no contrast has one row.
    """
    arms = pd.DataFrame([asdict(arm) for arm in comparison.arms])
    arms.insert(1, "metric", comparison.metric)
    contrasts = pd.DataFrame(
        [_in_cells(contrast) for contrast in comparison.contrasts], columns=["arm", *_OF_CONTRAST]
    )
    titles = {name: f"contrast_{name}" for name in _OF_CONTRAST}
    table = arms.merge(contrasts.rename(columns=titles), on="arm", how="left")
    counts = ("n", "family_size", "seeds_needed", "runs_needed", "tokens_needed")
    return table.astype({f"contrast_{name}": "Int64" for name in counts})


def _plain(contrast: Contrast) -> dict[str, Any]:
    """Return a contrast as JSON has it."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(contrast).items()}


def _in_cells(contrast: Contrast) -> dict[str, Any]:
    """Return a contrast with one value for each column."""
    found = contrast.diverged
    counts = found and (
        f"{found.k_arm}/{found.n_arm} and {found.k_base}/{found.n_base}, p = {found.p:.2g}"
    )
    ends = contrast.bootstrap and " to ".join(f"{end:+.6g}" for end in contrast.bootstrap)
    labels = "; ".join(contrast.labels)
    return {**asdict(contrast), "diverged": counts, "bootstrap": ends, "labels": labels}


def comparison_dict(comparison: Comparison, plan: Plan) -> dict[str, Any]:
    """Return the comparison and its sentences as plain data for JSON."""
    sentences = [sentence(contrast, plan) for contrast in comparison.contrasts]
    contrasts = [
        {**_plain(contrast), "verdict": str(contrast.verdict), "sentence": words}
        for contrast, words in zip(comparison.contrasts, sentences, strict=True)
    ]
    return {
        "experiment": plan["name"],
        "question": plan["question"],
        "metric": comparison.metric,
        "held_equal": plan["held_equal"],
        "differs": plan["differs"],
        "arms": [asdict(arm) for arm in comparison.arms],
        "contrasts": contrasts,
        "evaluations": {
            metric: {arm: asdict(mean) for arm, mean in by_arm.items()}
            for metric, by_arm in comparison.evaluations.items()
        },
        "margin": asdict(comparison.margin) if comparison.margin else None,
        "notes": comparison.notes,
    }
