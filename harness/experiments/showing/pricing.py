"""The price of a variant that is named on the command line."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from harness.core.cost import measure_cost
from harness.errors import ConfigError
from harness.experiments.showing.named_variant import named_variant
from harness.quantities import format_bytes, format_count
from harness.terminal import plain_table

SEQ_LEN = 256


def price(preset: str, changes: Sequence[str], seq_len: int | None = None) -> dict[str, Any]:
    """Return the cost of a preset with changes such as `attention=mqa`.

    Raises:
        ConfigError: no such preset, or a change that it does not take.
    """
    spec = named_variant(preset, changes)
    tokens = seq_len or min(SEQ_LEN, spec.dims.max_seq_len)
    if tokens > spec.dims.max_seq_len:
        limit = f"must not exceed max_seq_len ({spec.dims.max_seq_len})"
        raise ConfigError.at(("variant", "seq-len"), f"{limit}, but got {tokens}")
    try:
        cost = measure_cost(spec, tokens)
    except ConfigError as error:
        raise error.within("variant") from None
    return {"preset": preset, **cost.to_dict(), "variant": spec.to_dict()}


def price_table(priced: dict[str, Any]) -> Table:
    """Draw a price for people."""
    title = f"{priced['preset']} at {priced['seq_len']} tokens"
    table = plain_table(title, show_header=False)
    params, active, precision = priced["params"], priced["params_active"], _infer(priced)
    per_token = format_bytes(priced["cache_bytes_per_token"])
    table.add_row("parameters", _exactly(params))
    if active != params:
        table.add_row("  that a token meets", _exactly(active))
    table.add_row("  without embeddings", _exactly(priced["params_non_embedding"]))
    table.add_row(f"weights ({precision})", format_bytes(priced["weight_bytes"]))
    table.add_row("forward FLOPs a token", format_count(priced["forward_flops_per_token"]))
    table.add_row("training FLOPs a token", format_count(priced["train_flops_per_token"]))
    cache = f"{format_bytes(priced['cache_bytes'])}, {per_token} a token"
    table.add_row(f"cache ({priced['cache_dtype']})", cache)
    return table


def _exactly(count: int) -> str:
    return f"{format_count(count)} ({count:,})"


def _infer(priced: dict[str, Any]) -> str:
    return priced["variant"].get("precision", {}).get("infer", {}).get("name", "fp32")
