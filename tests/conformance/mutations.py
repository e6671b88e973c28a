"""Plant, for one row after another, the fault that its tests exist for, and run these tests alone.

    python tests/conformance/mutations.py               every fault; exit code 1 if one survives
    python tests/conformance/mutations.py R2-14 R0-     those whose row begins so

Most are faults that one of the five projects has, or that its documents would lead to.
"""

# ruff: noqa: E501 - a table of texts reads better unbroken

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from planting import Mutation, plant
from rows import covering_tests

GQA, MOE, SWIGLU, LLAMA = (
    f"variants/{n}.py" for n in ("attention/gqa", "ffn/moe", "ffn/swiglu", "ffn/llama_swiglu")
)
DENSE, ROTATION = "variants/ffn/_dense.py", "variants/position/_rotation.py"
INTERLEAVED, HEAD_ROPE = (f"variants/position/{n}.py" for n in ("rope_interleaved", "head_rope"))
RMS, LAYER, PRE_NORM = (
    f"variants/{n}.py" for n in ("norm/rms_norm", "norm/layer_norm", "block/pre_norm")
)
PRESETS, TOKEN, INT8 = (
    f"variants/{n}.py" for n in ("presets", "embedding/token", "precision/_int8")
)
MODEL, ATTEND, MASKS, COUNTS, QUANTIZE, ROUTING, DRAW, SPEC = (
    f"harness/core/{n}.py"
    for n in (
        "model",
        "attend",
        "masks",
        "counts",
        "quantize",
        "routing",
        "initialization",
        "spec",
    )
)
FOREIGN, FROM_CONFIG, CHECKPOINT = (
    f"harness/interop/{n}.py" for n in ("foreign", "from_config", "checkpoint")
)
ANATOMY, ORDER = "harness/experiments/showing/anatomy.py", "harness/data/order.py"
GRADIENTS, EVALUATION = "harness/training/gradients.py", "harness/training/evaluation.py"
LOOP = "harness/training/loop.py"
OPTIMIZER_GROUPS, MUON_STEP, NEWTON_SCHULZ = (
    f"harness/training/optimizers/_{n}.py" for n in ("groups", "muon_adamw", "newton_schulz")
)
WARMUP, COSINE, COMBINED = (
    f"harness/training/schedules/{n}.py" for n in ("_warmup", "cosine", "combined")
)
PAGE = "docs/coming-from.md"

TESTS = covering_tests()


def of(row: str, fault: str, file: str, old: str, new: str) -> Mutation:
    return Mutation(f"{row} {fault}", file, ((old, new),), tuple(TESTS[row]))


