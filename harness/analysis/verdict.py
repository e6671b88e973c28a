"""What an interval allows to be claimed, and when nothing may be."""

from enum import StrEnum

from harness.errors import AblateError, unknown

METRICS_TO_MAXIMISE = frozenset({"val_accuracy"})
METRICS_TO_MINIMISE = frozenset({"train_loss", "val_loss", "val_bpb", "val_perplexity"})


class Verdict(StrEnum):
    """What may be claimed of an arm against another."""

    BETTER = "better"
    WORSE = "worse"
    NOT_RESOLVED = "not resolved"
    REFUSED = "refused"


def judge(low: float, high: float, *, metric: str, maximise: bool | None = None) -> Verdict:
    """Judge a difference (arm minus baseline) by its interval, and by nothing else.

    `maximise` says which direction is better; None leaves that to what is known of the metric.

    Raises:
        AblateError: it is not known whether `metric` should be high or low.
    """
    if maximise is None:
        maximise = is_maximised(metric)
    if low <= 0 <= high:
        return Verdict.NOT_RESOLVED
    return Verdict.BETTER if (low > 0) == maximise else Verdict.WORSE


def is_maximised(metric: str) -> bool:
    """Whether more of a metric is better; of a set it is written `SET/METRIC`.

    Raises:
        AblateError: it is not known.
    """
    known, kind = METRICS_TO_MAXIMISE | METRICS_TO_MINIMISE, metric.rpartition("/")[2]
    if kind not in known:
        raise AblateError(unknown("metric", metric, known))
    return kind in METRICS_TO_MAXIMISE
