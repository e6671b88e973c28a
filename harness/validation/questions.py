"""Experiments whose answers are known from elsewhere; each says in its file what it expects."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.analysis.statistics.verdict import Verdict
from harness.analysis.verdicts.contrasts import Contrast
from harness.analysis.words.numbers import difference_words, interval_words
from harness.experiments.running.run import Outcome as Answer
from harness.validation.finding import Finding, Outcome

FOLDER = Path("experiments/validation")


@dataclass(frozen=True)
class Known:
    """A file of `experiments/validation`, and why its answer is known."""

    name: str
    sources: dict[str, str]
    """By contrast."""
    refused: bool = False
    """Whether no verdict is what is expected."""

    @property
    def file(self) -> Path:
        """Where it is asked."""
        return FOLDER / f"{self.name}.yaml"


POSITIONS = "Haviv et al. 2022, arXiv:2203.16634 (none); Su et al. 2021, arXiv:2104.09864 (learned)"
KNOWN = (
    Known("positions", {"none": POSITIONS, "learned": POSITIONS}),
    Known("norms", {"primary": "Zhang and Sennrich 2019, arXiv:1910.07467"}),
    Known("recall", {"primary": "Arora et al. 2023, arXiv:2312.04927"}),
    Known("rate", {"primary": "a rate at the edge of what was tried says nothing"}, refused=True),
)


def findings(known: Known, answer: Answer) -> Iterator[Finding]:
    """Hold every contrast of a file against what is expected of it."""
    plan = answer.plan.record
    for contrast in answer.comparison.contrasts:
        expected = Verdict.REFUSED if known.refused else plan["expect"][contrast.name]
        difference = f"{difference_words(contrast)} ({interval_words(contrast)})"
        yield Finding(
            name=known.name,
            question=plan["question"],
            expected=f"{contrast.arm} {_than(expected)} {contrast.baseline}",
            source=known.sources[contrast.name],
            found=f"{contrast.verdict}: {difference} {plan['metric']}",
            outcome=outcome(contrast, expected),
        )


def _than(expected: str) -> str:
    match expected:
        case Verdict.EQUAL:
            return "practically equal to"
        case Verdict.REFUSED:
            return "refused against"
    return f"{expected} than"


def outcome(contrast: Contrast, expected: str) -> Outcome:
    """Say whether a contrast came out as expected; only what it resolves can contradict."""
    if contrast.verdict == expected:
        return Outcome.AS_EXPECTED
    if expected == Verdict.REFUSED:
        return Outcome.OPPOSITE  # a verdict where none should be given
    if contrast.verdict in (Verdict.NOT_RESOLVED, Verdict.REFUSED):
        return Outcome.NOT_RESOLVED
    if expected == Verdict.EQUAL:
        return _beyond_margin(contrast)
    if contrast.verdict in (Verdict.EQUAL, Verdict.TRIVIAL):
        return Outcome.NOT_RESOLVED
    return Outcome.OPPOSITE


def _beyond_margin(contrast: Contrast) -> Outcome:
    if contrast.verdict is Verdict.TRIVIAL:
        return Outcome.AS_EXPECTED
    assert contrast.low is not None and contrast.high is not None  # it was judged
    margin = contrast.margin or 0.0
    apart = contrast.low > margin or contrast.high < -margin
    return Outcome.OPPOSITE if apart else Outcome.NOT_RESOLVED
