"""What is counted and measured in a training."""

from dataclasses import asdict, dataclass, field
from typing import Any

from harness.training.evaluation import Evaluation


@dataclass(frozen=True)
class Measurement:
    """One point on a learning curve. Losses are in nats per token."""

    step: int
    tokens: int
    flops: float
    seconds: float  # of training: evaluation is not charged to the budget
    fraction: float  # of the budget
    train_loss: float  # of the objective, mean since the last measurement
    auxiliary_loss: float  # what components add to it, likewise
    lr: float
    grad_norm: float  # of the last step, before clipping
    tokens_per_s: float  # since the last measurement
    share_of_peak: float | None  # of the matmul peak, by model FLOPs a second; likewise
    peak_memory: int  # bytes so far: of a GPU's tensors, or of the whole process
    evaluation: Evaluation | None  # at evenly spaced fractions of the budget, and at its end
    branches: dict[str, dict[str, float]] = field(default_factory=dict)
    """What decays that left the training here ended as, by their names."""

    def to_dict(self) -> dict[str, Any]:
        """Write it flat, but for the activations by layer, and without documents."""
        flat = asdict(self)
        del flat["evaluation"]
        if not self.branches:
            del flat["branches"]
        return flat | (self.evaluation.to_point() if self.evaluation else {})


@dataclass
class Counters:
    """How far a training is, at a measurement."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0  # of training: evaluation is not charged to the budget
    reports: int = 0  # of the training loss, that were due
    evaluations: int = 0  # that were due
    rows: int = 0  # of the data, used up
    shorter: dict[str, int] = field(default_factory=dict)  # tokens, by length of shorter sequences
    branches: int = 0  # that were followed to their ends


@dataclass
class Step:
    """What is known of one step."""

    loss: float  # of the objective, nats per token
    auxiliary: float
    grad_norm: float  # before clipping
    lr: float
    tokens: int
    flops: float = 0.0
    seconds: float = 0.0
