"""The honest split shares no token between training and evaluation; the leaking one shares all."""

import numpy as np
import pytest

from harness.data.batches import batches, evaluation_batches
from harness.data.dataset import DataConfig, HeldOut, TokenDataset, load_dataset
from harness.data.leaks import leaked_share
from harness.data.splits import SPLIT
from harness.data.tokenizers import TOKENIZER
from harness.errors import ConfigError

WINDOWS = {"name": "overlapping_windows", "seq_len": 16, "scored": 20}


def stream(tokens, held_out=()):
    return TokenDataset(
        train=np.asarray(tokens, np.uint16),
        held_out=list(held_out),
        tokenizer=TOKENIZER["byte"](),
        fingerprint="",
    )


def divided(n_tokens, **options):
    split = SPLIT.build(SPLIT.resolve({"name": "overlapping_windows", **options}))
    return split.windows(n_tokens).divide(stream(np.arange(n_tokens)))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for i in range(30):
        letters = np.random.default_rng(i).choice(list("abcdefghij "), 200 + i)
        (folder / f"{i:02}.txt").write_text("".join(letters))
    return folder


def load(corpus, **changes):
    local = {"name": "local", "path": str(corpus)}
    small = {"corpus": local, "tokenizer": "byte", "held_out_documents": 4}
    return load_dataset(DataConfig.read({**small, **changes}))


def windows_of(dataset):
    """Return every (tokens, targets) that an epoch trains on."""
    order = dataset.order(1, dataset.seq_len, seed=0)
    rows = [order.rows(step) for step in range(order.order.steps_per_epoch)]
    return [(row.tokens[0].tolist(), row.targets[0].tolist()) for row in rows]


@pytest.mark.row("R4-18")
def test_windows_start_at_every_token_and_their_targets_are_one_later():
    dataset = divided(6, seq_len=4)
    assert sorted(windows_of(dataset)) == [
        ([0, 1, 2, 3], [1, 2, 3, 4]),
        ([1, 2, 3, 4], [2, 3, 4, 5]),
    ]
    assert dataset.held_out == []


@pytest.mark.row("R4-18")
@pytest.mark.parametrize(
    ("n", "seq_len", "count"), [(6, 4, 2), (4, 4, 0), (3, 4, 0), (300, 256, 44)]
)
def test_there_are_as_many_windows_as_tokens_that_can_be_the_last_target(n, seq_len, count):
    places = SPLIT["overlapping_windows"](seq_len=seq_len).windows(n)
    assert len(places.train) + len(places.held_out) == count


@pytest.mark.row("R4-18")
@pytest.mark.row("R4-19")
def test_the_corpus_of_50_000_tokens_is_divided_as_reported():
    split = SPLIT["overlapping_windows"](seq_len=256, max_tokens=50_000)
    places = split.windows(60_000)
    assert (len(places.train), len(places.held_out)) == (44_770, 4_974)
    everything = np.concatenate([places.train, places.held_out])
    assert sorted(everything) == list(range(49_744))
    assert abs(places.held_out.mean() - 49_744 / 2) < 1_000  # from everywhere
    again = split.windows(60_000)
    assert np.array_equal(places.held_out, again.held_out)


@pytest.mark.row("R4-19")
def test_the_honest_split_shares_no_text_and_is_the_default(corpus):
    dataset = load(corpus)
    assert DataConfig().split.name == "documents" and not SPLIT["documents"].fault
    assert len(dataset.held_out) == 4
    assert leaked_share(dataset, run=16) == 0


@pytest.mark.row("R4-19")
def test_the_leak_check_fails_on_overlapping_windows(corpus):
    dataset = load(corpus, split=WINDOWS)
    assert SPLIT["overlapping_windows"].fault
    assert len(dataset.held_out) == 20
    assert leaked_share(dataset, run=16) == 1


