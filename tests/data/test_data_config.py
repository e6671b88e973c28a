import pytest

from harness.core.registry import ComponentSpec
from harness.data.dataset import DataConfig
from harness.errors import ConfigError


def test_nothing_said_is_sotu_with_a_small_bpe():
    assert DataConfig.read(None) == DataConfig.read({}) == DataConfig()
    assert DataConfig().to_dict() == {
        "corpus": {"name": "sotu"},
        "tokenizer": {"name": "bpe", "vocab_size": 1024},
        "held_out_documents": 32,
        "held_out_bytes": 4096,
        "report_documents": 0,
        "max_documents": None,
        "split": {"name": "documents"},
        "packing": "stream",
    }


def test_names_and_mappings_are_the_same_canonical_component():
    short = DataConfig.read({"corpus": "sotu", "tokenizer": "bpe"})
    long = DataConfig.read({"tokenizer": {"name": "bpe", "vocab_size": 1024}})
    assert short == long
    assert short.tokenizer == ComponentSpec("bpe", {"vocab_size": 1024})


def test_what_is_written_is_read_back():
    config = DataConfig.read(
        {"corpus": {"name": "local", "path": "x"}, "tokenizer": "byte", "max_documents": 9}
    )
    assert DataConfig.read(config.to_dict()) == config
    assert config.to_dict()["corpus"] == {"name": "local", "path": "x", "text_key": "text"}


def test_vocab_size_is_known_without_the_corpus():
    nowhere = {"name": "local", "path": "/nowhere/at/all"}
    assert DataConfig.read({"corpus": nowhere}).vocab_size == 1024
    assert DataConfig.read({"corpus": nowhere, "tokenizer": "byte"}).vocab_size == 257


@pytest.mark.parametrize(
    ("data", "path", "message"),
    [
        ({"tokenizer": {"name": "bpe", "vocab_size": 9}}, ("tokenizer", "vocab_size"), "got 9"),
        ({"tokenizer": {"name": "bpe", "vocab": 9}}, ("tokenizer", "vocab"), "'vocab_size'"),
        ({"tokenizer": "bpee"}, ("tokenizer",), "unknown tokenizer 'bpee'. Did you mean 'bpe'?"),
        ({"corpus": "local"}, ("corpus", "path"), "required"),
        ({"corpus": None}, ("corpus",), "must be a name or a mapping with `name`"),
        ({"corpora": "sotu"}, ("corpora",), "unknown key 'corpora'. Did you mean 'corpus'?"),
        ({"held_out_bytes": -1}, ("held_out_bytes",), "got -1"),
        ({"held_out_documents": 0}, ("held_out_documents",), "got 0"),
        ({"max_documents": "10"}, ("max_documents",), "got '10'"),
        (["sotu"], (), "must be a mapping"),
    ],
)
def test_a_problem_is_found_where_it_is(data, path, message):
    with pytest.raises(ConfigError) as error:
        DataConfig.read(data)
    [problem] = error.value.problems
    assert problem.path == path
    assert message in problem.message


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError) as error:
        DataConfig.read({"corpus": "soto", "tokenizer": "bite", "max_document": 3})
    assert [p.path for p in error.value.problems] == [
        ("corpus",),
        ("tokenizer",),
        ("max_document",),
    ]


def test_reading_leaves_the_given_mapping_alone():
    given = {"corpus": "sotu", "tokenizer": "byte"}
    DataConfig.read(given)
    assert given == {"corpus": "sotu", "tokenizer": "byte"}
