"""A component of one's own: its contracts, whether it looks ahead, and a variant against itself."""

import time
from collections.abc import Iterator
from dataclasses import replace

from harness.contracts.check import broken_contracts, contracts_of
from harness.contracts.subject import Subject, subjects
from harness.core.slots import SLOTS
from harness.errors import AblateError, unknown
from harness.validation.finding import Finding, Outcome


def subjects_of(component: str) -> list[Subject]:
    """Return `SLOT/NAME` as it is and with each option changed.

    Raises:
        AblateError: there is no such slot or component, or it cannot be imported.
    """
    slot, _, name = component.partition("/")
    if slot not in SLOTS:
        raise AblateError(unknown("slot", slot, SLOTS))
    registry = SLOTS[slot]
    name = registry.aliases().get(name, name)
    registry[name]  # raises with the nearest spelling
    return [one for one in subjects() if (one.slot, one.name) == (slot, name)]


def check_contracts(component: str) -> Iterator[Finding]:
    """Hold a component to its contracts, with every option; one finding for each form of it."""
    for subject in subjects_of(component):
        started = time.monotonic()
        broken = broken_contracts(subject)
        n_contracts = len(contracts_of(subject))
        told = "; ".join(f"{name}: {why}" for name, why in broken.items())
        finding = Finding(
            name=f"contracts of {subject}",
            question="Does it do what every component must?",
            expected=f"keeps {n_contracts} contracts",
            source="harness/contracts",
            found=told or f"keeps {n_contracts}",
            outcome=Outcome.OPPOSITE if broken else Outcome.AS_EXPECTED,
        )
        yield replace(finding, seconds=time.monotonic() - started)
