"""Plant faults in a copy of the source, one at a time, and see that the tests catch each.

    python tests/variants/mutations.py            every fault; exit code 1 if one survives
    python tests/variants/mutations.py rope mask  those whose names contain a word

Each fault is one that a reference implementation made, or that a hand could slip into.
"""

# ruff: noqa: E501 - a table of texts reads better unbroken

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from planting import Mutation, plant

PARITY = "tests/variants/test_qwen3_parity.py"
CONTRACTS = "tests/variants/test_contracts.py::test_every_component_keeps_its_contracts"
ATTEND, LOSS = "tests/core/test_attend.py", "tests/core/test_cross_entropy.py"
INIT, COST, MATCH = (f"tests/core/test_{n}.py" for n in ("initialization", "cost", "match"))
SPEC, REGISTRY = "tests/core/test_spec.py", "tests/core/test_registry.py"
GQA, SWIGLU, ROPE = (f"variants/{n}.py" for n in ("attention/gqa", "ffn/swiglu", "position/rope"))
DENSE, ROTATION = "variants/ffn/_dense.py", "variants/position/_rotation.py"
RMS, PRE_NORM = "variants/norm/rms_norm.py", "variants/block/pre_norm.py"
MODEL, CACHE, ATTENTION = (f"harness/core/{n}.py" for n in ("model", "cache", "attend"))
ENTROPY, DRAW = "harness/core/cross_entropy.py", "harness/core/initialization.py"
PRICE, MATCHING = "harness/core/cost.py", "harness/core/match.py"


