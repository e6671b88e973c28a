"""What is known of the data of a plan once they are tokenised, in lines for a person."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.analysis.verdicts.exposure import Exposure, exposure_notes
from harness.core.cost import Cost
from harness.data.dataset import Dataset, TokenDataset
from harness.data.probes import ProbeDataset
from harness.errors import ConfigError
from harness.experiments.planning.planned import PlannedArm
from harness.training.config import TrainConfig


@dataclass(frozen=True)
class PreparedArm:
    """The data of an arm, and what it is going to see of them."""

    corpus: str
    left_out: Mapping[str, int]
    exposure: Exposure


def prepare(planned: PlannedArm, dataset: Dataset) -> PreparedArm:
    """Look at the data of an arm.

    Raises:
        ConfigError: they do not fill one batch, or a stage would cut them where it must not.
    """
    train, cost = planned.arm.train, planned.matched.cost
    if isinstance(dataset, ProbeDataset) and train.lengths != {train.seq_len}:
        cut = "a shorter seq_len would cut a probe's examples; stages may have a smaller batch_size"
        raise ConfigError.at(("stages",), cut)
    per_epoch = dataset.order(train.batch_size, train.seq_len, seed=0).tokens_per_epoch
    tokens = planned_tokens(train, cost)
    return PreparedArm(
        corpus=planned.arm.data.corpus.name,
        left_out=dataset.left_out if isinstance(dataset, TokenDataset) else {},
        exposure=Exposure(
            None if tokens is None else tokens / cost.params,
            None if tokens is None else tokens / per_epoch,
        ),
    )


def planned_tokens(train: TrainConfig, cost: Cost) -> float | None:
    """Return about how many tokens a budget buys; None: only time will tell."""
    match train.budget.unit:
        case "tokens":
            return train.budget.amount
        case "steps":
            return train.budget.amount * train.tokens_per_step
        case "flops":
            return train.budget.amount / cost.train_flops_per_token
    return None


def left_out_lines(arms: Mapping[str, PreparedArm]) -> list[str]:
    """Say of each corpus how many of its documents do not enter, and why."""
    lines = dict[str, None]()  # arms mostly share a corpus
    for arm in arms.values():
        reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(arm.left_out.items()))
        if reasons:
            lines[f"left out of the corpus {arm.corpus!r}: {reasons}"] = None
    return list(lines)


def data_lines(arms: Mapping[str, PreparedArm]) -> list[str]:
    """Say what there is to know of the data before training."""
    notes = exposure_notes({name: arm.exposure for name, arm in arms.items()})
    return [*left_out_lines(arms), *notes]
