"""Every probe asks what it says: its answers are found again by looking at the question alone."""

import collections
import itertools
import math

import numpy as np
import pytest
import torch
from lab import VARIANT

from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.core.targets import IGNORE
from harness.data.batches import batches, evaluation_batches
from harness.data.corpora import CORPUS, Probe
from harness.data.dataset import DataConfig, fingerprint, load_dataset
from harness.errors import ConfigError
from harness.training.evaluation import Evaluator

SMALL = {
    "associative_recall": {"n_pairs": 3, "n_questions": 4, "n_keys": 5, "n_values": 6},
    "copy": {"n_tokens": 5, "n_symbols": 7},
    "induction": {"n_tokens": 9, "n_symbols": 5},
    "modular_addition": {"modulus": 11},
    "selective_copy": {"n_tokens": 3, "n_blanks": 6, "n_symbols": 5},
    "sorting": {"n_tokens": 5, "n_symbols": 9},
}


def recall(ids):
    pairs = ids[:6]
    keys, values = pairs[::2], pairs[1::2]
    assert len(set(keys)) == 3 and set(keys) <= set(range(1, 6))
    assert set(values) <= set(range(6, 12))
    return {i: values[keys.index(ids[i - 1])] for i in range(7, 14, 2)}


def copy(ids):
    assert ids[5] == 0 and set(ids[:5]) <= set(range(1, 8))
    return {6 + i: ids[i] for i in range(5)}


def induction(ids):
    asked = [i for i, token in enumerate(ids[:9]) if token == 0]
    assert len(asked) == 1 and ids[9] == 0 and max(ids) <= 5
    return {10: ids[asked[0] + 1]}


def modular_addition(ids):
    assert ids[2] == 0
    counted = itertools.islice(itertools.cycle(range(1, 12)), ids[0] - 1 + ids[1] - 1, None)
    return {3: next(counted)}


def selective_copy(ids):
    symbols = [token for token in ids[:9] if token != 1]
    assert len(symbols) == 3 and ids[9] == 0 and set(symbols) <= set(range(2, 7))
    return {10 + i: symbol for i, symbol in enumerate(symbols)}


def sorting(ids):
    left, counts = {}, collections.Counter(ids[:5])
    assert ids[5] == 0 and set(counts) <= set(range(1, 10))
    for number in range(1, 10):
        left |= {6 + len(left) + i: number for i in range(counts[number])}
    return left


ORACLES = {
    "associative_recall": recall,
    "copy": copy,
    "induction": induction,
    "modular_addition": modular_addition,
    "selective_copy": selective_copy,
    "sorting": sorting,
}


def probe(name, **options):
    return CORPUS.build(CORPUS.resolve({"name": name, **SMALL[name], **options}))


def load(name, **options):
    return load_dataset(DataConfig.read({"corpus": {"name": name, **SMALL[name], **options}}))


def trained_on(dataset, seed=0, batch_size=4, steps=range(40)):
    """Return the examples of some steps, each as its ids with None for what is not scored."""
    span = dataset.probe.length - 1
    order = dataset.order(batch_size, span, seed)
    rows = [order.rows(step) for step in steps]
    tokens = np.concatenate([row.tokens for row in rows])
    targets = np.concatenate([row.targets for row in rows])
    return [
        (t.tolist(), [None if a == IGNORE else a for a in b.tolist()])
        for t, b in zip(tokens, targets, strict=True)
    ]


def scored(dataset):
    """Return the examples that are scored, likewise."""
    return [
        (
            document.tokens[:-1].tolist(),
            [
                t if s else None
                for t, s in zip(document.tokens[1:].tolist(), document.scored, strict=True)
            ],
        )
        for document in dataset.held_out
    ]


def question(dataset, tokens, targets):
    ids = [*tokens, next(t for t in targets[::-1] if t is not None)]
    return tuple(dataset.probe.question(np.array([ids]))[0].tolist())


