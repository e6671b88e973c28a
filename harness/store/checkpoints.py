"""Checkpoints: folders that appear whole, are verified before use, and of which a few are kept."""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.store.atomic import sync_folder, write_json
from harness.store.errors import StoreError

SECONDS_BETWEEN_SAVES = 60.0  # at least: a training is saved where it is measured
MANIFEST, BEST = "manifest.json", "best.json"
_STEP = re.compile(r"step-(\d{9,})")


@dataclass(frozen=True)
class Checkpoint:
    """A verified folder, and the step after which it was written."""

    step: int
    path: Path


class Checkpoints:
    """The checkpoints of one run: `step-<number>`, each with the sizes and hashes of its files.

    Of those that are whole, the newest ones and the best one are kept. Whoever writes holds the
    lock of the run; anyone may read.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder, self.keep = folder, keep

    def write(self, step: int, save: Callable[[Path], None], best: bool = False) -> None:
        """Let `save` fill a folder, which gets its name when all of it is on the disk.

        Raises:
            StoreError: it could not be written, for instance because the disk is full; what was
                there before is left as it was.
        """
        made = self.folder / f".writing-{step}-{os.getpid()}-{secrets.token_hex(4)}"
        target = self.folder / f"step-{step:09}"
        try:
            made.mkdir(parents=True)
            save(made)
            files = {file.name: _describe(file) for file in sorted(made.iterdir())}
            write_json(made / MANIFEST, {"step": step, "files": files})
            sync_folder(made)
            if target.exists():  # of the same step, from before the run went on: as good
                _remove(target)
            made.rename(target)
            sync_folder(self.folder)
            if best:
                write_json(self.folder / BEST, {"step": step})
        except OSError as error:
            shutil.rmtree(made, ignore_errors=True)
            why = f"{error.strerror or error}; the same command goes on from the one before"
            raise StoreError(target, f"the checkpoint could not be written: {why}") from error
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
        self._retire()

    def newest(self, complain: Callable[[str], None]) -> Checkpoint | None:
        """Return the newest checkpoint that is whole; others are put aside, and that is told."""
        for checkpoint in sorted(self._all(), key=lambda c: -c.step):
            if problem := _problem(checkpoint):
                aside = checkpoint.path.with_name(f"corrupt-{checkpoint.path.name}")
                while aside.exists():
                    aside = aside.with_name(f"{aside.name}-{secrets.token_hex(2)}")
                checkpoint.path.rename(aside)
                complain(f"{checkpoint.path}: {problem}; put aside as {aside.name}")
            else:
                return checkpoint
        return None

    @property
    def exist(self) -> bool:
        """Whether there is one, be it whole or not."""
        return any(True for _ in self._all())

    def best(self) -> Checkpoint | None:
        """Return the checkpoint that was last written as the best one, if it is whole."""
        step = self._best_step()
        found = next((c for c in self._all() if c.step == step), None)
        return found if found and not _problem(found) else None

    def remove(self) -> None:
        """Delete all checkpoints, when the run has ended."""
        if self.folder.exists():
            _remove(self.folder)

    def _all(self) -> Iterator[Checkpoint]:
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if found := _STEP.fullmatch(path.name):
                yield Checkpoint(int(found[1]), path)

    def _best_step(self) -> int | None:
        try:
            return int(json.loads((self.folder / BEST).read_bytes())["step"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _retire(self) -> None:
        """Remove what is older than the ones to keep, and what a writer that died has left."""
        steps = sorted((c.step for c in self._all()), reverse=True)
        kept = {*steps[: self.keep], self._best_step()}
        for checkpoint in self._all():
            if checkpoint.step not in kept:
                _remove(checkpoint.path)
        for leftover in self.folder.glob(".*"):
            shutil.rmtree(leftover, ignore_errors=True)


def _describe(file: Path) -> dict[str, int | str]:
    """Return the size and hash of a file, after making it durable."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return {"bytes": file.stat().st_size, "sha256": digest}


def _problem(checkpoint: Checkpoint) -> str | None:
    """Say what is wrong with a checkpoint; None if all of its files are as they were written."""
    try:
        manifest = json.loads((checkpoint.path / MANIFEST).read_bytes())
        files, step = manifest["files"], manifest["step"]
        if step != checkpoint.step:
            return f"is of step {step}"
        for file in checkpoint.path.iterdir():
            if file.is_symlink() or not file.is_file():
                return f"{file.name} is no file"
        there = {file.name for file in checkpoint.path.iterdir()} - {MANIFEST}
        if there != set(files):
            return f"has other files than were written: {', '.join(sorted(there ^ set(files)))}"
        for name, about in files.items():
            file = checkpoint.path / name
            if file.stat().st_size != about["bytes"] or _hash(file) != about["sha256"]:
                return f"{name} is not what was written"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{MANIFEST} cannot be read: {type(error).__name__}"
    return None


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _remove(folder: Path) -> None:
    """Delete a folder that nobody ever sees half of."""
    hidden = folder.with_name(f".removed-{folder.name}-{secrets.token_hex(4)}")
    folder.rename(hidden)
    shutil.rmtree(hidden)
