"""How many parameters a model has, counted in the ways that papers count them."""

from dataclasses import asdict, dataclass

from harness.core.model import LanguageModel
from harness.core.slots import Slot


@dataclass(frozen=True)
class ParameterCounts:
    """A tied matrix is one parameter under two names: `unique` counts it once, `total` twice."""

    total: int
    unique: int
    active: int  # of the unique ones, those that a token meets: without the experts not chosen
    embedding: int  # of the unique ones, in the token embedding and an untied head
    non_embedding: int  # the other unique ones

    def to_dict(self) -> dict[str, int]:
        """Return the fields by name."""
        return asdict(self)


def count_parameters(model: LanguageModel) -> ParameterCounts:
    """Count the parameters of a model; the meta device will do."""
    total = sum(p.numel() for _, p in model.named_parameters(remove_duplicate=False))
    unique = sum(p.numel() for p in model.parameters())
    idle = sum(m.idle_params() for m in model.modules() if isinstance(m, Slot))
    tables = {id(table): table for table in (model.embedding.weight, model.head.weight)}
    embedding = sum(table.numel() for table in tables.values())
    return ParameterCounts(total, unique, unique - idle, embedding, unique - embedding)
