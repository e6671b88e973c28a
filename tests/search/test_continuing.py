"""A search that is stopped, wherever, and continued is the search that was never stopped."""

import pytest
from lab import attempts
from searching import Stopped, search, stop_after, table

pytestmark = pytest.mark.usefixtures("deterministic")

RUNGS = {"rungs": [0.25, 0.5, 1], "objectives": ["val_bpb", "kv_bytes"]}


def test_the_same_seed_gives_the_same_table(write, tmp_path):
    path = write(**RUNGS)
    search(path, tmp_path / "a")
    search(path, tmp_path / "b")
    assert table(tmp_path / "a") == table(tmp_path / "b")


def test_another_seed_gives_other_suggestions(write, tmp_path):
    search(write(trials=3), tmp_path / "a")
    search(write(trials=3, sampler={"name": "tpe", "seed": 1}), tmp_path / "b")
    params = [[row[1] for row in table(tmp_path / one)] for one in "ab"]
    assert params[0] != params[1]


@pytest.mark.parametrize("every", [1, 7])
def test_stopped_after_every_few_events_it_ends_with_the_same_bits(write, tmp_path, every):
    path = write(trials=4 if every == 1 else 8, **RUNGS)
    search(path, tmp_path / "whole")
    for _ in range(300):
        with pytest.MonkeyPatch.context() as patched:
            stop_after(every, patched)
            try:
                search(path, tmp_path / "parts")
                break
            except Stopped:
                continue
    assert table(tmp_path / "parts") == table(tmp_path / "whole")
    weights = [
        sorted(a.read_result().weights_sha256 for a in attempts(tmp_path / one) if a.read_result())
        for one in ("parts", "whole")
    ]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("sampler", ["nsgaii", "nsgaiii", "random", "qmc", "tpe"])
def test_every_sampler_goes_on_as_if_nothing_had_happened(write, tmp_path, sampler):
    size = {"population_size": 4} if "nsga" in sampler else {}
    path = write(trials=9, sampler={"name": sampler, **size}, objectives=["val_bpb", "kv_bytes"])
    search(path, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patched, pytest.raises(Stopped):
        stop_after(19, patched)
        search(path, tmp_path / "parts")
    search(path, tmp_path / "parts")
    assert table(tmp_path / "parts") == table(tmp_path / "whole")


def test_nothing_is_trained_twice(write, tmp_path):
    path = write(**RUNGS)
    search(path, tmp_path)
    first = {str(a.path): a.read_curve() for a in attempts(tmp_path)}
    search(path, tmp_path)
    assert {str(a.path): a.read_curve() for a in attempts(tmp_path)} == first
    assert len({path.rsplit("/", 1)[0] for path in first}) == len(first)
