"""What a study cost, and what it saved by giving up early."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Spent:
    """Training FLOPs and seconds of all trials, also of those that came to nothing."""

    flops: float
    seconds: float
    saved_flops: float
    """What pruned trials would have cost from where they stopped to their end."""
    full_trainings: float
    """The same work in trainings to the end."""

    @property
    def share(self) -> float | None:
        """The part of the work that was done, of what it takes to train every trial to its end."""
        whole = self.flops + self.saved_flops
        return self.flops / whole if whole else None


def spent(trials: pd.DataFrame) -> Spent:
    """Sum up what was spent; a pruned trial's full budget follows from its fraction.

    A trial that failed or diverged counts in full trainings by its FLOPs, against the median of
    trials whose full budget is known.
    """
    flops = trials["flops"].fillna(0.0)
    fraction = trials["rung"].where(trials["rung"] > 0)
    fraction = fraction.mask(trials["status"] == "done", 1.0)
    lost = trials["status"].isin(["failed", "diverged"])
    full = (flops / fraction).where(~lost & (flops > 0))
    pruned = trials["status"] == "pruned"
    typical = full.median()
    by_flops = flops / typical if typical > 0 else 0.0 * flops
    trainings = fraction.mask(lost, by_flops).where(flops > 0, 0.0)
    return Spent(
        flops=float(flops.sum()),
        seconds=float(trials["seconds"].sum()),
        saved_flops=float((full - flops)[pruned].sum()),
        full_trainings=float(trainings.sum()),
    )
