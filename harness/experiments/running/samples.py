"""What a finished run writes: texts that go on from the beginnings of held-out ones."""

import re
from collections.abc import Sequence

import torch

from harness.core.model import LanguageModel
from harness.data.dataset import Dataset, HeldOut
from harness.experiments.blame import cause_of
from harness.inference.decoding import decode
from harness.inference.greedy import most_likely
from harness.inference.sampling import sampled
from harness.store.attempt import Attempt
from harness.store.records import Sample, Samples
from harness.training.randomness import address

N_NEW = 64  # tokens
FIRST_WORDS = re.compile(r"\s*(?:\S+\s+){0,7}\S*")


def leave_samples(
    attempt: Attempt, model: LanguageModel, dataset: Dataset, n: int, seed: int
) -> None:
    """Write `n` samples beside the result of a run on text; what goes wrong is written there."""
    if not n or not dataset.tokenizer.of_text:
        return
    try:
        found = Samples(samples=_samples(model, dataset, n, address(seed, "samples")))
    except Exception as error:  # recorded with its cause: the run itself is done
        found = Samples(cause=cause_of(error))
    attempt.write_samples(found)


def _samples(model: LanguageModel, dataset: Dataset, n: int, seed: int) -> list[Sample]:
    excerpts, tokenizer = dataset.held_out[:n], dataset.tokenizer
    longest = model.spec.dims.max_seq_len
    prompts = [_prompt(excerpt, dataset)[: max(longest // 2, 1)] for excerpt in excerpts]
    n_new = min(N_NEW, longest - max(map(len, prompts)))
    ids, valid = (part.to(model.head.weight.device) for part in _padded(prompts))
    likely, drawn = (
        decode(model, ids, n_new, choose, valid=valid).tolist()
        for choose in (most_likely, sampled(seed))
    )
    return [
        Sample(
            document=excerpt.id,
            prompt=tokenizer.decode(prompt[1:]),
            greedy=tokenizer.decode(likely[row]),
            sampled=tokenizer.decode(drawn[row]),
        )
        for row, (excerpt, prompt) in enumerate(zip(excerpts, prompts, strict=True))
    ]


def _prompt(excerpt: HeldOut, dataset: Dataset) -> list[int]:
    """Return the ids of the first words, after what came before them."""
    words = FIRST_WORDS.match(dataset.tokenizer.decode(excerpt.tokens[1:]))
    assert words  # the expression matches the empty text
    return [int(excerpt.tokens[0]), *dataset.tokenizer.encode([words[0]])[0]]


def _padded(prompts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    rows = torch.nn.utils.rnn.pad_sequence([torch.tensor(p) for p in prompts], batch_first=True)
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    return rows, torch.arange(rows.shape[1]) < lengths[:, None]
