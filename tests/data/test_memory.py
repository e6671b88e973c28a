"""What a loader holds does not grow with the corpus."""

import pytest
from lab import in_new_process

MEGABYTE = 2**20
SEQ_LENS = (32, 512)  # 16M windows in a gigabyte, and 1M


def write_tokens(path, megabytes):
    """Write a file of zeros that takes no room on the disk."""
    with path.open("wb") as file:
        file.truncate(megabytes * MEGABYTE)
    return str(path)


def most_memory(path, seq_len):
    """Open a file of tokens and draw some hundred steps; return the most anonymous memory."""
    import re
    from pathlib import Path

    from harness.data.dataset import DataConfig, load_dataset

    corpus = {"name": "tokens", "path": path}
    tokenizer = {"name": "ids", "vocab_size": 50_000}
    dataset = load_dataset(DataConfig.read({"corpus": corpus, "tokenizer": tokenizer}))
    order, seen = dataset.order(8, seq_len, seed=0), []
    for step in [*range(300), *range(300_000, 300_100)]:
        rows = order.rows(step)
        assert rows.tokens.shape == (8, seq_len)
        status = Path("/proc/self/status").read_text()
        seen.append(int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) / 1024)
    return max(seen)


@pytest.mark.slow
@pytest.mark.parametrize("seq_len", SEQ_LENS)
def test_a_gigabyte_takes_no_more_memory_than_a_megabyte(tmp_path, seq_len):
    small = write_tokens(tmp_path / "small.bin", 1)
    large = write_tokens(tmp_path / "large.bin", 1024)
    used = [in_new_process(most_memory, path, seq_len) for path in (small, large)]
    assert used[1] - used[0] < 50, used
