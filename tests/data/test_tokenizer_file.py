"""Any file of the library tokenizers is taken as it is, and known by its content."""

import itertools
import json

import numpy as np
import pytest
import tokenizers

from harness.core.registry import ComponentSpec
from harness.data.dataset import DataConfig, fingerprint, load_dataset
from harness.data.tokenizers import TOKENIZER
from harness.errors import ConfigError

TEXTS = ["the cat sat on the mat; the cat ate the rat.\n" * 20, "Straße, naïve, 東京 😀\r\n"] * 3
CHARACTERS = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())


def special(number, content, is_special=True):
    kinds = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": number, "content": content, "special": is_special, **kinds}


def byte_level(path, n_ids, added, **changes):
    """Write a byte-pair encoding of `n_ids` ids, the last of which are those in `added`."""
    merges = itertools.islice(
        (
            (a, b)
            for i, a in enumerate(
                [*CHARACTERS, *map("".join, itertools.product(CHARACTERS, repeat=2))]
            )
            for b in CHARACTERS
        ),
        n_ids - 256 - len(added),
    )
    words = [*CHARACTERS]
    pairs = []
    for a, b in merges:
        pairs.append([a, b])
        words.append(a + b)
    level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "use_regex": True,
        "trim_offsets": True,
    }
    numbers = range(len(words), n_ids)
    content = {
        "version": "1.0",
        "added_tokens": [special(i, text) for i, text in zip(numbers, added, strict=True)],
        "pre_tokenizer": level,
        "decoder": level,
        "model": {"type": "BPE", "vocab": {w: i for i, w in enumerate(words)}, "merges": pairs},
        **changes,
    }
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def file(tmp_path):
    return byte_level(tmp_path / "tokenizer.json", 400, ["<a>", "<|endoftext|>", "<b>"])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))


def build(path, **options):
    return TOKENIZER.build(TOKENIZER.resolve({"name": "file", "path": str(path), **options}))


def corpus(folder):
    folder.mkdir(exist_ok=True)
    for i in range(8):
        (folder / f"{i}.txt").write_text(f"text {i} " + "the cat sat on the mat. " * (20 + i))
    return {"name": "local", "path": str(folder)}


def config(tmp_path, path, **options):
    data = {
        "corpus": corpus(tmp_path / "texts"),
        "tokenizer": {"name": "file", "path": str(path), **options},
    }
    return DataConfig.read({**data, "held_out_documents": 2})


@pytest.mark.row("R4-17")
@pytest.mark.parametrize(
    ("n_ids", "added"),
    [(49_152, ["<|endoftext|>"]), (151_669, [f"<|special_{i}|>" for i in range(26)])],
)
def test_a_file_of_any_size_is_read_by_its_path(tmp_path, n_ids, added):
    path = byte_level(tmp_path / "any.json", n_ids, added)
    code = build(path)
    assert code.vocab_size == n_ids
    assert code.separator == n_ids - len(added)
    for text in TEXTS:
        [ids] = code.encode([text])
        assert code.decode([code.separator, *ids, code.separator]) == text
        assert max(ids) < n_ids - len(added)
        assert len(ids) < len(text.encode())


@pytest.mark.row("R4-17")
def test_the_default_that_is_learned_here_is_read_as_a_file_too(tmp_path):
    learned = TOKENIZER["bpe"](vocab_size=300)
    learned.train(TEXTS)
    learned.save(tmp_path)
    read = build(tmp_path / "tokenizer.json")
    assert read.encode(TEXTS) == learned.encode(TEXTS)
    assert (read.separator, read.decode(read.encode(TEXTS)[1])) == (0, TEXTS[1])
    assert read.of_text


def test_the_separator_is_the_usual_one_or_the_first_or_the_one_that_is_named(tmp_path, file):
    assert build(file).separator == 398
    assert build(file, separator="<b>").separator == 399
    first = byte_level(tmp_path / "first.json", 400, ["<x>", "<y>"])
    assert build(first).separator == 398


def test_text_never_means_a_separator(file):
    for text in ("<|endoftext|>", "a <b><a>"):
        [ids] = build(file).encode([text])
        assert not set(ids) & {397, 398, 399}
        assert build(file).decode(ids) == text


def test_a_separator_that_is_no_special_token_is_told_with_those_there_are(file):
    with pytest.raises(
        ConfigError, match=r"^separator: unknown special token '<\|eot\|>'.*Known: <a>, <b>"
    ):
        build(file, separator="<|eot|>")


