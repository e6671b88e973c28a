"""Every registered component keeps its contracts; what is planted to break one is caught."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from planted import PLANTED, write_component

from harness.contracts.check import EVERY, OF_SLOT, contracts_of
from harness.contracts.subject import Subject, subjects
from harness.core.slots import SLOTS

CASES = [(contract, subject) for subject in subjects() for contract in contracts_of(subject)]


@pytest.mark.parametrize(
    ("contract", "subject"), CASES, ids=[f"{s}-{c.__name__}" for c, s in CASES]
)
def test_every_component_keeps_its_contracts(contract, subject):
    contract(subject)


def test_the_contracts_reach_every_component_and_alias():
    held = {(subject.slot, subject.name) for _, subject in CASES}
    for slot, registry in SLOTS.items():
        # of this package: other tests read runs whose components are in folders of their own
        ours = [name for name in registry if registry[name].__module__.startswith("variants.")]
        assert len(ours) > 1
        assert {(slot, name) for name in [*ours, *registry.aliases()]} <= held


@pytest.mark.parametrize(
    "changed",
    [{"bias": True}, {"qk_norm": "none"}, {"qk_norm": "full"}, {"window": 4}, {"shared_kv": 2}],
    ids=str,
)
def test_the_contracts_reach_switches_choices_and_examples(changed):
    assert Subject("attention", "gqa", changed) in [subject for _, subject in CASES]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """What the contracts say of the planted components, by component: {contract: why}."""
    folder = tmp_path_factory.mktemp("planted")
    for component, (source, _) in PLANTED.items():
        write_component(folder, component, source)
    found = subprocess.run(
        [sys.executable, "-m", "harness.contracts", str(folder)], capture_output=True, text=True
    )
    assert found.returncode == 1, found.stderr
    said: dict[str, dict[str, str]] = {}
    for line in found.stdout.splitlines():
        key, _, rest = line.strip().partition(": ")
        if line.startswith("  ") and said:
            said[component][key] = rest
        elif "-" in key.partition(":")[0]:
            component = key.rstrip(":").replace("-", "/", 1)
            said[component] = {}
    return said


@pytest.mark.parametrize("component", PLANTED)
def test_a_planted_fault_is_caught_by_its_contract(component, verdicts):
    _, contract = PLANTED[component]
    assert contract in verdicts[component], verdicts[component]


def test_every_contract_has_caught_a_planted_fault():
    every = {contract.__name__ for contract in (*EVERY, *sum(OF_SLOT.values(), ()))}
    assert {contract for _, contract in PLANTED.values()} == every


def test_contracts_of_a_good_folder_pass_and_exit_zero(tmp_path):
    source = Path(inspect.getsourcefile(SLOTS["ffn"]["relu_squared"])).read_text()
    write_component(tmp_path, "ffn/copied", source.replace('"relu_squared"', '"copied"'))
    found = subprocess.run(
        [sys.executable, "-m", "harness.contracts", str(tmp_path)], capture_output=True, text=True
    )
    assert found.stdout == "ffn-copied: keeps every contract\n"
    assert found.returncode == 0, found.stderr
