"""How far the verdicts reach, and how to get them again."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from harness.analysis.effects.holds import Under
from harness.analysis.units import count
from harness.analysis.verdicts.compare import Comparison
from harness.quantities import format_count, format_duration
from harness.report.document import Code, Facts, Paragraph, Section
from harness.report.words import listed
from harness.store.status import Status
from harness.store.tables import Plan


def scope(plan: Plan, comparison: Comparison, others: Sequence[Under]) -> Section:
    """Say in a sentence what the verdicts are about."""
    return Section("How far this reaches", [Paragraph(scope_sentence(plan, comparison, others))])


def scope_sentence(plan: Plan, comparison: Comparison, others: Sequence[Under]) -> str:
    """Bound scale, corpus and regime; `others` are the conditions that have been run."""
    arms = [arm for arm in plan["arms"].values() if "train" in arm]
    params = _range(arm.params for arm in comparison.arms)
    what = f"These verdicts are about models of {params} parameters"
    if arms:
        budgets = listed(dict.fromkeys(_budget(arm["train"]["budget"]) for arm in arms))
        lengths = listed(dict.fromkeys(str(arm["train"]["seq_len"]) for arm in arms))
        corpora = listed(dict.fromkeys(_corpus(arm["data"]) for arm in arms))
        what += f", trained on {budgets} of {corpora} in sequences of {lengths} tokens"
    seen = [arm.tokens_per_param for arm in comparison.arms]
    known = [ratio for ratio in seen if ratio]
    if known:
        what += f" ({min(known):.2g} tokens for each parameter)"
    elsewhere = [f"{one.kind} {one.name}" for one in others if one.kind in ("budget", "scale")]
    if elsewhere:
        return f"{what}; the question was also asked at {listed(elsewhere)}: beyond, it is a guess."
    return f"{what}, at one size and one budget: of others they are a guess."


def reproduce(plan: Plan, runs: pd.DataFrame) -> Section:
    """Give the commands, and what the stored runs were made on."""
    commit = (plan.get("stamped") or {}).get("commit")
    file = shlex.quote(plan.get("file") or "FILE")
    clean = (commit or "").removesuffix("-dirty")
    lines = [f"git checkout {clean}"] * bool(clean)
    if commit != clean and commit:
        lines[0] += "  # and changes that were not committed"
    lines += ["pip install -e .", f"ablate run {file}", f"ablate report {plan['name']}"]
    done = runs[runs["status"] == Status.DONE]
    environments = sorted(done["environment"].dropna().unique())
    spent = _spent(runs)
    facts = [("environment", listed(environments) or "no run is done"), *spent]
    return Section("How to repeat it", [Code("\n".join(lines)), Facts(facts)])


def _spent(runs: pd.DataFrame) -> list[tuple[str, str]]:
    trained = runs.drop_duplicates("run_id")
    found = []
    for purpose, ours in trained.groupby("purpose", sort=True):
        flops, seconds = (float(ours[name].sum()) for name in ("flops", "seconds"))
        work = f"{count(flops)} FLOPs, {format_duration(seconds)} of one process"
        cost = f"{len(ours)} trainings, {work}"
        found.append((f"spent on {purpose} runs", cost))
    return found


def _range(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "an unknown number of"
    return " to ".join(dict.fromkeys(format_count(v) for v in (min(known), max(known))))


def _budget(budget: Mapping[str, float]) -> str:
    ((unit, amount),) = budget.items()
    return f"{format_count(amount)} {'FLOPs' if unit == 'flops' else unit}"


def _corpus(data: Mapping[str, Any]) -> str:
    tokenizer = data.get("tokenizer") or {}
    size = f" of {tokenizer['vocab_size']} tokens" if tokenizer.get("vocab_size") else ""
    by = f" by the {tokenizer['name']} tokenizer{size}" if "name" in tokenizer else ""
    return f"the corpus {data['corpus']['name']}{by}"
