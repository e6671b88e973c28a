"""Windows hold several documents; packed as documents, none of them sees another."""

import itertools

import numpy as np
import pytest
import torch
from lab import VARIANT

from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.data.batches import batches, evaluation_batches
from harness.data.dataset import DataConfig, HeldOut, TokenDataset, load_dataset
from harness.data.tokenizers import TOKENIZER
from harness.training.config import TrainConfig
from harness.training.evaluation import Evaluation, Evaluator
from harness.training.flops import TrainingFlops
from harness.training.gradients import gradient_norms
from harness.training.loop import Training

END, SEQ_LEN = 0, 16
TEXTS = [[5, 6, 7], [8, 9], [3, 4, 5, 6, 7, 8], [9, 3, 9], [4], [6, 6, 8, 3]]
STREAM = [token for _ in range(8) for text in TEXTS for token in [*text, END]]


def dataset(separator=END):
    return TokenDataset(
        train=np.asarray(STREAM, np.uint16),
        held_out=[],
        tokenizer=TOKENIZER["ids"](vocab_size=16),
        fingerprint="",
        separator=separator,
    )


def model():
    return LanguageModel(VariantSpec.read({**VARIANT, "vocab_size": 16})).initialize(0)


def scored_alone(network, documents):
    """Return the loss of each token's target when every document stands in a row of its own."""
    losses = []
    for tokens, targets in documents:
        logits = network(torch.tensor([tokens]))[0]
        found = torch.nn.functional.cross_entropy(logits, torch.tensor(targets), reduction="none")
        losses += found.tolist()
    return losses


def pieces(row):
    """Cut a row of (tokens, targets, documents) where the document changes."""
    tokens, targets, documents = (part.tolist() for part in row)
    cuts = [0, *(i for i in range(1, SEQ_LEN) if documents[i] != documents[i - 1]), SEQ_LEN]
    return [(tokens[a:b], targets[a:b]) for a, b in itertools.pairwise(cuts)]


def test_a_stream_is_not_told_apart(cpu):
    assert batches(dataset(separator=None), 3, SEQ_LEN, 0, cpu)[4].documents is None


def test_documents_begin_with_a_separator_and_end_before_the_next(cpu):
    rows = batches(dataset(), 3, SEQ_LEN, 0, cpu)[4]
    plain = batches(dataset(separator=None), 3, SEQ_LEN, 0, cpu)[4]
    assert torch.equal(rows.tokens, plain.tokens) and torch.equal(rows.targets, plain.targets)
    assert rows.documents.shape == rows.tokens.shape
    n_pieces = 0
    for row in zip(*rows, strict=True):
        whole = pieces(row)
        n_pieces += len(whole)
        for i, (tokens, targets) in enumerate(whole):
            assert END not in tokens[1:]
            assert tokens[0] == END or i == 0
            assert tokens[1:] == targets[:-1]
            assert targets[-1] == END or i == len(whole) - 1
    assert n_pieces > 6


@torch.no_grad()
def test_the_loss_of_a_packed_row_is_that_of_its_documents_alone(cpu):
    network, rows = model().eval(), batches(dataset(), 3, SEQ_LEN, 0, cpu)[2]
    documents = [piece for row in zip(*rows, strict=True) for piece in pieces(row)]
    alone = scored_alone(network, documents)
    packed = network.loss(rows.tokens, rows.targets, documents=rows.documents)
    assert packed.item() == pytest.approx(sum(alone) / len(alone), abs=1e-5)
    assert len(alone) == 3 * SEQ_LEN
    assert network.loss(rows.tokens, rows.targets).item() != pytest.approx(packed.item(), abs=1e-4)


def nothing(_model):
    return Evaluation(nats=(1.0,), n_bytes=(1,), n_tokens=1, n_correct=0)


def test_training_keeps_them_apart(cpu):
    config = TrainConfig.read(
        {"budget": {"steps": 1}, "batch_size": 3, "seq_len": SEQ_LEN, "evaluations": 1}
    )
    order, network = batches(dataset(), 3, SEQ_LEN, 0, cpu), model()
    tokens, targets, documents = order[0]
    expected = network.loss(tokens, targets, documents=documents).item()
    [point] = Training(network, order, nothing, config, flops=TrainingFlops(1.0), seed=0)
    assert point.train_loss == pytest.approx(expected, abs=1e-6)
    assert expected != pytest.approx(model().loss(tokens, targets).item(), abs=1e-4)


def test_gradients_are_measured_with_them_apart(cpu):
    tokens, targets, documents = batches(dataset(), 3, SEQ_LEN, 0, cpu)[0]
    network = model()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(5)
    assert gradient_norms(network, tokens, targets, documents) != pytest.approx(
        gradient_norms(network, tokens, targets), rel=1e-3
    )


@torch.no_grad()
def test_evaluation_keeps_them_apart(cpu):
    network = model().eval()
    excerpt = HeldOut("x", np.asarray(STREAM[3:15], np.uint16), 0)
    [batch] = evaluation_batches([excerpt], 4, SEQ_LEN, END)
    assert batch.documents[0].tolist() == [1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 3]
    documents = [([0, 8, 9], [8, 9, 0]), ([0, 3, 4, 5, 6, 7, 8], [3, 4, 5, 6, 7, 8, 0]), ([0], [9])]
    apart = Evaluator([excerpt], SEQ_LEN, 4, cpu, END)(network)
    assert apart.nats[0] == pytest.approx(sum(scored_alone(network, documents)), abs=1e-4)
    assert Evaluator([excerpt], SEQ_LEN, 4, cpu)(network).nats != apart.nats


def test_packing_is_another_dataset_of_the_same_tokens(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    for i in range(6):
        (tmp_path / f"{i}.txt").write_text(f"text {i} " * 9)
    given = {"corpus": {"name": "local", "path": str(tmp_path)}, "tokenizer": "byte"}
    stream = load_dataset(DataConfig.read(given))
    apart = load_dataset(DataConfig.read({**given, "packing": "documents"}))
    assert (stream.separator, apart.separator) == (None, 256)
    assert np.array_equal(stream.train, apart.train)
    assert stream.fingerprint != apart.fingerprint
    assert len(list((tmp_path / "cache" / "datasets").glob("*/"))) == 1
