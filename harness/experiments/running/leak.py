"""Whether an arm looks ahead: asked of the weights it has trained, on held-out text."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from rich.console import Console
from torch import Tensor

from harness.analysis.verdicts.compare import suspicious
from harness.core.causality import WITHOUT_CACHE, Leak, find_leak, lively
from harness.core.model import LanguageModel
from harness.data.config import DataConfig
from harness.data.dataset import load_dataset
from harness.experiments.planning.planned import ExperimentPlan
from harness.experiments.running.run import Outcome
from harness.experiments.running.run_model import load_weights
from harness.experiments.running.tables import refresh_tables
from harness.store.errors import StoreError
from harness.store.experiments import ExperimentStore
from harness.store.runs import RunStore
from harness.store.tables import attempt_of

ROWS, LONGEST = 4, 128


@dataclass(frozen=True)
class LeakReport:
    """What a leak test of an arm has found, and on what."""

    arm: str
    leak: Leak | None
    weights: str
    """Whose they were: `of seed 3`, or `drawn at random`."""
    n_rows: int
    n_tokens: int
    """In a row."""
    positions: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what the plan keeps of it."""
        found = None if self.leak is None else str(self.leak)
        return {"found": found, "tested": self.tested}

    @property
    def tested(self) -> str:
        """On what it was tested."""
        text = f"{self.n_rows} x {self.n_tokens} held-out tokens"
        where = ", ".join(map(str, self.positions))
        return f"weights {self.weights}, {text}, later ones changed from {where} on"

    def __str__(self) -> str:
        if self.leak is None:
            return f"leak test of {self.arm}: no output depends on a later token ({self.tested})"
        return f"leak test of {self.arm}: {self.leak} ({self.tested})"


def leak_report(plan: ExperimentPlan, arm: str, runs: RunStore) -> LeakReport:
    """Test an arm with the weights of its first finished run that has some, else with random ones.

    A model that has learned to use what it should not see shows it in trained weights; random ones
    find it where the components let it through at all.
    """
    planned = plan.arms[arm]
    spec, data = planned.matched.spec, planned.arm.data
    tokens = _held_out(data, min(planned.arm.train.seq_len, LONGEST))
    model, weights = _trained(plan, arm, runs) or (lively(LanguageModel(spec)), "drawn at random")
    n_rows, length = tokens.shape
    positions = tuple(sorted({1, length // 4, length // 2, length - 1} - {0}))
    leak = find_leak(model, tokens, positions, forms=WITHOUT_CACHE)
    return LeakReport(arm, leak, weights, n_rows, length, positions)


def look_for_leaks(
    outcome: Outcome, runs: RunStore, experiments: ExperimentStore, console: Console
) -> Outcome:
    """Test the arms of every contrast that is too good to be shown before that.

    What is found is said, and kept in the plan: a verdict on an arm that looks ahead is refused.
    """
    pairs = [(contrast.arm, contrast.baseline) for contrast in suspicious(outcome.comparison)]
    arms = dict.fromkeys(arm for pair in pairs for arm in pair)
    if not arms:
        return outcome
    record = outcome.plan.record
    for arm in arms:
        report = leak_report(outcome.plan, arm, runs)
        console.print(str(report), highlight=False, markup=False, soft_wrap=True)
        record["arms"][arm]["leak"] = report.to_dict()
    experiments.write_plan(record)
    return replace(outcome, comparison=refresh_tables(record, runs, experiments))


def _trained(plan: ExperimentPlan, arm: str, runs: RunStore) -> tuple[LanguageModel, str] | None:
    """Return the model of a finished run of an arm; corrupt weights are no reason to go without."""
    for planned in plan.record["runs"]:
        attempt = attempt_of(planned, runs) if planned["arm"] == arm else None
        if attempt is None:
            continue
        model = LanguageModel(plan.arms[arm].matched.spec)
        try:
            load_weights(model, attempt)
        except StoreError:
            continue
        return model, f"of seed {planned['seed']}"
    return None


def _held_out(data: DataConfig, length: int) -> Int[Tensor, "B T"]:
    """Return rows of held-out text, documents one after the other; fewer if there is less."""
    documents = [document.tokens for document in load_dataset(data).held_out]
    stream = np.concatenate(documents).astype(np.int64)
    n_rows = max(min(len(stream) // length, ROWS), 1)
    return torch.from_numpy(stream[: n_rows * length]).view(n_rows, -1)