def test_every_probe_is_tested_here():
    probes = {name for name in CORPUS if issubclass(CORPUS[name], Probe)}
    assert probes == set(SMALL) == set(ORACLES)


@pytest.mark.parametrize("name", SMALL)
def test_what_is_scored_are_the_answers_and_nothing_else(name):
    dataset = load(name)
    for tokens, targets in [*trained_on(dataset), *scored(dataset)]:
        ids = [*tokens, targets[-1]]
        assert targets[-1] is not None  # every task ends with an answer
        assert {i + 1: t for i, t in enumerate(targets) if t is not None} == ORACLES[name](ids)
        assert ids[1:] == [b if b is not None else a for a, b in zip(ids[1:], targets, strict=True)]
        assert 0 not in {t for t in targets if t is not None}


@pytest.mark.parametrize("name", SMALL)
def test_ids_and_answers_are_drawn_from_everything_that_is_possible(name):
    dataset = load(name)
    examples = trained_on(dataset, steps=range(150))
    answers = {answer for _, targets in examples for answer in targets} - {None}
    lowest, highest = {
        "associative_recall": (6, 11),
        "copy": (1, 7),
        "induction": (1, 5),
        "modular_addition": (1, 11),
        "selective_copy": (2, 6),
        "sorting": (1, 9),
    }[name]
    assert answers == set(range(lowest, highest + 1))
    assert max(max(tokens) for tokens, _ in examples) < dataset.vocab_size == highest + 1


@pytest.mark.parametrize("name", SMALL)
def test_no_question_that_is_scored_is_trained_on(name):
    dataset = load(name)
    asked = {question(dataset, *example) for example in scored(dataset)}
    assert len(asked) == len(dataset.held_out)
    for seed in range(3):
        trained = {question(dataset, *e) for e in trained_on(dataset, seed, 16, range(60))}
        assert trained and not trained & asked


def test_a_sum_is_not_asked_the_other_way_round():
    dataset = load("modular_addition")
    asked = {tuple(sorted(tokens[:2])) for tokens, _ in scored(dataset)}
    trained = {tuple(sorted(tokens[:2])) for tokens, _ in trained_on(dataset, steps=range(200))}
    assert asked and not asked & trained
    assert len(asked | trained) == 11 * 12 // 2  # every sum is on one of the sides


def test_a_sixteenth_of_the_questions_is_kept_from_training():
    dataset = load("modular_addition", modulus=97)
    assert len(dataset.held_out) == pytest.approx(97 * 98 / 2 / 16, rel=0.2)


@pytest.mark.parametrize("name", SMALL)
def test_an_example_has_its_place_whatever_the_batch_size(name):
    dataset = load(name)
    few = trained_on(dataset, 3, 2, range(60))
    many = trained_on(dataset, 3, 40, range(3))
    assert few == many
    assert trained_on(dataset, 3, 40, [2]) == many[80:]
    assert trained_on(dataset, 4, 40, range(3)) != many


@pytest.mark.parametrize("name", SMALL)
def test_a_probe_is_drawn_alike_each_time_and_known_by_its_examples(name):
    read = DataConfig.read({"corpus": {"name": name, **SMALL[name]}})
    first, second = load_dataset(read), load_dataset(read)
    assert scored(first) == scored(second)
    assert first.fingerprint == second.fingerprint == fingerprint(read)
    key, value = next(iter(SMALL[name].items()))
    other = DataConfig.read({"corpus": {"name": name, **SMALL[name], key: value + 1}})
    assert fingerprint(other) != fingerprint(read)


def test_probes_of_one_shape_are_told_apart():
    names = {
        fingerprint(DataConfig.read({"corpus": {"name": n, **SMALL["copy"]}}))
        for n in ("copy", "sorting")
    }
    assert len(names) == 2


