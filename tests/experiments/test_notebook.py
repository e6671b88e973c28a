"""The five lines of a notebook do what the command does."""

import pytest
import torch
from lab import VARIANT, attempts, experiment, write_corpus

from harness import notebook
from harness.errors import AblateError, ConfigError
from harness.experiments.running.execution import Execution
from harness.experiments.running.local import run_inline
from harness.notebook import load_data, new_model, train
from harness.store.runs import RunStore

SMALL = {"budget": {"steps": 4}, "batch_size": 2, "seq_len": 32, "evaluations": 2}


@pytest.fixture
def data(tmp_path):
    written = experiment(write_corpus(tmp_path / "texts"))
    return load_data(**written["base"]["data"])


@pytest.fixture
def new(data):
    def make(**changes):
        return new_model(data, preset="tiny", device="cpu", **{**VARIANT, **changes})

    return make


def test_it_is_the_run_of_the_same_settings(data, new, plan, tmp_path, deterministic, capsys):
    arms = {"base": {"variant": {"preset": "tiny", **VARIANT}}}
    planned = plan(experiment(tmp_path / "texts", seeds=1, arms=arms, baseline="base"))
    list(run_inline(planned.pending, RunStore(tmp_path), Execution(torch.device("cpu"))))
    (attempt,) = attempts(tmp_path)
    model = new()
    curve = train(model, data, **SMALL)
    stored = attempt.read_curve()
    assert curve["train_loss"].tolist() == [point["train_loss"] for point in stored]
    assert curve["val_loss"].iloc[-1] == attempt.read_result().metrics["val_loss"]
    assert capsys.readouterr().out.splitlines()[-1].startswith("100%  step 4  loss ")


def test_training_goes_on_from_the_weights_there_are(data, new):
    model = new()
    first = train(model, data, progress=False, **SMALL)
    assert train(model, data, progress=False, **SMALL)["train_loss"][0] < first["train_loss"][0]


def test_mistakes_are_told(data, new):
    with pytest.raises(ConfigError, match="this key is required"):
        train(new(), data)
    with pytest.raises(ConfigError, match="Did you mean 'budget'"):
        train(new(), data, budgett={"steps": 1})
    with pytest.raises(ConfigError, match="Did you mean 'tiny'"):
        new_model(data, preset="tinny")
    with pytest.raises(AblateError, match="the model has 100 ids, the data need 257"):
        train(new(vocab_size=100), data, **SMALL)


def test_the_lines_in_its_description_are_those_of_the_readme():
    import re
    from pathlib import Path

    readme = (Path(notebook.__file__).parents[1] / "README.md").read_text()
    (told,) = re.findall(r"```python\n(from harness\.notebook.*?)```", readme, re.DOTALL)
    lines = [line.strip() for line in notebook.__doc__.splitlines()[2:]]
    assert [line for line in lines if line] == [line for line in told.splitlines() if line]
