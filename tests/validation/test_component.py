"""A component of one's own, given to `ablate validate` as people do."""

import inspect
import json
import shutil
from pathlib import Path

import pytest
from lab import ablate

from harness.core.slots import SLOTS

LEAKY = """
import torch
from harness.core.slots import FFN
from variants.ffn.swiglu import SwiGLU

@FFN.register("leaky")
class Leaky(SwiGLU):
    '''A fault.

    Source:
        Planted.
    '''
    def forward(self, x, context):
        out = super().forward(x, context)
        return out + 0.1 * torch.cat((out[:, 1:], out[:, -1:]), dim=1)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "own" / "ffn").mkdir(parents=True)
    return tmp_path / "own"


def test_a_component_that_looks_ahead_is_contradicted_before_anything_trains(folder, tmp_path):
    (folder / "ffn" / "leaky.py").write_text(LEAKY)
    found = ablate(
        "validate", "--component", "ffn/leaky", "--folder", folder, "--json",
        results=tmp_path / "results",
    )  # fmt: skip
    assert found.code == 1
    [finding] = json.loads(found.out)
    assert finding["outcome"] == "opposite" and "never_looks_ahead" in finding["found"]
    assert "what is known was contradicted" in found.err
    assert not (tmp_path / "results" / "validation" / "runs").exists()


def test_a_name_that_is_not_there_is_one_message(tmp_path):
    found = ablate("validate", "--component", "ffn/swigul", results=tmp_path / "results")
    assert found.code == 2 and "Did you mean 'swiglu'?" in found.err


@pytest.mark.slow
def test_a_sound_component_keeps_its_contracts_and_does_not_differ_from_itself(folder, tmp_path):
    source = Path(inspect.getsourcefile(SLOTS["ffn"]["relu_squared"])).read_text()
    (folder / "ffn" / "copied.py").write_text(source.replace('"relu_squared"', '"copied"'))
    found = ablate(
        "validate", "--component", "ffn/copied", "--folder", folder, "--json",
        results=tmp_path / "results",
    )  # fmt: skip
    assert found.code == 0, found.err
    *contracts, same = json.loads(found.out)
    assert {one["outcome"] for one in (*contracts, same)} == {"as expected"}
    assert "of 16 claim a difference" in same["found"]
    shutil.rmtree(tmp_path / "results")
