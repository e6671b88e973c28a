"""`ablate bench arms`: how fast the arms of an experiment read a prompt and go on from it.

The weights are random: what is timed does not depend on them, except for which experts tokens meet.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import torch
from rich.console import Console, Group, RenderableType
from rich.text import Text
from torch import Tensor

from harness.analysis.units import count
from harness.bench.timing import Timing, interleaved
from harness.bench.view import headed_table
from harness.core.cache import Cache
from harness.core.model import LanguageModel
from harness.core.slots import PRECISION
from harness.core.spec import VariantSpec
from harness.errors import AblateError
from harness.inference.greedy import most_likely
from harness.inference.layout import by_columns
from harness.store.latency import Latency, Speed
from harness.store.tables import Plan
from harness.training.environment import describe_environment

MOST_NEW = 64


class Answering:
    """An arm that reads a prompt, and then goes on from it."""

    def __init__(self, variant: Mapping[str, Any], n_prompt: int, n_new: int, device: torch.device):
        spec = VariantSpec.read(variant)
        self.model = LanguageModel(spec).initialize(0).to(device).eval()
        PRECISION.build(spec.precision.infer).prepare_inference(self.model)
        self.prompt = torch.randint(spec.dims.vocab_size, (1, n_prompt)).to(device)
        self.n_new = n_new
        self._caches: list[Cache] = []
        self.token = self.prompt[:, :1]

    def prefill(self) -> None:
        """Read the prompt and choose the token after it."""
        self._caches = self.model.new_caches(1, self.prompt.shape[1] + self.n_new)
        self.token = self._next(self.prompt)

    def decode(self) -> None:
        """Choose the tokens after that one, each read in turn; once after each `prefill`."""
        for _ in range(self.n_new):
            self.token = self._next(self.token)

    def _next(self, tokens: Tensor) -> Tensor:
        with torch.inference_mode():
            hidden, _ = self.model.hidden(tokens, caches=self._caches)
            return most_likely(self.model.head(hidden[:, -1]))[:, None]


def bench_arms(
    plan: Plan, rounds: int, threads: int, device: torch.device, console: Console
) -> Latency:
    """Time every arm in turn, round after round, with one sequence.

    The prompt is as long as the sequences that the arms are trained on, if as many tokens as are
    decoded then fit behind it.

    Raises:
        AblateError: the arms have room for too few tokens.
    """
    torch.set_num_threads(threads)
    n_prompt, n_new = _lengths(plan)
    variants = {name: arm["variant"] for name, arm in plan["arms"].items()}
    arms = {name: Answering(variants[name], n_prompt, n_new, device) for name in variants}
    steps: dict[str, Callable[[], object]] = {}
    for name, arm in arms.items():  # a prompt is read before each answer
        steps |= {f"prefill {name}": arm.prefill, f"decode {name}": arm.decode}
    console.print(f"timing {len(arms)} arms, {rounds} rounds each", highlight=False)
    with ExitStack() as layouts:
        for arm in arms.values():
            layouts.enter_context(by_columns(arm.model))
        times = interleaved(steps, rounds, device)
    speeds = {
        name: _speed(times[f"prefill {name}"], times[f"decode {name}"], n_prompt, n_new, variant)
        for name, variant in variants.items()
    }
    return Latency(describe_environment(device), n_prompt, n_new, rounds, speeds)


def arms_view(latency: Latency) -> RenderableType:
    """Draw what was found."""
    columns = ("arm", "prefill tokens/s", "quartiles", "decode ms/token", "quartiles")
    table = headed_table("Answering", columns)
    for name, speed in latency.arms.items():
        table.add_row(
            Text(name),
            count(speed.prefill_tokens_per_s),
            f"±{speed.prefill_spread / 2:.1%}",
            f"{speed.decode_ms_per_token:.3g}",
            f"±{speed.decode_spread / 2:.1%}",
        )
    return Group(table, Text(latency.words))


def _lengths(plan: Plan) -> tuple[int, int]:
    """Return how long prompt and answer are, the same for every arm."""
    arms = plan["arms"].values()
    longest = min(arm["variant"]["max_seq_len"] for arm in arms)
    trained = min(arm["train"]["seq_len"] for arm in arms)
    n_new = min(MOST_NEW, longest // 2)
    if n_new < 1:
        raise AblateError(f"the arms have room for {longest} tokens: too few to answer a prompt")
    return min(trained, longest - n_new), n_new


def _speed(
    prefill: Timing, decode: Timing, n_prompt: int, n_new: int, variant: Mapping[str, Any]
) -> Speed:
    return Speed(
        prefill_tokens_per_s=n_prompt / prefill.median,
        decode_ms_per_token=1000 * decode.median / n_new,
        prefill_spread=prefill.spread,
        decode_spread=decode.spread,
        variant=variant,
    )
