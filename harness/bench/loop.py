"""What the training loop adds to the model's own step, in seconds."""

import torch
from torch import nn

from harness.bench.timing import interleaved
from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.data.batches import Batches
from harness.data.order import BatchOrder, Windows
from harness.training.config import TrainConfig
from harness.training.evaluation import Evaluation
from harness.training.flops import TrainingFlops
from harness.training.loop import Training
from harness.training.optimizers import OPTIMIZER

STEPS, ROUNDS = 200, 7
BATCH_SIZE, SEQ_LEN, VOCAB_SIZE = 8, 256, 16
# A model that does next to nothing, so that the loop around it is what takes the time.
SMALLEST = {
    **dict.fromkeys(("d_model", "d_ff"), 4),
    **dict.fromkeys(("n_layers", "n_heads"), 1),
    "vocab_size": VOCAB_SIZE,
    "max_seq_len": SEQ_LEN,
}


def loop_overhead(device: torch.device) -> float:
    """Return the seconds a step that the loop adds: data, schedule, randomness, measurements.

    The whole loop and the bare steps (forward, backward, clipping, update) of the smallest model
    are timed in turn; the difference does not depend on the model.
    """
    spec = VariantSpec.read(SMALLEST)
    config = TrainConfig.read(
        {"budget": {"steps": STEPS}, "batch_size": BATCH_SIZE, "seq_len": SEQ_LEN, "evaluations": 1}
    )
    text = torch.randint(VOCAB_SIZE, (STEPS * BATCH_SIZE * SEQ_LEN + 1,)).numpy().astype("uint16")
    order = BatchOrder(len(text), BATCH_SIZE, SEQ_LEN, seed=0)
    batches = Batches(Windows(text, order), device)
    tokens, targets, _ = batches[0]

    def whole_loop() -> None:
        model = LanguageModel(spec).initialize(0).to(device)
        for _ in Training(model, batches, nothing, config, flops=TrainingFlops(1.0), seed=0):
            pass

    def bare_steps() -> None:
        model = LanguageModel(spec).initialize(0).to(device)
        optimizer = OPTIMIZER.build(config.optimizer).build(model)
        for _ in range(STEPS):
            model.loss(tokens, targets).backward()
            nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    times = interleaved({"loop": whole_loop, "bare": bare_steps}, ROUNDS, device)
    return (times["loop"].median - times["bare"].median) / STEPS


def nothing(_model: LanguageModel) -> Evaluation:
    """Return an evaluation that costs nothing."""
    return Evaluation(nats=(1.0,), n_bytes=(1,), n_tokens=1, n_correct=0)
