import pytest
import torch
from lab import experiment, write_corpus

from harness.experiments.planning.plan import make_plan
from harness.experiments.question.resolve import resolve
from harness.store.runs import RunStore

CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def small(corpus):
    """Return a small experiment's mapping, with changes to its keys."""
    return lambda **changes: experiment(corpus, **changes)


@pytest.fixture
def plan(tmp_path):
    """Plan an experiment's mapping against the store in `tmp_path / "results"`."""

    def make(data):
        return make_plan(resolve(data, tmp_path), RunStore(tmp_path / "results"), CPU, "x.yaml")

    return make


@pytest.fixture
def deterministic():
    """Undo what a run does to the process that it is executed in."""
    before = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    yield
    torch.use_deterministic_algorithms(before[0])
    torch.set_num_threads(before[1])
    torch.utils.deterministic.fill_uninitialized_memory = fill