def test_a_passage_that_two_documents_share_is_a_leak():
    text = np.random.default_rng(0).integers(0, 256, 5000)
    excerpt = HeldOut("x", np.asarray([256, *text[1000:1128]], np.uint16), 128)
    clean = np.asarray([256, *np.arange(128)], np.uint16)
    assert leaked_share(stream(text, [excerpt])) == 1
    assert leaked_share(stream(text, [excerpt, HeldOut("y", clean, 128)])) == 0.5
    assert leaked_share(stream(text[:1050], [excerpt])) == 0


def test_a_leak_is_found_across_the_parts_that_are_searched(monkeypatch):
    monkeypatch.setattr("harness.data.leaks.CHUNK", 100)
    text = np.random.default_rng(0).integers(0, 256, 500)
    for place in (0, 70, 99, 100, 200, 436):
        excerpt = HeldOut("x", np.asarray([256, *text[place : place + 64]], np.uint16), 64)
        assert leaked_share(stream(text, [excerpt])) == 1, place


def test_bytes_that_look_alike_between_tokens_are_no_leak():
    excerpt = HeldOut("x", np.asarray([0, *[0x0201] * 64], np.uint16), 64)
    assert leaked_share(stream([0x0102] * 200, [excerpt])) == 0


def test_excerpts_too_short_to_tell_are_refused():
    with pytest.raises(ValueError, match="no held-out excerpt has 64 tokens"):
        leaked_share(stream(np.arange(100), [HeldOut("x", np.arange(64), 1)]))


@pytest.mark.slow
def test_the_default_corpus_repeats_next_to_nothing():
    """Of an address that was also read on the radio, two sentences are in the shorter text."""
    assert leaked_share(load_dataset(DataConfig())) < 0.01


def test_overlapping_windows_have_no_separators_and_no_bytes(corpus):
    dataset = load(corpus, split=WINDOWS)
    whole = load(corpus)
    assert not (dataset.train == dataset.tokenizer.separator).any()
    assert len(dataset.train) > len(whole.train)
    assert {document.n_bytes for document in dataset.held_out} == {0}
    assert dataset.fingerprint != whole.fingerprint


def test_a_window_that_is_scored_has_all_its_targets(corpus):
    dataset = load(corpus, split=WINDOWS)
    [batch] = evaluation_batches(dataset.held_out, 32, 16)
    assert batch.tokens.shape == batch.targets.shape == (20, 16)
    first = int(dataset.held_out[0].id.split()[1])
    assert batch.tokens[0].tolist() == dataset.train[first : first + 16].tolist()
    assert batch.targets[0].tolist() == dataset.train[first + 1 : first + 17].tolist()


def test_the_first_tokens_are_used(corpus):
    dataset = load(corpus, split={**WINDOWS, "max_tokens": 200})
    assert len(dataset.train) == 200
    assert dataset.train.tolist() == load(corpus, split=WINDOWS).train[:200].tolist()
    assert max(max(targets) for _, targets in windows_of(dataset)) < 256


def test_an_epoch_is_the_text_once_however_its_windows_overlap(corpus):
    dataset = load(corpus, split=WINDOWS)
    assert dataset.order(2, 16, seed=0).tokens_per_epoch == len(dataset.train) - 1
    apart = load(corpus)
    assert apart.order(2, 16, seed=0).tokens_per_epoch == (len(apart.train) - 1) // 32 * 32


def test_training_with_windows_of_another_length_is_refused(corpus, cpu):
    dataset = load(corpus, split=WINDOWS)
    assert batches(dataset, 2, 16, 0, cpu)[0].tokens.shape == (2, 16)
    with pytest.raises(ConfigError, match=r"seq_len: must be 16, .* but got 32"):
        batches(dataset, 2, 32, 0, cpu)


def test_documents_cannot_be_told_apart_without_separators(corpus):
    with pytest.raises(ConfigError, match="packing: the split 'overlapping_windows' has no sep"):
        load(corpus, split=WINDOWS, packing="documents")
