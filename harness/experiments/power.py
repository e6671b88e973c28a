"""What a plan's seeds can resolve, told before anything is trained."""

from harness.analysis.compare import compare
from harness.analysis.families import families
from harness.analysis.intervals import LEAST_PAIRS, seeds_needed, sidak_level, smallest_detectable
from harness.experiments.planned import ExperimentPlan
from harness.store.experiments import ExperimentTables


def resolution(plan: ExperimentPlan, earlier: ExperimentTables | None) -> list[str]:
    """Say, for each family of contrasts, the smallest difference that the seeds would show.

    Args:
        plan: What is about to be run.
        earlier: This experiment as it is in the store, for the spread between seeds; or None.
    """
    n, alpha = len(plan.record["seeds"]), plan.record["alpha"]
    if n < LEAST_PAIRS:
        return [f"{n} seeds give no verdict: plan at least {LEAST_PAIRS}"]
    spread = _spread(plan, earlier)
    lines = []
    for family in families(plan.record):
        level = sidak_level(1 - alpha, len(family.pairs))
        in_sd = smallest_detectable(n, 1.0, level)
        assert in_sd is not None  # n is at least LEAST_PAIRS
        lines.append(
            f"{family.name}: {n} seeds show (power 0.8) a difference of {in_sd:.2f} standard "
            "deviations of the paired difference"
        )
        for pair in family.pairs:
            if (pair.arm, pair.baseline) not in spread:
                continue
            sd, seen = spread[pair.arm, pair.baseline]
            found = (
                f"  {pair.arm} - {pair.baseline}: that is {in_sd * sd:.4f} {plan.record['metric']}"
            )
            needed = seeds_needed(seen, sd, level)
            if needed is None or needed > n:
                many = "more than 200" if needed is None else str(needed)
                found += f"; one of the size seen so far ({seen:+.4f}) takes {many} seeds"
            lines.append(found)
    if not spread:
        lines.append("  (how much that is will be known after the first runs)")
    return lines


def _spread(
    plan: ExperimentPlan, earlier: ExperimentTables | None
) -> dict[tuple[str, str], tuple[float, float]]:
    """Return sd and mean of the paired differences that are already in the store."""
    if earlier is None or earlier.plan["metric"] != plan.record["metric"]:
        return {}
    return {
        (c.arm, c.baseline): (c.sd, c.difference)
        for c in compare(earlier.plan, earlier.runs).contrasts
        if c.sd and c.difference is not None
    }
