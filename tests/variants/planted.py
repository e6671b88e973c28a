"""Components with one fault each, and the contract that must catch it."""

from pathlib import Path

FFN = '''
import torch
from torch import nn
from harness.core.slots import FFN
from variants.ffn.swiglu import SwiGLU

@FFN.register("{name}")
class Planted(SwiGLU):
    """A fault.

    Source:
        Planted.
    """
{body}
'''

ATTENTION = '''
import torch
from torch import nn
import torch.nn.functional as F
from harness.core.cache import TokenCache
from harness.core.slots import ATTENTION
from variants.attention.gqa import GroupedQueryAttention

class PlantedCache(TokenCache):
    {cache}

@ATTENTION.register("{name}")
class Planted(GroupedQueryAttention):
    """A fault.

    Source:
        Planted.
    """
    def __init__(self, dims, layer_idx, make_position, make_norm):
        super().__init__(dims, layer_idx, make_position, make_norm)

    @classmethod
    def complete(cls, options, dims):
        return dict(options)

    def new_cache(self, batch, max_len, device, dtype):
        cache = super().new_cache(batch, max_len, device, dtype)
        return PlantedCache(cache.buffers, max_len)

{body}
'''

NORM = '''
import torch
from harness.core.slots import NORM
from variants.norm.rms_norm import RMSNorm

@NORM.register("{name}")
class Planted(RMSNorm):
    """A fault.

    Options:
        eps: As in rms_norm.

    Source:
        Planted.
    """
    def forward(self, x):
        return super().forward(x) + 0.1 * x.mean(0, keepdim=True)
'''

OBJECTIVE = '''
import torch
import torch.nn.functional as F
from harness.core.slots import OBJECTIVE, Objective

@OBJECTIVE.register("{name}")
class Planted(Objective):
    """A fault.

    Source:
        Planted.
    """
    def forward(self, hidden, targets, head, context):
        logits, targets = head(hidden).flatten(0, 1), targets.flatten()
{body}
'''

PRECISION = '''
from torch import nn
from harness.core.slots import PRECISION, Precision

@PRECISION.register("{name}")
class Planted(Precision):
    """A fault.

    Source:
        Planted.
    """
{body}
'''


def _ffn(body: str, init: str = "") -> str:
    made = "    def __init__(self, dims, layer_idx):\n        super().__init__(dims, layer_idx)\n"
    made += f"        {init}\n" if init else ""
    forward = f"    def forward(self, x, context):\n        {body}\n" if body else ""
    return FFN.replace("{body}", made + forward)


def _attention(body: str = "", cache: str = "pass") -> str:
    return ATTENTION.replace("{body}", body).replace("{cache}", cache)


def _own(forward: str) -> str:
    return _attention(f"    def forward(self, x, context):\n        {forward}\n")


def _precision(method: str, statement: str) -> str:
    loop = f"        for w in model.parameters():\n            {statement}\n"
    return PRECISION.replace("{body}", f"    def {method}(self, model):\n{loop}")


def _plain(mask: str) -> str:
    """An attention that obeys part of the context only."""
    return _attention(f"""
    def forward(self, x, context):
        if context.caches is not None or {mask} is None:
            return super().forward(x, context)
        kept, context.{mask.partition(".")[2]} = {mask}, None
        memo, context._memo = context._memo, {{}}
        out = super().forward(x, context)
        context.{mask.partition(".")[2]}, context._memo = kept, memo
        return out
""")


