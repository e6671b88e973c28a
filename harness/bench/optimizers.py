"""`ablate bench optimizers`: what an update costs beside the gradients that it is made of."""

from typing import Any

import torch
from rich.console import Console, Group, RenderableType

from harness.bench.timing import Step, interleaved, speeds
from harness.bench.view import figures, speed_table
from harness.bench.workload import Workload
from harness.core.model import LanguageModel
from harness.training.optimizers import OPTIMIZER

GRADIENTS = "forward and backward"


def bench_updates(workload: Workload, rounds: int, console: Console) -> dict[str, Any]:
    """Time forward and backward of a batch, and the update by each optimizer, in turn."""
    torch.set_num_threads(workload.threads)
    tokens = workload.tokens(n_more=1)
    model = LanguageModel(workload.spec).initialize(0).to(workload.device)

    def gradients() -> None:
        model.zero_grad(set_to_none=True)
        model.loss(tokens[:, :-1], tokens[:, 1:]).backward()

    steps: dict[str, Step] = {GRADIENTS: gradients}
    for name in OPTIMIZER:
        steps[name] = OPTIMIZER.build(OPTIMIZER.resolve(name)).build(model).step
    console.print(f"timing {len(steps)} things, {rounds} rounds each", highlight=False)
    times = interleaved(steps, rounds, workload.device)
    before = times.pop(GRADIENTS)
    shares = {name: t.median / (before.median + t.median) for name, t in times.items()}
    return {
        "workload": workload.to_dict(),
        **speeds({GRADIENTS: before, **times}, workload.batch_size * workload.seq_len),
        **{f"{name}_share": share for name, share in shares.items()},
    }


def updates_view(found: dict[str, Any]) -> RenderableType:
    """Draw what was found, with the figures that matter last."""
    labels = {
        f"{name}_share": (f"share of a step that is the update by {name}", "{:.1%}")
        for name in OPTIMIZER
    }
    return Group(speed_table("Updates", found), figures(found, labels))
