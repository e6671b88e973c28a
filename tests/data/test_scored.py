"""What a run is scored on besides is encoded by its own tokenizer, and was not trained on."""

import numpy as np
import pytest

from harness.data.dataset import DataConfig, fingerprint, load_dataset
from harness.data.scored import Scored
from harness.errors import ConfigError

FOX = [f"document {i}: " + "the quick brown fox and the lazy dog. " * (i + 3) for i in range(12)]
CATS = [f"text {i}: " + "many cats sleep all day on warm roofs. " * (i + 3) for i in range(6)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def texts(tmp_path):
    """Write documents and return a function that makes the configuration of a folder of them."""

    def write(name, documents):
        (tmp_path / name).mkdir()
        for i, document in enumerate(documents):
            (tmp_path / name / f"{i:02}.txt").write_text(document)

    def config(name, **changes):
        corpus = {"name": "local", "path": str(tmp_path / name)}
        small = {"tokenizer": {"name": "bpe", "vocab_size": 300}, "held_out_documents": 3}
        return DataConfig.read({"corpus": corpus, **small, **changes})

    write("fox", FOX)
    write("cats", CATS)
    write("both", [*CATS, *FOX])
    return config


def ids_of(excerpts):
    return [excerpt.id for excerpt in excerpts]


def test_a_report_is_of_documents_that_are_neither_trained_on_nor_scored(texts):
    plain, kept = (load_dataset(texts("fox", report_documents=n)) for n in (0, 2))
    assert plain.report == []
    assert ids_of(kept.held_out) == ids_of(plain.held_out)  # so that both runs are comparable
    assert len(kept.report) == 2
    assert not set(ids_of(kept.report)) & set(ids_of(kept.held_out))
    trained = kept.tokenizer.decode(kept.train)
    for excerpt in (*kept.report, *kept.held_out):
        assert f"document {int(excerpt.id[:2])}:" not in trained
        text = FOX[int(excerpt.id[:2])]
        assert kept.tokenizer.decode(excerpt.tokens) == text and excerpt.n_bytes == len(text)
    assert kept.n_train_documents == 7 == plain.n_train_documents - 2
    assert kept.n_train_bytes == sum(len(t) for t in FOX if t in trained)


def test_keeping_a_report_is_another_dataset_and_keeping_none_is_the_same(texts):
    names = [fingerprint(texts("fox", **given)) for given in ({}, {"report_documents": 0})]
    assert names[0] == names[1] != fingerprint(texts("fox", report_documents=1))


@pytest.mark.parametrize("changes", [{"report_documents": 4}, {"split": "overlapping_windows"}])
def test_a_report_that_cannot_be_kept_is_refused(texts, changes):
    config = texts("fox", **{"report_documents": 3, **changes})
    with pytest.raises(
        ConfigError, match=r"report_documents: must be at most [03] beside held_out_documents of"
    ):
        load_dataset(config)


def test_the_report_is_what_was_kept(texts):
    own = texts("fox", report_documents=2)
    scored = Scored(own, own, "report")
    scored.check()
    excerpts, separator = scored.load()
    assert ids_of(excerpts) == ids_of(load_dataset(own).report) and separator is None
    assert scored.content() == fingerprint(own)


def test_without_documents_kept_there_is_no_report(texts):
    own = texts("fox")
    with pytest.raises(ConfigError, match="held_out: no documents were kept for a report"):
        Scored(own, own, "report").check()


def test_another_corpus_is_encoded_by_the_tokenizer_of_the_run(texts):
    run, other = texts("fox"), texts("cats")
    excerpts, _ = Scored(run, other).load()
    alone, tokenizer = load_dataset(other), load_dataset(run).tokenizer
    assert ids_of(excerpts) == ids_of(alone.held_out)  # the documents are those of that corpus
    for excerpt, theirs in zip(excerpts, alone.held_out, strict=True):
        text = CATS[int(excerpt.id[:2])]
        assert excerpt.tokens[1:].tolist() == tokenizer.encode([text])[0]
        assert len(excerpt.tokens) > len(theirs.tokens)  # its own tokenizer knows its words
        assert excerpt.n_bytes == theirs.n_bytes
    assert ids_of(load_dataset(other).held_out) == ids_of(alone.held_out)
    assert np.array_equal(load_dataset(other).train, alone.train)  # which is not replaced by ours


def test_two_runs_with_different_tokenizers_have_each_its_own_encoding(texts):
    lengths = []
    for vocab_size in (260, 300):
        run = texts("fox", tokenizer={"name": "bpe", "vocab_size": vocab_size})
        other = texts("cats", tokenizer={"name": "bpe", "vocab_size": vocab_size})
        excerpts, _ = Scored(run, other).load()
        decode = load_dataset(run).tokenizer.decode
        assert [decode(e.tokens) for e in excerpts] == [CATS[int(e.id[:2])] for e in excerpts]
        lengths.append(sum(len(e.tokens) for e in excerpts))
    small = Scored(texts("fox"), texts("cats")).load()[0]
    fox = Scored(texts("both"), texts("cats", held_out_documents=1)).load()[0]
    assert lengths[0] > lengths[1] == sum(len(e.tokens) for e in small)
    assert fox[0].tokens.tolist() != next(e for e in small if e.id == fox[0].id).tokens.tolist()


def test_documents_that_are_trained_on_are_never_scored(texts):
    run = texts("fox")
    Scored(run, texts("cats")).content()
    Scored(run, texts("fox", held_out_bytes=0)).content()  # the same documents, whole
    with pytest.raises(ConfigError, match="3 of the 6 documents that would be scored are trained"):
        Scored(run, texts("fox", held_out_documents=6)).content()
    with pytest.raises(ConfigError, match="are trained on"):
        Scored(run, texts("both", held_out_documents=9)).content()


def test_a_split_with_a_known_fault_may_be_shown_on_a_run(texts):
    windows = {"name": "overlapping_windows", "seq_len": 16, "scored": 5}
    scored = Scored(texts("fox"), texts("fox", split=windows))
    assert scored.content() != fingerprint(texts("fox"))
    excerpts, _ = scored.load()
    assert [len(excerpt.tokens) for excerpt in excerpts] == [17] * 5


def test_the_content_of_a_set_is_what_identifies_it(texts, tmp_path):
    before = Scored(texts("fox"), texts("cats")).content()
    assert Scored(texts("fox"), texts("cats", held_out_documents=2)).content() != before
    (tmp_path / "cats" / "00.txt").write_text("another text")
    assert Scored(texts("fox"), texts("cats")).content() != before


def test_a_probe_needs_no_tokenizer(texts):
    probe = DataConfig.read({"corpus": {"name": "copy", "n_tokens": 4}})
    scored = Scored(texts("fox"), probe)
    scored.check()
    excerpts, separator = scored.load()
    assert {len(excerpt.tokens) for excerpt in excerpts} == {9} and separator is None
    assert scored.content() == fingerprint(probe)


def test_text_for_a_run_without_text_is_refused(texts):
    probe = DataConfig.read({"corpus": "copy"})
    with pytest.raises(ConfigError, match="corpus: the run's tokenizer 'ids' encodes no text, and"):
        Scored(probe, texts("cats")).check()


def test_ids_that_another_tokenizer_made_are_refused(texts, tmp_path):
    np.save(tmp_path / "ids.npy", np.arange(4000, dtype=np.uint16) % 90)
    tokenizer = {"name": "ids", "vocab_size": 90}
    corpus = {"name": "tokens", "path": str(tmp_path / "ids.npy"), "excerpt": 50}
    own, more = (
        DataConfig.read({"corpus": corpus, "tokenizer": tokenizer, "held_out_documents": n})
        for n in (4, 8)
    )
    Scored(own, own).check()
    with pytest.raises(ConfigError, match="corpus: its ids were not made by the run's tokenizer"):
        Scored(texts("fox"), own).check()
    with pytest.raises(ConfigError, match="held_out_documents: the run's own ids are divided once"):
        Scored(own, more).check()
