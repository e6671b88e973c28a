"""One attempt at a run: a folder with one writer, whose files say everything about it."""

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.store import curve, lock, weights
from harness.store.atomic import remove_leftovers, write_json
from harness.store.checkpoints import Checkpoints
from harness.store.errors import StoreError
from harness.store.names import check_name, is_name
from harness.store.records import (
    Heartbeat,
    Measured,
    Result,
    Resume,
    RunRecord,
    Samples,
    read_record,
    write_record,
)
from harness.store.status import Status
from harness.store.weights import Weights

SECONDS_BETWEEN_BEATS = 1.0


class Attempt:
    """The folder `<environment>-<number>` of a run.

    Whoever writes does so inside `with attempt.hold():`; anyone may read at any time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environment, _, number = path.name.rpartition("-")
        self.number = int(number)
        self._is_ours = False
        self._last_beat = float("-inf")

    def __repr__(self) -> str:
        return f"Attempt({str(self.path)!r})"

    @property
    def run_id(self) -> str:
        """The id of the run this is an attempt at."""
        return self.path.parent.name

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the writer; the run counts as running until this ends or the process dies.

        Raises:
            StoreError: another process is the writer.
        """
        with lock.hold(self.path / "lock"):
            self._is_ours = True
            remove_leftovers(self.path)
            remove_leftovers(self.path / "measurements")
            curve.drop_torn_line(self.path / "curve.jsonl")
            try:
                yield
            finally:
                self._is_ours = False

    def write_run(self, record: RunRecord) -> None:
        """Write down what this run is, once.

        Raises:
            StoreError: it was written before.
        """
        self._write_once("run.json", record)

    def append_measurement(self, measurement: Mapping[str, Any]) -> None:
        """Add a point to the learning curve; it needs a `step`."""
        assert self._is_ours, "only the holder writes"
        assert "step" in measurement
        curve.append_point(self.path / "curve.jsonl", measurement)

    def go_on_from(self, step: int) -> None:
        """Forget what was measured after a step."""
        assert self._is_ours, "only the holder writes"
        curve.keep_until(self.path / "curve.jsonl", step)

    def note_resume(self, resumed: Resume) -> None:
        """Write down that the training was taken up again."""
        assert self._is_ours, "only the holder writes"
        so_far = [*self.read_resumes(), resumed]
        write_json(self.path / "resumes.json", [one.model_dump() for one in so_far])

    def read_resumes(self) -> list[Resume]:
        """Read where the training was taken up, in order.

        Raises:
            StoreError: the file is corrupt.
        """
        path = self.path / "resumes.json"
        try:
            return [Resume.model_validate(one) for one in json.loads(path.read_bytes())]
        except FileNotFoundError:
            return []
        except ValueError as error:
            raise StoreError(path, f"corrupt: {error}") from None

    def beat(self, heartbeat: Heartbeat) -> None:
        """Show how far the run is; heartbeats within a second of the last are dropped."""
        assert self._is_ours, "only the holder writes"
        now = time.monotonic()
        if now - self._last_beat >= SECONDS_BETWEEN_BEATS:
            write_record(self.path / "heartbeat.json", heartbeat)
            self._last_beat = now

    def write_weights(self, save: Callable[[Path], None], which: Weights = "final") -> str:
        """Keep weights, which `save` writes to a path; return their SHA-256."""
        assert self._is_ours, "only the holder writes"
        return weights.write_weights(self.path, save, which)

    def write_samples(self, samples: Samples) -> None:
        """Keep what the trained model writes."""
        assert self._is_ours, "only the holder writes"
        write_record(self.path / "samples.json", samples)

    def write_measurement(self, name: str, measured: Measured) -> None:
        """Keep what was measured with the final weights; what failed, or is damaged, is replaced.

        Raises:
            StoreError: it was measured before.
        """
        assert self._is_ours, "only the holder writes"
        path = self._measurement(name)
        if self.has_measured(name):
            raise StoreError(path, "already written; a measurement is never overwritten")
        write_record(path, measured)

    def finish(self, result: Result) -> None:
        """End the attempt: from here on it has this status for ever.

        Raises:
            StoreError: it had ended before.
        """
        self._write_once("result.json", result)

    def read_run(self) -> RunRecord | None:
        """Read what this run is; None before it was written.

        Raises:
            StoreError: the file is corrupt.
        """
        return read_record(self.path / "run.json", RunRecord)

    def read_heartbeat(self) -> Heartbeat | None:
        """Read how far the run was; None before the first heartbeat.

        Raises:
            StoreError: the file is corrupt.
        """
        return read_record(self.path / "heartbeat.json", Heartbeat)

    def read_curve(self) -> list[curve.Point]:
        """Read the learning curve by step, without a torn last line.

        Raises:
            StoreError: another line is corrupt.
        """
        return curve.read_curve(self.path / "curve.jsonl")

    def read_result(self) -> Result | None:
        """Read how the attempt ended; None if it has not.

        Raises:
            StoreError: the file is corrupt.
        """
        return read_record(self.path / "result.json", Result)

    def read_samples(self) -> Samples | None:
        """Read what the trained model writes; None if it was not asked.

        Raises:
            StoreError: the file is corrupt.
        """
        return read_record(self.path / "samples.json", Samples)

    @property
    def checkpoints(self) -> Checkpoints:
        """What an interrupted training goes on from."""
        return Checkpoints(self.path / "checkpoints")

    @property
    def weights(self) -> Path:
        """Where the final weights are, if they are kept."""
        return self.path / weights.FILES["final"]

    @property
    def has_weights(self) -> bool:
        """Whether the final weights are kept: runs of earlier versions have none."""
        result = self.read_result()
        return bool(result and result.weights_sha256) and self.weights.exists()

    def checked_weights(self, which: Weights = "final") -> Path:
        """Return where the weights are, after reading them all.

        Raises:
            StoreError: there are none, or not those that the run has written.
        """
        return weights.checked_weights(self.path, self.read_result(), which)

    def measurements(self) -> list[str]:
        """List the names of what was measured with the final weights, sorted."""
        files = (self.path / "measurements").glob("*.json")
        return sorted(file.stem for file in files if is_name(file.stem))

    def read_measurement(self, name: str) -> Measured | None:
        """Read what was measured; None before that.

        Raises:
            StoreError: the file is corrupt.
        """
        return read_record(self._measurement(name), Measured)

    def has_measured(self, name: str) -> bool:
        """Whether a measurement is done, and can be read."""
        try:
            measured = self.read_measurement(name)
        except StoreError:
            return False
        return measured is not None and measured.status is Status.DONE

    @property
    def status(self) -> Status:
        """What has become of the attempt; a file that cannot be read makes it `corrupt`."""
        # Probed before the result is looked for: a writer that ends in between has left one.
        is_held = lock.is_held(self.path / "lock")
        try:
            self.read_run()
            result = self.read_result()
        except StoreError:
            return Status.CORRUPT
        if result:
            return result.status
        return Status.RUNNING if is_held else Status.INTERRUPTED

    def tidy(self) -> None:
        """Remove what a writer that was killed after `finish` has left; leave others alone."""
        if self.checkpoints.folder.exists() and self.read_result():
            with contextlib.suppress(StoreError), self.hold():  # the holder does it itself
                self.checkpoints.remove()

    def remove(self) -> None:
        """Delete the folder, and the run's if this was its last attempt.

        Raises:
            StoreError: the attempt is being written.
        """
        hidden = self.path.with_name(f".removed-{self.path.name}")
        with self.hold():
            self.path.rename(hidden)  # a half-deleted folder is never taken for an attempt
        shutil.rmtree(hidden)
        if not any(self.path.parent.iterdir()):
            self.path.parent.rmdir()

    def _measurement(self, name: str) -> Path:
        return self.path / "measurements" / f"{check_name('a measurement', name)}.json"

    def _write_once(self, name: str, record: RunRecord | Result) -> None:
        assert self._is_ours, "only the holder writes"
        path = self.path / name
        if path.exists():
            raise StoreError(path, "already written; a run's record is never overwritten")
        write_record(path, record)
