"""Stages change what a step is, and nothing else: every row is seen once, and in its order."""

import pytest
import torch

from harness.data.batches import Batch
from harness.errors import ConfigError
from harness.training.flops import TrainingFlops, training_flops
from harness.training.loop import Training
from harness.training.stages import Stage, take


class Numbered:
    """Batches whose tokens say which row of the data they are of, and their place in it."""

    def __init__(self, batch_size=8, seq_len=16):
        self.batch_size, self.seq_len = batch_size, seq_len

    def __getitem__(self, step):
        rows = step * self.batch_size + torch.arange(self.batch_size)
        tokens = 100 * rows[:, None] + torch.arange(self.seq_len)
        return tokens, tokens + 1


def taken(stages, full_size=8):
    """Return the first tokens of each batch, stage by stage."""
    rows, found = 0, []
    for stage in stages:
        batch, rows = take(Numbered(), rows, full_size, stage)
        found.append((batch.tokens[:, 0] // 100).tolist())
    return found


def test_without_a_stage_a_step_has_its_batch():
    assert taken([None, None]) == [list(range(8)), list(range(8, 16))]


def test_smaller_batches_share_a_batch_of_the_data():
    small = Stage(until=0.5, batch_size=2)
    assert taken([small] * 5) == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]


def test_a_larger_batch_begins_at_a_multiple_of_its_size():
    small, middle = Stage(until=0.3, batch_size=2), Stage(until=0.5, batch_size=4)
    assert taken([small, middle, small, None]) == [
        [0, 1],
        [4, 5, 6, 7],
        [8, 9],
        list(range(16, 24)),
    ]


def test_shorter_sequences_are_pieces_of_the_same_rows():
    batch, rows = take(Numbered(), 8, 8, Stage(until=0.5, seq_len=4, batch_size=2))
    assert rows == 10
    assert batch.tokens.tolist() == [
        [100 * row + start + i for i in range(4)] for row in (8, 9) for start in (0, 4, 8, 12)
    ]
    assert torch.equal(batch.targets, batch.tokens + 1)


def test_documents_are_cut_with_their_tokens():
    apart = torch.arange(32).view(2, 16)
    batch = Batch(apart, apart + 1, apart).cut(8)
    assert torch.equal(batch.documents, batch.tokens)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([{"until": 0.5, "batch_size": 3}], r"batch_size of a stage \(3\) must divide"),
        ([{"until": 0.5, "seq_len": 5}], r"seq_len of a stage \(5\) must divide"),
        ([{"until": 0.5}, {"until": 0.5}], "must end one after the other"),
        ([{"until": 1.0}], "less than 1"),
        ([{"until": 0.5, "seqlen": 8}], "Did you mean 'seq_len'"),
    ],
)
def test_stages_that_do_not_fit_are_refused(lab, stages, message):
    with pytest.raises(ConfigError, match=message):
        lab.config(stages=stages)


STAGES = [{"until": 0.25, "batch_size": 1, "seq_len": 4}, {"until": 0.5, "seq_len": 8}]


def test_a_budget_is_spent_on_the_tokens_of_its_stages(lab):
    config = lab.config({"tokens": 8 * 32}, stages=STAGES)
    points = list(lab.train(config))
    assert [point.tokens for point in points] == [16, 32, 48, 64, 96, 128, 160, 192, 224, 256]


def test_shorter_sequences_are_charged_what_they_cost(lab):
    config = lab.config({"tokens": 8 * 32}, stages=STAGES)
    flops = TrainingFlops(10.0, per_step=7, shorter={4: 2.0, 8: 5.0})
    points = list(Training(lab.model, lab.text, lab.evaluator, config, flops=flops, seed=0))
    assert points[-1].flops == 64 * 2 + 64 * 5 + 128 * 10 + 10 * 7


def test_what_a_shorter_sequence_costs_is_measured_at_its_length(lab):
    from harness.core.cost import measure_cost

    config = lab.config(stages=STAGES, optimizer="muon")
    spec = lab.model.spec
    found = training_flops(spec, config, measure_cost(spec, lab.seq_len))
    assert found.shorter == {t: measure_cost(spec, t).train_flops_per_token for t in (4, 8)}
    assert found.shorter[4] < found.shorter[8] < found.per_token
    assert found.per_step > 0


def test_a_run_without_stages_is_what_it_was(lab):
    assert "stages" not in lab.config().identity()
    assert lab.config(stages=STAGES).identity()["stages"]
