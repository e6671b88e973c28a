"""What a training step needs besides the weights, measured by the kernel."""

import re
from pathlib import Path

from lab import in_new_process

LIMIT = 0.4e9  # bytes; with the logits of all tokens at once it is 1.5e9


def step_at_a_large_vocabulary():
    """Take two steps of 8 x 256 tokens with 49,152 ids; return bytes above those before them."""
    import torch

    torch.set_num_threads(1)
    list(_training(vocab_size=512))  # libraries are loaded when they are needed first
    training = _training(vocab_size=49_152)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    assert len(list(training)) == 2
    return _status("VmHWM") - before


def _training(vocab_size):
    import torch

    from harness.core.model import LanguageModel
    from harness.core.spec import VariantSpec
    from harness.training.config import TrainConfig
    from harness.training.flops import TrainingFlops
    from harness.training.loop import Training
    from variants.presets import preset

    config = {"budget": {"steps": 2}, "batch_size": 8, "seq_len": 256, "evaluations": 1}
    tokens = torch.randint(vocab_size, (8, 257))
    batches = [(tokens[:, :-1], tokens[:, 1:])] * 2
    spec = VariantSpec.read({**preset("reference-4"), "vocab_size": vocab_size})
    model, flops = LanguageModel(spec).initialize(0), TrainingFlops(1.0)
    return Training(model, batches, _unscored, TrainConfig.read(config), flops=flops, seed=0)


def _unscored(_model):
    from harness.training.evaluation import Evaluation

    return Evaluation(nats=(1.0,), n_bytes=(1,), n_tokens=1, n_correct=0)


def _status(key):
    found = re.search(rf"^{key}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024


def test_the_logits_of_all_tokens_never_exist_at_once():
    """AdamW's moments and the gradients are part of it: three times the weights."""
    assert in_new_process(step_at_a_large_vocabulary) <= LIMIT
