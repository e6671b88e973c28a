"""Overrides replace what they name, leave the rest alone, and are blamed when they are wrong."""

import copy

import pytest

from harness.errors import ConfigError
from harness.experiments.files.overrides import apply_overrides, override
from harness.experiments.files.yaml_source import read_yaml

EXPERIMENT = """\
base:
  variant: {attention: {name: gqa, n_kv_heads: 2}}
  train: {budget: {tokens: 1M}}
arms:
  gqa:
  mqa: {variant: {attention: mqa}}
tune: {train.lr: {factor: 2}}
seeds: 5
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = type(tmp_path)("x.yaml")
    path.write_text(EXPERIMENT)
    return read_yaml(path)


def value_at(data, path):
    for key in path:
        data = data[key]
    return data


def leaves(data, path=()):
    """Every value that is no mapping, with its path."""
    if not isinstance(data, dict):
        return [(path, data)]
    return [leaf for key, value in data.items() for leaf in leaves(value, (*path, key))]


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("seeds=3", ("seeds",), 3),
        ("train.budget.tokens=100k", ("base", "train", "budget", "tokens"), "100k"),
        ("variant.d_model=64", ("base", "variant", "d_model"), 64),
        ("data.corpus=sotu", ("base", "data", "corpus"), "sotu"),
        ("base.variant.n_layers=2", ("base", "variant", "n_layers"), 2),
        ("arms.mqa.train.batch_size=4", ("arms", "mqa", "train", "batch_size"), 4),
        ("arms.gqa.train.lr=3e-3", ("arms", "gqa", "train", "lr"), 0.003),
        ("arms.new.variant.norm=layer", ("arms", "new", "variant", "norm"), "layer"),
        ("seeds=[1, 2]", ("seeds",), [1, 2]),
        ("variant.attention={name: mla}", ("base", "variant", "attention"), {"name": "mla"}),
        ("seeds=null", ("seeds",), None),
        ("question='a=b'", ("question",), "a=b"),
        ("tune.train.lr.factor=3", ("tune", "train.lr", "factor"), 3),
    ],
)
def test_an_override_sets_one_value_and_nothing_else(source, text, path, value):
    changed = apply_overrides(source.data, [text])
    assert value_at(changed, path) == value
    assert type(value_at(changed, path)) is type(value)
    before, after = dict(leaves(source.data)), dict(leaves(changed))
    differing = {p for p in before | after if before.get(p, ...) != after.get(p, ...)}
    assert all(p[: len(path)] == path[: len(p)] for p in differing)


def test_the_original_stays_as_it_was(source):
    before = copy.deepcopy(source.data)
    changed = apply_overrides(source.data, ["train.budget.tokens=1", "seeds=[1]"])
    changed["arms"]["mqa"]["variant"]["attention"] = "other"
    assert source.data == before


def test_the_last_override_wins(source):
    assert apply_overrides(source.data, ["seeds=1", "seeds=2"])["seeds"] == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seeds", "an override must be key=value, but got 'seeds'"),
        ("=3", "an override must name a key"),
        ("a..b=3", "an override must name a key"),
        ("seeds=", "a value must follow 'seeds='; write null for none"),
        ("seeds=[1,", "(in the override 'seeds=[1,')"),
        ("seeds=!!python/name:os.system x", "is not allowed"),
        ("seeds={a: 1, a: 2}", "duplicate key 'a'"),
        ("seeds=.nan", "must be a finite number"),
        ("seeds.a=1", "seeds: is 5, so 'a' cannot be set in it by 'seeds.a=1'"),
        ("train.budget.tokens.x.y=1", "base.train.budget.tokens: is '1M', so 'x.y' cannot be set"),
        (".".join("a" * 5000) + "=1", "at most 32 levels"),
    ],
)
def test_a_wrong_override_is_refused(source, text, said):
    with pytest.raises(ConfigError) as caught:
        apply_overrides(source.data, [text])
    assert said in str(caught.value)


def test_a_problem_in_an_override_names_the_command_line(source):
    overridden = override(source, ["train.budget.tokens=-1"])
    error = ConfigError.at(("arms", "mqa", "train", "budget", "tokens"), "must be a count")
    assert str(overridden.error(error)) == (
        "command line  base.train.budget.tokens: must be a count (in arm mqa)\n"
        "      | train.budget.tokens=-1\n"
        "      | ^^^^^^^^^^^^^^^^^^^"
    )
    assert overridden.line(("base", "train", "budget", "tokens")) is None


def test_a_replaced_mapping_is_the_command_lines_to_its_last_key(source):
    overridden = override(source, ["variant.attention={name: gqa, n_kv_heads: 3}"])
    place = overridden.locate(("base", "variant", "attention", "n_kv_heads"))
    assert place.where == "command line"


def test_a_mapping_that_an_override_made_is_the_command_lines(source):
    overridden = override(source, ["bse.train.lr=1", "seeds=3"])
    assert "| bse.train.lr=1" in overridden.locate(("bse",)).excerpt
    assert "| seeds=3" in overridden.locate(("seeds",)).excerpt


def test_what_was_not_overridden_stays_in_its_line(source):
    overridden = override(source, ["train.budget.tokens=1"])
    assert overridden.locate(("base", "train", "budget")).where == "x.yaml:3:11"
    assert source.overridden == {}
