"""Which contracts a subject has, and which of them it breaks."""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.contracts.caching import (
    cached_equals_uncached,
    cached_rows_may_differ_in_length,
    caches_are_strangers,
    cropped_caches_forget,
    full_caches_say_so,
    inserted_rows_go_on,
    reset_rows_start_afresh,
)
from harness.contracts.forward import (
    documents_are_runs,
    keeps_documents_apart,
    keeps_shape,
    never_looks_ahead,
    padding_changes_nothing,
    past_has_no_gradient_from_the_future,
    treats_rows_alone,
)
from harness.contracts.of_slots import (
    objective_gradients_are_true,
    objective_ignores_what_it_is_told_to,
    precision_keeps_the_function,
    transforms_each_position_alone,
)
from harness.contracts.parameters import (
    costs_what_the_meta_device_says,
    learns_every_parameter,
    says_what_it_is,
    starts_as_its_seed_says,
    survives_saving,
    trains_in_bf16,
)
from harness.contracts.subject import Subject, subjects
from harness.core.slots import SLOTS

Contract = Callable[[Subject], None]

EVERY: tuple[Contract, ...] = (
    keeps_shape,
    never_looks_ahead,
    past_has_no_gradient_from_the_future,
    treats_rows_alone,
    keeps_documents_apart,
    documents_are_runs,
    padding_changes_nothing,
    learns_every_parameter,
    survives_saving,
    starts_as_its_seed_says,
    costs_what_the_meta_device_says,
    says_what_it_is,
    trains_in_bf16,
    cached_equals_uncached,
    cached_rows_may_differ_in_length,
    caches_are_strangers,
    reset_rows_start_afresh,
    inserted_rows_go_on,
    cropped_caches_forget,
    full_caches_say_so,
)
OF_SLOT: dict[str, tuple[Contract, ...]] = {
    "ffn": (transforms_each_position_alone,),
    "norm": (transforms_each_position_alone,),
    "objective": (objective_ignores_what_it_is_told_to, objective_gradients_are_true),
    "precision": (precision_keeps_the_function,),
}


def contracts_of(subject: Subject) -> tuple[Contract, ...]:
    """Return what a subject has to keep, by its slot."""
    if subject.slot == "precision":  # no part of the model: the model's contracts say nothing of it
        return (*OF_SLOT["precision"], says_what_it_is)
    return (*EVERY, *OF_SLOT.get(subject.slot, ()))


def broken_contracts(subject: Subject) -> dict[str, str]:
    """Return the names of the contracts that a subject breaks, with what was found."""
    broken = {}
    for contract in contracts_of(subject):
        try:
            contract(subject)
        except Exception as error:
            broken[contract.__name__] = f"{type(error).__name__}: {error}"
    return broken


def in_folder(folder: Path) -> Iterator[Subject]:
    """Yield the subjects whose component is a file of this folder."""
    for subject in subjects():
        registry = SLOTS[subject.slot]
        name = registry.aliases().get(subject.name, subject.name)
        file = inspect.getsourcefile(registry[name])
        if file and folder.resolve() in Path(file).resolve().parents:
            yield subject
