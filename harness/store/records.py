"""The files of a run's folder, typed."""

import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError

from harness.schema import Frozen
from harness.store.atomic import null_for_nan, write_json
from harness.store.errors import StoreError
from harness.store.status import Status

Number = int | float
F = TypeVar("F", bound=Frozen)


class RunRecord(Frozen):
    """`run.json`: what was asked for and where it ran, written once at the start."""

    config: dict[str, Any]
    """The complete configuration, defaults included."""
    fingerprint: dict[str, float | str]
    """Outputs and gradients of the code on a fixed tiny input."""
    environment: dict[str, Any]
    created: str
    """ISO 8601, UTC."""
    replica: int = 0


class Resume(Frozen):
    """A training that another process took up."""

    step: int
    """After which it went on; 0: from the beginning."""
    exact: bool
    """Whether the environment is the same, so that the result is as if nothing had happened."""
    environment: dict[str, Any]
    put_aside: list[str] = Field(default_factory=list)
    """Checkpoints that were not as they had been written, and were not used."""


class Heartbeat(Frozen):
    """`heartbeat.json`: how far the run is, for display only."""

    fraction: float
    """Of the budget, 0 to 1."""
    step: int
    loss: float | None = None
    tokens_per_s: float | None = None
    share_of_peak: float | None = None
    seconds_left: float | None = None
    pid: int = Field(default_factory=os.getpid)
    host: str = Field(default_factory=socket.gethostname)
    time: float = Field(default_factory=time.time)
    """Seconds since 1970."""


class Ended(Frozen):
    """How a training or a measurement ended, and what it found."""

    status: Literal[Status.DONE, Status.DIVERGED, Status.FAILED]
    seconds: float
    """Spent by all of the attempt's processes."""
    cause: str | None = None
    """Why it diverged or failed."""
    metrics: dict[str, Number | None] = Field(default_factory=dict)
    documents: dict[str, tuple[float | None, int]] = Field(default_factory=dict)
    """Held-out loss by document: nats and bytes, both summed over the document."""
    expert_tokens: Mapping[int, Sequence[int]] = Field(default_factory=dict)
    """Held-out tokens that met each expert, by layer; a token counts once for each of its own."""
    loss_by_position: Mapping[int, float | None] = Field(default_factory=dict)
    """Held-out nats per token in ranges of positions, 0, 1, 2-3, 4-7, ..., by their first."""
    activations: Mapping[str, Mapping[str, Sequence[float | None]]] = Field(default_factory=dict)
    """`rms` and `max` (of |x|) by layer, over held-out tokens and channels: of the `residual`
    stream after each block, and of what `attention` and `ffn` write into it."""


class Result(Ended):
    """`result.json`: how the run ended, written once; a run with one is never run again."""

    cost: dict[str, Any] = Field(default_factory=dict)
    grad_norm_by_layer: Mapping[str, Sequence[float | None]] = Field(default_factory=dict)
    """Of the first batch's loss, at the `start` and at the `end` of training."""
    resumes: Sequence["Resume"] = Field(default_factory=list)
    """Where training was taken up again, in order."""
    weights_sha256: str | None = None
    """Of `weights.safetensors`, which a run that is done leaves beside this file."""
    best_step: int | None = None
    """Of the evaluation with the lowest held-out loss, the last of equal ones."""
    best_weights_sha256: str | None = None
    """Of `best.safetensors`, which is there if the last evaluation was not the best one."""


class Measured(Ended):
    """`measurements/<name>.json`: what was found with a finished run's weights, written once."""

    settings: dict[str, Any]
    """What was measured, complete."""
    fingerprint: dict[str, float | str]
    """Of the code that measured, as in `run.json`."""
    environment: dict[str, Any] = Field(default_factory=dict)
    created: str
    """ISO 8601, UTC."""


class Sample(Frozen):
    """What a model writes after the first words of a held-out document."""

    document: str
    prompt: str
    greedy: str
    """The most likely token, again and again."""
    sampled: str
    """Tokens drawn as the model predicts them, keyed by the run's seed."""


class Samples(Frozen):
    """`samples.json`: what a finished run writes; only for people."""

    samples: Sequence[Sample] = ()
    cause: str | None = None
    """Why there are none."""


def write_record(path: Path, record: Frozen) -> None:
    """Write a record atomically; NaN and infinities become null."""
    write_json(path, null_for_nan(record.model_dump()))


def read_record(path: Path, kind: type[F]) -> F | None:
    """Read a record, None if the file is not there.

    Raises:
        StoreError: the file is no JSON, or lacks or has too many keys.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise StoreError(path, f"corrupt: {where + ': ' if where else ''}{first['msg']}") from None
