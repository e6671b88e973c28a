"""Say what a checkpoint of Hugging Face is: its variant as our YAML, and its cost."""

import io
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text
from ruamel.yaml import YAML

from harness.core.cost import measure_cost
from harness.core.dims import Dims
from harness.core.registry import ComponentSpec
from harness.core.spec import VariantSpec
from harness.experiments.showing.pricing import SEQ_LEN, price_table
from harness.interop.checkpoint import open_checkpoint
from harness.interop.expressible import QWEN3


def describe_checkpoint(folder: Path) -> dict[str, Any]:
    """Check a checkpoint, without reading its weights, and return all there is to say of it.

    Raises:
        AblateError: it cannot be expressed here, or its tensors do not fit its configuration.
    """
    checkpoint = open_checkpoint(folder)
    spec = checkpoint.variant
    cost = measure_cost(spec, min(SEQ_LEN, spec.dims.max_seq_len))
    about = {"n_tensors": len(checkpoint.tensors), "dtypes": checkpoint.dtypes}
    return {"folder": str(folder), **about, **cost.to_dict(), "variant": written_variant(spec)}


def checkpoint_view(found: dict[str, Any]) -> RenderableType:
    """Draw a checkpoint for people."""
    dtypes = " and ".join(found["dtypes"])
    stored = f"{found['n_tensors']} tensors in {dtypes}; they are read as float32"
    yaml, text = YAML(typ="safe", pure=True), io.StringIO()
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump({"variant": found["variant"]}, text)
    table = price_table({"preset": found["folder"], **found})
    return Group(table, Text(stored), Text(f"\n{text.getvalue().rstrip()}"))


def written_variant(spec: VariantSpec) -> dict[str, Any]:
    """Write what a checkpoint says of a variant, in the form that `VariantSpec.read` takes."""

    def write(slot: str, component: ComponentSpec) -> dict[str, Any]:
        said = QWEN3.get(slot, {}).get(component.name, set())
        options = component.options.items()
        return {"name": component.name} | {k: v for k, v in options if k in said and v is not None}

    written = spec.to_dict(write)
    known = [*Dims.model_fields, *QWEN3, "tie_embeddings"]
    return {**{key: written[key] for key in known}, "init": {"std": spec.init.std}}
