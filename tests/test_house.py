"""What holds for the whole house: what is committed works, and nothing unsafe is used."""

import ast
import itertools
import re
import subprocess
import sys
from functools import cache

import pytest
import torch
from lab import ROOT, write_yaml
from ruamel.yaml import YAML

from harness.analysis.units import count, size
from harness.analysis.verdicts.arms import mean_words
from harness.analysis.verdicts.compare import compare
from harness.analysis.words.numbers import difference_words, interval_words
from harness.core.model import LanguageModel
from harness.core.slots import SLOTS
from harness.data.config import DataConfig
from harness.data.corpora import CORPUS
from harness.data.splits import SPLIT
from harness.data.tokenizers import TOKENIZER
from harness.experiments.planning.loading import load_experiment
from harness.experiments.question.config import Experiment
from harness.store.experiments import ExperimentStore
from harness.training.budget import Budget
from harness.training.config import TrainConfig
from harness.training.optimizers import OPTIMIZER
from harness.training.schedules import SCHEDULE

SOURCES = [
    path
    for folder in ("harness", "variants", "dashboard")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
EXPERIMENTS = sorted(
    path for path in (ROOT / "experiments").rglob("*.yaml") if path.parent.name != "searches"
)
REGISTRIES = {
    **{f"variants/{slot}": registry for slot, registry in SLOTS.items()},
    "harness/data/corpora": CORPUS,
    "harness/data/splits": SPLIT,
    "harness/data/tokenizers": TOKENIZER,
    "harness/training/optimizers": OPTIMIZER,
    "harness/training/schedules": SCHEDULE,
}
UNSAFE = {
    *("eval", "exec", "compile", "__import__", "os.system"),
    *("torch.load", "torch.save", "torch.jit.load", "torch.package.PackageImporter"),
    *("np.load", "numpy.load", "pd.read_pickle", "pandas.read_pickle"),
    *("runpy.run_path", "pty.spawn", "ctypes.CDLL"),
}
UNPICKLING = {
    *("pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"),
    *("yaml", "jsonpickle", "pandas.io.pickle", "torch.serialization"),
}
UNSAFE_SETTINGS = {  # of a call to anything
    "allow_pickle": lambda value: value is not False,
    "trust_remote_code": lambda value: value is not False,
    "weights_only": lambda value: value is not True,
    "shell": lambda value: value is not False,
    "typ": lambda value: value not in ("safe", "rt"),  # of ruamel.yaml
}


@pytest.mark.parametrize("command", [["--help"], ["plan", "--help"], ["results", "--help"]])
def test_help_does_not_wait_for_torch(command):
    program = (
        "import sys; sys.argv = ['ablate', *sys.argv[1:]]\n"
        "from harness.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({'torch', 'pandas', 'streamlit'} & set(sys.modules)))"
    )
    given = [sys.executable, "-c", program, *command]
    ended = subprocess.run(given, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "[]"
    assert "Usage" in ended.stdout


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_a_committed_experiment_loads_and_its_arms_build(path):
    resolved = load_experiment(path).resolved
    assert resolved.experiment.name == path.stem
    assert resolved.experiment.question.endswith("?")
    for arm in resolved.arms.values():
        with torch.device("meta"):
            model = LanguageModel(arm.variant)
            tokens = torch.zeros(2, 8, dtype=torch.long)
            assert model.loss(tokens, tokens).shape == ()


def test_there_are_committed_experiments():
    assert {path.stem for path in EXPERIMENTS} >= {"quickstart", "attention"}


def dotted_name(node):
    if isinstance(node, ast.Attribute):
        return f"{dotted_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def unsafe_calls(source):
    """Name what a source uses that could run what it reads, whatever it is imported as."""
    imported, used, settings = set(), set(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            used.add(dotted_name(node))
        elif isinstance(node, ast.keyword) and node.arg in UNSAFE_SETTINGS:
            value = node.value.value if isinstance(node.value, ast.Constant) else None
            if UNSAFE_SETTINGS[node.arg](value):
                settings.add(f"{node.arg}={ast.unparse(node.value)}")
    unpickling = {
        name for name in imported if any(f"{name}.".startswith(f"{u}.") for u in UNPICKLING)
    }
    return sorted(unpickling | (UNSAFE & (imported | used)) | settings)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib.numpy_pickle",
        "import cloudpickle as harmless",
        "import torch\ntorch.load('x')",
        "import torch\nread = torch.load",
        "from torch import load",
        "eval('1')",
        "run = exec",
        "import yaml",
        "import numpy\nnumpy.load('x')",
        "np.memmap('x'); f(allow_pickle=True)",
        "f(trust_remote_code=sure)",
        "f(weights_only=False)",
        "subprocess.run('x', shell=True)",
        "YAML(typ='unsafe')",
    ],
)
def test_unsafe_calls_are_found(source):
    assert unsafe_calls(source)


@pytest.mark.parametrize(
    "source",
    [
        "import re\nre.compile('x')",
        "model.eval()",
        "f(allow_pickle=False, trust_remote_code=False, weights_only=True)",
        "model.load(path)",
    ],
)
def test_what_is_safe_is_not_complained_of(source):
    assert not unsafe_calls(source)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_unpickled_or_evaluated(path):
    assert unsafe_calls(path.read_text()) == []


@pytest.mark.parametrize("folder", REGISTRIES)
def test_every_file_registers_its_own_name(folder):
    names = [p.stem for p in sorted((ROOT / folder).glob("*.py")) if not p.stem.startswith("_")]
    registry = REGISTRIES[folder]
    ours = [name for name in registry if registry[name].__module__.startswith(("variants.", "har"))]
    assert ours == names
    assert not registry.broken.keys() & set(names)
    for name in names:
        assert registry[name].__module__ == f"{folder.replace('/', '.')}.{name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_says_its_purpose_in_its_first_line(path):
    assert (ast.get_docstring(ast.parse(path.read_text())) or "").strip()


def commands_in(text):
    """Return the first words of each `ablate` command in code blocks and tables."""
    found = []
    for line in text.replace("`", "\n").splitlines():
        words = line.strip().removeprefix("$ ").split()
        if len(words) > 1 and words[0] == "ablate" and words[1].isidentifier():
            found.append(words[1:])
    return found


@pytest.mark.parametrize("page", ["README.md", "docs/reports.md"])
def test_every_command_on_a_page_exists(page):
    import typer

    from harness.cli import app

    group = typer.main.get_command(app)
    commands = commands_in((ROOT / page).read_text())
    assert len(commands) > 3
    for words in commands:
        node = group
        while words and hasattr(node, "commands"):
            assert words[0] in node.commands, words
            node, words = node.commands[words[0]], words[1:]
        flags = {
            o for parameter in node.params for o in (*parameter.opts, *parameter.secondary_opts)
        }
        for word in words:
            if word.startswith("--"):
                assert word.partition("=")[0] in flags | {"--help"}, words


def test_every_experiment_in_the_readme_is_read(tmp_path):
    """Blocks of YAML that state arms or factors are whole experiments, or parts of the first."""
    blocks = (ROOT / "README.md").read_text().split("```yaml\n")[1:]
    read = [YAML(typ="safe", pure=True).load(block.split("```")[0]) for block in blocks]
    common = {k: v for k, v in read[0].items() if k not in {"arms", "baseline", "contrasts"}}
    n_arms = []
    for content in read:
        if {"arms", "factors"} & content.keys():
            file = write_yaml(tmp_path / "x.yaml", {**common, **content})
            n_arms.append(len(load_experiment(file).resolved.arms))
    assert n_arms == [3, 4]


def table_of(header):
    """Return the rows of the README's table with this header, as lists of `names` by cell."""
    lines = (ROOT / "README.md").read_text().splitlines()
    start = lines.index(header) + 2
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines[start:])
    return [[re.findall(r"`(\w+)`", cell) for cell in row.strip("|").split("|")] for row in rows]


