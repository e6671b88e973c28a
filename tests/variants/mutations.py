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
MASKS, BLOCKS, WINDOW = (f"harness/core/{n}.py" for n in ("masks", "window_blocks", "window_cache"))
ACROSS, OPTIONS = "variants/attention/_across_layers.py", "tests/variants/attention/test_gqa.py"
WINDOWS, CACHES = "tests/core/test_window_cache.py", "tests/core/test_cache.py"
DECODING, DECODED = "harness/inference/decoding.py", "tests/inference/test_greedy.py"
STEPS, REFERENCE = "harness/bench/steps.py", "tests/bench/test_reference.py"
ENTROPY, DRAW = "harness/core/cross_entropy.py", "harness/core/initialization.py"
PRICE, MATCHING = "harness/core/cost.py", "harness/core/match.py"
MOE, MIXTURE = "variants/ffn/moe.py", "tests/variants/ffn/test_moe.py"
CONTEXT, RECURRENCE = "harness/core/context.py", "tests/core/test_recurrence.py"
GROUPS, GROUPED = "harness/core/grouped.py", "tests/core/test_grouped.py"
AHEAD, TOKENS = "variants/objective/multi_token.py", "tests/variants/objective/test_multi_token.py"
ROUTING, LOOP, SCORE = (
    "harness/core/routing.py",
    "harness/training/loop.py",
    "harness/training/evaluation.py",
)
TRAINED, SCORED = (f"tests/training/test_{n}.py" for n in ("loop", "evaluation"))


