"""Plant faults in how verdicts are reached, and see that tests catch each.

python tests/analysis/mutations.py          every fault; exit code 1 if one survives
python tests/analysis/mutations.py margin   those whose name contains a word
"""

# ruff: noqa: E501 - a table of texts reads better unbroken

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from planting import Mutation, plant

AT, TESTS = "harness/analysis/", "tests/analysis/"
PLANNED, PLANS = "harness/experiments/", "tests/experiments/"


def of(name: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(name, file, ((old, new),), tests)


MUTATIONS = (
    # intervals
    of("one degree of freedom too many", AT + "statistics/critical.py", "special.stdtrit(n - 1, tail)", "special.stdtrit(n, tail)", TESTS + "test_critical.py"),
    of("contrasts are judged one by one", AT + "statistics/critical.py", "_critical_values(seeds.max(axis=1), rank)", "_critical_values(seeds[:, 0], rank)", TESTS + "test_critical.py"),
    of("variances are pooled", AT + "statistics/critical.py", "BORROWED = 1 / 3", "BORROWED = 1.0", TESTS + "test_simulations.py", TESTS + "test_blocks.py"),
    of("seeds are not paired", AT + "statistics/blocks.py", "variance = within[..., :known_from].var(axis=-1, ddof=1)", "variance = (np.square(contrasts) @ values.var(axis=-1, ddof=1)[..., None])[..., 0]", TESTS + "test_blocks.py", TESTS + "test_compare.py"),
    of("the error is that of one seed", AT + "statistics/blocks.py", "moderated(variance / scale) * scale / n", "moderated(variance / scale) * scale", TESTS + "test_blocks.py"),
    of("documents are left out", AT + "statistics/blocks.py", "return np.hypot(self.seed_error, self.evaluation_error)", "return self.seed_error", TESTS + "test_blocks.py", TESTS + "test_simulations.py"),
    of("documents and seeds are one error", AT + "verdicts/evaluation.py", "np.maximum(between - within, 0.0)", "between", TESTS + "test_document_error.py"),
    of("a small document counts as a large one", AT + "verdicts/evaluation.py", "weight = np.where(n_bytes.all(), n_bytes, 1.0)", "weight = np.ones_like(n_bytes)", TESTS + "test_document_error.py"),
    # verdicts
    of("the direction is turned round", AT + "statistics/verdict.py", "if (low > 0) == rising else", "if (low > 0) != rising else", TESTS + "test_verdict.py"),
    of("an interval from 0 is resolved", AT + "statistics/verdict.py", "if low <= 0 <= high:", "if low < 0 < high:", TESTS + "test_verdict.py"),
    of("not resolved is equal", AT + "statistics/verdict.py", "return Verdict.EQUAL if is_small else Verdict.NOT_RESOLVED", "return Verdict.EQUAL", TESTS + "test_verdict.py"),
    of("equality is by the mean", AT + "statistics/verdict.py", "max(-narrow[0], narrow[1]) < margin", "abs(narrow[0] + narrow[1]) / 2 < margin", TESTS + "test_verdict.py"),
    of("half the budget is all of it", AT + "verdicts/margin.py", "slopes = gained / -np.log(", "slopes = gained / (1 + 0 * ", TESTS + "test_margin.py"),
    of("three pairs are enough", AT + "statistics/intervals.py", "LEAST_PAIRS = 4", "LEAST_PAIRS = 3", TESTS + "test_compare.py", TESTS + "test_power.py"),
    of("the edge is no objection", AT + "verdicts/pairing.py", "if why := tuning_objection(plan, arm):", "if False:", TESTS + "test_compare.py", PLANS + "test_tuned_arms.py"),
    of("missing runs are no objection", AT + "verdicts/pairing.py", "if missing := lacking(plan, ours, arm):", "if False:", TESTS + "test_compare.py"),
    of("environments are pooled", AT + "verdicts/pairing.py", "if len(environments) > 1:", "if False:", TESTS + "test_compare.py"),
    of("other documents are no objection", AT + "verdicts/pairing.py", "if _scored_differently(plan, documents, pair):", "if False:", TESTS + "test_compare.py", TESTS + "test_document_error.py"),
    of("a leak is no objection", AT + "verdicts/pairing.py", 'if leak := (plan["arms"][arm].get("leak") or {}).get("found"):', "if False:", PLANS + "test_leak.py"),
    of("divergence is one-sided", AT + "verdicts/divergence.py", "sum(c for c in chances.values() if c <= seen)", "chances[k]", TESTS + "test_divergence.py"),
    # tuning
    of("the parabola is in the setting itself", AT + "statistics/values.py", "vertex = _vertex(np.log(used), means)", "vertex = _vertex(np.array(used), means)", TESTS + "test_values.py"),
    of("an arm is read at its best setting", AT + "statistics/values.py", "optimum = float(np.exp(min(max(vertex, low), high)))", "pass", TESTS + "test_values.py"),
    of("tuning runs answer the question", AT + "statistics/values.py", 'return runs[runs["purpose"] == "report"] if', "return runs if", TESTS + "test_values.py", PLANS + "test_tuned_arms.py"),
    of("the grid does not grow", PLANNED + "planning/tuning.py", "if lowest < best < highest or not left:", "if True:", PLANS + "test_tuned_arms.py"),
    of("the worst setting is chosen", PLANNED + "planning/tuning.py", "best = min(known, key=", "best = max(known, key=", PLANS + "test_tuned_arms.py"),
    of("an edge is passed over", PLANNED + "planning/tuning.py", "edge = at(best) if best in (lowest, highest) else None", "edge = None", PLANS + "test_tuned_arms.py"),
    of("settings are chosen by the report", PLANNED + "planning/stages.py", "return \"val_loss\" if kind == \"val_bpb\" and not has_bytes else kind", "return resolved.experiment.analysis.metric", PLANS + "test_tuned_arms.py"),
    # seeds
    of("a pilot is looked at again", AT + "statistics/two_stage.py", 'pilot = plan["seeds"][: rule["pilot"]]', 'pilot = plan["seeds"]', TESTS + "test_two_stage.py"),
    of("all seeds have a say in the variance", AT + "statistics/blocks.py", "known_from = pilot or n", "known_from = n", TESTS + "test_two_stage.py", TESTS + "test_blocks.py"),
    of("a few pairs are counted on", AT + "verdicts/history.py", "LEAST_PAIRS_FOR_RHO = 20", "LEAST_PAIRS_FOR_RHO = 2", TESTS + "test_history.py"),
    # conditions, effects, multipliers
    of("the multiplier is turned round", AT + "effects/multiplier.py", "_losses_at(whole / grid, compute, losses)", "_losses_at(whole * grid, compute, losses)", TESTS + "test_multiplier.py"),
    of("what is not resolved dominates", AT + "effects/pareto.py", "if difference + width < 0:", "if difference < 0:", TESTS + "test_pareto.py"),
    of("a change of sign is no change", AT + "verdicts/residuals.py", "math.log1p(residual)", "residual * 0", TESTS + "test_residuals.py"),
)  # fmt: skip


def main(words: list[str]) -> int:
    """Run every chosen mutation; print each verdict and the count."""
    chosen = [m for m in MUTATIONS if not words or any(w in m.name for w in words)]
    return plant(chosen, check_source=not words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
