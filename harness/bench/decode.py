"""`ablate bench decode`: greedy decoding against transformers' `generate`."""

from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console, Group, RenderableType
from torch import Tensor

from harness.bench.reference import reference_of
from harness.bench.timing import interleaved, ratio, speeds
from harness.bench.view import figures, speed_table
from harness.bench.workload import Workload
from harness.core.model import LanguageModel
from harness.inference.greedy import greedy

FIGURES = {
    "ratio": ("transformers / ours, both with a cache", "{:.2f} x"),
    "cache_ratio": ("ours without a cache / with it", "{:.2f} x"),
    "same_tokens": ("all decode the same tokens", "{}"),
}


def bench_decoding(workload: Workload, n_new: int, rounds: int, console: Console) -> dict[str, Any]:
    """Time `n_new` tokens behind prompts of `seq_len`, the reading of these included, in turn.

    Raises:
        AblateError: transformers is not installed, or prompt and answer are too long.
        ConfigError: Qwen3 cannot express the variant.
    """
    torch.set_num_threads(workload.threads)
    prompts = workload.tokens()
    model = LanguageModel(workload.spec).initialize(0).to(workload.device).eval()
    reference = reference_of(model).eval()
    steps: dict[str, Callable[[], Tensor]] = {
        "ours": lambda: greedy(model, prompts, n_new),
        "ours, no cache": lambda: greedy(model, prompts, n_new, use_cache=False),
        "transformers": lambda: reference.generate(
            prompts,
            attention_mask=torch.ones_like(prompts),
            do_sample=False,
            max_new_tokens=n_new,
        )[:, -n_new:],
    }
    console.print(f"timing {len(steps)} ways to decode, {rounds} rounds each", highlight=False)
    times = interleaved(steps, rounds, workload.device)
    ours, *others = (step() for step in steps.values())
    return {
        "workload": workload.to_dict(),
        "n_new": n_new,
        **speeds(times, workload.batch_size * n_new),
        "ratio": ratio(times["transformers"], times["ours"]),
        "cache_ratio": ratio(times["ours, no cache"], times["ours"]),
        "same_tokens": all(torch.equal(ours, other) for other in others),
    }


def decoding_view(found: dict[str, Any]) -> RenderableType:
    """Draw what was found, with the figures that matter last."""
    prompt, n_new = found["workload"]["seq_len"], found["n_new"]
    title = f"Greedy decoding of {n_new} tokens after {prompt}"
    return Group(speed_table(title, found), figures(found, FIGURES))
