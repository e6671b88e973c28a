"""A run's final weights: to its folder, and back into a model."""

from pathlib import Path

from harness.core.model import LanguageModel
from harness.errors import AblateError
from harness.experiments.question.run_config import RunConfig
from harness.store.attempt import Attempt
from harness.store.errors import StoreError
from harness.store.weights import Weights
from harness.training.tensor_file import read_tensors, write_tensors


def save_weights(model: LanguageModel, path: Path) -> None:
    """Write a model's state under its own names; a tied head is stored once, as the embedding."""
    state = model.state_dict()
    if model.spec.tie_embeddings:
        del state["head.weight"]
    write_tensors({name: tensor.contiguous() for name, tensor in state.items()}, path)


def load_weights(model: LanguageModel, attempt: Attempt, which: Weights = "final") -> None:
    """Give a model, in place, the final weights of a run of its variant, or the best ones.

    Raises:
        StoreError: there are none, they are corrupt, or today's code builds another model.
    """
    path = attempt.checked_weights(which)
    state = read_tensors(path)
    if model.spec.tie_embeddings:
        state["head.weight"] = state["embedding.weight"]
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise StoreError(path, f"does not fit the model that this code builds: {error}") from None


def load_run_model(attempt: Attempt, which: Weights = "final") -> LanguageModel:
    """Return the model that an attempt has trained, on the CPU, ready to be used.

    With the weights that training ended with, or the best ones: those of the evaluation with the
    lowest held-out loss.

    Raises:
        AblateError: the run is unknown, or its weights are gone or corrupt.
    """
    record = attempt.read_run()
    if record is None:
        raise AblateError(f"{attempt.path} holds no run")
    model = LanguageModel(RunConfig.read(record.config).variant)
    load_weights(model, attempt, which)
    return model.eval()
