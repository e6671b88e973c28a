"""What an interval allows to be claimed, and when nothing may be."""

from enum import StrEnum

from harness.errors import AblateError, unknown

METRICS_TO_MAXIMISE = frozenset({"val_accuracy"})
METRICS_TO_MINIMISE = frozenset({"train_loss", "val_loss", "val_bpb", "val_perplexity"})
Interval = tuple[float, float]


class Verdict(StrEnum):
    """What may be claimed of an arm against another."""

    BETTER = "better"
    WORSE = "worse"
    EQUAL = "practically equal"
    TRIVIAL = "trivial"
    NOT_RESOLVED = "not resolved"
    REFUSED = "refused"


def judge(
    interval: Interval,
    *,
    metric: str,
    margin: float | None = None,
    narrow: Interval = (-float("inf"), float("inf")),
    maximise: bool | None = None,
) -> Verdict:
    """Judge a difference (arm minus baseline) by its printed intervals, and by nothing else.

    Args:
        interval: It excludes 0, or there is no direction.
        metric: What was measured.
        margin: The largest difference that makes none in practice.
        narrow: It lies within the margin, or the arms are not shown to be equal. Its level is
            `1 - 2 alpha` where that of the other is `1 - alpha`: two one-sided tests at alpha
            (D. J. Schuirmann, J. Pharmacokinet. Biopharm. 15 (1987) 657-680).
        maximise: Which direction is better; None leaves that to what is known of the metric.

    Raises:
        AblateError: it is not known whether `metric` should be high or low.
    """
    rising = is_maximised(metric) if maximise is None else maximise
    low, high = interval
    is_small = margin is not None and max(-narrow[0], narrow[1]) < margin
    if low <= 0 <= high:
        return Verdict.EQUAL if is_small else Verdict.NOT_RESOLVED
    if is_small:
        return Verdict.TRIVIAL
    return Verdict.BETTER if (low > 0) == rising else Verdict.WORSE


def is_maximised(metric: str) -> bool:
    """Whether more of a metric is better; of a set it is written `SET/METRIC`.

    Raises:
        AblateError: it is not known.
    """
    known, kind = METRICS_TO_MAXIMISE | METRICS_TO_MINIMISE, metric.rpartition("/")[2]
    if kind not in known:
        raise AblateError(unknown("metric", metric, known))
    return kind in METRICS_TO_MAXIMISE
