"""Smaller batches and shorter sequences in the first parts of a training."""

from typing import Annotated, Protocol

from pydantic import Field
from torch import Tensor

from harness.data.batches import Batch
from harness.quantities import Count
from harness.schema import Frozen


class Batches(Protocol):
    """Batches by step, or plain tokens and targets: any step can be asked for at any time."""

    def __getitem__(self, step: int) -> Batch | tuple[Tensor, Tensor]: ...


class Stage(Frozen):
    """What a batch is until a fraction of the budget is spent.

    Options:
        until: Fraction of the budget, between 0 and 1.
        batch_size: Sequences of a step; a divisor of the batch size after the last stage, which is
            the default.
        seq_len: Tokens of a sequence, likewise. A row of the data is cut into several that do not
            see each other, so that a step has as many tokens as with long ones.

    Source:
        Smith et al. 2017, "Don't Decay the Learning Rate, Increase the Batch Size",
        arXiv:1711.00489; Li, Zhang and He 2021, "The Stability-Efficiency Dilemma",
        arXiv:2108.06084, which drops the rest of a row instead.
    """

    until: Annotated[float, Field(gt=0, lt=1)]
    batch_size: Count | None = None
    seq_len: Count | None = None


def take(batches: Batches, rows: int, full_size: int, stage: Stage | None) -> tuple[Batch, int]:
    """Return the batch of a stage, and how many rows of the data are used up after it.

    Args:
        batches: Of `full_size` rows each, by step.
        rows: That are used up before it. What a smaller batch leaves of one of `full_size` is for
            the next ones; a larger batch begins at a multiple of its size.
        full_size: Rows of a batch without a stage.
        stage: That the training is in, if it is in any.
    """
    size = (stage and stage.batch_size) or full_size
    first = -(-rows // size) * size
    index, place = divmod(first, full_size)
    batch = Batch(*batches[index])
    if size < full_size:
        batch = batch.rows(slice(place, place + size))
    if stage and stage.seq_len:
        batch = batch.cut(stage.seq_len)
    return batch, first + size
