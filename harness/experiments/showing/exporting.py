"""Export a run, with its tokenizer, or a preset, with initial weights."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from harness.core.counts import count_parameters
from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.data.dataset import load_dataset
from harness.errors import AblateError, ConfigError
from harness.experiments.question.run_config import RunConfig
from harness.experiments.running.run_model import load_run_model
from harness.experiments.showing.named_variant import named_variant
from harness.interop.export import check_export, export_model
from harness.interop.tokenizer import HubTokenizer
from harness.quantities import format_bytes, format_count
from harness.store.attempt import Attempt
from harness.store.weights import Weights


@dataclass(frozen=True)
class Export:
    """Something that can be exported: checked, and not yet built or read."""

    what: str  # in words
    folder: Path
    dtype: torch.dtype
    params: int
    size: int  # bytes of the weights
    variant: VariantSpec
    seed: int | None = None  # of the initial weights, if no run has trained them
    attempt: Attempt | None = None
    weights: Weights = "final"  # of the attempt

    def __str__(self) -> str:
        params = f"{format_count(self.params)} parameters"
        dtype = str(self.dtype).removeprefix("torch.")
        infer = self.variant.precision.infer.name
        converted = "" if infer in ("fp32", "bf16") else f", as trained, not converted to {infer}"
        return f"{self.what}: {params}, {format_bytes(self.size)} in {dtype}{converted}"

    def write(self, with_tokenizer: bool = True) -> None:
        """Build or read the model and write it.

        Raises:
            AblateError: the weights are gone, or the tokenizer cannot be built again.
        """
        if self.attempt is None:
            assert self.seed is not None
            model = LanguageModel(self.variant).initialize(self.seed)
            tokenizer = None
        else:
            model = load_run_model(self.attempt, self.weights)
            tokenizer = _tokenizer_of(self.attempt) if with_tokenizer else None
        export_model(model, self.folder, tokenizer, self.dtype)


def plan_preset(
    name: str, changes: Sequence[str], seed: int, folder: Path, dtype: torch.dtype
) -> Export:
    """Check the export of a preset with initial weights; nothing is built.

    Raises:
        AblateError: Qwen3 cannot express it, or it does not fit on the disk or in memory.
    """
    spec = named_variant(name, changes)
    export = _checked(f"{name}, initial weights of seed {seed}", spec, folder, dtype, seed=seed)
    held, memory = 4 * export.params, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if held > memory:
        has = f"this machine has {format_bytes(memory)} of memory"
        raise AblateError(f"{export}; to build it takes {format_bytes(held)}, but {has}")
    return export


def plan_run(
    attempt: Attempt, folder: Path, dtype: torch.dtype, weights: Weights = "final"
) -> Export:
    """Check the export of a finished run; no weights are read.

    Raises:
        AblateError: Qwen3 cannot express its variant, or the disk has no room.
    """
    spec = _config_of(attempt).variant
    export = _checked(f"run {attempt.run_id}", spec, folder, dtype, attempt=attempt)
    return replace(export, weights=weights)


def _checked(
    what: str,
    spec: VariantSpec,
    folder: Path,
    dtype: torch.dtype,
    seed: int | None = None,
    attempt: Attempt | None = None,
) -> Export:
    with torch.device("meta"):
        model = LanguageModel(spec)
    size = check_export(model, folder, dtype)
    params = count_parameters(model).unique
    return Export(what, folder, dtype, params, size, spec, seed, attempt)


def _config_of(attempt: Attempt) -> RunConfig:
    record = attempt.read_run()
    if record is None:
        raise AblateError(f"{attempt.path} holds no run")
    return RunConfig.read(record.config)


def _tokenizer_of(attempt: Attempt) -> HubTokenizer:
    try:
        tokenizer = load_dataset(_config_of(attempt).data).tokenizer
    except ConfigError as error:
        hint = "--no-tokenizer exports the model without one"
        raise AblateError(f"the run's tokenizer cannot be built again: {error}; {hint}") from None
    return HubTokenizer(tokenizer.to_json(), tokenizer.separator)
