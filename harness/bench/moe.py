"""`ablate bench moe`: a training step with mixtures of experts against transformers' Qwen3-MoE."""

from typing import Any

import torch
from rich.console import Console, Group, RenderableType

from harness.bench.reference import reference_of
from harness.bench.steps import our_step, reference_step
from harness.bench.timing import Step, interleaved, ratio, speeds
from harness.bench.view import figures, speed_table
from harness.bench.workload import Workload
from harness.core.model import LanguageModel

MIXTURE = "{name: moe, n_experts: 8, top_k: 2, d_ff: 384}"
# What transformers may compute experts by: by default, and as its own code is written.
IMPLEMENTATIONS = ("grouped_mm", "eager")
FIGURES = {
    "default_ratio": ("transformers with its default for experts / ours", "{:.2f} x"),
    "ratio": ("the faster one of transformers / ours", "{:.2f} x"),
}


def bench_mixture(workload: Workload, rounds: int, console: Console) -> dict[str, Any]:
    """Time eager steps (forward, backward, clipping, AdamW) of both models, in turn.

    Raises:
        AblateError: transformers is not installed.
        ConfigError: Qwen3 cannot express the variant.
    """
    torch.set_num_threads(workload.threads)
    tokens = workload.tokens(n_more=1)
    model = LanguageModel(workload.spec).initialize(0).to(workload.device)
    references = {f"transformers, {name}": reference_of(model) for name in IMPLEMENTATIONS}
    for reference, name in zip(references.values(), IMPLEMENTATIONS, strict=True):
        reference.set_experts_implementation(name)
    steps: dict[str, Step] = {
        "ours": our_step(model, tokens),
        **{name: reference_step(reference, tokens) for name, reference in references.items()},
    }
    console.print(f"timing {len(steps)} kinds of steps, {rounds} rounds each", highlight=False)
    times = interleaved(steps, rounds, workload.device)
    ours, *theirs = times.values()
    return {
        "workload": workload.to_dict(),
        **speeds(times, workload.batch_size * workload.seq_len),
        "default_ratio": ratio(theirs[0], ours),
        "ratio": ratio(min(theirs, key=lambda timing: timing.median), ours),
    }


def mixture_view(found: dict[str, Any]) -> RenderableType:
    """Draw what was found, with the figures that matter last."""
    title = "A training step with mixtures of experts"
    return Group(speed_table(title, found), figures(found, FIGURES))
