"""Every mistake costs a second: one message with its line, exit code 2, nothing written."""

import re
import subprocess

import pytest
from lab import ABLATE, ROOT, ablate, files, write_yaml
from ruamel.yaml import YAML

PAIR = """
from harness.core.slots import FFN
from variants.ffn.swiglu import SwiGLU

@FFN.register("no_rope")
class NoRope(SwiGLU):
    provides = frozenset({"no_rope"})
    excludes = frozenset({"attention_bias"})
"""
BIASED = """
from harness.core.slots import POSITION, Position

@POSITION.register("biased")
class Biased(Position):
    provides = frozenset({"attention_bias"})
"""

# what is written where, and what the message must hold besides the file, line and key
MISTAKES = {
    "seedz": (3, "unknown key 'seedz'", "Did you mean 'seeds'"),
    "base.variant.n_laiers": (3, "'n_laiers'", "Did you mean 'n_layers'"),
    "base.train.bach_size": (3, "Did you mean 'batch_size'"),
    "base.data.corpis": ("sotu", "Did you mean 'corpus'"),
    "base.varient": ({}, "Did you mean 'variant'"),
    "arms.gelu.varient": ({}, "Did you mean 'variant'"),
    "base.variant.ffn": ("swigul", "'swigul'", "Did you mean 'swiglu'"),
    "base.variant.preset": ("tinny", "'tinny'", "Did you mean 'tiny'"),
    "base.variant.preset ": (["tiny"], "name of a preset", "['tiny']"),
    "base.variant": ("tiny", "must be a mapping", "'tiny'"),
    "base.train.batch_size": ("many", "a count such as", "'many'"),
    "base.train.batch_size ": (10**18, "1048576", str(10**18)),
    "base.train.batch_size  ": (10_000, "fewer than one batch of 10000", "lower batch_size"),
    "base.train.optimizer.lr": ("fast", "must be a number", "'fast'"),
    "base.train.optimizer.lrr": (1, "unknown key 'lrr'", "Did you mean 'lr'"),
    "base.train.optimizer": ("adam", "'adam'", "Did you mean 'adamw'"),
    "base.train.grad_clip": (0, "greater than 0", "got 0"),
    "base.train.evaluations": (0, "a count", "got 0"),
    "base.train.budget": ({}, "exactly one of tokens, steps, flops and seconds"),
    "base.train.budget ": ({"tokens": 1, "steps": 1}, "exactly one of"),
    "base.train.budget.tokens": (0, "a count", "got 0"),
    "base.train.seq_len": (65, "max_seq_len (64)", "got 65"),
    "base.variant.n_heads": (3, "d_model (16)", "divisible by n_heads (3)"),
    "base.variant.attention.n_kv_heads": (3, "n_heads (2)", "multiple of n_kv_heads (3)"),
    "base.variant.d_model": (2**17, "needs about", "this machine has"),
    "base.variant.d_model ": (131_080, "less than or equal to 131072", "131080"),
    "base.variant.n_layers": (2.5, "whole number", "2.5"),
    "base.variant.vocab_size": (200, "must hold the tokenizer's 257 ids"),
    "base.variant.ffn ": (["gelu", "swiglu"], "between 1 and n_layers (1)", "got 2"),
    "base.variant.position.theta": (0.5, "greater than 1", "0.5"),
    "base.data.corpus.path": ("/nowhere/x*.txt", "no .txt", "'/nowhere/x*.txt'"),
    "base.data.held_out_documents": (0, "greater than or equal to 1", "got 0"),
    "name": ("../up", "letters, digits", "'../up'"),
    "baseline": ("swiglo", "'swiglo'", "Did you mean 'swiglu'"),
    "contrasts.primary": ("gelu-swiglu", "a minus between them", "'gelu-swiglu'"),
    "contrasts.primary ": ("gelo - swiglu", "'gelo'", "Did you mean 'gelu'"),
    "contrasts.primary  ": ("gelu - gelu", "two arms", "'gelu - gelu'"),
    "match.prams": ("1%", "Did you mean 'params'"),
    "match.params": ("1x", "a fraction from 0 to 1", "'1x'"),
    "match": (5, "`none`", "got 5"),
    "match ": ({}, "exactly one of train_flops, params, active_params, non_embedding_params"),
    "seeds": (0, "a number of seeds", "got 0"),
    "seeds ": ([1, 1], "distinct seeds", "[1, 1]"),
    "seeds  ": ("3", "a number of seeds", "'3'"),
    "seeds   ": (10**9, "at most 10000"),
    "seeds    ": ([10**30], "a number of seeds"),
    "tune": (5, "train.optimizer.lr: {factor: 2, points: 4}", "got 5"),
    "tune ": ({}, "must name one setting", "there is none"),
    "tune.seeds": (0, "greater than or equal to 1", "got 0"),
    "tune.protocl": ("best", "Did you mean 'protocol'"),
    "arms.a": (5, "must be a mapping", "got 5"),
    "analysis.metric": ("bpb", "'val_bpb'", "'bpb'"),
    "analysis.metric ": ("long/val_loss", "unknown metric 'long/val_loss'"),
    "analysis.alpha": (2, "less than 0.5", "got 2"),
    "components": (["nowhere"], "there is no folder", "nowhere"),
    "device": ("tpu", "'auto', 'cpu' or 'cuda'", "'tpu'"),
}