PLANTED: dict[str, tuple[str, str]] = {
    "ffn/loses_a_row": (_ffn("return super().forward(x, context)[:, :-1]"), "keeps_shape"),
    "attention/peeks": (
        _own("y = super().forward(x, context); return y + 0.1 * F.pad(y[:, 1:], (0, 0, 0, 1))"),
        "never_looks_ahead",
    ),
    "ffn/averages_over_time": (
        _ffn("y = super().forward(x, context); return y + y.mean(1, keepdim=True)"),
        "past_has_no_gradient_from_the_future",
    ),
    "ffn/averages_the_past": (
        _ffn(
            "y = super().forward(x, context); "
            "return y + y.cumsum(1) / torch.arange(1, y.shape[1] + 1)[None, :, None]"
        ),
        "transforms_each_position_alone",
    ),
    "norm/mixes_the_batch": (NORM, "treats_rows_alone"),
    "attention/reads_all_documents": (_plain("context.documents"), "keeps_documents_apart"),
    "attention/joins_equal_ids": (
        _own(
            "memo, context._memo = context._memo, {'runs': context.documents}; "
            "out = super().forward(x, context); context._memo = memo; return out"
        ),
        "documents_are_runs",
    ),
    "attention/reads_padding": (_plain("context.valid"), "padding_changes_nothing"),
    "ffn/has_a_dead_parameter": (
        _ffn("", "self.unused = nn.Parameter(torch.ones(3))"),
        "learns_every_parameter",
    ),
    "ffn/keeps_a_secret": (
        _ffn("return super().forward(x, context) * self.secret", "self.secret = torch.rand(())"),
        "survives_saving",
    ),
    "ffn/draws_its_bias": (
        _ffn("", "self.down_proj = nn.Linear(dims.d_ff, dims.d_model)"),
        "starts_as_its_seed_says",
    ),
    "ffn/is_cheap_on_meta": (
        _ffn("return x if x.is_meta else super().forward(x, context)"),
        "costs_what_the_meta_device_says",
    ),
    "ffn/cites_nobody": (_ffn("").replace("Source:\n        Planted.", ""), "says_what_it_is"),
    "ffn/overflows_in_bf16": (
        _ffn(
            "half = self.up_proj(x).dtype == torch.bfloat16; "
            "return super().forward(x, context) + (float('nan') if half else 0)"
        ),
        "trains_in_bf16",
    ),
    "attention/ignores_its_cache": (
        _own("context.caches, kept = None, context.caches; y = super().forward(x, context); "
             "context.caches = kept; return y"),
        "cached_equals_uncached",
    ),
    "attention/stores_padding": (
        _attention(cache="""
    def append(self, context, **entries):
        valid, context.valid = context.valid, None
        try:
            return super().append(context, **entries)
        finally:
            context.valid = valid
"""),
        "cached_rows_may_differ_in_length",
    ),
    "attention/shares_its_cache": (
        _attention("""
    def forward(self, x, context):
        if context.caches is not None:
            mine = context.cache(self.layer_idx)
            self.shared = getattr(self, "shared", mine)
            if len(self.shared.lengths) == len(mine.lengths):
                mine.buffers = self.shared.buffers
        return super().forward(x, context)
"""),
        "caches_are_strangers",
    ),
    "attention/never_resets": (
        _attention(cache="def reset(self, rows=None): pass"), "reset_rows_start_afresh"
    ),
    "attention/inserts_nothing": (
        _attention(cache="def insert(self, row, other, other_row=0): "
                   "self.lengths[row] = other.lengths[other_row]"),
        "inserted_rows_go_on",
    ),
    "attention/never_forgets": (
        _attention(cache="def crop(self, lengths): pass"), "cropped_caches_forget"
    ),
    "attention/overwrites_when_full": (
        _attention(cache="""
    def append(self, context, **entries):
        if self._longest + entries["k"].shape[1] > self.max_len:
            self.lengths, self._longest = self.lengths * 0, 0
        return super().append(context, **entries)
"""),
        "full_caches_say_so",
    ),
    "objective/counts_everything": (
        OBJECTIVE.replace(
            "{body}",
            "        return F.cross_entropy(logits, targets, reduction='sum') / targets.numel()",
        ),
        "objective_ignores_what_it_is_told_to",
    ),
    "objective/loses_gradient": (
        OBJECTIVE.replace(
            "{body}",
            "        loss = F.cross_entropy(logits, targets)\n"
            "        return 0.9 * loss + 0.1 * loss.detach() "
            "if (targets >= 0).any() else 0 * logits.sum()",
        ),
        "objective_gradients_are_true",
    ),
    "precision/only_signs": (
        _precision("prepare_inference", "w.data = w.data.sign() * 0.3"),
        "precision_keeps_the_function",
    ),
    "precision/unties_the_head": (
        _precision("prepare_training", "model.head.weight = nn.Parameter(model.head.weight.data)"),
        "precision_keeps_the_function",
    ),
}  # fmt: skip


def write_component(folder: Path, component: str, source: str) -> None:
    """Write the file of `slot/name`, under its own name."""
    path = folder / f"{component}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source.replace("{name}", path.stem))
