import pytest
from lab import experiment, write_corpus, write_yaml

from harness.search.question import load_search


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def mapping(corpus):
    """Return the mapping of a search whose trials take a tenth of a second, with changes."""

    def make(**changes):
        base = experiment(corpus)["base"]
        base["train"] |= {"budget": {"steps": 8}, "evaluations": 4}
        space = {
            "variant.attention": ["gqa", "mla"],
            "variant.attention.n_kv_heads": {
                "choices": [1, 2],
                "when": {"variant.attention": "gqa"},
            },
            "train.optimizer.lr": {"low": 1e-3, "high": 3e-2, "log": True},
        }
        return {"name": "kv", "base": base, "space": space, "trials": 8, "samples": 0, **changes}

    return make


@pytest.fixture
def write(tmp_path, mapping):
    """Write a search's file."""
    return lambda **changes: write_yaml(tmp_path / "kv.yaml", mapping(**changes))


@pytest.fixture
def load(write):
    """Read a search."""
    return lambda **changes: load_search(write(**changes))


@pytest.fixture
def deterministic():
    """Undo what a run does to the process that it is executed in."""
    import torch

    before = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    yield
    torch.use_deterministic_algorithms(before[0])
    torch.set_num_threads(before[1])
    torch.utils.deterministic.fill_uninitialized_memory = fill