def test_the_components_in_the_readme_are_those_there_are():
    told = {slot: set(names) for (slot,), names in table_of("| slot | names |")}
    assert told.keys() == SLOTS.keys()
    for slot, registry in SLOTS.items():
        ours = {n for n in registry if registry[n].__module__.startswith("variants.")}
        aliases = {alias for alias, name in registry.aliases().items() if name in ours}
        assert told[slot] == ours | aliases, slot


def test_the_keys_in_the_readme_are_those_there_are():
    told = {key for keys, _ in table_of("| key | what it says |") for key in keys}
    keys = set(Experiment.model_fields) - {"name", "question", "base", "arms", "factors"}
    assert told == keys | {"variant", "data", "train"}
    rows = {keys[0]: set(said) for keys, said in table_of("| key | what it says |")}
    assert rows["train"] - set(Budget.model_fields) == set(TrainConfig.model_fields)
    assert rows["data"] >= set(DataConfig.model_fields)


def test_every_file_in_the_readme_exists():
    text = (ROOT / "README.md").read_text()
    folders = "results|experiments|variants|harness|tests|docs"
    named = set(re.findall(rf"(?<![\w/])(?:{folders})/[\w/.-]+\.\w+", text))
    named -= {name for name in named if "my_idea" in name}
    assert named
    for name in named:
        assert (ROOT / name).exists(), name


def test_the_result_table_of_the_readme_is_the_committed_one():
    tables = ExperimentStore(ROOT / "results").open("attention")
    comparison = compare(tables.plan, tables.runs, tables.documents)
    readme = (ROOT / "README.md").read_text()
    for arm in comparison.arms:
        row = f"| `{arm.arm}` | {mean_words(arm)} | {count(arm.params)} | {size(arm.cache_bytes)} |"
        assert row in readme
    for contrast in comparison.contrasts:
        difference, interval = difference_words(contrast), interval_words(contrast)
        assert f"| {difference} ({interval}) | {contrast.verdict} |" in readme
        assert contrast.n == 6


@cache
def resolved(file):
    return load_experiment(file, []).resolved


def test_every_shipped_experiment_has_its_tables_committed():
    store = ExperimentStore(ROOT / "results")
    for file in EXPERIMENTS:
        if file.parent.name == "validation" or resolved(file).experiment.device == "cuda":
            continue  # run by everybody, or on a machine with a GPU
        tables = store.open(file.stem)
        asked = resolved(file)
        assert {name: arm["changes"] for name, arm in tables.plan["arms"].items()} == {
            name: arm.changes for name, arm in asked.arms.items()
        }, file
        assert tables.plan["seeds"] == asked.experiment.seed_list, file
        assert tables.plan["contrasts"] == {k: list(v) for k, v in asked.contrasts.items()}, file
        assert (tables.runs["status"] == "done").all(), file
        assert len(tables.runs) == len(tables.plan["runs"]), file
        assert set(tables.curves["arm"]) == set(tables.plan["arms"]), file
