"""Checkpoints: folders that appear whole, are verified before use, and of which a few are kept."""

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.store.atomic import remove_leftovers, sync_folder, write_json
from harness.store.errors import writing

SECONDS_BETWEEN_SAVES = 60.0  # at least: a training is saved where it is measured
MANIFEST = "manifest.json"
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

        A checkpoint of this step that is there already is as good, and stays if it is whole.

        Args:
            step: After which the state is.
            save: Writes files into the folder that it is given.
            best: Whether no evaluation up to here was better.

        Raises:
            StoreError: it could not be written, for instance because the disk is full; what was
                there before is left as it was.
        """
        made = self.folder / f".writing-{step}-{os.getpid()}-{secrets.token_hex(4)}"
        target = self.folder / f"step-{step:09}"
        if target.exists():
            problem = _problem(there := Checkpoint(step, target))
            if problem is None:
                return
            self.put_aside(there, problem)
        try:
            with writing(target):
                made.mkdir(parents=True)
                save(made)
                files = {file.name: _describe(file) for file in sorted(made.iterdir())}
                write_json(made / MANIFEST, {"step": step, "best": best, "files": files})
                sync_folder(made)
                made.rename(target)
                sync_folder(self.folder)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
        self._retire()

    def newest(self, complain: Callable[[str], None]) -> Checkpoint | None:
        """Return the newest checkpoint that is whole; others are put aside, and that is told.

        What a writer that died has left unfinished is removed.
        """
        remove_leftovers(self.folder)
        for checkpoint in sorted(self._all(), key=lambda c: -c.step):
            problem = _problem(checkpoint)
            if problem is None:
                return checkpoint
            complain(self.put_aside(checkpoint, problem))
        return None

    def put_aside(self, checkpoint: Checkpoint, problem: str) -> str:
        """Keep a checkpoint that is of no use under another name; say which, and why.

        Raises:
            StoreError: it cannot be renamed.
        """
        aside = checkpoint.path.with_name(f"corrupt-{checkpoint.path.name}")
        while aside.exists():
            aside = aside.with_name(f"{aside.name}-{secrets.token_hex(2)}")
        with writing(aside):
            checkpoint.path.rename(aside)
        return f"{checkpoint.path}: {problem}; put aside as {aside.name}"

    @property
    def exist(self) -> bool:
        """Whether there is one, be it whole or not."""
        return any(True for _ in self._all())

    def best(self) -> Checkpoint | None:
        """Return the newest checkpoint that was written as the best one, if it is whole."""
        found = self._marked_best()
        return found if found and not _problem(found) else None

    def remove(self) -> None:
        """Delete all checkpoints, when the run has ended."""
        if self.folder.exists():
            _remove(self.folder)

    def _all(self) -> Iterator[Checkpoint]:
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if found := _STEP.fullmatch(path.name):
                yield Checkpoint(int(found[1]), path)

    def _marked_best(self) -> Checkpoint | None:
        return max((c for c in self._all() if _is_best(c)), key=lambda c: c.step, default=None)

    def _retire(self) -> None:
        """Remove what is older than the ones to keep, and what a writer that died has left."""
        with contextlib.suppress(OSError):  # what was to be written is: the next one tries again
            newest = sorted(self._all(), key=lambda c: -c.step)[: self.keep]
            kept = [*newest, self._marked_best()]
            for checkpoint in self._all():
                if checkpoint not in kept:
                    _remove(checkpoint.path)
        remove_leftovers(self.folder)


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
        files, step, best = manifest["files"], manifest["step"], manifest["best"]
        if step != checkpoint.step or not isinstance(best, bool):
            return f"{MANIFEST} is not what was written"
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
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return f"{MANIFEST} cannot be read: {type(error).__name__}"
    return None


def _is_best(checkpoint: Checkpoint) -> bool:
    try:
        return json.loads((checkpoint.path / MANIFEST).read_bytes())["best"] is True
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _remove(folder: Path) -> None:
    """Delete a folder that nobody ever sees half of."""
    hidden = folder.with_name(f".removed-{folder.name}-{secrets.token_hex(4)}")
    folder.rename(hidden)
    shutil.rmtree(hidden)