def write(data, path, value):
    *folders, last = path.strip().split(".")
    for key in folders:
        if not isinstance(data.get(key), dict):
            data[key] = {"name": data[key]} if key in data and data[key] != "none" else {}
        data = data[key]
    data[last] = value


def block_yaml(path, data):
    """Write a file in which every key has a line of its own."""
    yaml = YAML()
    yaml.default_flow_style = False
    with path.open("w") as file:
        yaml.dump(data, file)
    return path


def line_of(file, key, path):
    """Find the line that a key of this path stands on, by its indentation."""
    keys, at = path.split("."), -1
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        depth = (len(line) - len(line.lstrip())) // 2
        if depth == at + 1 and line.strip().startswith(f"{keys[depth]}:"):
            at += 1
            if at == len(keys) - 1:
                return number
    raise AssertionError(path)


def refused(ended, results):
    assert ended.code == 2, (ended.code, ended.out, ended.err)
    assert "Traceback" not in ended.err
    assert not ended.out
    assert not files(results)
    return ended.err


@pytest.mark.parametrize("path", MISTAKES)
def test_a_mistake_is_told_with_its_line_key_and_what_was_expected(small, tmp_path, path):
    value, *expected = MISTAKES[path]
    data = small()
    write(data, path, value)
    file = block_yaml(tmp_path / "x.yaml", data)
    message = refused(ablate("run", file, "--inline", results=tmp_path / "results"), tmp_path / "r")
    assert not files(tmp_path / "results")
    key = path.strip()
    # a variant's mistakes that are found when it is built are told for the component or the whole
    told = re.search(rf"^{re.escape(str(file))}:(\d+):\d+  ([\w.]+):", message, re.MULTILINE)
    assert told, message
    assert key.startswith(told[2]), message
    assert int(told[1]) == line_of(file, key, told[2]), message
    for part in expected:
        assert part in message
    assert len(re.findall(rf"^{re.escape(str(file))}", message, re.MULTILINE)) == 1, message


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"arms": {}}, "must have either `arms` or `factors`"),
        ({"factors": {"f": {"a": None}}}, "must have either `arms` or `factors`"),
    ],
)
def test_arms_or_factors_are_needed(small, tmp_path, changes, expected):
    file = write_yaml(tmp_path / "x.yaml", small(**changes))
    results = tmp_path / "results"
    message = refused(ablate("run", file, results=results), results)
    assert message.startswith(f"{file}  {expected}")


def test_a_mistake_in_a_level_of_a_factor_is_told_there(small, tmp_path):
    levels = {
        "mqa": {"variant": {"attention": "mqa"}},
        "bad": {"variant": {"attention": {"name": "gqa", "n_kv_heads": 3}}},
    }
    data = small(factors={"heads": levels, "ffn": {"gelu": None, "swiglu": None}})
    del data["arms"], data["baseline"]
    file = block_yaml(tmp_path / "x.yaml", data)
    results = tmp_path / "results"
    message = refused(ablate("plan", file, results=results), results)
    key = "factors.heads.bad.variant.attention"
    assert f"{file}:{line_of(file, key, key)}:" in message
    assert "n_heads (2) must be a multiple of n_kv_heads (3)" in message
    assert "bad-gelu, bad-swiglu" in message


def test_an_arm_may_not_set_what_match_adjusts(small, tmp_path):
    arms = {"gelu": {"variant": {"d_ff": 64}}, "swiglu": {}}
    file = block_yaml(tmp_path / "x.yaml", small(arms=arms, match={"params": "5%"}))
    results = tmp_path / "results"
    message = refused(ablate("plan", file, results=results), results)
    assert "arms.gelu.variant.d_ff: this arm sets d_ff, which `match` adjusts" in message


