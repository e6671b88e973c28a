import random

import pytest

from harness.data.config import DataConfig
from harness.data.corpora import Document
from harness.data.split import Entry, distinct, excerpt, hold_out
from harness.errors import ConfigError


def entries(n, stratum=""):
    texts = (Document(str(i), f"text {stratum} {i}", stratum) for i in range(n))
    return [entry for entry, _ in distinct(texts)]


def test_sotu_holds_out_at_least_24_addresses_over_many_decades():
    all_entries = [entry for entry, _ in DataConfig().documents()]
    held_out = hold_out(all_entries, DataConfig().held_out_documents)
    decades = {entry.stratum for entry in all_entries if entry.digest in held_out}
    assert len(held_out) == 32 >= 24
    assert len(decades) >= 22


def test_repeated_and_blank_texts_are_left_out_and_the_first_is_kept():
    documents = [Document(name, text, "") for name, text in ("ax", "by", "cx", "d ", "e\n", "fz")]
    assert [(entry.id, text) for entry, text in distinct(documents)] == [
        ("a", "x"),
        ("b", "y"),
        ("f", "z"),
    ]


def test_the_split_depends_on_texts_and_not_on_their_order_or_the_global_seed():
    population = entries(40, "a") + entries(20, "b")
    shuffled = random.Random(1).sample(population, len(population))
    assert hold_out(population, 10) == hold_out(shuffled, 10)


def test_renaming_documents_keeps_the_split():
    population = entries(40)
    renamed = [Entry(f"new {entry.id}", entry.stratum, entry.digest) for entry in population]
    assert hold_out(population, 10) == hold_out(renamed, 10)


def test_the_split_does_not_follow_the_order_of_documents():
    population = entries(40)
    held_out = hold_out(population, 10)
    assert held_out != {entry.digest for entry in population[:10]}
    assert held_out != {entry.digest for entry in population[-10:]}


def test_every_stratum_gives_its_share():
    sizes = {"a": 60, "b": 30, "c": 10}
    population = [entry for stratum, n in sizes.items() for entry in entries(n, stratum)]
    for n in (10, 20, 50):
        held_out = hold_out(population, n)
        assert len(held_out) == n
        for stratum, size in sizes.items():
            taken = sum(e.digest in held_out for e in population if e.stratum == stratum)
            assert abs(taken - n * size / 100) < 1


def test_many_small_strata_do_not_crowd_out_a_large_one():
    large = entries(80, "large")
    small = [entry for i in range(20) for entry in entries(1, f"small {i}")]
    held_out = hold_out(large + small, 10)
    assert sum(entry.digest in held_out for entry in large) >= 8


@pytest.mark.parametrize(("documents", "held_out"), [(2, 1), (3, 1), (10, 5), (64, 32), (100, 32)])
def test_at_least_one_and_never_more_than_half_are_held_out(documents, held_out):
    assert len(hold_out(entries(documents), 32)) == held_out


@pytest.mark.parametrize("n", [0, 1])
def test_a_corpus_that_cannot_be_split_asks_for_documents(n):
    with pytest.raises(
        ConfigError, match=f"has {n} distinct .* must have 2 or more: add documents"
    ):
        hold_out(entries(n), 32)


def test_an_excerpt_is_whole_words_from_the_middle():
    words = [f"wörd{i}" for i in range(1000)]
    part = excerpt(" ".join(words), 400)
    first = words.index(part.split()[0])
    assert part.split() == words[first : first + len(part.split())]
    assert 370 <= len(part.encode()) <= 400
    assert 450 <= first <= 500


@pytest.mark.parametrize("max_bytes", [0, 11, 5000])
def test_a_short_text_or_no_limit_is_the_whole_text(max_bytes):
    assert excerpt(" two\nwords ", max_bytes) == " two\nwords "


@pytest.mark.parametrize("text", ["東京" * 1000, "東京 " + "京" * 3000, " " * 9000, "é" * 5000])
def test_an_excerpt_without_spaces_is_whole_characters(text):
    part = excerpt(text, 4096)
    assert part in text
    assert 4096 - 3 * 64 - 4 <= len(part.encode()) <= 4096


def test_the_excerpt_of_a_long_line_keeps_its_inner_white_space():
    text = "first\n\n  second\tthird " * 100
    assert excerpt(text, 200) in text
