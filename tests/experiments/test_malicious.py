"""A checkpoint folder in which somebody has put code: none of it runs, and the run goes on."""

import functools
import hashlib
import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from faults import write_faulty
from killing import seen
from lab import ablate, attempts, experiment

from harness.store.status import Status

NEWEST = "checkpoints/step-000000006"
DIES = "if self.n == 7: die()"


class Canary:
    """Makes a folder where it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def pickled(canary, path):
    path.write_bytes(pickle.dumps(Canary(canary)))


def zipped(canary, path):
    torch.save(Canary(canary), path)


def nested(canary, path):
    path.write_bytes(b"[" * 100_000)


def sealed(folder):
    """Rewrite the manifest, as somebody would who knows of it."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for name in manifest["files"]:
        content = (folder / name).read_bytes()
        about = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        manifest["files"][name] = about
    (folder / "manifest.json").write_text(json.dumps(manifest))


ADDED = {  # what is said of each; None: nothing reads it
    "optimizer.pt": None,
    "checkpoints/step-000000009.pt": None,
    f"{NEWEST}/model.pt": "has other files than were written: model.pt",
    f"{NEWEST}/state.safetensors": "state.safetensors is no safetensors file",
    f"{NEWEST}/state.json": "state.json is not of a training",
    f"{NEWEST}/manifest.json": "manifest.json cannot be read",
}


ATTACKS = [
    *((name, pickled) for name in ADDED),
    (f"{NEWEST}/state.safetensors", zipped),
    (f"{NEWEST}/state.json", nested),
    (f"{NEWEST}/manifest.json", nested),
]


@pytest.fixture(scope="module")
def stopped(corpus, tmp_path_factory):
    """An experiment that was stopped, its results, and what they are to become."""
    folder = tmp_path_factory.mktemp("stopped")
    file = write_faulty(folder, functools.partial(experiment, corpus), DIES)
    with pytest.raises(RuntimeError, match="exit code -9"):
        ablate("run", file, "--inline", "--checkpoint-seconds", "0", results=folder / "results")
    (folder / "mended").touch()
    assert ablate("run", file, "--inline", results=folder / "whole").code == 0
    return file, folder / "results", [seen(attempt) for attempt in attempts(folder / "whole")]


@pytest.mark.parametrize(
    ("name", "attack"), ATTACKS, ids=lambda x: x if isinstance(x, str) else x.__name__
)
def test_code_in_a_checkpoint_is_never_run(stopped, tmp_path, name, attack):
    file, before, whole = stopped
    results = Path(shutil.copytree(before, tmp_path / "results"))
    (attempt,) = (a for a in attempts(results) if a.status is Status.INTERRUPTED)
    canary, path, problem = tmp_path / "canary", attempt.path / name, ADDED[name]
    attack(canary, path)
    if path.name.startswith("state."):
        sealed(path.parent)
    ended = ablate("run", file, "--inline", results=results)
    assert ended.code == 0, ended.err
    assert not canary.exists()
    if problem:
        assert problem in ended.out and "put aside as corrupt-step-000000006" in ended.out
    assert f"resume   faulty seed 0 after step {5 if problem else 6}" in ended.out
    assert [seen(one) for one in attempts(results)] == whole


def test_the_canary_sings_where_it_is_unpickled(tmp_path):
    pickled(tmp_path / "canary", tmp_path / "x.pt")
    pickle.loads((tmp_path / "x.pt").read_bytes())  # noqa: S301 - as the attacker hopes
    assert (tmp_path / "canary").is_dir()
