"""The FLOPs of a training, from the costs of its model and its optimizer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from harness.core.cost import Cost, measure_cost
from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.training.config import TrainConfig
from harness.training.optimizers import OPTIMIZER


@dataclass(frozen=True)
class TrainingFlops:
    """FLOPs of a token, forward and backward, and of an update of the optimizer.

    `shorter` has those of a token where sequences are shorter, by their length.
    """

    per_token: float
    per_step: int = 0
    shorter: Mapping[int, float] = field(default_factory=dict)

    def total(self, steps: int, tokens: int, shorter: Mapping[str, int]) -> float:
        """Return the FLOPs of a training so far; `shorter` has tokens by the length of sequences.

        One product and not a sum over steps, whose rounding could move the end of a budget.
        """
        whole = (tokens - sum(shorter.values())) * self.per_token + steps * self.per_step
        return whole + sum(n * self.shorter[int(length)] for length, n in shorter.items())


def training_flops(variant: VariantSpec, config: TrainConfig, cost: Cost) -> TrainingFlops:
    """Measure on the meta device what a training costs besides `cost`, that of whole sequences.

    Raises:
        ConfigError: the variant cannot be built.
    """
    with torch.device("meta"):
        model = LanguageModel(variant)
    lengths = config.lengths - {config.seq_len}
    return TrainingFlops(
        per_token=cost.train_flops_per_token,
        per_step=OPTIMIZER.build(config.optimizer).flops_per_step(model),
        shorter={length: measure_cost(variant, length).train_flops_per_token for length in lengths},
    )
