"""The sizes of a model, shared by every component."""

from typing import Any

from pydantic import Field

from harness.schema import Frozen

# Bounds are far beyond what one machine trains; they turn a slip of the keyboard into a message.
MAX_WIDTH, MAX_LAYERS, MAX_VOCAB, MAX_SEQ_LEN = 2**17, 1024, 2**21, 2**24


class Dims(Frozen):
    """The sizes of a model. `n_` counts things and `d_` is a width."""

    d_model: int = Field(ge=1, le=MAX_WIDTH)
    n_layers: int = Field(ge=1, le=MAX_LAYERS)
    n_heads: int = Field(ge=1, le=MAX_WIDTH)
    head_dim: int = Field(ge=1, le=MAX_WIDTH)
    d_ff: int = Field(ge=1, le=8 * MAX_WIDTH)
    vocab_size: int = Field(ge=1, le=MAX_VOCAB)
    max_seq_len: int = Field(ge=1, le=MAX_SEQ_LEN)

    def resized(self, **changes: int) -> "Dims":
        """Return the same sizes with some replaced, checked again."""
        sizes: dict[str, Any] = {**self.model_dump(), **changes}
        return Dims(**sizes)