def test_an_unreachable_match_names_the_granularity(small, tmp_path):
    arms = {"mha": {"variant": {"attention": "mha"}}, "swiglu": {}}
    file = block_yaml(tmp_path / "x.yaml", small(arms=arms, match={"params": "0.01%"}))
    results = tmp_path / "results"
    message = refused(ablate("run", file, results=results), results)
    assert re.search(r"cannot be matched within 0.01%.*one step of it", message)
    assert f"{file}:{line_of(file, '', 'arms.mha.variant')}:" in message


@pytest.mark.parametrize(
    ("match", "where", "message"),
    [
        ({"params": "1%", "by": "d_fff"}, "match.by", "Did you mean 'd_ff'?"),
        ({"kv_bytes": "1%"}, "match.by", "d_ff does not change cache bytes: name what does"),
        ({"params": "1%", "kv_bytes": "1%"}, "match", "exactly one of"),
    ],
)
def test_what_match_cannot_do_is_refused_at_its_line(small, tmp_path, match, where, message):
    file = block_yaml(tmp_path / "x.yaml", small(match=match))
    results = tmp_path / "results"
    found = refused(ablate("plan", file, results=results), results)
    assert f"{where}: " in found and message in found


def test_an_illegal_pair_is_refused_with_both_names(small, tmp_path):
    for slot, source in (("ffn/no_rope", PAIR), ("position/biased", BIASED)):
        path = tmp_path / "own" / f"{slot}.py"
        path.parent.mkdir(parents=True)
        path.write_text(source)
    arms = {"both": {"variant": {"ffn": "no_rope", "position": "biased"}}, "swiglu": {}}
    file = block_yaml(tmp_path / "x.yaml", small(arms=arms, components=["own"]))
    results = tmp_path / "results"
    message = refused(ablate("run", file, results=results), results)
    assert "ffn 'no_rope' does not go together with position 'biased'" in message
    assert f"{file}:{line_of(file, '', 'arms.both.variant.ffn')}:" in message


def test_a_duplicate_key_is_told_with_both_lines(small, tmp_path):
    file = block_yaml(tmp_path / "x.yaml", small())
    n_lines = len(file.read_text().splitlines())
    file.write_text(file.read_text() + "seeds: 4\n")
    results = tmp_path / "results"
    message = refused(ablate("run", file, results=results), results)
    assert f"{file}:{n_lines + 1}:1  duplicate key 'seeds'" in message
    assert f"line {line_of(file, '', 'seeds')}" in message


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "FILE", "seeds"], "key=value, but got 'seeds'"),
        (["run", "FILE", "train.bach_size=3"], "command line"),
        (["run", "FILE", "seeds=0"], "but got 0"),
        (["plan", "smal.yaml"], "no such file"),
        (["compare", "smoll"], "unknown experiment 'smoll'"),
        (["results", "smoll"], "unknown experiment or study 'smoll'"),
        (["components", "atention"], "unknown slot 'atention'. Did you mean 'attention'?"),
        (["cost", "attention=mka"], "Did you mean 'mqa'?"),
        (["cost", "--preset", "tinny"], "Did you mean 'tiny'?"),
        (["new", "component", "atention/x"], "Did you mean 'attention'?"),
        (["new", "component", "attention/My-Idea"], "snake_case"),
        (["new", "component", "attention/mqa"], "exists already"),
        (["new", "experiment", "a/b"], "letters, digits"),
        (["run", "FILE", "--workers", "0"], "--workers"),
        (["plan"], "Missing argument"),
        (["plam", "FILE"], "plam"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_message(small, tmp_path, arguments, expected):
    write_yaml(tmp_path / "small.yaml", small())
    given = ["small.yaml" if a == "FILE" else a for a in arguments]
    results = tmp_path / "results"
    ended = ablate(*given, results=results, cwd=tmp_path)
    assert expected in refused(ended, results)
    assert files(tmp_path) == ["small.yaml"]


def test_the_shell_sees_the_same(small, tmp_path):
    data = small()
    data["base"]["variant"]["ffn"] = "swigul"
    file = block_yaml(tmp_path / "x.yaml", data)
    given = [*ABLATE, "run", str(file), "--results", str(tmp_path / "results")]
    ended = subprocess.run(given, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"{file}:")
    assert "Did you mean 'swiglu'" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert files(tmp_path) == ["x.yaml"]
