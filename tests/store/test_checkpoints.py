"""A checkpoint is there as a whole or not at all, and what is damaged is never used."""

import errno
import os
import random
import shutil

import pytest

from harness.store.checkpoints import Checkpoints
from harness.store.errors import StoreError


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints")


def saving(content):
    def save(folder):
        (folder / "weights").write_bytes(content)
        (folder / "numbers").write_bytes(content[:1])

    return save


def filled(checkpoints, *steps, **kwargs):
    for step in steps:
        checkpoints.write(step, saving(bytes([step]) * 5000), **kwargs)
    return checkpoints


def names(checkpoints):
    return sorted(path.name for path in checkpoints.folder.iterdir())


def test_the_newest_is_found_with_what_was_saved(checkpoints):
    newest = filled(checkpoints, 3, 20, 100).newest(pytest.fail)
    assert newest.step == 100
    assert (newest.path / "weights").read_bytes() == bytes([100]) * 5000
    assert Checkpoints(checkpoints.folder / "none").newest(pytest.fail) is None


def test_the_last_two_and_the_best_are_kept(checkpoints):
    filled(checkpoints, 1)
    filled(checkpoints, 2, best=True)
    filled(checkpoints, 3, 4, 5)
    kept = ["step-000000002", "step-000000004", "step-000000005"]
    assert names(checkpoints) == kept
    assert checkpoints.best().step == 2
    filled(checkpoints, 6, best=True)
    assert names(checkpoints) == ["step-000000005", "step-000000006"]


def test_a_step_is_saved_again_only_if_what_is_there_is_damaged(checkpoints):
    filled(checkpoints, 3)
    checkpoints.write(3, saving(b"other"))
    weights = checkpoints.newest(pytest.fail).path / "weights"
    assert weights.read_bytes() == bytes([3]) * 5000
    weights.write_bytes(b"damaged")
    checkpoints.write(3, saving(b"other"))
    assert weights.read_bytes() == b"other"
    assert names(checkpoints) == ["corrupt-step-000000003", "step-000000003"]


@pytest.mark.parametrize(
    "failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_a_save_that_fails_leaves_the_one_before(checkpoints, failure):
    def save(folder):
        (folder / "weights").write_bytes(b"half")
        raise failure

    filled(checkpoints, 3)
    expected = StoreError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(
        expected,
        match=r"step-000000004: could not be written: No space left on device; make room, then"
        if expected is StoreError
        else None,
    ):
        checkpoints.write(4, save)
    assert names(checkpoints) == ["step-000000003"]
    assert checkpoints.newest(pytest.fail).step == 3


def test_what_a_dead_writer_left_is_removed_where_the_next_one_starts(checkpoints):
    filled(checkpoints, 3)
    (checkpoints.folder / ".writing-9-1-ab").mkdir()
    (checkpoints.folder / ".writing-9-1-ab" / "weights").write_bytes(b"half")
    (checkpoints.folder / ".manifest.json.1-ab").write_bytes(b"half")
    assert checkpoints.newest(pytest.fail).step == 3
    assert names(checkpoints) == ["step-000000003"]


def flip(path, chance):
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def cut(path, chance):
    os.truncate(path, chance.randrange(path.stat().st_size))


def grow(path, chance):
    path.write_bytes(path.read_bytes() + chance.randbytes(3))


def swap(path, chance):
    other = path.with_name("numbers" if path.name == "weights" else "weights")
    kept = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(kept)


def lose(path, chance):
    path.unlink()


def link(path, chance):
    moved = path.rename(path.parent.parent.parent / f"moved-{chance.random()}")
    path.symlink_to(moved)


def foreign(path, chance):
    (path.parent / "evil.pt").write_bytes(b"\x80\x04.")


def older(path, chance):
    shutil.copy(path.parent.with_name("step-000000003") / path.name, path)


DAMAGES = (flip, cut, grow, swap, lose, link, foreign, older)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_damaged_is_put_aside_and_the_one_before_is_used(tmp_path, damage, seed):
    chance, complaints = random.Random(seed), []
    for file in ("weights", "numbers", "manifest.json"):
        checkpoints = filled(Checkpoints(tmp_path / file), 3, 4)
        damage(checkpoints.folder / "step-000000004" / file, chance)
        found = checkpoints.newest(complaints.append)
        if found.step == 4:  # only white space of the manifest can have changed
            assert file == "manifest.json" and damage in (flip, cut, grow)
            continue
        assert found.step == 3
        assert "corrupt-step-000000004" in names(checkpoints)
        assert complaints and "step-000000004" in complaints[-1]


@pytest.mark.slow
def test_a_thousand_damages_are_all_noticed(tmp_path):
    chance = random.Random(0)
    for i in range(1000):
        checkpoints = filled(Checkpoints(tmp_path / str(i)), 3, 4)
        damage, file = chance.choice(DAMAGES), chance.choice(["weights", "numbers"])
        damage(checkpoints.folder / "step-000000004" / file, chance)
        complaints = []
        assert checkpoints.newest(complaints.append).step == 3, (i, damage, file)
        assert len(complaints) == 1
        shutil.rmtree(checkpoints.folder)
