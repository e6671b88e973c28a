"""The cache of grouped queries against that of full attention: exactly the ratio of heads."""

from harness.core.cost import measure_cost
from harness.core.spec import VariantSpec
from harness.validation.finding import Finding, Outcome
from variants.presets import preset

N_HEADS, GROUPS = 8, (1, 2, 4)
SEQ_LEN = 256


def check_cache_bytes() -> Finding:
    """Measure caches on the meta device and compare their ratios with arithmetic."""
    full = _bytes(N_HEADS)
    ratios = {n: full / _bytes(n) for n in GROUPS}
    wrong = [n for n, ratio in ratios.items() if ratio != N_HEADS / n]
    return Finding(
        name="cache bytes",
        question="Is the cache of n key-value heads as much smaller as they are fewer?",
        expected=", ".join(f"{N_HEADS / n:g}" for n in GROUPS),
        source="arithmetic",
        found=", ".join(f"{ratio:g}" for ratio in ratios.values()),
        outcome=Outcome.OPPOSITE if wrong else Outcome.AS_EXPECTED,
    )


def _bytes(n_kv_heads: int) -> int:
    attention = {"name": "gqa", "n_kv_heads": n_kv_heads}
    written = {**preset("tiny"), "n_heads": N_HEADS, "vocab_size": 1024, "attention": attention}
    return measure_cost(VariantSpec.read(written), SEQ_LEN).cache_bytes