def of(name: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    return several(name, file, ((old, new),), *tests)


def several(name: str, file: str, patches: tuple[tuple[str, str], ...], *tests: str) -> Mutation:
    return Mutation(name, file, patches, tests or (PARITY,))


Q_NORM = "q = self.q_norm(self.q_proj(x).view(heads))  # B T H C"
K_NORM = "k = self.k_norm(self.k_proj(x).view(heads))  # B T K C"
ROTATE = "q, k = self.position.rotate(q, k, context)"
KEYS, VALUES = "        k.transpose(1, 2),", "        v.transpose(1, 2),"
CAUSAL = ("is_causal=mask is None and q.shape[1] > 1", "is_causal=False")
TRIANGLE = "attn_mask=torch.ones(q.shape[1], k.shape[1], dtype=torch.bool).tril({}) if mask is None else mask,"
WIDE_NORM = (
    "y = self.{0}_proj(x).view(heads); {0} = self.{0}_norm.weight * y"
    " * torch.rsqrt(y.square().mean((-2, -1), keepdim=True) + 1e-6)"
)
BY_HEAD = (
    "import torch\n"
    "        rates = torch.cat([self.theta ** -(torch.arange(0, self.width, 2) / self.width)] * 2)\n"
    "        def turn_heads(x):\n"
    "            angles = torch.arange(x.shape[2])[:, None] * rates\n"
    "            return turn(x, angles.cos(), angles.sin())\n"
    "        return turn_heads(q), turn_heads(k)"
)
INTERLEAVED = "x * cos + torch.stack((-x[..., 1::2], x[..., ::2]), dim=-1).flatten(-2) * sin"

MUTATIONS = (
    # conformance 4.1, as far as it speaks of the dense model
    of("sigmoid gate", SWIGLU, "F.silu(x)", "x.sigmoid()"),
    of("o_proj is missing where shapes allow it", GQA, "return self.o_proj(mixed.flatten(2))",
       "y = mixed.flatten(2)\n        return y if y.shape == x.shape else self.o_proj(y)"),
    of("gate and up swapped", DENSE, "self.activation(self.gate_proj(x)) * self.up_proj(x)",
       "self.activation(self.up_proj(x)) * self.gate_proj(x)"),
    of("scale by d / h", GQA, "bias=bias)\n        return",
       "bias=bias, scale=(x.shape[-1] / q.shape[2]) ** -0.5)\n        return"),
    several("QK-norm over all heads", GQA, ((Q_NORM, WIDE_NORM.format("q")), (K_NORM, WIDE_NORM.format("k")))),
    several("QK-norm after RoPE", GQA, (
        (Q_NORM, "q = self.q_proj(x).view(heads)"), (K_NORM, "k = self.k_proj(x).view(heads)"),
        (ROTATE, ROTATE + "; q, k = self.q_norm(q), self.k_norm(k)"))),
    of("no norm of the keys", GQA, K_NORM, "k = self.k_proj(x).view(heads)"),
    several("RoPE interleaved", ROTATION, (
        ("torch.cat((angles, angles), dim=-1)", "angles.repeat_interleave(2, dim=-1)"),
        ("x * cos + torch.cat((-second, first), dim=-1) * sin", INTERLEAVED))),
    of("RoPE by head", ROPE, "return turn(q, cos, sin), turn(k, cos, sin)", BY_HEAD),
    of("RoPE theta ignored", ROTATION, "theta**exponents", "10_000.0**exponents"),
    of("RoPE turns the other way", ROTATION, "(-second, first)", "(second, -first)"),
    of("RoPE leaves the keys", ROPE, "turn(q, cos, sin), turn(k, cos, sin)", "turn(q, cos, sin), k"),
    of("RoPE over a wrong width", ROTATION, "dtype=torch.float32) / width",
       "dtype=torch.float32) / (width + 2)"),
    of("RoPE starts at one beside a cache", MODEL, "positions + caches[0].lengths[:, None]",
       "positions + caches[0].lengths[:, None] + 1", PARITY, CONTRACTS),
    of("cache offset 0 in positions", MODEL,
       "positions if caches is None else positions + caches[0].lengths[:, None]", "positions"),
    of("cache offset 0 in slots", CACHE, "slots = self.lengths[:, None] +",
       "slots = 0 * self.lengths[:, None] +"),
    several("repeat instead of repeat_interleave", ATTENTION, (
        (KEYS, "        k.repeat(1, 1, q.shape[2] // k.shape[2], 1).transpose(1, 2),"),
        (VALUES, "        v.repeat(1, 1, q.shape[2] // v.shape[2], 1).transpose(1, 2),"))),
    several("mask diagonal -1", ATTENTION, (("attn_mask=mask,", TRIANGLE.format(-1)), CAUSAL)),
    several("mask diagonal +1", ATTENTION, (("attn_mask=mask,", TRIANGLE.format(1)), CAUSAL)),
    of("no causal mask", ATTENTION, *CAUSAL),
    of("cached mask one ahead", ATTENTION, "allowed = keys <= queries", "allowed = keys <= queries + 1"),
    of("cached mask without itself", ATTENTION, "allowed = keys <= queries", "allowed = keys < queries"),
    of("untied head", MODEL, "if spec.tie_embeddings:", "if False:"),
    of("head always tied", MODEL, "if spec.tie_embeddings:", "if True:"),
    of("eps 1e-5", RMS, "Field(gt=0)] = 1e-6", "Field(gt=0)] = 1e-5"),
    of("eps outside the root", RMS, "torch.rsqrt(y.square().mean(-1, keepdim=True) + self.eps)",
       "1 / (y.square().mean(-1, keepdim=True).sqrt() + self.eps)"),
    of("norm takes the mean away", RMS, "y = x.float()", "y = x.float() - x.float().mean(-1, keepdim=True)"),
    of("weight before the cast", RMS, "self._scale(y.to(x.dtype))", "self._scale(y).to(x.dtype)"),
    of("target not shifted", "harness/data/batches.py", "batch[:, 1:].contiguous()",
       "batch[:, :-1].contiguous()", "tests/data/test_batches.py"),
    of("target shifted twice", "variants/objective/next_token.py", "targets.flatten())",
       "targets.roll(-1, 1).flatten())", PARITY, CONTRACTS),
    # wiring
    of("no final norm", MODEL, "return self.norm(x)", "return x"),
    of("embedding scaled by sqrt(d)", "variants/embedding/token.py", "F.embedding(tokens, self.weight)",
       "F.embedding(tokens, self.weight) * self.weight.shape[1] ** 0.5"),
    of("no residual around attention", PRE_NORM, "x = x + context.drop(self.attention", "x = context.drop(self.attention"),
    of("no residual around the feed-forward", PRE_NORM, "return x + context.drop", "return context.drop"),
    of("feed-forward in parallel", PRE_NORM, "x = x + context.drop(self.attention(y, context))\n"
       "        y = self._convolved(\"ffn\", self.ffn_norm(x), context)\n",
       "y, x = self.ffn_norm(x), x + context.drop(self.attention(y, context))\n"),
    of("norms of a block swapped", PRE_NORM, "self.attention_norm(x), context", "self.ffn_norm(x), context"),
    # attention and caches
    of("window one too long", ATTENTION, "keys > queries - window", "keys >= queries - window", ATTEND),
    of("documents run together", ATTENTION, "if context.documents is not None:", "if False:", ATTEND),
    of("padding is read", ATTENTION, "(allowed & context.valid[:, None, :]) | itself", "allowed", ATTEND),
    of("padding leaves an empty row", ATTENTION, " | itself", "", ATTEND),
    of("bias not masked", ATTENTION, '.masked_fill(~mask, float("-inf"))', "", ATTEND),
    of("scale ignored", ATTENTION, "scale=scale", "scale=None", ATTEND),
    of("one mask for all windows", ATTENTION, '("allowed", window, id(key_positions))', '("allowed", id(key_positions))', ATTEND),
    of("positions count padding", MODEL, "(valid.cumsum(1) - 1).clamp(min=0)",
       "torch.arange(tokens.shape[1]).expand(tokens.shape)", CONTRACTS),
    of("padding fills the cache", CACHE, "if context.valid is None:\n                buffer",
       "if True:\n                buffer", CONTRACTS),
    of("padding counts as length", CACHE, "self.lengths = self.lengths + counts",
       "self.lengths = self.lengths + n_tokens", CONTRACTS),
    of("crop keeps the lengths", CACHE, "torch.minimum(self.lengths, lengths)", "self.lengths", CONTRACTS),
    of("crop may lengthen", CACHE, "torch.minimum(self.lengths, lengths)", "lengths", CONTRACTS),
    of("reset keeps the lengths", CACHE, "self.lengths[slice(None) if rows is None else list(rows)] = 0",
       "pass", CONTRACTS),
    of("insert keeps the length", CACHE, "self.lengths[row] = other.lengths[other_row]", "pass", CONTRACTS),
    of("insert forgets the longest", CACHE, "self._longest = max(self._longest, other._longest)", "pass",
       CONTRACTS),
    of("insert copies row 0", CACHE, "other.buffers[name][other_row]", "other.buffers[name][0]", CONTRACTS),
    of("a full cache says nothing", CACHE, "raise CacheFull(", "print(", CONTRACTS),
    of("one too few fit", CACHE, "(self.lengths + counts).max()) > self.max_len",
       "(self.lengths + counts).max()) >= self.max_len", CONTRACTS),
    of("padding needs room", CACHE, "(self.lengths + counts).max()", "(self.lengths + n_tokens).max()",
       CONTRACTS),
    of("masks of other keys are shared", ATTENTION, 'id(key_positions))', '0 if key_positions is None else k.shape[1])',
       ATTEND),
    # loss
    of("mean over ignored targets too", ENTROPY, "n_targets = (targets != IGNORE).sum().clamp(min=1)",
       "n_targets = torch.tensor(len(targets))", LOSS),
    of("ignored targets count in the loss", ENTROPY, "[:, 0] * counts).sum()", "[:, 0]).sum()", LOSS),
    of("ignored targets have gradient", ENTROPY, "(counts / n_targets)", "((counts | True) / n_targets)", LOSS),
    of("only the last chunk's weight gradient", ENTROPY, "grad_weight.addmm_(grad.T, chunk)",
       "grad_weight.copy_(grad.T @ chunk)", LOSS),
    of("only the last chunk's loss", ENTROPY, "total += ", "total = ", LOSS),
    of("gradient of the softmax alone", ENTROPY, "torch.full_like(normaliser, -1.0)",
       "torch.full_like(normaliser, 0.0)", LOSS),
    of("upstream gradient ignored", ENTROPY, "grad_hidden * grad", "grad_hidden", LOSS),
    of("one chunk for all", ENTROPY, "return max(64,", "return max(4096,", LOSS),
    # initial weights
    of("the name is no address", DRAW, '{seed}/{name}', "{seed}", INIT),
    of("the seed is no address", DRAW, '{seed}/{name}', "{name}", INIT),
    of("rows and columns commute", DRAW, "bits = _mix(bits + (index + 1) * _GAMMA)",
       "bits = bits + (index + 1) * _GAMMA", INIT),
    of("depth scale without the 2", DRAW, "(2 * n_layers) ** -0.5", "n_layers**-0.5", INIT),
    of("zero outputs are not zero", DRAW, '"zero": 0.0', '"zero": 1.0', INIT),
    of("uniform instead of normal", DRAW, "torch.special.ndtri(uniform)", "((uniform - 0.5) * 12**0.5)", INIT),
    of("biases from torch's generator", GQA, "nn.init.zeros_(projection.bias)", "pass", CONTRACTS),
    # prices
    of("a statement counts once in training", PRICE, "passes=3", "passes=1", COST),
    of("nested statements all count", PRICE, "and not inside", "", COST),
    of("a statement is added", PRICE, "counter.get_total_flops() - replaced", "counter.get_total_flops()", COST),
    of("an untied head is no vocabulary", "harness/core/counts.py",
       "(model.embedding.weight, model.head.weight)", "(model.embedding.weight,)", COST),
    of("the cache has one type", PRICE, "model.new_caches(1, seq_len, cache_dtype)",
       "model.new_caches(1, seq_len)", COST),
    of("an uncounted product is free", "harness/core/flops.py", "raise UncountedOperation(", "print(", COST),
    of("activations are free", PRICE, "return state + sum(", "return state + 0 * sum(", COST),
    of("the tolerance is not checked", MATCHING, "if abs(residual(best)) > tolerance:", "if False:", MATCH),
    of("the first candidate is taken", MATCHING, "key=lambda d_ff: abs(residual(d_ff))", "key=lambda d_ff: d_ff",
       MATCH),
    # specs
    of("cycles are left as written", "harness/core/spec.py", "range(1, len(cycle) + 1)",
       "range(len(cycle), len(cycle) + 1)", SPEC),
    of("defaults are part of the identity", "harness/core/registry.py", "if k in required or v != defaults[k]",
       "", SPEC),
    of("inference is part of the identity", "harness/core/spec.py",
       'written["precision"] = written["precision"]["train"]', "pass", SPEC),
    of("pairs are not checked", "harness/core/spec.py", "        spec._check_pairs()\n", "", SPEC),
    of("pairs are checked in the first layer only", "harness/core/spec.py",
       "for layer_idx in range(self.dims.n_layers):\n            filled", "for layer_idx in [0]:\n            filled", SPEC),
    of("an alias may be contradicted", "harness/core/registry.py", "if options[key] != fixed[key]:", "if False:",
       REGISTRY),
    of("options are coerced", "harness/core/registry.py", "frozen=True, strict=True)", "frozen=True)", REGISTRY),
)  # fmt: skip


def main(words: list[str]) -> int:
    """Run every chosen mutation; print each verdict and the count."""
    chosen = [m for m in MUTATIONS if not words or any(w in m.name for w in words)]
    return plant(chosen, check_source=not words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
