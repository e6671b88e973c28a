"""One file in a folder is a component: no list is edited, and a broken neighbour breaks nothing."""

import json
import subprocess
import sys

import pytest

COMPONENT = '''
"""Leaky ReLU feed-forward."""

from typing import Annotated

import torch.nn.functional as F
from pydantic import Field
from torch import nn

from harness.core.slots import FFN, FeedForward


@FFN.register("leaky", aliases={"hard": lambda dims: {"slope": 0.0}})
class Leaky(FeedForward):
    """`down(leaky_relu(up(x)))`.

    Options:
        slope: Of negative inputs.

    Source:
        Maas et al. 2013.
    """

    output_projections = ("down_proj.weight",)

    def __init__(self, dims, layer_idx, *, slope: Annotated[float, Field(ge=0)] = 0.1) -> None:
        super().__init__(dims, layer_idx)
        self.up_proj = nn.Linear(dims.d_model, dims.d_ff, bias=False)
        self.down_proj = nn.Linear(dims.d_ff, dims.d_model, bias=False)
        self.slope = slope

    def forward(self, x, context):
        return self.down_proj(F.leaky_relu(self.up_proj(x), self.slope))
'''

SCRIPT = """
import json, sys
from pathlib import Path
from harness.core.cost import measure_cost
from harness.core.match import match
from harness.core.registry import use_folder
from harness.core.spec import VariantSpec
from harness.errors import ConfigError
from variants.presets import preset

use_folder(Path(sys.argv[1]))
read = lambda ffn: VariantSpec.read({**preset("tiny"), "vocab_size": 64, "ffn": ffn})
def refusal(ffn):
    try:
        read(ffn)
    except ConfigError as error:
        return str(error)
gelu, leaky = (measure_cost(read(f), 32) for f in ("gelu", {"name": "leaky", "slope": 0.3}))
swiglu = measure_cost(read("swiglu"), 32).params
print(json.dumps({
    "slope": read({"name": "leaky", "slope": 0.3}).ffn[0].options["slope"],
    "alias": read("hard").ffn[0].to_dict(),
    "identity": read({"name": "leaky", "slope": 0.1}).identity()["ffn"],
    "same cost": gelu == leaky,
    "matched": match(read("leaky"), swiglu, "params", 0.01, 32).spec.dims.d_ff,
    "misspelled option": refusal({"name": "leaky", "slop": 0.3}),
    "wrong type": refusal({"name": "leaky", "slope": "0.3"}),
    "misspelled name": refusal("leeky"),
    "broken": refusal("broken"),
    "misnamed": refusal("misnamed"),
}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    (folder / "ffn").mkdir()
    (folder / "attention").mkdir()
    (folder / "ffn" / "leaky.py").write_text(COMPONENT)
    (folder / "ffn" / "broken.py").write_text("import no_such_module\n")
    (folder / "ffn" / "_helper.py").write_text("raise RuntimeError('not a component')\n")
    (folder / "attention" / "syntax.py").write_text("def f(:\n")
    misnamed = COMPONENT.replace('"leaky", aliases={"hard"', '"named_else", aliases={"harder"')
    (folder / "ffn" / "misnamed.py").write_text(misnamed)
    return folder


def run(*arguments):
    found = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


@pytest.fixture(scope="module")
def components(folder):
    return run("-m", "harness.cli", "components", "--folder", str(folder), "--json")


def test_it_is_in_the_catalogue_with_its_options_source_and_cost(components, folder):
    (mine,) = [c for c in components if (c["slot"], c["name"]) == ("ffn", "leaky")]
    (slope,) = mine["options"]
    assert slope == {
        "name": "slope",
        "type": "float",
        "required": False,
        "default": 0.1,
        "meaning": "Of negative inputs.",
    }
    assert mine["source"] == "Maas et al. 2013." and mine["aliases"] == ["hard"]
    assert mine["file"] == str(folder / "ffn" / "leaky.py")
    (gelu,) = [c for c in components if (c["slot"], c["name"]) == ("ffn", "gelu")]
    assert mine["cost"] == gelu["cost"] and mine["cost"]["params"] > 0


def test_broken_neighbours_are_reported_by_name_and_break_nothing_else(components):
    broken = {(c["slot"], c["name"]): c["broken"] for c in components if "broken" in c}
    assert broken.keys() == {("ffn", "broken"), ("ffn", "misnamed"), ("attention", "syntax")}
    assert (
        "broken.py: ModuleNotFoundError: No module named 'no_such_module'"
        in broken["ffn", "broken"]
    )
    assert "SyntaxError" in broken["attention", "syntax"]
    assert "one component of its own name, but this one: named_else" in broken["ffn", "misnamed"]
    whole = {(c["slot"], c["name"]) for c in components if "broken" not in c}
    assert {("attention", "gqa"), ("ffn", "swiglu"), ("norm", "rms_norm")} <= whole


def test_specs_costs_and_matching_know_it(folder):
    found = run("-c", SCRIPT, str(folder))
    assert found["slope"] == 0.3 and found["same cost"]
    assert found["alias"] == {"name": "leaky", "slope": 0.0}
    assert found["identity"] == {"name": "leaky"}
    assert found["matched"] == 528
    assert "Did you mean 'slope'?" in found["misspelled option"]
    assert "ffn.slope" in found["wrong type"] and "'0.3'" in found["wrong type"]
    assert "Did you mean 'leaky'?" in found["misspelled name"]
    assert "no_such_module" in found["broken"] and "broken.py" in found["broken"]
    assert "named_else" in found["misnamed"]