MUTATIONS = (
    # the skeleton
    of("R0-01", "ids are off by one", TOKEN, "F.embedding(tokens, self.weight)", "F.embedding((tokens - 1) % len(self.weight), self.weight)"),
    of("R0-02", "the head is a copy", MODEL, "self.head.weight = self.embedding.weight", "self.head.weight = nn.Parameter(self.embedding.weight.detach().clone())"),
    of("R0-03", "the last block is left out", MODEL, "for block in self.blocks:", "for block in self.blocks[: max(1, len(self.blocks) - 1)]:"),
    of("R0-04", "the final norm comes first", MODEL, "x = context.drop(x)\n", "x = self.norm(context.drop(x))\n"),
    of("R0-07", "the sublayers' input is added twice", PRE_NORM, "x = x + context.drop(self.attention(y, context))", "x = x + y + context.drop(self.attention(y, context))"),
    of("R0-24", "no final norm", MODEL, "return context.drop(self.norm(x))", "return context.drop(x)"),
    of("R1-11", "each layer makes its own rotation tables", ROTATION, '("rope", theta, width, dtype)', '("rope", object())'),
    of("R1-12", "only the last token has scores", MODEL, "return self.head(hidden)", "return self.head(hidden[:, -1:])"),
    of("R3-13", "a block has no feed-forward norm", PRE_NORM, 'self._convolved("ffn", self.ffn_norm(x), context)', 'self._convolved("ffn", x, context)'),
    of("R4-14", "never tied", MODEL, "if spec.tie_embeddings:", "if False:"),
    # norms
    of("R0-05", "the mean is taken away", RMS, "y = x.float()", "y = x.float() - x.float().mean(-1, keepdim=True)"),
    of("R0-06", "the weight is not used", RMS, "return self.weight * y if self.bias is None", "return y if self.bias is None"),
    of("R1-07", "eps 1e-5", RMS, "= 1e-6,\n        bias", "= 1e-5,\n        bias"),
    of("R2-24", "squares are summed in bf16", RMS, "y = x.float()", "y = x"),
    of("R3-01", "eps outside of the root", RMS, "torch.rsqrt(y.square().mean(-1, keepdim=True) + self.eps)", "1 / (y.square().mean(-1, keepdim=True).sqrt() + self.eps)"),
    of("R4-04", "LayerNorm without centring", LAYER, "return self.norm(x)", "return self.norm.weight * x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt() + self.norm.bias"),
    # rotations
    of("R0-11", "neighbours are turned", ROTATION, "x.roll(x.shape[-1] // 2, dims=-1)", "torch.stack((x[..., 1::2], x[..., ::2]), dim=-1).flatten(-2)"),
    of("R1-05", "the tables are made in bf16", ROTATION, "both = torch.cat((-angles, angles), dim=-1)", "both = torch.cat((-angles, angles), dim=-1).bfloat16().float()"),
    of("R2-07", "theta is ignored", ROTATION, "1.0 / theta**exponents", "1.0 / 10_000.0**exponents"),
    of("R2-08", "the offset is ignored", ROTATION, "return context.positions[:, :, None, None].float() * rates", "return (context.positions - context.positions[:, :1])[:, :, None, None].float() * rates"),
    of("R3-04", "halves are turned", INTERLEAVED, "even, odd = x[..., ::2], x[..., 1::2]\n    return x * cos + torch.stack((-odd, even), dim=-1).flatten(-2) * sin", "even, odd = x.chunk(2, dim=-1)\n    return x * cos + torch.cat((-odd, even), dim=-1) * sin"),
    of("R3-16", "the rate of a pair is that of its neighbour", INTERLEAVED, "turned.repeat_interleave(2, dim=-1)", "turned.roll(1, -1).repeat_interleave(2, dim=-1)"),
    of("R4-07", "losses are told of the next position", EVALUATION, "nats_at[: targets.shape[1]] += losses.sum(0)", "nats_at[: targets.shape[1]] += losses.sum(0).roll(1)"),
    of("R4-06", "head_rope turns by position", HEAD_ROPE, "heads = torch.arange(x.shape[2], device=x.device)\n        return cos_sin(heads[:, None]", "heads = torch.arange(x.shape[1], device=x.device)\n        return cos_sin(heads[:, None, None]"),
    # attention
    of("R0-08", "scores are scaled by 1 / C", ATTEND, "        scale=scale,\n        enable_gqa", "        scale=1 / q.shape[-1],\n        enable_gqa"),
    of("R0-09", "no output projection", GQA, "return self.o_proj(mixed)", "return mixed if mixed.shape == x.shape else self.o_proj(mixed)"),
    of("R0-10", "no norm of keys", GQA, "k = self._heads(self.k_proj(x), self.k_norm)", "k = self._heads(self.k_proj(x))"),
    of("R0-12", "heads that do not divide are taken", GQA, "if dims.n_heads % n_kv_heads:", "if False:"),
    of("R0-13", "the cache has a row for each query head", GQA, "shape = (batch, kept, self.n_kv_heads, self.head_dim)", "shape = (batch, kept, self.q_proj.out_features // self.head_dim, self.head_dim)"),
    of("R1-10", "a token sees its successor", MASKS, "allowed = distances >= 0", "allowed = distances >= -1"),
    of("R1-22", "the full norm is per head", GQA, '"full": (q_width, kv_width)', '"full": (dims.head_dim, dims.head_dim)'),
    of("R2-05", "query heads take turns", ATTEND, "k.repeat_interleave(share, dim=2), v.repeat_interleave(share, dim=2)", "k.repeat(1, 1, share, 1), v.repeat(1, 1, share, 1)"),
    of("R2-09", "positions start anew in each chunk", MODEL, "return positions if caches is None else positions + caches[0].lengths[:, None]", "return positions"),
    of("R2-34", "windows are one too long", MASKS, "(distances < window)", "(distances <= window)"),
    of("R3-10", "not causal without a mask", ATTEND, "is_causal=mask is None and n_tokens > 1", "is_causal=False"),
    of("R4-39", "the output projection has no bias", GQA, "self.o_proj = nn.Linear(q_width, dims.d_model, bias=bias)", "self.o_proj = nn.Linear(q_width, dims.d_model, bias=False)"),
    # feed-forwards and experts
    of("R0-15", "a plain sigmoid gate", SWIGLU, "return F.silu(x)", "return x.sigmoid()"),
    of("R2-12", "gate and up swapped", DENSE, "self.activation(self.gate_proj(x)) * self.up_proj(x)", "self.activation(self.up_proj(x)) * self.gate_proj(x)"),
    of("R3-11", "no rounding up", LLAMA, "multiple_of * math.ceil(int(multiplier * nominal) / multiple_of)", "int(multiplier * nominal)"),
    of("R2-14", "the chosen weights are not normalised", MOE, "if self.normalize_top_k:", "if False:"),
    of("R2-15", "they always are", MOE, "if self.normalize_top_k:", "if True:"),
    of("R2-16", "experts weigh the same", MOE, "weights = weights.flatten(0, 1).to(rows.dtype)", "weights = torch.full_like(weights, 1 / self.top_k).flatten(0, 1).to(rows.dtype)"),
    of("R2-18", "the router learns nothing", MOE, "weights = scores.gather(-1, chosen)", "weights = scores.detach().gather(-1, chosen)"),
    of("R2-20", "the balance loss is divided by k", ROUTING, "return tokens / (n_tokens * len(alike))", "return tokens / tokens.sum()"),
    of("R2-21", "padding counts as load", EVALUATION, "expert_tokens(context, layer_idx, counted)", "expert_tokens(context, layer_idx, None)"),
    of("R2-22", "all experts are active", MOE, "return (self.n_experts - self.top_k) * _size(self.experts) // self.n_experts", "return 0"),
    # 8-bit integers
    of("R0-17", "numbers are cut off, not rounded", QUANTIZE, ".round().clamp", ".trunc().clamp"),
    of("R0-18", "one scale for the whole tensor", QUANTIZE, "groups.abs().amax(-1, keepdim=True)", "groups.abs().amax().expand(*groups.shape[:-1], 1)"),
    of("R0-19", "a scale for each row", INT8, "self.group_of(weight.shape[-1])", "weight.shape[-1]"),
    of("R0-23", "the embedding stays as it is", INT8, "if isinstance(module, MULTIPLYING) or module is table:", "if isinstance(module, MULTIPLYING) and module.weight is not table.weight:"),
    # sizes, presets and configurations
    of("R1-01", "the head has a bias", "harness/core/head.py", "vocab_size, bias=False)", "vocab_size, bias=True)"),
    of("R1-02", "one model has 35 layers", PRESETS, "_qwen3(2560, 36,", "_qwen3(2560, 35,"),
    of("R1-03", "4,096 positions", PRESETS, "40_960", "4_096"),
    of("R1-04", "unknown fields are ignored", SPEC, "for key in data.keys() - set(known):", "for key in ():"),
    of("R1-13", "a tied table is subtracted once more", COUNTS, "sum(table.numel() for table in tables.values())", "2 * sum(table.numel() for table in tables.values())"),
    of("R1-20", "the sample has no loss", ANATOMY, 'float(model.loss(count[:, :-1], count[:, 1:]))', "float(logits.mean())"),
    of("R2-01", "head_dim is ignored", FOREIGN, '"head_dim": Key("head_dim", None),\n    "context', '"head_dim": Key("", None),\n    "context'),
    of("R2-02", "theta is a million where it is not given", FOREIGN, '"rope_base": Key("position.theta", 10_000.0)', '"rope_base": Key("position.theta", 1_000_000.0)'),
    of("R2-23", "sparse layers begin with the first", FROM_CONFIG, "(layer_idx + 1) % self.decoder_sparse_step == 0", "layer_idx % self.decoder_sparse_step == 0"),
    of("R2-33", "tensors of other shapes are taken", CHECKPOINT, "tensors[name].shape != piece.shape", "False"),
    of("R3-25", "the multiplier keeps the two thirds", FOREIGN, 'said["ffn_dim_multiplier"] is None', "True"),
    of("R4-01", "the 7M model rotates positions", FOREIGN, '"position": "head_rope",', '"position": "rope",'),
    of("R0-26", "the page names what is not there", PAGE, "`ffn: swiglu`", "`ffn: swi_glu`"),
    of("R3-08", "the page misses an attribute", PAGE, "`n_rep` and ", "and "),
    of("R0-28", "a paper is not cited", SWIGLU, "arXiv:2002.05202", "2002"),
    of("R4-05", "the page claims more than was found", PAGE, "`swiglu` against `gelu` | not resolved | open |", "`swiglu` against `gelu` | better | supported |"),
    # training
    of("R1-16", "nothing is computed again", MODEL, "if self.checkpointing and torch.is_grad_enabled():", "if False:"),
    of("R1-18", "uniform weights in a wider range", DRAW, "shape[-1] ** -0.5", "(3 / shape[-1]) ** 0.5"),
    of("R1-21", "the deviation is not that asked for", DRAW, "return init.std * addressed_normal", "return 2 * init.std * addressed_normal"),
    of("R3-15", "targets are the tokens", ORDER, "windows[:, 1:]", "windows[:, :-1]"),
    of("R3-17", "the deviation of weight_init is not read", FOREIGN, '"weight_init": Key("init.std", (0.02, 0.0))', '"weight_init": Key("", (0.02, 0.0))'),
    of("R3-18", "norms decay", OPTIMIZER_GROUPS, 'weight_decay if decays == "all" else 0.0', "weight_decay"),
    of("R3-19", "Muon climbs", MUON_STEP, "alpha=-group", "alpha=group"),
    of("R3-20", "the first step's factor is lost", WARMUP, "min(self.first + spent / self.warmup, 1.0)", "min(spent / self.warmup, 1.0)"),
    of("R3-21", "the rate may end above its peak", WARMUP, "Final = Annotated[float, Field(ge=0, le=1)]", "Final = Annotated[float, Field(ge=0)]"),
    of("R3-22", "only the first group follows the schedule", LOOP, 'group["lr"] = factor', 'self.optimizer.param_groups[0]["lr"] = factor'),
    of("R3-26", "the rate is not logged", LOOP, "lr=steps[-1].lr", "lr=0.0"),
    of("R3-27", "parts of a batch may differ", "harness/training/config.py", "if self.batch_size % self.micro_batches:", "if False:"),
    of("R4-23", "the norm after clipping is logged", LOOP, "grad_norm=grad_norm.item()", "grad_norm=min(grad_norm.item(), self.config.grad_clip)"),
    of("R4-25", "perplexity in bits", EVALUATION, "math.exp(min(self.val_loss, 700.0))", "2 ** min(self.val_loss, 700.0)"),
    of("R4-38", "dropout and data depend on the process", "harness/data/randomness.py", "repr(address).encode()", "repr((address, id(object()))).encode()"),
    of("R3-23", "parts may overlap", COMBINED, "if not all(a < b for a, b in pairwise(ends)):", "if False:"),
    of("R4-08", "always Nesterov's momentum", MUON_STEP, 'if group["nesterov"] else buffer', "if True else buffer"),
    of("R4-09", "tall matrices are not turned", NEWTON_SCHULZ, "if x.shape[1] > x.shape[2]:", "if False:"),
    of("R4-10", "tall matrices move no further", MUON_STEP, "math.sqrt(max(1.0, d_out / d_in))", "1.0"),
    of("R4-11", "the embedding is orthogonalised", "harness/core/hidden.py", "for layer in layers for p", "for layer in (model.embedding, *layers) for p"),
    of("R4-22", "the schedule ends with the budget", COSINE, "spent / self.cycle", "spent"),
    of("R4-13", "only the first parameter of a block counts", GRADIENTS, "for p in b.parameters()", "for p in list(b.parameters())[:1]"),
)  # fmt: skip


def main(rows: Sequence[str]) -> int:
    """Plant the faults of the chosen rows; print each verdict and the count."""
    chosen = [m for m in MUTATIONS if not rows or m.name.startswith(tuple(rows))]
    return plant(chosen, check_source=not rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