def test_a_file_without_special_tokens_has_no_separator(tmp_path):
    plain = byte_level(tmp_path / "plain.json", 300, [])
    with pytest.raises(ConfigError, match="no special token to stand between documents"):
        build(plain)
    not_special = byte_level(
        tmp_path / "other.json", 300, ["<x>"], added_tokens=[special(299, "<x>", is_special=False)]
    )
    with pytest.raises(ConfigError, match="no special token"):
        build(not_special)


def test_settings_of_a_batch_do_not_cut_or_fill_texts(tmp_path):
    cut = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    fill = {
        "strategy": {"Fixed": 9},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "x",
    }
    path = byte_level(tmp_path / "cut.json", 300, ["<x>"], truncation=cut, padding=fill)
    assert [len(ids) for ids in build(path).encode(["abc xyz 12345", "x"])] == [13, 1]


def test_a_file_that_changes_texts_has_no_bits_per_byte(tmp_path, file):
    lower = byte_level(tmp_path / "lower.json", 300, ["<x>"], normalizer={"type": "Lowercase"})
    assert build(file).of_text and config(tmp_path, file).has_bytes
    assert not build(lower).of_text and not config(tmp_path, lower).has_bytes
    assert {document.n_bytes for document in load_dataset(config(tmp_path, lower)).held_out} == {0}
    assert min(document.n_bytes for document in load_dataset(config(tmp_path, file)).held_out) > 0


def test_data_hold_the_ids_of_the_file(tmp_path, file):
    dataset = load_dataset(config(tmp_path, file))
    assert dataset.vocab_size == config(tmp_path, file).vocab_size == 400
    ends = np.flatnonzero(dataset.train == 398)
    assert len(ends) == dataset.n_train_documents == 6
    first = dataset.tokenizer.decode(dataset.train[: ends[0]])
    assert first.startswith("text ") and first.endswith("the mat. ")


def test_the_separator_that_is_named_stands_between_documents(tmp_path, file):
    dataset = load_dataset(config(tmp_path, file, separator="<b>"))
    assert dataset.tokenizer.separator == dataset.train[-1] == 399


def test_the_content_is_what_counts_and_not_the_place(tmp_path, file):
    (tmp_path / "other").mkdir()
    moved = byte_level(tmp_path / "other" / "x.json", 400, ["<a>", "<|endoftext|>", "<b>"])
    changed = byte_level(tmp_path / "y.json", 401, ["<a>", "<|endoftext|>", "<b>"])
    name = fingerprint(config(tmp_path, file))
    assert fingerprint(config(tmp_path, moved)) == name
    assert fingerprint(config(tmp_path, changed)) != name
    assert fingerprint(config(tmp_path, file, separator="<b>")) != name


def test_what_is_stored_has_the_digest_and_is_read_without_the_file(tmp_path, file):
    read = config(tmp_path, file)
    written = read.to_dict()
    assert len(written["tokenizer"]["sha256"]) == 64
    load_dataset(read)
    file.unlink()
    assert DataConfig.read(written) == read
    with pytest.raises(ConfigError, match=r"^tokenizer\.path: .*tokenizer.json cannot be read"):
        load_dataset(read)


def test_a_file_that_has_changed_since_is_refused(tmp_path, file):
    read = config(tmp_path, file)
    byte_level(file, 401, ["<a>", "<|endoftext|>", "<b>"])
    with pytest.raises(
        ConfigError, match=r"^tokenizer\.path: .*tokenizer.json has changed: its SHA"
    ):
        load_dataset(read)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"model": {"type": "XYZ"}}'])
def test_a_file_of_another_kind_is_named(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(ConfigError, match=r"^path: .*x.json is no file of the library tokenizers"):
        build(tmp_path / "x.json")


def test_a_file_that_is_not_there_is_named_where_it_is_said(tmp_path):
    with pytest.raises(ConfigError, match=r"^tokenizer\.path: .*nowhere.json cannot be read"):
        config(tmp_path, tmp_path / "nowhere.json")


def test_a_home_folder_is_found(tmp_path, file, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert build("~/tokenizer.json").vocab_size == 400


def test_options_are_a_component_like_any_other(file):
    spec = TOKENIZER.resolve({"name": "file", "path": str(file)})
    assert isinstance(spec, ComponentSpec)
    assert set(spec.options) == {"path", "separator", "sha256"}
