"""Optuna's storage as a view that follows the events, and may be away for a while.

Training never waits for it: what is to be written waits in an outbox, which a thread of its own
empties. Writing is idempotent: after a failure the storage is read again, and what it lacks is
written.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from harness.errors import AblateError
from harness.search.frozen import frozen
from harness.search.state import StudyState
from harness.search.view import name_objectives, new_study, quiet
from harness.store.studies import Event

MARK = "ablate"
"""The attribute of a study that is ours: another one of the same name is left alone."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 2.0


class Mirror:
    """Writes the trials of a study to a storage, in the order of their numbers."""

    def __init__(
        self,
        definition: Mapping[str, Any],
        connect: Callable[[], BaseStorage],
        say: Callable[[str], None],
    ) -> None:
        """Connect to the storage.

        Args:
            definition: Of the study.
            connect: Returns the storage.
            say: Told once that the storage is away, and once that it is back.

        Raises:
            AblateError: it cannot be reached, or has another study of this name.
        """
        self._definition, self._connect, self._say = definition, connect, say
        self._state = StudyState()
        self._trials: list[FrozenTrial] = []  # as they should be
        self._outbox: set[int] = set()
        self._change = threading.Condition()
        self._is_closing = False
        self._storage: BaseStorage | None = None
        self._known: dict[int, FrozenTrial] = {}  # as they are
        self._study_id = -1
        self._open()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def apply(self, events: Iterable[Event]) -> None:
        """Take in more events; their trials are written soon."""
        with self._change:
            for event in events:
                self._state.apply(event)
                if (number := event["trial"]) < 0:
                    continue
                as_it_is = frozen(self._state.trials[number], self._state, self._definition)
                self._trials[number : number + 1] = [as_it_is]
                self._outbox.add(number)
            self._change.notify()

    def close(self, patience: float) -> int:
        """Write what is left, for so many seconds at most; return how many trials are not."""
        with self._change:
            self._is_closing = True
            self._change.notify()
        self._thread.join(patience)
        with self._change:
            return len(self._outbox)

    def _run(self) -> None:
        wait, is_away = FIRST_WAIT_S, False
        while True:
            with self._change:
                self._change.wait_for(lambda: self._outbox or self._is_closing)
                batch = {number: self._trials[number] for number in sorted(self._outbox)}
            if not batch:
                return
            try:
                self._write(batch)
            except Exception as error:  # whatever a database may raise: tried again, and told once
                self._storage = None
                if not is_away:
                    reason = str(error.__cause__ or error).strip().partition("\n")[0]
                    self._say(f"the study's database is away, training goes on ({reason})")
                is_away = True
                with self._change:
                    self._change.wait_for(lambda: self._is_closing, timeout=wait)
                    if self._is_closing and wait >= LONGEST_WAIT_S:
                        return
                wait = min(2 * wait, LONGEST_WAIT_S)
                continue
            if is_away:
                self._say("the study's database is back, and has everything")
            wait, is_away = FIRST_WAIT_S, False
            with self._change:
                self._outbox -= {n for n, one in batch.items() if self._trials[n] is one}

    def _open(self) -> None:
        storage = self._connect()
        with quiet():
            study = new_study(self._definition, storage)
            known = study.get_trials(deepcopy=False)
            if known and MARK not in study.user_attrs:
                name = self._definition["name"]
                raise AblateError(f"the database has another study that is named {name!r}")
            study.set_user_attr(MARK, {"question": self._definition["question"]})
            name_objectives(study, self._definition)
        self._study_id = study._study_id
        self._known = {trial.number: trial for trial in known}
        self._storage = storage

    def _write(self, batch: dict[int, FrozenTrial]) -> None:
        if self._storage is None:
            self._open()
        assert self._storage is not None
        if contradicts(self._known, self._trials):
            self._storage.delete_study(self._study_id)
            self._open()
        missing = set(range(len(self._trials))) - self._known.keys()
        for number in sorted(missing | batch.keys()):
            self._write_trial(self._trials[number])

    def _write_trial(self, wanted: FrozenTrial) -> None:
        assert self._storage is not None
        there = self._known.get(wanted.number)
        if there is None:
            number = wanted.number
            trial_id = self._storage.create_new_trial(self._study_id, template_trial=wanted)
            self._known[number] = self._storage.get_trial(trial_id)
            return
        if there.state.is_finished():
            return
        trial_id = there._trial_id
        for step, value in wanted.intermediate_values.items():
            if step not in there.intermediate_values:
                self._storage.set_trial_intermediate_value(trial_id, step, value)
        for key, attribute in wanted.user_attrs.items():
            if there.user_attrs.get(key) != attribute:
                self._storage.set_trial_user_attr(trial_id, key, attribute)
        if wanted.state.is_finished():
            self._storage.set_trial_state_values(trial_id, wanted.state, wanted.values)
        self._known[wanted.number] = self._storage.get_trial(trial_id)


def contradicts(known: Mapping[int, FrozenTrial], wanted: list[FrozenTrial]) -> bool:
    """Whether a storage says something else than the events, not only less."""
    for number, trial in known.items():
        if number >= len(wanted):
            return True
        ours = wanted[number]
        if trial.params != ours.params:
            return True
        if trial.state.is_finished() and (trial.state, trial.values) != (ours.state, ours.values):
            return True
    return False


def rebuild(
    definition: Mapping[str, Any], events: Iterable[Event], storage: BaseStorage
) -> optuna.Study:
    """Make the study in a storage again from its events; another one of its name is left alone.

    Raises:
        AblateError: the storage has a study of this name that is not ours.
    """
    name = definition["name"]
    with quiet():
        study = new_study(definition, storage)
        if study.get_trials(deepcopy=False) and MARK not in study.user_attrs:
            raise AblateError(f"the database has another study that is named {name!r}")
        storage.delete_study(study._study_id)
        study = new_study(definition, storage)
        study.set_user_attr(MARK, {"question": definition["question"]})
        name_objectives(study, definition)
        state = StudyState(events)
        for trial in state.trials:
            study.add_trial(frozen(trial, state, definition))
    return study
