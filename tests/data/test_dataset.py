import logging
import subprocess
import sys

import numpy as np
import pytest

from harness.data.dataset import DataConfig, fingerprint, load_dataset
from harness.errors import AblateError, ConfigError

TEXTS = [f"document {i}: " + "the quick brown fox ünd the lazy dog. " * (i + 3) for i in range(12)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for i, text in enumerate(TEXTS):
        (folder / f"{i:02}.txt").write_text(text)
    return folder


def config(corpus, **changes):
    local = {"name": "local", "path": str(corpus)}
    tokenizer = {"name": "bpe", "vocab_size": 300}
    small = {"corpus": local, "tokenizer": tokenizer, "held_out_documents": 3}
    return DataConfig.read({**small, "held_out_bytes": 100, **changes})


def documents_of(dataset):
    ends = np.flatnonzero(dataset.train == dataset.tokenizer.separator)
    assert ends[-1] == len(dataset.train) - 1
    pieces = np.split(np.asarray(dataset.train), ends + 1)[:-1]
    return [dataset.tokenizer.decode(piece) for piece in pieces]


@pytest.mark.parametrize("tokenizer", ["byte", {"name": "bpe", "vocab_size": 300}])
def test_every_document_is_on_exactly_one_side(corpus, tokenizer):
    dataset = load_dataset(config(corpus, tokenizer=tokenizer))
    trained = documents_of(dataset)
    held_out = [TEXTS[int(document.id[:2])] for document in dataset.held_out]
    assert sorted(trained + held_out) == sorted(TEXTS)
    assert trained == [text for text in TEXTS if text in trained]
    assert dataset.n_train_documents == 9
    assert dataset.n_train_bytes == sum(len(text.encode()) for text in trained)


def test_a_text_that_occurs_twice_is_never_on_both_sides(corpus):
    for i, text in enumerate(TEXTS):
        (corpus / f"copy{i}.txt").write_text(text)
    dataset = load_dataset(config(corpus, held_out_documents=6))
    trained = documents_of(dataset)
    assert len(trained) == len(dataset.held_out) == 6
    assert not any(TEXTS[int(document.id[:2])] in trained for document in dataset.held_out)


@pytest.mark.parametrize("held_out_bytes", [0, 100])
def test_every_byte_of_an_excerpt_is_a_target(corpus, held_out_bytes):
    dataset = load_dataset(config(corpus, held_out_bytes=held_out_bytes))
    for document in dataset.held_out:
        text = TEXTS[int(document.id[:2])]
        scored = dataset.tokenizer.decode(document.tokens[1:])
        assert document.tokens[0] == dataset.tokenizer.separator
        assert len(scored.encode()) == document.n_bytes
        assert scored == text if not held_out_bytes else scored in text
        assert not held_out_bytes or document.n_bytes <= held_out_bytes


def test_the_tokenizer_has_not_seen_held_out_text(tmp_path):
    words = {f"{name}.txt": f" x{name}z" for name in "abcdefghijkl"}
    for name, word in words.items():
        (tmp_path / name).write_text(f"{word * 3}q" * 50)
    bpe = {"name": "bpe", "vocab_size": 600}
    dataset = load_dataset(config(tmp_path, tokenizer=bpe))
    held_out = {document.id for document in dataset.held_out}
    for name, word in words.items():
        [ids] = dataset.tokenizer.encode([word])
        assert (len(ids) == 1) == (name not in held_out)


@pytest.mark.parametrize(("vocab_size", "dtype"), [(300, "<u2"), (65536, "<u2"), (65537, "<u4")])
def test_ids_take_the_fewest_bytes(corpus, vocab_size, dtype):
    dataset = load_dataset(config(corpus, tokenizer={"name": "bpe", "vocab_size": vocab_size}))
    assert dataset.train.dtype == np.dtype(dtype)
    assert dataset.held_out[0].tokens.dtype == np.dtype(dtype)
    assert dataset.vocab_size == vocab_size
    assert isinstance(dataset.train, np.memmap)


@pytest.mark.row("R4-16")
def test_an_opened_dataset_is_the_built_one(corpus):
    built, opened = load_dataset(config(corpus)), load_dataset(config(corpus))
    assert np.array_equal(built.train, opened.train)
    assert built.fingerprint == opened.fingerprint == fingerprint(config(corpus))
    for a, b in zip(built.held_out, opened.held_out, strict=True):
        assert (a.id, a.n_bytes, a.tokens.tolist()) == (b.id, b.n_bytes, b.tokens.tolist())
    assert built.tokenizer.encode(TEXTS) == opened.tokenizer.encode(TEXTS)


@pytest.mark.row("R4-16")
def test_the_same_configuration_is_built_once(corpus, caplog):
    caplog.set_level(logging.INFO, "ablate.data")
    load_dataset(config(corpus))
    load_dataset(config(corpus))
    assert [record.message.split()[0] for record in caplog.records] == ["building"]


@pytest.mark.row("R4-16")
@pytest.mark.parametrize(
    "change",
    [
        {"tokenizer": "byte"},
        {"tokenizer": {"name": "bpe", "vocab_size": 301}},
        {"max_documents": 11},
        {"held_out_documents": 4},
        {"held_out_bytes": 99},
    ],
)
def test_another_tokenizer_limit_or_split_misses_the_cache(corpus, change, caplog):
    caplog.set_level(logging.INFO, "ablate.data")
    before = load_dataset(config(corpus))
    after = load_dataset(config(corpus, **change))
    assert before.fingerprint != after.fingerprint
    assert len(caplog.records) == 2


@pytest.mark.row("R4-16")
def test_the_fingerprint_follows_the_content(corpus):
    before = fingerprint(config(corpus))
    (corpus / "03.txt").write_text(TEXTS[3] + "!")
    assert fingerprint(config(corpus)) != before


def test_the_fingerprint_does_not_follow_what_changes_no_content(corpus, tmp_path):
    before = fingerprint(config(corpus))
    (corpus / "copy.txt").write_text(TEXTS[0])
    moved = corpus.rename(tmp_path / "moved")
    assert fingerprint(config(moved, max_documents=1000)) == before


def test_the_first_documents_are_used(corpus):
    dataset = load_dataset(config(corpus, max_documents=4))
    assert dataset.n_train_documents + len(dataset.held_out) == 4
    assert set(documents_of(dataset)) < set(TEXTS[:4])


def test_one_document_is_an_error_that_asks_for_more(tmp_path, cache):
    (tmp_path / "only.txt").write_text("alone")
    with pytest.raises(ConfigError, match=r"^corpus: has 1 distinct .* add documents"):
        load_dataset(config(tmp_path / "only.txt"))
    assert not list(cache.glob("datasets/*/"))


def test_a_blank_corpus_is_an_error(tmp_path):
    (tmp_path / "blank.txt").write_text(" \n")
    with pytest.raises(ConfigError, match=r"^corpus: has 0 distinct"):
        load_dataset(config(tmp_path / "blank.txt"))


def test_an_error_of_the_corpus_is_found_below_it(tmp_path):
    with pytest.raises(ConfigError, match=r"^corpus\.path: no .txt"):
        fingerprint(config(tmp_path / "nowhere"))


def test_an_unreadable_path_is_an_error_of_the_corpus(tmp_path):
    with pytest.raises(ConfigError, match=r"^corpus: cannot be read: .*File name too long"):
        fingerprint(config(tmp_path / f"{'x' * 300}.txt"))


def test_a_corpus_that_changes_while_it_is_read_is_not_stored(corpus, cache, caplog, request):
    class Writer(logging.Handler):
        def emit(self, record):
            (corpus / "05.txt").write_text("changed")

    caplog.set_level(logging.INFO, "ablate.data")
    writer = Writer()
    logging.getLogger("ablate.data").addHandler(writer)
    request.addfinalizer(lambda: logging.getLogger("ablate.data").removeHandler(writer))
    with pytest.raises(AblateError, match="the corpus 'local' changed while it was read"):
        load_dataset(config(corpus))
    assert not list(cache.glob("datasets/*/"))


def test_the_data_is_opened_without_torch():
    code = "import sys, harness.data.dataset as d; d.DataConfig(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
