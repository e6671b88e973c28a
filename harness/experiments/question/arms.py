"""An arm as it is written: the base and a change to it, read into a variant, data and training."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch

from harness.core.counts import count_parameters
from harness.core.model import LanguageModel
from harness.core.spec import BASELINE, VariantSpec
from harness.data.config import DataConfig
from harness.errors import AblateError, ConfigError, Problem, unknown
from harness.experiments.files.merge import merge
from harness.experiments.question.config import Arm, Patch
from harness.experiments.question.initial_weights import InitialWeights
from harness.interop.checkpoint import read_variant
from harness.training.config import TrainConfig
from variants.presets import preset

T = TypeVar("T")

PARTS = ("variant", "data", "train")
INIT_FROM = "init_from"  # beside the parts: a folder with weights to begin with
PER_PARAM = "tokens_per_param"  # in the base's budget: tokens by rule
LARGEST_RATE = 1_000_000


def check_parts(patch: Patch, *prefix: str) -> None:
    """Check the keys of a patch.

    Raises:
        ConfigError: an unknown one, or a part that is no mapping.
    """
    problems = []
    for key, value in patch.items():
        if key == INIT_FROM:
            if value is not None and not isinstance(value, str):
                problems.append(Problem((*prefix, key), f"must be a folder, but got {value!r}"))
        elif key not in PARTS:
            problems.append(Problem((*prefix, key), unknown("key", key, [*PARTS, INIT_FROM])))
        elif value is not None and not isinstance(value, Mapping):
            problems.append(Problem((*prefix, key), f"must be a mapping, but got {value!r}"))
    if problems:
        raise ConfigError(*problems)


def with_tokens(base: Patch, folder: Path) -> Patch:
    """Return the base with the tokens that its `tokens_per_param` make; as it is without that key.

    What counts are the parameters of the base, before anything is matched: all arms see as many
    tokens.

    Raises:
        ConfigError: it is no number above 0, or the base cannot be read.
    """
    train: Patch = base.get("train") or {}
    budget = train.get("budget")
    if not isinstance(budget, Mapping) or PER_PARAM not in budget:
        return base
    where = ("base", "train", "budget")
    if len(budget) > 1:
        raise ConfigError.at(where, f"must have {PER_PARAM} alone, or another unit")
    rate = budget[PER_PARAM]
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= LARGEST_RATE:
        message = f"must be a number above 0 and up to {LARGEST_RATE:,}, but got {rate!r}"
        raise ConfigError.at((*where, PER_PARAM), message)

    def budgeted(tokens: int) -> Patch:
        return {**base, "train": {**train, "budget": {"tokens": tokens}}}

    try:
        variant = resolve_arm(budgeted(1), "base", {}, {}, folder).variant
    except ConfigError as error:
        raise error.within("base") from None
    with torch.device("meta"):
        params = count_parameters(LanguageModel(variant)).unique
    return budgeted(max(round(rate * params), 1))


def resolve_arm(base: Patch, name: str, patch: Patch, levels: dict[str, str], folder: Path) -> Arm:
    """Read an arm: the base, and its change to it.

    Raises:
        ConfigError: all problems, with paths such as `variant.attention.n_kv_heads`.
    """
    problems: list[Problem] = []
    weights = _init_from({**base, **patch}.get(INIT_FROM), folder)
    start = {} if weights is None else read_variant(weights.folder).to_dict()

    def section(key: str) -> Patch:
        whole, change = base.get(key) or {}, patch.get(key) or {}
        return with_preset(whole, change, start) if key == "variant" else merge(whole, change)

    def collect(key: str, reader: Callable[[], T]) -> T | None:
        try:
            return reader()
        except ConfigError as error:
            problems.extend(error.within(key).problems)
            return None

    data = collect("data", lambda: DataConfig.read(section("data")))
    train = collect("train", lambda: TrainConfig.read(section("train")))
    written = collect("variant", lambda: section("variant"))
    n_ids = collect("data", lambda: data.vocab_size) if data else None
    if data is None or written is None or n_ids is None:
        raise ConfigError(*problems)
    if "vocab_size" not in written:
        written["vocab_size"] = n_ids
    variant = collect("variant", lambda: VariantSpec.read(written))
    if variant and variant.dims.vocab_size < n_ids:
        ids = f"must hold the tokenizer's {n_ids} ids"
        message = f"{ids}, but got {variant.dims.vocab_size}"
        problems.append(Problem(("variant", "vocab_size"), message))
    if variant and train and train.seq_len > variant.dims.max_seq_len:
        message = f"must not exceed the variant's max_seq_len ({variant.dims.max_seq_len})"
        problems.append(Problem(("train", "seq_len"), f"{message}, but got {train.seq_len}"))
    if problems:
        raise ConfigError(*problems)
    assert variant and train
    return Arm(name, patch, variant, data, train, levels, weights)


def _init_from(written: str | None, folder: Path) -> InitialWeights | None:
    if written is None:
        return None
    try:
        return InitialWeights.find((folder / Path(written).expanduser()).resolve())
    except AblateError as error:
        raise ConfigError.at((INIT_FROM,), str(error)) from None


def with_preset(base: Patch, change: Patch, start: Patch | None = None) -> Patch:
    """Return the mapping that describes a variant in full, presets expanded.

    It begins with `start`, if given. An arm that names a preset starts from that preset, not from
    the base's variant. Options without a name are those of the slot's baseline, if nothing else is
    there.

    Raises:
        ConfigError: no such preset.
    """
    written: Patch = dict(start or {})
    for layer in (base, change):
        if "preset" in layer:
            if not isinstance(layer["preset"], str):
                message = f"must be the name of a preset, but got {layer['preset']!r}"
                raise ConfigError.at(("preset",), message)
            written = preset(layer["preset"])
        written = merge(written, {k: v for k, v in layer.items() if k != "preset"})
    for slot, name in BASELINE.items():
        given = written.get(slot)
        if isinstance(given, Mapping) and "name" not in given and slot != "precision":
            written[slot] = {"name": name, **given}
    return written
