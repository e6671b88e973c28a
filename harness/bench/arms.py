"""`ablate bench arms`: how fast the arms of an experiment train, read a prompt and go on from it.

The weights are random: what is timed does not depend on them, except for which experts tokens meet.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch
from rich.console import Console, Group, RenderableType
from rich.text import Text
from torch import Tensor

from harness.analysis.units import count
from harness.bench.loop import nothing
from harness.bench.timing import Step, interleaved
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
from harness.training.config import TrainConfig
from harness.training.environment import describe_environment
from harness.training.flops import TrainingFlops
from harness.training.loop import Training

MOST_NEW = 64
_OF_A_STEP = ("batch_size", "seq_len", "optimizer", "grad_clip", "micro_batches", "ema")
MOST_ROUNDS = 90  # a training reports every one of at most a hundred steps


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


def training_step(arm: Mapping[str, Any], device: torch.device) -> tuple[Step, int]:
    """Return a step of an arm's training, as its loop makes it, and the tokens of its batch.

    Batch, optimizer and training precision are the arm's; all steps see the same tokens.
    """
    spec = VariantSpec.read(arm["variant"])
    own = {key: arm["train"][key] for key in _OF_A_STEP if key in arm["train"]}
    config = TrainConfig.read({**own, "budget": {"steps": MOST_ROUNDS + 10}, "evaluations": 1})
    shape = (config.batch_size, config.seq_len + 1)
    tokens = torch.randint(spec.dims.vocab_size, shape).to(device)
    batches = [(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous())] * (MOST_ROUNDS + 10)
    model = LanguageModel(spec).initialize(0).to(device)
    flops = TrainingFlops(1.0)
    training = iter(Training(model, batches, nothing, config, flops=flops, seed=0))
    return lambda: next(training), config.tokens_per_step


def bench_arms(
    plan: Plan, rounds: int, threads: int, device: torch.device, console: Console
) -> Latency:
    """Time every arm in turn, round after round: a step of its training, then an answer.

    An answer is one sequence. Its prompt is as long as the sequences that the arms are trained on,
    if as many tokens as are decoded then fit behind it.

    Raises:
        AblateError: the arms have room for too few tokens, or there are too many rounds.
    """
    if rounds > MOST_ROUNDS:
        raise AblateError(f"at most {MOST_ROUNDS} rounds, but got {rounds}")
    torch.set_num_threads(threads)
    n_prompt, n_new = _lengths(plan)
    variants = {name: arm["variant"] for name, arm in plan["arms"].items()}
    arms = {name: Answering(variants[name], n_prompt, n_new, device) for name in variants}
    steps: dict[str, Step] = {}
    tokens: dict[str, int] = {}
    for name, arm in arms.items():  # a prompt is read before each answer
        steps[f"train {name}"], tokens[name] = training_step(plan["arms"][name], device)
        steps |= {f"prefill {name}": arm.prefill, f"decode {name}": arm.decode}
    console.print(f"timing {len(arms)} arms, {rounds} rounds each", highlight=False)
    with ExitStack() as layouts:
        for arm in arms.values():
            layouts.enter_context(by_columns(arm.model))
        times = interleaved(steps, rounds, device)
    speeds = {
        name: Speed(
            prefill_tokens_per_s=n_prompt / times[f"prefill {name}"].median,
            decode_ms_per_token=1000 * times[f"decode {name}"].median / n_new,
            prefill_spread=times[f"prefill {name}"].spread,
            decode_spread=times[f"decode {name}"].spread,
            variant=variant,
            train_tokens_per_s=tokens[name] / times[f"train {name}"].median,
            train_spread=times[f"train {name}"].spread,
        )
        for name, variant in variants.items()
    }
    return Latency(describe_environment(device), n_prompt, n_new, rounds, speeds)


def arms_view(latency: Latency) -> RenderableType:
    """Draw what was found."""
    columns = ("training tokens/s", "prefill tokens/s", "decode ms/token")
    table = headed_table("Speed", ("arm", *(x for title in columns for x in (title, "quartiles"))))
    for name, speed in latency.arms.items():
        table.add_row(
            Text(name),
            count(speed.train_tokens_per_s),
            _quartiles(speed.train_spread),
            count(speed.prefill_tokens_per_s),
            _quartiles(speed.prefill_spread),
            f"{speed.decode_ms_per_token:.3g}",
            _quartiles(speed.decode_spread),
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


def _quartiles(spread: float | None) -> str:
    return "-" if spread is None else f"±{spread / 2:.1%}"
