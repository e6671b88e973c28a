"""Whichever call to the system is the last one of a save, or fails: a checkpoint can be loaded."""

import errno
import multiprocessing
import shutil

import pytest
from crashing import REFUSED, SAVES, UNHURT, AtEvent, save, why_not_traced

from harness.store.checkpoints import Checkpoints

CALLS = {  # by what they do, whatever the machine calls them; each group is counted on its own
    "write": "write,?pwrite64",
    "sync": "fsync,?fdatasync",
    "rename": "?rename,?renameat,?renameat2",
    "open": "?open,openat",
    "make": "?mkdir,mkdirat",
    "remove": "?unlink,unlinkat,?rmdir",
    "size": "ftruncate",
}
FAULTS = {
    "kill": ("signal=KILL", CALLS),
    "full": ("error=ENOSPC", ("write", "sync", "rename", "open", "make", "size")),
    "broken": ("error=EIO", CALLS),
}


@pytest.fixture(scope="module")
def context():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["harness.training.state"])
    return context


@pytest.fixture(
    scope="module",
    params=[pytest.param([3, 4], id="third"), pytest.param([], id="first", marks=pytest.mark.slow)],
)
def before(request):
    """The steps that are there before the save of step 5; of three, one is then removed."""
    return request.param


def prepared(folder, before, kind):
    for step in before:
        Checkpoints(folder).write(step, SAVES[kind]())
    return folder


def check(folder, before, code):
    """The old checkpoint loads or the new one; nothing unfinished stays; the next save works."""
    checkpoints = Checkpoints(folder)
    found = checkpoints.newest(pytest.fail)
    assert (found.step if found else None) in ([*before, None][max(len(before) - 1, 0)], 5)
    if code in (0, UNHURT):
        assert found.step == 5 and checkpoints.best() == found
    if found:
        names = {path.name for path in found.path.iterdir()}
        assert len(names) == 3 and "manifest.json" in names
    assert not folder.exists() or not list(folder.glob(".*"))
    checkpoints.write(6, SAVES["plain"]())
    assert checkpoints.newest(pytest.fail).step == 6


@pytest.mark.parametrize("number", [None, errno.ENOSPC], ids=["kill", "full"])
def test_a_save_may_end_at_any_event(context, tmp_path, before, number):
    codes = []
    while UNHURT not in codes:
        folder = prepared(tmp_path / "checkpoints", before, "plain")
        codes.append(save(context, folder, 5, "plain", AtEvent(len(codes) + 1, number)))
        check(folder, before, codes[-1])
        shutil.rmtree(folder)
    assert set(codes) <= {0, REFUSED, UNHURT} if number else set(codes) == {-9, UNHURT}
    assert len(codes) > 20


def sweep(context, tmp_path, before, kind, what, calls):
    """Let each call of a group go wrong in its turn; return how each save then ended."""
    codes, log = [], tmp_path / "log"
    while UNHURT not in codes:
        folder = prepared(tmp_path / "checkpoints", before, kind)
        injection = f"{calls}:{what}:when={len(codes) + 1}"
        codes.append(save(context, folder, 5, kind, injection=injection, log=log))
        check(folder, before, codes[-1])
        shutil.rmtree(folder)
    allowed = {-9, UNHURT} if "KILL" in what else {0, REFUSED, UNHURT}
    assert set(codes) <= allowed, (calls, codes)
    return codes[:-1]


def traced(context, tmp_path, before, fault, kind):
    if reason := why_not_traced():
        pytest.skip(reason)
    what, groups = FAULTS[fault]
    found = {g: sweep(context, tmp_path, before, kind, what, CALLS[g]) for g in groups}
    n_calls = {group: len(codes) for group, codes in found.items()}
    print(fault, kind, n_calls)  # noqa: T201 - for -s
    assert n_calls["write"] >= 3 and n_calls["sync"] >= 5 and n_calls["rename"] >= 2
    assert n_calls["open"] >= 8 and n_calls["make"] >= 1
    if fault != "kill":  # what could not be synced is not saved
        assert set(found["sync"]) == {REFUSED}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_save_may_end_at_any_call(context, tmp_path, before, fault):
    traced(context, tmp_path, before, fault, "plain")


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_the_save_of_a_training_may_end_at_any_call(context, tmp_path, before, fault):
    traced(context, tmp_path, before, fault, "training")