def of(name: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    return several(name, file, ((old, new),), *tests)


def several(name: str, file: str, patches: tuple[tuple[str, str], ...], *tests: str) -> Mutation:
    return Mutation(name, file, patches, tests or (PARITY,))


Q_NORM = "q = self._heads(self.q_proj(x), self.q_norm)  # B T H C"
K_NORM = "k = self._heads(self.k_proj(x), self.k_norm)  # B T K C"
ROTATE = "q, k = self.position.rotate(q, k, context)"
KEYS_AND_VALUES = "    k, v = k.transpose(1, 2), v.transpose(1, 2)\n    out"
CAUSAL = ("is_causal=mask is None and n_tokens > 1", "is_causal=False")
TRIANGLE = "attn_mask=torch.ones(n_tokens, k.shape[2], dtype=torch.bool).tril({}) if mask is None else mask,"
WIDE_NORM = (
    "y = self._heads(self.{0}_proj(x)); {0} = self.{0}_norm.weight * y"
    " * torch.rsqrt(y.square().mean((-2, -1), keepdim=True) + 1e-6)"
)
BY_HEAD = (
    "import torch\n"
    "        rates = self.theta ** -(torch.arange(0, self.width, 2) / self.width)\n"
    "        def turn_heads(x):\n"
    "            angles = torch.arange(x.shape[2])[:, None] * rates\n"
    "            both = torch.cat((-angles, angles), dim=-1)\n"
    "            return turn(x, both.cos(), both.sin())\n"
    "        return turn_heads(q), turn_heads(k)"
)
SWAPPED = "torch.stack((x[..., 1::2], x[..., ::2]), dim=-1).flatten(-2)"

MUTATIONS = (
    # conformance 4.1, as far as it speaks of the dense model
    of("sigmoid gate", SWIGLU, "F.silu(x)", "x.sigmoid()"),
    of("o_proj is missing where shapes allow it", GQA, "return self.o_proj(mixed)",
       "return mixed if mixed.shape == x.shape else self.o_proj(mixed)"),
    of("gate and up swapped", DENSE, "self.activation(self.gate_proj(x)) * self.up_proj(x)",
       "self.activation(self.up_proj(x)) * self.gate_proj(x)"),
    of("scale by d / h", GQA, "softcap=self.softcap,",
       "softcap=self.softcap, scale=(x.shape[-1] / q.shape[2]) ** -0.5,"),
    several("QK-norm over all heads", GQA, ((Q_NORM, WIDE_NORM.format("q")), (K_NORM, WIDE_NORM.format("k")))),
    several("QK-norm after RoPE", GQA, (
        (Q_NORM, "q = self._heads(self.q_proj(x))"), (K_NORM, "k = self._heads(self.k_proj(x))"),
        (ROTATE, ROTATE + "; q, k = self.q_norm(q), self.k_norm(k)"))),
    of("no norm of the keys", GQA, K_NORM, "k = self._heads(self.k_proj(x))"),
    several("RoPE interleaved", ROTATION, (
        ("torch.cat((-angles, angles), dim=-1)", "torch.stack((-angles, angles), dim=-1).flatten(-2)"),
        ("x.roll(x.shape[-1] // 2, dims=-1)", SWAPPED))),
    of("RoPE by head", ROPE, "return turn(q, cos, sin), turn(k, cos, sin)", BY_HEAD),
    of("RoPE theta ignored", ROTATION, "theta**exponents", "10_000.0**exponents"),
    of("RoPE turns the other way", ROTATION, "(-angles, angles)", "(angles, -angles)"),
    of("RoPE leaves the keys", ROPE, "turn(q, cos, sin), turn(k, cos, sin)", "turn(q, cos, sin), k"),
    of("RoPE over a wrong width", ROTATION, "dtype=torch.float32) / width",
       "dtype=torch.float32) / (width + 2)"),
    of("RoPE starts at one beside a cache", MODEL, "positions + caches[0].lengths[:, None]",
       "positions + caches[0].lengths[:, None] + 1", PARITY, CONTRACTS),
    of("cache offset 0 in positions", MODEL,
       "positions if caches is None else positions + caches[0].lengths[:, None]", "positions"),
    of("cache offset 0 in slots", CACHE, "place = slice(self._longest, self._longest + n_tokens)",
       "place = slice(0, n_tokens)"),
    of("cache offset 0 in slots of other rows", CACHE, "slots = self.lengths[:, None] +",
       "slots = 0 * self.lengths[:, None] +", CONTRACTS),
    of("repeat instead of repeat_interleave", ATTENTION, KEYS_AND_VALUES,
       "    share = n_heads // n_kv_heads if n_tokens > 1 else 1\n"
       "    k, v = (x.repeat(1, 1, share, 1).transpose(1, 2) for x in (k, v))\n    out"),
    of("one token's query heads read others' keys", ATTENTION,
       "q = q.view(len(q), n_kv_heads, n_heads // n_kv_heads, -1)",
       "q = q.view(len(q), n_heads // n_kv_heads, n_kv_heads, -1).transpose(1, 2)"),
    several("mask diagonal -1", ATTENTION, (("attn_mask=mask,", TRIANGLE.format(-1)), CAUSAL)),
    several("mask diagonal +1", ATTENTION, (("attn_mask=mask,", TRIANGLE.format(1)), CAUSAL)),
    of("no causal mask", ATTENTION, *CAUSAL),
    of("cached mask one ahead", MASKS, "key_positions[:, None, :]", "key_positions[:, None, :] + 1"),
    of("cached mask without itself", MASKS, "key_positions[:, None, :]", "key_positions[:, None, :] - 1"),
    of("untied head", MODEL, "if spec.tie_embeddings:", "if False:"),
    of("head always tied", MODEL, "if spec.tie_embeddings:", "if True:"),
    of("eps 1e-5", RMS, "Field(gt=0)] = 1e-6", "Field(gt=0)] = 1e-5"),
    of("eps outside the root", RMS, "torch.rsqrt(y.square().mean(-1, keepdim=True) + self.eps)",
       "1 / (y.square().mean(-1, keepdim=True).sqrt() + self.eps)"),
    of("norm takes the mean away", RMS, "y = x.float()", "y = x.float() - x.float().mean(-1, keepdim=True)"),
    of("weight before the cast", RMS, "self._scale(y.to(x.dtype))", "self._scale(y).to(x.dtype)"),
    of("target not shifted", "harness/data/order.py", "windows[:, 1:]",
       "windows[:, :-1]", "tests/data/test_batches.py"),
    of("target shifted twice", "variants/objective/next_token.py", "targets.flatten(), self.z_loss)",
       "targets.roll(-1, 1).flatten(), self.z_loss)", PARITY, CONTRACTS),
    # wiring
    of("no final norm", MODEL, "return context.drop(self.norm(x))", "return context.drop(x)"),
    of("embedding scaled by sqrt(d)", "variants/embedding/token.py", "F.embedding(tokens, self.weight)",
       "F.embedding(tokens, self.weight) * self.weight.shape[1] ** 0.5"),
    of("no residual around attention", PRE_NORM, "x = x + context.drop(self.attention", "x = context.drop(self.attention"),
    of("no residual around the feed-forward", PRE_NORM, "return x + context.drop", "return context.drop"),
    of("feed-forward in parallel", PRE_NORM, "x = x + context.drop(self.attention(y, context))\n"
       "        y = self._convolved(\"ffn\", self.ffn_norm(x), context)\n",
       "y, x = self.ffn_norm(x), x + context.drop(self.attention(y, context))\n"),
    of("norms of a block swapped", PRE_NORM, "self.attention_norm(x), context", "self.ffn_norm(x), context"),
    # attention and caches
    of("window one too long", MASKS, "distances < window", "distances <= window", ATTEND),
    of("documents run together", MASKS, "if (runs := context.runs) is not None:", "if False:", ATTEND),
    of("padding is read", MASKS, "(allowed & of_keys(context.valid)[:, None]) | (distances == 0)", "allowed", ATTEND),
    of("padding leaves an empty row", MASKS, " | (distances == 0)", "", ATTEND),
    of("bias not masked", ATTENTION, '.masked_fill(~mask, float("-inf"))', "", ATTEND),
    of("scale ignored", ATTENTION, "scale=scale,\n        enable_gqa", "enable_gqa", ATTEND),
    of("scale ignored where scores are written out", ATTENTION, "q.shape[-1] ** -0.5 if scale is None else scale",
       "q.shape[-1] ** -0.5", ATTEND),
    of("written out repeat instead of repeat_interleave", ATTENTION,
       "k.repeat_interleave(share, dim=2), v.repeat_interleave(share, dim=2)",
       "k.repeat(1, 1, share, 1), v.repeat(1, 1, share, 1)", ATTEND),
    of("written out scores are not masked", ATTENTION, 'scores.masked_fill_(~mask, float("-inf"))', "scores", ATTEND),
    of("sinks ignored", ATTENTION, "torch.cat((scores, sink), dim=-1).softmax(-1)[..., :-1]", "scores.softmax(-1)", ATTEND),
    of("the sink of another head", ATTENTION, "sinks[:, None, None]", "sinks.flip(0)[:, None, None]", ATTEND),
    of("soft cap without its height", ATTENTION, ".tanh_() * softcap", ".tanh_()", ATTEND),
    several("soft cap after the mask", ATTENTION, (
        ("scores = scores.div_(softcap).tanh_() * softcap", "pass"),
        ('scores = scores.masked_fill_(~mask, float("-inf"))', 'scores = scores.masked_fill_(~mask, float("-inf"))\n'
         "    scores = scores if softcap is None else softcap * torch.tanh(scores / softcap)")), ATTEND),
    several("soft cap after the bias", ATTENTION, (
        ("scores = scores.div_(softcap).tanh_() * softcap", "pass"),
        ("scores = scores + bias", "scores = softcap * torch.tanh((scores + bias) / softcap) if softcap else scores + bias")),
       ATTEND),
    of("no dropout of weights", ATTENTION, "dropout_p=dropout", "dropout_p=0.0", ATTEND),
    of("no dropout of written out weights", ATTENTION, "F.dropout(weights, dropout)", "weights", ATTEND),
    of("blocks reach one block too little", BLOCKS, "-(-(self.window - 1) // BLOCK)", "(self.window - 1) // BLOCK", ATTEND),
    of("blocks reach before the start", BLOCKS, "torch.where(keys >= 0, queries - keys, -1)", "(queries - keys)", ATTEND),
    of("blocks of a bias are one key off", BLOCKS, "(self.n_before * BLOCK, n_after, 0, n_after)",
       "(self.n_before * BLOCK + 1, n_after - 1, 0, n_after)", ATTEND),
    of("blocks of rows are in another order", BLOCKS, ".repeat(n_rows, 1, 1)", ".repeat_interleave(n_rows, 0)", ATTEND),
    of("blocks of all windows share a mask", ATTENTION, '("allowed in blocks", window)', '("allowed in blocks",)', ATTEND),
    of("blocks where nothing is saved", ATTENTION, "blocks if blocks.n_keys < n_tokens else None", "blocks", ATTEND),
    # options of grouped-query attention
    of("the window is not used", GQA, "window=self.window,", "", OPTIONS),
    of("the sinks are not used", GQA, "sinks=self.sinks,", "", OPTIONS),
    of("the soft cap is not used", GQA, "softcap=self.softcap,", "", OPTIONS),
    of("the gate is a SiLU", GQA, "torch.sigmoid(self.gate_proj(x))", "nn.functional.silu(self.gate_proj(x))", OPTIONS),
    of("biases from torch's generator", GQA, "nn.init.zeros_(parameter)", "pass", OPTIONS),
    of("queries of borrowed keys are not turned", GQA, "q, _ = self.position.rotate(q, q[:, :, :0], context)", "pass", OPTIONS),
    of("keys come from the layer before", GQA, "layer_idx - layer_idx % shared_kv", "max(layer_idx - 1, 0)", OPTIONS),
    of("an objective's layers share with the model's", GQA, "in_model = layer_idx < dims.n_layers", "in_model = True", OPTIONS),
    of("values are mixed the other way round", ACROSS, "return weights[0] * v + weights[1] * first",
       "return weights[1] * v + weights[0] * first", OPTIONS),
    of("values are the mean for ever", ACROSS, "return weights[0] * v + weights[1] * first", "return (v + first) / 2", OPTIONS),
    of("any keys may be borrowed", GQA, ', n_kv_heads {n_kv_heads} and window {window}"', '"', OPTIONS),
    of("an alias overrules what is chosen", "harness/core/registry.py", "options.setdefault(key, value.value)",
       "options[key] = value.value", OPTIONS),
    of("a window keeps everything", GQA, "min(self.window, max_len)", "max_len", OPTIONS),
    of("slots without a token are read", WINDOW, "torch.where(held < 0, self.max_len, held)", "held", WINDOWS),
    of("the first of many new tokens are kept", WINDOW, "self._latest(before + counts)",
       "self._latest(torch.minimum(before + counts, before + self._n_slots))", WINDOWS),
    of("padding is kept", WINDOW, "n_tokens if context.valid is None else context.valid.sum(1, keepdim=True)", "n_tokens",
       WINDOWS),
    of("what was lost is cropped to", WINDOW, "(cut & (self.lengths > self._n_slots))", "(cut & False)", WINDOWS),
    of("one mask for all windows", ATTENTION, '("allowed", window, id(key_positions))', '("allowed", id(key_positions))', ATTEND),
    of("positions count padding", MODEL, "(valid.cumsum(1) - 1).clamp(min=0)",
       "torch.arange(tokens.shape[1]).expand(tokens.shape)", CONTRACTS),
    of("padding fills the cache", CACHE, "keep = ... if context.valid is None else context.valid", "keep = ...",
       CONTRACTS),
    of("rows are taken for equally long", CACHE, "self.aligned and context.valid is None:", "True:", CONTRACTS),
    of("padding leaves rows equally long", CACHE, "self.aligned = self.aligned and context.valid is None",
       "pass", CONTRACTS),
    of("a cut leaves windows equally long", WINDOW, "        self._measure()\n", "", CACHES),
    of("longer rows read ahead", MASKS, "context.aligned and n_tokens == 1", "n_tokens == 1", CONTRACTS),
    of("all of several queries read all", MASKS, "context.aligned and n_tokens == 1", "context.aligned", CONTRACTS),
    of("a graph grows in the cache", CACHE, "[:, place] = entry.detach()", "[:, place] = entry", CACHES),
    of("any number of rows for a cache", MODEL, "if caches and len(tokens) !=", "if False and len(tokens) !=", CACHES),
    of("padding counts as length", CACHE, "self.lengths = self.lengths + counts",
       "self.lengths = self.lengths + n_tokens", CONTRACTS),
    of("crop keeps the lengths", CACHE, "torch.minimum(self.lengths, lengths)", "self.lengths", CONTRACTS),
    of("crop may lengthen", CACHE, "torch.minimum(self.lengths, lengths)", "lengths", CONTRACTS),
    of("reset keeps the lengths", CACHE, "self.lengths[slice(None) if rows is None else list(rows)] = 0",
       "pass", CONTRACTS),
    of("insert keeps the length", CACHE, "self.lengths[row] = other.lengths[other_row]", "pass", CONTRACTS),
    of("insert forgets the longest", CACHE, "other.lengths[other_row]\n        self._measure()",
       "other.lengths[other_row]", CONTRACTS),
    of("insert copies row 0", CACHE, "other.buffers[name][other_row]", "other.buffers[name][0]", CONTRACTS),
    of("a full cache says nothing", CACHE, "raise CacheFull(", "print(", CONTRACTS),
    of("one too few fit", CACHE, "(self.lengths + counts).max()) > self.max_len",
       "(self.lengths + counts).max()) >= self.max_len", CONTRACTS),
    of("padding needs room", CACHE, "(self.lengths + counts).max()", "(self.lengths + n_tokens).max()",
       CONTRACTS),
    of("masks of other keys are shared", ATTENTION, 'id(key_positions))', '0 if key_positions is None else k.shape[1])',
       ATTEND),
    # decoding, and what it is timed against
    of("the last column is every prompt's last token", DECODING, "hidden[rows, last]", "hidden[:, -1]", DECODED),
    of("new tokens behind the padding", DECODING, "places == last[:, None], tokens", "places == len(places) - 1, tokens",
       DECODED),
    of("the new token is padding", DECODING, "places <= last[:, None]", "places < last[:, None]", DECODED),
    of("decodes with dropout", DECODING, "    model.eval()\n", "", DECODED),
    of("leaves the model in evaluation mode", DECODING, "module.training = True", "pass", DECODED),
    of("the answer cannot be trained on", DECODING, "torch.inference_mode():\n",
       "torch.inference_mode():\n        new = new.clone()\n", DECODED),
    of("the reference's balance loss is left out", STEPS, "output_router_logits = True", "output_router_logits = False",
       REFERENCE),
    of("the reference shifts targets once more", STEPS, "shift_labels=targets", "shift_labels=None", REFERENCE),
    of("a step that does not move", STEPS, "        optimizer.step()\n", "", REFERENCE),
    # loss
    of("mean over ignored targets too", ENTROPY, "n_targets = (targets != IGNORE).sum().clamp(min=1)",
       "n_targets = torch.tensor(len(targets))", LOSS),
    of("ignored targets count in the loss", ENTROPY, "[0] * counts).sum()", "[0]).sum()", LOSS),
    of("ignored targets have gradient", ENTROPY, "(counts / n_targets)", "((counts | True) / n_targets)", LOSS),
    of("only the last chunk's weight gradient", ENTROPY, "grad_weight.addmm_(grad, chunk)",
       "grad_weight.copy_(grad @ chunk)", LOSS),
    of("only the last chunk's loss", ENTROPY, "total += ", "total = ", LOSS),
    of("gradient of the softmax alone", ENTROPY, "(0, index, -share)",
       "(0, index, 0 * share)", LOSS),
    of("upstream gradient ignored", ENTROPY, "grad_hidden * grad", "grad_hidden", LOSS),
    of("one chunk for all", ENTROPY, "return max(64,", "return max(4096,", LOSS),
    # initial weights
    of("the name is no address", DRAW, '{seed}/{name}', "{seed}", INIT),
    of("the seed is no address", DRAW, '{seed}/{name}', "{name}", INIT),
    of("rows and columns commute", DRAW, "bits = _mix(bits + (index + 1) * _GAMMA)",
       "bits = bits + (index + 1) * _GAMMA", INIT),
    of("depth scale without the 2", DRAW, "(2 * n_layers) ** -0.5", "n_layers**-0.5", INIT),
    of("zero outputs are not zero", DRAW, '"zero": 0.0', '"zero": 1.0', INIT),
    of("uniform instead of normal", DRAW, "torch.special.ndtri(addressed_uniform(seed, name, shape))",
       "((addressed_uniform(seed, name, shape) - 0.5) * 12**0.5)", INIT),
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
    of("the tolerance is not checked", MATCHING, "if abs(residuals[best]) <= tolerance:", "if True:", MATCH),
    of("the narrowest candidate is taken", MATCHING, "key=lambda value: (abs(self.known[value]), value)",
       "key=lambda value: value", MATCH),
    of("a value that cannot be built ends it", MATCHING, "self._impossible.add(value)\n            return False",
       "raise", MATCH),
    of("fine steps come first", "harness/core/dimension.py", "FRIENDLY = (8, 4, 2, 1)", "FRIENDLY = (1,)", MATCH),
    # experts
    of("experts: weights are not normalised", MOE, "if self.normalize_top_k:", "if False:", MIXTURE),
    of("experts: weights are always normalised", MOE, "if self.normalize_top_k:", "if True:", MIXTURE),
    of("experts: softmax over the chosen alone", MOE, "weights = scores.gather(-1, chosen)",
       "weights = logits.gather(-1, chosen).softmax(-1)", MIXTURE),
    of("experts: weight of another expert", MOE, "scores.gather(-1, chosen)", "scores.gather(-1, chosen.flip(-1))",
       MIXTURE),
    of("experts: the last ones are chosen", MOE, "biased.topk(self.top_k)", "biased.topk(self.top_k, largest=False)",
       MIXTURE),
    of("experts: no gradient through the weights", MOE, "weights = scores.gather(-1, chosen)",
       "weights = scores.gather(-1, chosen).detach()", MIXTURE),
    of("experts: sigmoids are no probabilities", MOE, 'if self.scored_by == "sigmoid":', "if False:", MIXTURE),
    of("experts: the router in 16 bits", MOE, "with full_precision(x.device):", "if True:", MIXTURE),
    of("experts: none shared", MOE, "mixed if self.shared is None else mixed + self.shared(x, context)", "mixed",
       MIXTURE, CONTRACTS),
    of("experts: shared ones as wide as one", MOE, "d_ff=n_shared * width", "d_ff=width", MIXTURE),
    of("experts: as wide as the model", MOE, "width = d_ff or dims.d_ff", "width = dims.d_ff", MIXTURE),
    of("experts: none rests", MOE, "return (self.n_experts - self.top_k) * _size(self.experts) // self.n_experts", "return 0", MIXTURE),
    of("experts: the bias weighs", MOE, "weights = scores.gather", "weights = biased.gather", MIXTURE),
    of("experts: the bias moves under a second computation", MOE, "self.choice_bias.clone", "lambda: self.choice_bias",
       MIXTURE),
    of("experts: the bias favours the busy", MOE, "(tokens.mean() - tokens)", "(tokens - tokens.mean())", MIXTURE),
    of("experts: evaluating moves the bias", MOE, "if self.training and self.bias_rate:", "if self.bias_rate:", MIXTURE),
    of("experts: padding moves the bias", MOE, "self.layer_idx, context.valid)", "self.layer_idx, None)", MIXTURE),
    of("experts: rows come back unsorted", GROUPS, "torch.empty_like(order).scatter_(0, order, rows)", "order", GROUPED,
       MIXTURE),
    of("experts: the first group twice", GROUPS, "zip([0, *stops[:-1]], stops, strict=True)",
       "zip([0, 0, *stops[1:-1]][:len(stops)], stops, strict=True)", GROUPED),
    of("experts: an empty group has garbage for a gradient", GROUPS, "torch.mm(x[rows].T, y[rows], out=matrix)",
       "len(x[rows]) and torch.mm(x[rows].T, y[rows], out=matrix)", GROUPED),
    of("experts: products forget autocast", GROUPS, "x, weight = x.to(dtype), weight.to(dtype)", "pass", GROUPED),
    of("experts: a group's matrices may stay behind", GROUPS, "if others := ", "if False and ", GROUPED),
    of("balance: divided by k", ROUTING, "return n_experts * (shared", "return n_experts / 2 * (shared", MIXTURE),
    of("balance: padding is a load", ROUTING, "expert_tokens(context, i, context.valid)", "expert_tokens(context, i, None)",
       MIXTURE),
    of("balance: padding has probabilities", ROUTING, "    if context.valid is None:\n        return x.mean",
       "    if True:\n        return x.mean", MIXTURE),
    of("balance: each layer for itself", ROUTING, "alike = [i for i, other in probabilities.items() if other.shape[-1] == n_experts]",
       "alike = [layer_idx]", MIXTURE),
    of("balance: z-loss without the square", ROUTING, "[layer_idx].square()", "[layer_idx]", MIXTURE),
    of("balance: z-loss of all layers added", ROUTING, " / len(normalisers)", "", MIXTURE),
    of("balance: reported as the loss", LOOP, "losses = loss.objective.detach()", "losses = loss.total.detach()", TRAINED),
    of("balance: reported and not minimised", LOOP, "(loss.total * share)", "(loss.objective * share)", TRAINED),
    of("loads: of padding too", SCORE, "expert_tokens(context, layer_idx, counted)",
       "expert_tokens(context, layer_idx, None)", SCORED),
    of("loads: of the last batch", SCORE, "loads.get(layer_idx, torch.zeros_like(load)) + load", "load", SCORED),
    of("loads: the largest share", SCORE, "max(load) * len(load) / sum(load)", "max(load) / sum(load)", SCORED),
    # several tokens ahead
    of("ahead: the module is told what it predicts", AHEAD, "embedded.roll(-k, 1)", "embedded.roll(-k - 1, 1)", TOKENS),
    of("ahead: the token that is read is predicted", AHEAD, "targets.roll(-k, 1)", "targets.roll(1 - k, 1)", TOKENS),
    of("ahead: past the end", AHEAD, "+ k < targets.shape[1])", "+ k < targets.shape[1] + k)", TOKENS),
    of("ahead: routers count what is rolled in", AHEAD, "embedded.roll(-k, 1) * reaches[..., None]", "embedded.roll(-k, 1)", TOKENS),
    of("a document that begins with padding is none", CONTEXT, "torch.where(self.valid, places, 0)", "places.expand(ids.shape)", RECURRENCE),
    of("experts: of one width, whatever is asked", MOE, "if _size(wider) == _size(self.experts):", "if False:", MIXTURE),
    of("bf16: gradients of the loss in fp32", ENTROPY, "weight.to(_product_dtype(weight))", "weight", LOSS),
    of("ahead: past the document", AHEAD, "if (runs := context.runs) is not None:", "if False:", TOKENS),
    of("ahead: into padding", AHEAD, "if context.valid is not None:", "if False:", TOKENS),
    of("ahead: modules stand side by side", AHEAD, "hidden, predicts = module(", "_, predicts = module(", TOKENS),
    of("ahead: losses are added", AHEAD, "self.weight / len(self.ahead) * ahead", "self.weight * ahead", TOKENS),
    of("ahead: the head reads what is not normed", AHEAD, "return hidden, self.norm(hidden)", "return hidden, hidden",
       TOKENS),
    of("ahead: the next module reads what is normed", AHEAD, "return hidden, self.norm(hidden)",
       "return self.norm(hidden), self.norm(hidden)", TOKENS),
    of("ahead: normed twice after post-norm", AHEAD, "if block.final_norm else nn.Identity()", "", TOKENS),
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
    of("an alias may be contradicted", "harness/core/registry.py", "elif options.setdefault(key, value) != value:", "elif False:",
       REGISTRY),
    of("options are coerced", "harness/core/registry.py", "frozen=True, strict=True)", "frozen=True)", REGISTRY),
)  # fmt: skip


def main(words: list[str]) -> int:
    """Run every chosen mutation; print each verdict and the count."""
    chosen = [m for m in MUTATIONS if not words or any(w in m.name for w in words)]
    return plant(chosen, check_source=not words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