def test_several_examples_share_a_row_and_do_not_see_each_other(cpu):
    dataset = load("copy")
    span = dataset.probe.length - 1
    assert span == 10
    rows = batches(dataset, 3, 25, 0, cpu)[2]
    alone = trained_on(dataset, batch_size=6, steps=[2])
    found = [
        (
            row[i : i + span].tolist(),
            [None if t == IGNORE else t for t in targets[i : i + span].tolist()],
        )
        for row, targets in zip(rows.tokens, rows.targets, strict=True)
        for i in (0, span)
    ]
    assert found == alone
    assert (rows.targets[:, 20:] == IGNORE).all()
    assert rows.documents[1].tolist() == [0] * 10 + [1] * 10 + [2] * 5
    network = LanguageModel(VariantSpec.read({**VARIANT, "vocab_size": 8})).initialize(0).eval()
    single = batches(dataset, 6, span, 0, cpu)[2]
    packed = network.loss(rows.tokens, rows.targets, documents=rows.documents).item()
    assert packed == pytest.approx(network.loss(single.tokens, single.targets).item(), abs=1e-5)


def test_an_example_that_fits_no_row_asks_for_longer_ones():
    with pytest.raises(ConfigError, match=r"^seq_len: must be 10 or more, .* but got 9$"):
        load("copy").order(4, 9, seed=0)


def test_a_task_with_too_few_questions_is_refused():
    with pytest.raises(ConfigError, match=r"corpus: asks too few different questions .* larger"):
        load("copy", n_tokens=1, n_symbols=2)


def test_keys_are_enough_for_the_pairs():
    with pytest.raises(ConfigError, match=r"n_keys must be at least n_pairs \(9\), but got 5"):
        DataConfig.read({"corpus": {"name": "associative_recall", "n_pairs": 9, "n_keys": 5}})


def test_nothing_is_ever_seen_again():
    assert load("copy").order(2, 10, 0).tokens_per_epoch == math.inf


@torch.no_grad()
def test_accuracy_is_that_of_the_answers_alone(cpu):
    dataset = load("induction")
    network = LanguageModel(VariantSpec.read({**VARIANT, "vocab_size": 6})).initialize(3).eval()
    torch.manual_seed(0)
    for parameter in network.parameters():  # so that answers are not all alike
        parameter.add_(torch.randn_like(parameter))
    n_correct = nats = 0
    for tokens, targets in scored(dataset):
        logits = network(torch.tensor([tokens]))[0, -1]
        n_correct += int(logits.argmax()) == targets[-1]
        nats -= logits.log_softmax(0)[targets[-1]].item()
    found = Evaluator(dataset.held_out, 12, 32, cpu)(network)
    assert found.n_tokens == len(dataset.held_out)
    assert found.n_correct == n_correct > 0
    assert sum(found.nats) == pytest.approx(nats, rel=1e-5)
    assert set(found.metrics()) == {"val_loss", "val_accuracy", "val_perplexity"}


def test_answers_of_long_examples_are_scored_in_every_window():
    dataset = load("copy")
    whole = evaluation_batches(dataset.held_out, 64, 10)
    cut = evaluation_batches(dataset.held_out, 64, 4)
    assert sum(int((b.targets != IGNORE).sum()) for b in whole) == 5 * len(dataset.held_out)
    assert sum(int((b.targets != IGNORE).sum()) for b in cut) == 5 * len(dataset.held_out)


@pytest.mark.parametrize(
    "key", [{"tokenizer": "byte"}, {"held_out_documents": 3}, {"packing": "documents"}]
)
def test_what_says_nothing_of_a_probe_is_refused(key):
    with pytest.raises(ConfigError, match=rf"^{next(iter(key))}: .*'copy'.*remove it"):
        DataConfig.read({"corpus": "copy", **key})


def test_a_probe_has_the_vocabulary_that_it_needs():
    config = DataConfig.read({"corpus": {"name": "copy", **SMALL["copy"]}})
    assert config.vocab_size == 8
    assert not config.has_bytes
    assert DataConfig.read(config.to_dict()) == config
