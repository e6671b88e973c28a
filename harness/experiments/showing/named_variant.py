"""A variant that is named on the command line: a preset, and changes to it."""

from collections.abc import Sequence

from harness.core.spec import VariantSpec
from harness.errors import ConfigError
from harness.experiments.files.overrides import apply_overrides
from harness.experiments.question.arms import with_preset

VOCAB_SIZE = 1024  # of a preset that leaves it to the tokenizer


def named_variant(preset: str, changes: Sequence[str]) -> VariantSpec:
    """Return a preset with changes such as `attention=mqa`.

    Raises:
        ConfigError: no such preset, or a change that it does not take.
    """
    change = apply_overrides({}, [_in_variant(c) for c in changes]).get("base", {})
    written = with_preset({"preset": preset}, change.get("variant", {}))
    written.setdefault("vocab_size", VOCAB_SIZE)
    try:
        return VariantSpec.read(written)
    except ConfigError as error:
        raise error.within("variant") from None


def _in_variant(change: str) -> str:
    return change if change.startswith("variant.") else f"variant.{change}"
