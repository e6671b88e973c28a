"""Data, a model and its training in a notebook, without files and without a store.

from harness.notebook import load_data, new_model, train

data = load_data(corpus="sotu")
model = new_model(data, preset="tiny", attention="mqa")
curve = train(model, data, budget={"tokens": "200k"})
curve.plot(x="tokens", y="train_loss")
"""

from typing import Any

import pandas as pd
from rich.console import Console

from harness.core.cost import measure_cost
from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.data.batches import batches
from harness.data.config import DataConfig
from harness.data.dataset import Dataset, load_dataset
from harness.errors import AblateError
from harness.experiments.question.arms import with_preset
from harness.experiments.running.scoring import evaluator_on
from harness.training.config import TrainConfig
from harness.training.environment import choose_device
from harness.training.flops import training_flops
from harness.training.loop import Training


def load_data(**written: Any) -> Dataset:
    """Load what the keys of `data:` say, such as `corpus="sotu"`.

    Raises:
        ConfigError: a mistake in them, or the corpus cannot be read.
    """
    return load_dataset(DataConfig.read(written))


def new_model(
    data: Dataset, *, preset: str = "tiny", seed: int = 0, device: str = "auto", **changes: Any
) -> LanguageModel:
    """Build what the keys of `variant:` say, for the ids of some data, with initial weights.

    Raises:
        ConfigError: no such preset, or a change that it does not take.
        AblateError: there is no such device.
    """
    written = with_preset({"preset": preset}, changes)
    written.setdefault("vocab_size", data.vocab_size)
    model = LanguageModel(VariantSpec.read(written)).initialize(seed)
    return model.to(choose_device(device))  # type: ignore[arg-type]


def train(
    model: LanguageModel, data: Dataset, *, seed: int = 0, progress: bool = True, **written: Any
) -> pd.DataFrame:
    """Train a model in place, from the weights that it has, as the keys of `train:` say.

    Args:
        model: On the device to train on.
        data: What to train and to evaluate on.
        seed: Of the order of the data, and of dropout.
        progress: Whether to print a line at each evaluation.
        **written: At least `budget`, such as `budget={"tokens": "1M"}`.

    Returns:
        The learning curve, one row a measurement, with the columns of `curve.jsonl`.

    Raises:
        ConfigError: a mistake in `written`, or the data do not fill one batch.
        AblateError: the model has fewer ids than the data.
        Diverged: the loss or the gradient became infinite or NaN.
    """
    config, device = TrainConfig.read(written), model.head.weight.device
    if data.vocab_size > model.spec.dims.vocab_size:
        has = f"the model has {model.spec.dims.vocab_size} ids"
        raise AblateError(f"{has}, the data need {data.vocab_size}: build it with new_model(data)")
    training = Training(
        model,
        batches(data, config.batch_size, config.seq_len, seed, device),
        evaluator_on(data.held_out, config.seq_len, device, data.separator),
        config,
        flops=training_flops(model.spec, config, measure_cost(model.spec, config.seq_len)),
        seed=seed,
    )
    points, console = [], Console()
    for point in training:
        points.append(point.to_dict())
        if progress and point.evaluation:
            losses = f"loss {point.train_loss:.3f}, held-out {point.evaluation.val_loss:.3f}"
            console.print(f"{point.fraction:4.0%}  step {point.step}  {losses}", highlight=False)
    return pd.DataFrame(points)
