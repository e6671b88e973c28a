"""What the cache of a window keeps; the contracts of `gqa` generate through it."""

import pytest
import torch

from harness.core.cache import CacheFull
from harness.core.context import Context
from harness.core.window_cache import WindowCache
from harness.errors import AblateError

W, MAX_LEN = 4, 20


def cache(n_rows=1, dtype=torch.float32):
    return WindowCache({"x": torch.zeros(n_rows, W, 1, dtype=dtype)}, MAX_LEN)


def append(cache, *rows):
    """Append numbers to rows, padded on the right; return what is readable, as {position: x}."""
    longest = max(map(len, rows))
    valid = torch.tensor([[i < len(row) for i in range(longest)] for row in rows])
    x = torch.tensor([[*row, *[-1.0] * (longest - len(row))] for row in rows])[..., None]
    before = cache.lengths
    so_far, positions = cache.append(Context(torch.zeros_like(x[..., 0]).long(), valid), x=x)
    if positions is None:
        positions = torch.arange(longest).expand(len(rows), -1)
    ends = before + valid.sum(1)
    return [
        {p: v for p, v in zip(at.tolist(), values[:, 0].tolist(), strict=True) if p < end}
        for at, values, end in zip(positions, so_far["x"], ends, strict=True)
    ]


@pytest.mark.parametrize("chunks", [[1] * 11, [3, 1, 7], [11], [4, 4, 3], [9, 2]], ids=str)
def test_of_every_chunk_the_window_before_it_can_be_read(chunks):
    kept, seen = cache(), 0
    for n in chunks:
        (read,) = append(kept, [100.0 + seen + i for i in range(n)])
        first = max(seen - W, 0)
        assert read == {p: 100.0 + p for p in range(first, seen + n)}
        seen += n
    assert kept.lengths.tolist() == [11] and kept.nbytes == W * 4


def test_rows_may_differ_in_length_and_rest():
    kept = cache(3)
    append(kept, [0.0, 1.0], [0.0, 1.0, 2.0, 3.0, 4.0], [0.0])
    append(kept, [2.0, 3.0, 4.0], [5.0], [])
    read = append(kept, [5.0], [], [1.0])
    assert read[0] == {1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0, 5: 5.0}
    assert read[1] == {2: 2.0, 3: 3.0, 4: 4.0, 5: 5.0}
    assert read[2] == {0: 0.0, 1: 1.0}


def test_what_is_kept_has_the_type_of_the_cache():
    kept = cache(dtype=torch.bfloat16)
    append(kept, [1.0, 2.0])
    assert append(kept, [3.0]) == [{0: 1.0, 1: 2.0, 2: 3.0}]
    assert kept.buffers["x"].dtype == torch.bfloat16


def test_a_row_is_cropped_only_while_it_has_lost_nothing():
    kept = cache(2)
    append(kept, [0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0, 4.0])
    kept.crop(torch.tensor([2, 5]))
    assert kept.lengths.tolist() == [2, 5]
    assert append(kept, [9.0], [5.0]) == [{0: 0.0, 1: 1.0, 2: 9.0},
                                          {1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0, 5: 5.0}]  # fmt: skip
    with pytest.raises(AblateError, match="more than 4 tokens has forgotten"):
        kept.crop(torch.tensor([3, 5]))
    assert kept.lengths.tolist() == [3, 6]


def test_a_cache_of_a_window_is_full_when_its_rows_are_as_long_as_was_asked_for():
    kept = cache()
    append(kept, [0.0] * MAX_LEN)
    with pytest.raises(CacheFull):
        append(kept, [0.0])
