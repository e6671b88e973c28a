"""What a number of seeds can show: power, the smallest detectable difference, seeds needed."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from harness.analysis.statistics.blocks import share_of_seeds
from harness.analysis.statistics.critical import Contrasts, moderated, reference
from harness.analysis.statistics.intervals import LEAST_PAIRS

POWER = 0.8
MOST_SEEDS = 200
_SIMULATED = 12
"""Seeds up to which the reference distribution is simulated; beyond, it is continued."""


@dataclass(frozen=True)
class Question:
    """A contrast of a family, and how noisy its family is."""

    contrasts: Contrasts
    index: int
    """Which of the contrasts."""
    sds: tuple[float, ...]
    """Of the paired differences, of every contrast."""
    alpha: float
    evaluation_error: float = 0.0
    documents: int = 2

    def power(self, effect: float, n: int) -> float:
        """Return the probability that n seeds show a true difference, in its direction."""
        truth = self.sds[self.index] / math.sqrt(n)
        drawn = float(moderated(np.square(self.sds))[self.index]) / n
        share = float(share_of_seeds(drawn, self.evaluation_error**2, n - 1, self.documents))
        found = reference(self.contrasts, min(n, _SIMULATED))
        nearer = (found.n - 1) / (n - 1)  # to known variances, from where the reference ends
        draws = 1 + (found.variances - 1) * math.sqrt(nearer)
        of_seeds = moderated(draws * np.square(self.sds))[:, self.index] / n
        critical = float(found.critical(self.alpha, share * nearer))
        bound = critical * np.sqrt(of_seeds + self.evaluation_error**2)
        whole = math.hypot(truth, self.evaluation_error)
        if whole == 0:
            return float(effect != 0)
        return float(special.ndtr((abs(effect) - bound) / whole).mean())

    def smallest_detectable(self, n: int) -> float | None:
        """Return the true difference that n seeds show with power 0.8; None below two seeds."""
        largest = 1e4 * math.hypot(self.sds[self.index], self.evaluation_error)
        if n < 2 or not largest:
            return None if n < 2 else 0.0
        found = optimize.brentq(lambda effect: self.power(effect, n) - POWER, 0.0, largest)
        return float(found)

    def seeds_needed(self, effect: float) -> int | None:
        """Return the least number of seeds that show `effect` with power 0.8; None over 200."""
        if not effect or self.power(effect, MOST_SEEDS) < POWER:
            return None
        fewest, enough = LEAST_PAIRS - 1, MOST_SEEDS
        while enough - fewest > 1:
            middle = (fewest + enough) // 2
            if self.power(effect, middle) < POWER:
                fewest = middle
            else:
                enough = middle
        return enough
