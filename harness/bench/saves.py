"""`ablate bench saves`: what it costs that a run can be taken up wherever it is stopped."""

import itertools
import tempfile
from pathlib import Path
from typing import Any

import torch
from rich.console import Console, Group, RenderableType

from harness.bench.timing import Step, interleaved
from harness.bench.view import figures, headed_table
from harness.bench.workload import Workload
from harness.core.model import LanguageModel
from harness.data.batches import Batches
from harness.data.order import BatchOrder, Windows
from harness.store.checkpoints import SECONDS_BETWEEN_SAVES
from harness.store.records import Heartbeat, write_record
from harness.store.runs import RunStore
from harness.training.config import TrainConfig
from harness.training.evaluation import Evaluation
from harness.training.flops import TrainingFlops
from harness.training.loop import REPORTS, Training

RUN_SECONDS = 300.0
MOST_ROUNDS = REPORTS - 3  # each takes a step of a budget of so many, and so do three before them
FIGURES = {
    "checkpoint_bytes": ("a checkpoint, MB", "{:.1f}"),
    "saves": ("checkpoints in five minutes of training, at most", "{:.0f}"),
    "share": ("share of five minutes spent on checkpoints, curve and heartbeat", "{:.2%}"),
}


def bench_saves(workload: Workload, rounds: int, folder: Path, console: Console) -> dict[str, Any]:
    """Time a training step, a checkpoint and the note of a measurement in turn.

    What is written goes to the disk of `folder`, synced as in a run. The share counts a checkpoint
    each time that is due by default, and one at each evaluation, as if each were the best so far.

    Raises:
        StoreError: there is no room in `folder`.
    """
    torch.set_num_threads(workload.threads)
    rounds = min(rounds, MOST_ROUNDS)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".bench-") as temporary:
        training = _training(workload)
        measurements = iter(training)
        point = next(measurements)  # the optimizer now has its state
        attempt = RunStore(Path(temporary)).new_attempt("saves", "here")
        steps = itertools.count(1)

        def checkpoint() -> None:
            if (state := training.state()).is_finite:
                attempt.checkpoints.write(next(steps), state.save)

        def note() -> None:
            attempt.append_measurement(point.to_dict())
            beat = Heartbeat(fraction=point.fraction, step=point.step, loss=point.train_loss)
            write_record(attempt.path / "heartbeat.json", beat)

        with attempt.hold():
            what: dict[str, Step] = {
                "training step": lambda: next(measurements),
                "checkpoint": checkpoint,
                "curve and heartbeat": note,
            }
            console.print(f"timing {len(what)} things, {rounds} rounds each", highlight=False)
            times = interleaved(what, rounds, workload.device)
            newest = attempt.checkpoints.newest(console.print)
        assert newest
        nbytes = sum(file.stat().st_size for file in newest.path.iterdir())
    n_saves = RUN_SECONDS / SECONDS_BETWEEN_SAVES + training.config.evaluations
    spent = n_saves * times["checkpoint"].median + REPORTS * times["curve and heartbeat"].median
    return {
        "workload": workload.to_dict(),
        "seconds": {name: timing.to_dict() for name, timing in times.items()},
        "checkpoint_bytes": nbytes / 1e6,
        "saves": n_saves,
        "share": spent / RUN_SECONDS,
    }


def saves_view(found: dict[str, Any]) -> RenderableType:
    """Draw what was found, with the figures that matter last."""
    table = headed_table("What being resumable costs", ("", "seconds", "quartiles"))
    for name, timing in found["seconds"].items():
        table.add_row(name, f"{timing['median']:.4f}", f"±{timing['spread'] / 2:.1%}")
    return Group(table, figures(found, FIGURES))


def _training(workload: Workload) -> Training:
    shape = {"batch_size": workload.batch_size, "seq_len": workload.seq_len}
    config = TrainConfig.read({"budget": {"steps": REPORTS}, **shape})
    n_tokens = REPORTS * workload.batch_size * workload.seq_len + 1
    text = torch.randint(workload.spec.dims.vocab_size, (n_tokens,)).numpy().astype("uint32")
    order = BatchOrder(len(text), workload.batch_size, workload.seq_len, seed=0)
    return Training(
        LanguageModel(workload.spec).initialize(0).to(workload.device),
        Batches(Windows(text, order), workload.device),
        _nothing,
        config,
        flops=TrainingFlops(1.0),
        seed=0,
    )


def _nothing(_model: LanguageModel) -> Evaluation:
    return Evaluation(nats=(1.0,), n_bytes=(1,), n_tokens=1, n_correct=0)
