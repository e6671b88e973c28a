"""All runs: `<root>/runs/<run_id>/<environment>-<attempt>/`."""

import re
from collections.abc import Iterator
from pathlib import Path

from harness.store.attempt import Attempt
from harness.store.errors import writing
from harness.store.names import check_name, is_name
from harness.store.status import Status

_ATTEMPT = re.compile(r"(?![.-]).+-[1-9][0-9]*")


class RunStore:
    """The run folders under a results root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = root / "runs"

    def runs(self) -> Iterator[str]:
        """Iterate over the ids of all runs with a folder, sorted."""
        if self._folder.is_dir():
            yield from sorted(p.name for p in self._folder.iterdir() if is_name(p.name))

    def attempts(self, run_id: str) -> list[Attempt]:
        """List a run's attempts by environment and number.

        Raises:
            AblateError: `run_id` is no legal name.
        """
        folder = self._folder / check_name("a run's id", run_id)
        names = (
            (p for p in folder.iterdir() if _ATTEMPT.fullmatch(p.name)) if folder.is_dir() else ()
        )
        return sorted(map(Attempt, names), key=lambda a: (a.environment, a.number))

    def new_attempt(self, run_id: str, environment: str) -> Attempt:
        """Make the folder of the next attempt; two callers never get the same one.

        Raises:
            AblateError: `run_id` or `environment` is no legal name.
        """
        check_name("an environment", environment)
        before = [a.number for a in self.attempts(run_id) if a.environment == environment]
        number = max(before, default=0) + 1
        while True:
            path = self._folder / run_id / f"{environment}-{number}"
            with writing(path):
                try:
                    path.mkdir(parents=True)
                except FileExistsError:
                    number += 1
                else:
                    return Attempt(path)

    def best_attempt(
        self, run_id: str, environment: str, reuses: int | None = None, attempts_from: int = 1
    ) -> Attempt | None:
        """Return the attempt that stands for a planned run, None before there is one.

        It is the one that the plan reuses; else, of those made since, the newest that is done or
        the newest of all. Earlier attempts were made by code that computed something else.
        """
        there = [a for a in self.attempts(run_id) if a.environment == environment]
        if reuses is not None:
            return next((a for a in there if a.number == reuses), None)
        since = [a for a in there if a.number >= attempts_from]
        done = [a for a in since if a.status is Status.DONE]
        return max(done or since, key=lambda a: a.number, default=None)
