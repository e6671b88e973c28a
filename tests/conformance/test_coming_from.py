"""docs/coming-from.md: whatever it calls ours exists, and is read."""

import importlib
import json
import subprocess
import sys
from functools import cache

import pytest
import typer
from lab import ROOT
from page import PAGE, names, table
from ruamel.yaml import YAML

from harness.cli import app
from harness.core.dims import Dims
from harness.core.model import LanguageModel
from harness.core.slots import SLOTS
from harness.core.spec import Init, VariantSpec
from harness.experiments.question.arms import with_preset
from harness.interop.foreign import TABLES
from harness.interop.from_config import Qwen3MoeConfig, from_config
from harness.interop.names import hub_name
from harness.training.config import TrainConfig
from variants.presets import preset

MODULES = table("there | here")
WEIGHTS = table("here | R0")
CODE = sorted({name for _, here in MODULES for name in names(here)})


@cache
def tiny():
    return LanguageModel(VariantSpec.read({**preset("tiny"), "vocab_size": 64}))


def check_command(words):
    node = typer.main.get_command(app)
    for word in words.split()[1:]:
        assert word in node.commands, words
        node = node.commands[word]


def check_python(path):
    module, _, rest = path.rpartition(".")
    attributes = [rest]
    while True:
        try:
            found = importlib.import_module(module)
            break
        except ModuleNotFoundError:
            module, _, rest = module.rpartition(".")
            attributes.insert(0, rest)
    for attribute in attributes:
        found = getattr(found, attribute)


def check_yaml(text):
    change = YAML(typ="safe", pure=True).load(text)
    written = with_preset({"preset": "tiny"}, {**change, "vocab_size": 64})
    LanguageModel(VariantSpec.read(written))


def check_key(path):
    """A key of `variant`, with dots; `slot.option` is an option of one of the slot's components."""
    first, _, option = path.partition(".")
    if first in SLOTS and option:
        fields = {
            field for name in SLOTS[first] for field in SLOTS[first].schema(name).model_fields
        }
    elif first == "init" and option:
        fields = set(Init.model_fields)
    else:
        option, fields = path, {*Dims.model_fields, *SLOTS, "tie_embeddings", "dropout", "init"}
    assert option in fields, path


@pytest.mark.row("R0-26")
@pytest.mark.parametrize("name", CODE)
def test_what_a_module_or_function_is_here_exists(name):
    if name.startswith("ablate "):
        check_command(name)
    elif name.startswith(("harness.", "variants.")):
        check_python(name)
    elif name.startswith("train."):
        assert name.removeprefix("train.") in TrainConfig.model_fields
    else:
        check_yaml(name)


@pytest.mark.row("R0-26")
@pytest.mark.row("R2-25")
@pytest.mark.row("R3-08")
def test_the_names_of_the_projects_are_all_mapped():
    mapped = {name for there, _ in MODULES for name in names(there)}
    mapped |= {name for row in WEIGHTS for cell in row[1:] for name in names(cell)}
    mapped |= set(names(PAGE.read_text().partition("R4 calls the gate")[2].partition("##")[0]))
    for module in (
        "Transformer",
        "TransformerBlock",
        "MultiHeadAttention",
        "FeedForward",
        "Linear",
    ):
        assert module in mapped, module
    for norm in ("norm1.scale", "norm2.scale", "final_norm.scale", "q_norm.scale", "k_norm.scale"):
        assert norm in mapped, norm
    attributes = "n_kv_heads n_local_kv_heads n_rep head_dim Wq Wk Wv Wo cache_k cache_v layer_id"
    assert set(attributes.split()) <= mapped


@pytest.mark.row("R2-25")
@pytest.mark.row("R3-08")
def test_weights_and_attributes_are_where_the_page_says():
    ours = [name for here, *_ in WEIGHTS for name in names(here)]
    block = {name for name in tiny().state_dict() if not name.startswith("blocks.")}
    block |= {name for name in tiny().state_dict() if name.startswith("blocks.0.")}
    assert set(ours) == block
    for (here, *_, there), name in zip(WEIGHTS, ours, strict=True):
        assert here == f"`{name}`" and hub_name(name).endswith(names(there)[0]), name
    attention = tiny().blocks[0].attention
    assert (attention.n_kv_heads, attention.head_dim, attention.layer_idx) == (2, 32, 0)
    (first, *_) = tiny().new_caches(3, 9)
    assert {n: tuple(b.shape) for n, b in first.buffers.items()} == {
        "k": (3, 9, 2, 32),
        "v": (3, 9, 2, 32),
    }


@pytest.mark.row("R2-01")
@pytest.mark.parametrize("project", TABLES)
def test_the_keys_of_a_project_are_those_that_are_read(project):
    told = {names(there)[0]: "".join(names(here)) for there, here in table(f"`{project}`")}
    assert told == {key: about.ours for key, about in TABLES[project].items()}
    for path in filter(None, told.values()):
        check_key(path)


def test_the_fields_of_transformers_are_read_where_the_page_says():
    config = {
        "model_type": "qwen3_moe", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48,
        "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 32, "moe_intermediate_size": 16, "num_experts": 4,
        "num_experts_per_tok": 2, "use_sliding_window": True, "sliding_window": 8, "head_dim": 8,
        "rope_theta": 5000.0,
    }  # fmt: skip
    flags = ("attention_bias", "tie_word_embeddings", "norm_topk_prob")
    rows = table("`config.json`")
    assert len(rows) > 10
    for there, here in rows:
        (field,), (path,) = names(there), names(here)
        check_key(path)
        default = config.get(field, Qwen3MoeConfig.model_fields[field].default)
        value = True if field in flags else 1 if field == "num_key_value_heads" else default * 2
        changes = {"num_hidden_layers": {"layer_types": None}}.get(field, {})
        before, after = (
            from_config({**config, **c}).to_dict() for c in ({}, {field: value, **changes})
        )
        assert at(before, path) != at(after, path) == value, path


def at(written, path):
    for key in path.split("."):
        written = written[key]
    return written


def test_the_readme_leads_to_the_page():
    assert "(docs/coming-from.md)" in (ROOT / "README.md").read_text()


def test_the_example_of_the_page_reads_a_configuration():
    """As a stranger would, from the names in the text alone."""
    program = (
        "import json\n"
        "from harness.core.spec import VariantSpec\n"
        "from harness.interop.foreign import read_config\n"
        "print(json.dumps(VariantSpec.read(read_config({}, 'small_model')).to_dict()))\n"
    )
    assert "`read_config(config, project)`" in PAGE.read_text()
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["vocab_size"] == 49_152
