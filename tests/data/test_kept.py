"""Texts from far away are asked for once, whatever happens between."""

import itertools

import pytest

from harness.data.kept import kept_texts
from harness.errors import AblateError

TEXTS = [f"text {i}\nof ünusual length {'x' * i}\u2028" for i in range(9)]


class Far:
    """A source that counts what is asked of it, and breaks down after so many texts."""

    def __init__(self, breaks_at=99):
        self.asked, self.breaks_at = [], breaks_at

    def __call__(self, first):
        for i in range(first, len(TEXTS) + 1):
            if i >= self.breaks_at:
                raise ConnectionError(f"text {i}")
            if i == len(TEXTS):
                return
            self.asked.append(i)
            yield TEXTS[i]


def read(folder, far, n=None):
    return list(itertools.islice(kept_texts(folder, far), n))


def test_each_text_is_asked_for_once(tmp_path):
    far = Far()
    assert read(tmp_path / "kept", far) == TEXTS == read(tmp_path / "kept", far)
    assert far.asked == list(range(9))


def test_no_more_is_asked_for_than_is_read(tmp_path):
    far = Far(breaks_at=4)
    assert read(tmp_path, far, 4) == TEXTS[:4]
    assert read(tmp_path, far, 3) == TEXTS[:3]
    assert far.asked == [0, 1, 2, 3]


def test_reading_goes_on_where_it_stopped(tmp_path):
    far = Far()
    for n in (2, 1, 5, 5, 9, None):
        assert read(tmp_path, far, n) == TEXTS[:n]
    assert far.asked == list(range(9))


def test_what_came_before_a_break_is_kept(tmp_path):
    with pytest.raises(ConnectionError, match="text 6"):
        read(tmp_path, Far(breaks_at=6))
    far = Far()
    assert read(tmp_path, far) == TEXTS
    assert far.asked == [6, 7, 8]


def test_the_end_is_known_without_asking(tmp_path):
    read(tmp_path, Far())
    assert read(tmp_path, Far(breaks_at=0)) == TEXTS


def cut(raw):
    return raw[:-5]


def flip(raw):
    return raw.replace(b"text 4", b"text 5")


def not_utf8(raw):
    return raw.replace(b"text 4", b"te\xff\xff 4")


@pytest.mark.parametrize(("damage", "left"), [(cut, 8), (flip, 4), (not_utf8, 4)])
def test_damaged_texts_are_asked_for_again(tmp_path, damage, left):
    read(tmp_path, Far(), 9)
    [file] = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    far = Far()
    assert read(tmp_path, far) == TEXTS
    assert far.asked == list(range(left, 9))
    assert read(tmp_path, Far(breaks_at=0)) == TEXTS


def test_readers_that_come_together_do_not_disturb_each_other(tmp_path):
    one, other = kept_texts(tmp_path, Far()), kept_texts(tmp_path, Far())
    both = list(zip(one, other, strict=True))
    assert both == [(text, text) for text in TEXTS]
    assert read(tmp_path, Far(breaks_at=0)) == TEXTS


def test_a_folder_that_cannot_be_written_says_which_variable_to_set(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(AblateError, match=r"cannot write the data cache: .*set ABLATE_CACHE"):
        read(tmp_path / "file" / "kept", Far())
