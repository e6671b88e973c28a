"""What a plan's seeds can resolve, told before anything is trained."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from harness.analysis.statistics.families import Family, families
from harness.analysis.statistics.intervals import LEAST_PAIRS
from harness.analysis.statistics.power import MOST_SEEDS, POWER, Question
from harness.analysis.units import percent
from harness.analysis.verdicts.history import LEAST_PAIRS_FOR_RHO, History


def resolution(record: dict[str, Any], history: History) -> list[str]:
    """Say, for each family of contrasts, the smallest difference that the seeds would show.

    Args:
        record: The `plan.json` of what is about to be run.
        history: What the store says about seeds.
    """
    n = len(record["seeds"])
    if n < LEAST_PAIRS:
        return [f"{n} seeds give no verdict: plan at least {LEAST_PAIRS}"]
    return [
        *_noise(record, history),
        *(line for family in families(record) for line in _of_family(record, history, family)),
    ]


def questions(record: dict[str, Any], history: History, family: Family) -> list[Question]:
    """Return what each contrast of a family asks, were the noise as the store says.

    Its unit is the sd of the paired difference while the store says nothing.
    """
    usual = history.paired_sd or 1.0
    known = [history.earlier.get((pair.arm, pair.baseline)) for pair in family.pairs]
    trusted = [c is not None and c.sd and c.n >= LEAST_PAIRS_FOR_RHO for c in known]
    sds = tuple(
        float(c.sd) if c and c.sd and counts else usual
        for c, counts in zip(known, trusted, strict=True)
    )
    first = Question(family.contrasts, 0, sds, record["alpha"])
    return [replace(first, index=index) for index in range(len(family.pairs))]


def _noise(record: dict[str, Any], history: History) -> Iterator[str]:
    if history.seed_sd is None:
        yield "noise: not known before the first runs"
        return
    spread = f"seeds differ by {history.seed_sd:.2g} {record['metric']} ({history.n_runs} runs)"
    if history.n_pairs >= LEAST_PAIRS_FOR_RHO:
        yield f"noise: {spread}, arms correlate by {history.rho:.2f} ({history.n_pairs} pairs)"
    else:
        least = f"of {history.n_pairs} pairs, and {LEAST_PAIRS_FOR_RHO} would be needed to tell"
        yield f"noise: {spread}, arms taken as uncorrelated ({least})"


def _of_family(record: dict[str, Any], history: History, family: Family) -> Iterator[str]:
    n, metric = len(record["seeds"]), record["metric"]
    asked = questions(record, history, family)
    sizes = [question.smallest_detectable(n) or 0.0 for question in asked]
    in_sd = max(
        size / question.sds[question.index] for size, question in zip(sizes, asked, strict=True)
    )
    amount = f"{in_sd:.2f} standard deviations of the paired difference"
    if history.seed_sd is not None:
        amount = f"{max(sizes):.2g} {metric}, {amount}"
    yield f"{family.name}: {n} seeds show (power {POWER}) a difference of {amount}"
    if history.seed_sd is None:
        return
    margin = history.margin if record.get("practical") == "auto" else record.get("practical")
    if margin:
        yield from _of_margin(float(margin), asked, n)
    for pair, question in zip(family.pairs, asked, strict=True):
        seen = history.earlier.get((pair.arm, pair.baseline))
        if seen is None or not seen.difference:
            continue
        needed = question.seeds_needed(seen.difference)
        if needed is None or needed > n:
            size = f"a difference of the size seen so far ({seen.difference:+.2g})"
            yield f"  {pair.arm} - {pair.baseline}: {size} takes {_many(needed)} seeds"


def _of_margin(margin: float, asked: list[Question], n: int) -> Iterator[str]:
    """Say whether the seeds reach the margin."""
    worst = min(asked, key=lambda question: question.power(margin, n))
    chance = percent(round(worst.power(margin, n), 2))
    yield f"  a difference of the margin ({margin:.2g}) would be shown with probability {chance}"
    needed = worst.seeds_needed(margin)
    if needed is None or needed > n:
        yield f"  the seeds do not reach the margin: that takes {_many(needed)}"


def _many(seeds: int | None) -> str:
    return f"more than {MOST_SEEDS}" if seeds is None else str(seeds)
