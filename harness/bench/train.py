"""`ablate bench train`: our training step against transformers' Qwen3 and the machine's peak."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from torch import Tensor, nn

from harness.bench.loop import loop_overhead
from harness.bench.timing import Step, Timing, interleaved, ratio
from harness.bench.workers import worker_speedup
from harness.core.cost import measure_cost
from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.errors import AblateError


@dataclass(frozen=True)
class Shape:
    """What is timed: the dims of both models, the batch and the threads."""

    d_model: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_ff: int
    vocab_size: int
    batch_size: int
    seq_len: int
    threads: int
    device: str

    def variant(self) -> VariantSpec:
        """Return the Qwen3 variant of these dims."""
        sizes = ("d_model", "n_layers", "n_heads", "d_ff", "vocab_size")
        attention = {"name": "gqa", "n_kv_heads": self.n_kv_heads}
        dims = {size: getattr(self, size) for size in sizes}
        return VariantSpec.read({**dims, "max_seq_len": self.seq_len, "attention": attention})


def bench_training(
    shape: Shape, rounds: int, compiled: bool, workers: bool, console: Console
) -> dict[str, Any]:
    """Time steps (forward, backward, clipping, AdamW) of both models, in turn.

    Raises:
        AblateError: transformers is not installed.
    """
    torch.set_num_threads(shape.threads)
    device, spec = torch.device(shape.device), shape.variant()
    tokens = torch.randint(shape.vocab_size, (shape.batch_size, shape.seq_len + 1), device=device)
    steps: dict[str, Step] = {
        "ours, eager": _ours(spec, tokens, compiled=False),
        "transformers, eager": _theirs(shape, tokens, compiled=False),
    }
    if compiled:
        steps["ours, compiled"] = _ours(spec, tokens, compiled=True)
        steps["transformers, compiled"] = _theirs(shape, tokens, compiled=True)
    console.print(f"timing {len(steps)} kinds of steps, {rounds} rounds each", highlight=False)
    times = interleaved(steps, rounds, device)
    flops = measure_cost(spec, shape.seq_len).train_flops_per_token * tokens[:, 1:].numel()
    peak = _matmul_peak(device)
    ours = times["ours, eager"]
    found: dict[str, Any] = {
        "shape": asdict(shape),
        "step_seconds": {name: _written(timing) for name, timing in times.items()},
        "tokens_per_second": {n: tokens[:, 1:].numel() / t.median for n, t in times.items()},
        "eager_ratio": ratio(times["transformers, eager"], ours),
        "matmul_peak_flops": peak,
        "share_of_peak": flops / ours.median / peak,
    }
    if compiled:
        found["compiled_ratio"] = ratio(times["transformers, compiled"], times["ours, compiled"])
    overhead = loop_overhead(device)
    found["loop_seconds_per_step"] = overhead
    found["loop_share"] = overhead / ours.median
    if workers and device.type == "cpu":
        console.print("timing four runs, one and two at a time", highlight=False)
        found["two_workers_ratio"] = worker_speedup()
    return found


def bench_view(found: dict[str, Any]) -> RenderableType:
    """Draw what was found, with the figures that matter last."""
    table = Table(title="A training step", title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("", "seconds", "quartiles", "tokens/s"):
        table.add_column(column, justify="left" if not column else "right")
    for name, timing in found["step_seconds"].items():
        speed = found["tokens_per_second"][name]
        row = (f"{timing['median']:.4f}", f"±{timing['spread'] / 2:.1%}", f"{speed:,.0f}")
        table.add_row(name, *row)
    figures = Table(box=None, show_header=False)
    labels = {
        "eager_ratio": ("transformers eager / ours eager", "{:.2f} x"),
        "compiled_ratio": ("transformers compiled / ours compiled", "{:.2f} x"),
        "share_of_peak": ("share of this machine's matmul peak (same threads)", "{:.0%}"),
        "loop_share": ("the loop around the model, share of a step", "{:.2%}"),
        "two_workers_ratio": ("two one-thread workers / one", "{:.2f} x"),
    }
    for key, (label, form) in labels.items():
        if key in found:
            figures.add_row(label, form.format(found[key]))
    return Group(table, figures)


def _written(timing: Timing) -> dict[str, Any]:
    return {"median": timing.median, "spread": timing.spread, "rounds": list(timing.seconds)}


def _ours(spec: VariantSpec, tokens: Tensor, compiled: bool) -> Step:
    model = LanguageModel(spec).initialize(0).to(tokens.device)
    if compiled:
        model.compile_trunk()
    return _step(model, lambda: model.loss(tokens[:, :-1], tokens[:, 1:]))


def _theirs(shape: Shape, tokens: Tensor, compiled: bool) -> Step:
    try:
        from transformers import Qwen3Config, Qwen3ForCausalLM
    except ImportError:
        raise AblateError(
            "the benchmark compares with transformers: pip install -e '.[hf]'"
        ) from None
    config = Qwen3Config(
        hidden_size=shape.d_model,
        num_hidden_layers=shape.n_layers,
        num_attention_heads=shape.n_heads,
        num_key_value_heads=shape.n_kv_heads,
        head_dim=shape.d_model // shape.n_heads,
        intermediate_size=shape.d_ff,
        vocab_size=shape.vocab_size,
        max_position_embeddings=shape.seq_len,
        tie_word_embeddings=True,
        use_cache=False,
    )
    model: nn.Module = Qwen3ForCausalLM(config)
    model.to(tokens.device).train()
    forward = torch.compile(model) if compiled else model
    inputs, labels = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    # `shift_labels` are used as they are: the same targets as ours, none dropped
    return _step(model, lambda: forward(inputs, labels=inputs, shift_labels=labels).loss)


def _step(model: nn.Module, loss: Callable[[], Tensor]) -> Step:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        loss().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def _matmul_peak(device: torch.device, size: int = 1024) -> float:
    """Return the FLOPs a second of large square fp32 products on the same threads."""
    a, b = torch.randn(size, size, device=device), torch.randn(size, size, device=device)
    times = interleaved({"matmul": lambda: [a @ b for _ in range(5)]}, 9, device)
    return 5 * 2 * size**3 / min(times["matmul"].seconds)
