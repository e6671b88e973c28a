"""`ablate bench attention`: attention components alone, against each other, at growing length."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

import torch
from rich.console import Console, Group, RenderableType

from harness.bench.timing import Step, interleaved, ratio
from harness.bench.view import headed_table
from harness.bench.workload import Workload
from harness.core.context import Context
from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.errors import AblateError
from harness.experiments.files.overrides import apply_overrides

# The first is what the others are compared with.
KINDS = ("gqa", "{name: gqa, window: 256}", "linear", "gated_delta")


def bench_kinds(
    workload: Workload, kinds: Sequence[str], shortest: int, rounds: int, console: Console
) -> dict[str, Any]:
    """Time forward and backward of each kind over sequences of each length, in turn.

    Args:
        workload: With the variant around the attention and the longest sequences.
        kinds: What fills the slot, as YAML: a name, or a mapping with options.
        shortest: Length that is doubled as often as it stays within the longest.
        rounds: How often each is timed at each length.
        console: Where progress is told.

    Raises:
        ConfigError: no such component or option.
    """
    torch.set_num_threads(workload.threads)
    specs = {kind: _one_layer(workload.spec, kind) for kind in kinds}
    rows: list[dict[str, Any]] = []
    for length in doubled(shortest, workload.seq_len):
        console.print(f"timing {len(specs)} kinds at {length} tokens", highlight=False)
        steps = {
            k: attention_step(replace(workload, spec=s, seq_len=length)) for k, s in specs.items()
        }
        times = interleaved(steps, rounds, workload.device)
        rows.append(
            {
                "seq_len": length,
                "seconds": {kind: timing.to_dict() for kind, timing in times.items()},
                "ratio": {kind: ratio(times[kinds[0]], timing) for kind, timing in times.items()},
            }
        )
    return {
        "workload": workload.to_dict(),
        "rows": rows,
        "faster_from": {kind: faster_from(rows, kind) for kind in kinds[1:]},
    }


def doubled(shortest: int, longest: int) -> list[int]:
    """Return `shortest`, its double and so on, up to `longest`.

    Raises:
        AblateError: not even the first is within it.
    """
    if shortest > longest:
        raise AblateError(f"the shortest ({shortest}) is longer than the longest ({longest})")
    return [shortest * 2**i for i in range((longest // shortest).bit_length())]


def faster_from(rows: Sequence[dict[str, Any]], kind: str) -> int | None:
    """Return the length from which on `kind` is faster than the first; None if there is none."""
    faster = list(takewhile(lambda row: row["ratio"][kind] > 1, reversed(rows)))
    return faster[-1]["seq_len"] if faster else None


def attention_view(found: dict[str, Any]) -> RenderableType:
    """Draw seconds, and how many times as fast as the first, by length."""
    first, *others = found["rows"][0]["seconds"]
    title = "Attention alone, forward and backward, in seconds"
    table = headed_table(title, ("tokens", first, *others))
    for row in found["rows"]:
        seconds = {kind: f"{timing['median']:.4f}" for kind, timing in row["seconds"].items()}
        cells = [f"{seconds[kind]} ({row['ratio'][kind]:.2f} x)" for kind in others]
        table.add_row(f"{row['seq_len']:,}", seconds[first], *cells)
    lines = [_sentence(first, kind, length) for kind, length in found["faster_from"].items()]
    return Group(table, *lines)


def _sentence(first: str, kind: str, length: int | None) -> str:
    when = "at the greatest length not" if length is None else f"from {length:,} tokens on"
    return f"{kind}: faster than {first} {when}"


def _one_layer(spec: VariantSpec, kind: str) -> VariantSpec:
    attention = apply_overrides({}, [f"attention={kind}"])
    return VariantSpec.read({**spec.to_dict(), "n_layers": 1, **attention})


def attention_step(workload: Workload) -> Step:
    """Return one pass forward and backward of the attention of a variant's first layer."""
    tokens = workload.tokens()
    model = LanguageModel(workload.spec).initialize(0).to(tokens.device)
    attention = model.get_submodule("blocks.0.attention")
    positions = torch.arange(workload.seq_len, device=tokens.device).expand(tokens.shape)
    shape = (*tokens.shape, workload.spec.dims.d_model)
    x = torch.randn(shape, device=tokens.device, requires_grad=True)
    of_output = torch.randn(shape, device=tokens.device)
    leaves = [x, *attention.parameters()]
    return lambda: torch.autograd.grad(attention(x, Context(positions)), leaves, of_output)
