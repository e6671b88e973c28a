import pytest
import torch
from lab import VARIANT

from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.data.dataset import HeldOut
from harness.training.config import TrainConfig
from harness.training.evaluation import Evaluator
from harness.training.flops import TrainingFlops
from harness.training.loop import Training

CPU = torch.device("cpu")


class Text:
    """Batches of a text in which each token says which one comes next."""

    def __init__(self, batch_size=2, seq_len=16, vocab_size=32):
        self.shape, self.vocab_size = (batch_size, seq_len), vocab_size
        self.asked = []

    def __getitem__(self, step):
        self.asked.append(step)
        generator = torch.Generator().manual_seed(step)
        first = torch.randint(self.vocab_size, (self.shape[0], 1), generator=generator)
        tokens = (first + 5 * torch.arange(self.shape[1] + 1)) % self.vocab_size
        return tokens[:, :-1], tokens[:, 1:]


class Lab:
    """A model of one layer, a text and an evaluator, ready to be trained."""

    seq_len, vocab_size = 16, 32

    def __init__(self):
        self.text = Text(seq_len=self.seq_len, vocab_size=self.vocab_size)
        documents = [self.text[1000 + i][0][0, : 16 - i].numpy() for i in range(3)]
        self.held_out = [HeldOut(str(i), d, 20 + i) for i, d in enumerate(documents)]
        self.text.asked.clear()
        self.evaluator = Evaluator(self.held_out, self.seq_len, 2, CPU)
        self.model = self.new_model()

    def new_model(self, seed=0, **changes):
        written = {**VARIANT, "vocab_size": self.vocab_size, **changes}
        return LanguageModel(VariantSpec.read(written)).initialize(seed)

    def config(self, budget=None, **changes):
        given = {"budget": budget or {"steps": 4}, "batch_size": 2, "seq_len": self.seq_len}
        return TrainConfig.read({**given, **changes})

    def train(self, config, model=None, seed=0, batches=None):
        return Training(
            self.model if model is None else model,
            self.text if batches is None else batches,
            self.evaluator,
            config,
            flops=TrainingFlops(10.0, shorter=dict.fromkeys(config.lengths, 5.0)),
            seed=seed,
        )


@pytest.fixture
def lab():
    return Lab()
