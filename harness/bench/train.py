"""`ablate bench train`: our training step against transformers' Qwen3 and the machine's peak."""

from typing import Any

import torch
from rich.console import Console, Group, RenderableType

from harness.bench.loop import loop_overhead
from harness.bench.reference import reference_of
from harness.bench.steps import our_step, reference_step
from harness.bench.timing import Step, interleaved, ratio, speeds
from harness.bench.view import figures, speed_table
from harness.bench.workers import worker_speedup
from harness.bench.workload import Workload
from harness.core.cost import measure_cost
from harness.core.model import LanguageModel
from harness.training.machine import matmul_peak

FIGURES = {
    "eager_ratio": ("transformers eager / ours eager", "{:.2f} x"),
    "compiled_ratio": ("transformers compiled / ours compiled", "{:.2f} x"),
    "share_of_peak": ("share of this machine's matmul peak (same threads)", "{:.0%}"),
    "loop_share": ("the loop around the model, share of a step", "{:.2%}"),
    "two_workers_ratio": ("two one-thread workers / one", "{:.2f} x"),
}


def bench_training(
    workload: Workload, rounds: int, compiled: bool, workers: bool, console: Console
) -> dict[str, Any]:
    """Time steps (forward, backward, clipping, AdamW) of both models, in turn.

    Raises:
        AblateError: transformers is not installed.
        ConfigError: Qwen3 cannot express the variant.
    """
    torch.set_num_threads(workload.threads)
    device, spec = workload.device, workload.spec
    tokens = workload.tokens(n_more=1)
    steps: dict[str, Step] = {}
    for kind in ("eager", "compiled") if compiled else ("eager",):
        model = LanguageModel(spec).initialize(0).to(device)
        steps[f"ours, {kind}"] = our_step(model, tokens, kind == "compiled")
        reference = reference_of(model)
        steps[f"transformers, {kind}"] = reference_step(reference, tokens, kind == "compiled")
    console.print(f"timing {len(steps)} kinds of steps, {rounds} rounds each", highlight=False)
    times = interleaved(steps, rounds, device)
    n_tokens = workload.batch_size * workload.seq_len
    flops = measure_cost(spec, workload.seq_len).train_flops_per_token * n_tokens
    peak, ours = matmul_peak(device), times["ours, eager"]
    overhead = loop_overhead(device)
    found: dict[str, Any] = {
        "workload": workload.to_dict(),
        **speeds(times, n_tokens),
        "eager_ratio": ratio(times["transformers, eager"], ours),
        "matmul_peak_flops": peak,
        "share_of_peak": flops / ours.median / peak,
        "loop_seconds_per_step": overhead,
        "loop_share": overhead / ours.median,
    }
    if compiled:
        found["compiled_ratio"] = ratio(times["transformers, compiled"], times["ours, compiled"])
    if workers and device.type == "cpu":
        console.print("timing four runs, one and two at a time", highlight=False)
        found["two_workers_ratio"] = worker_speedup()
    return found


def training_view(found: dict[str, Any]) -> RenderableType:
    """Draw what was found, with the figures that matter last."""
    return Group(speed_table("A training step", found), figures(found, FIGURES))
