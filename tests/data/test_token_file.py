"""Ids made elsewhere: mapped, divided once at the end of a document, and never copied."""

import numpy as np
import pytest

from harness.data.batches import batches
from harness.data.dataset import DataConfig, fingerprint, load_dataset
from harness.data.leaks import leaked_share
from harness.errors import ConfigError

IDS = {"name": "ids", "vocab_size": 50}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def stream(n=2000, every=97):
    """Random ids from 1 on, with a 0 after every 97th."""
    ids = np.random.default_rng(0).integers(1, 50, n)
    ids[every - 1 :: every] = 0
    return ids


def write(path, ids, dtype="<u2"):
    if path.suffix == ".npy":
        np.save(path, np.asarray(ids, dtype))
    else:
        path.write_bytes(np.asarray(ids, dtype).tobytes())
    return path


def config(path, tokenizer=IDS, **changes):
    corpus = {"name": "tokens", "path": str(path), "excerpt": 50}
    data_keys = {key: changes.pop(key) for key in ("split", "packing") if key in changes}
    n = changes.pop("held_out_documents", 4)
    return DataConfig.read(
        {
            "corpus": {**corpus, **changes},
            "tokenizer": tokenizer,
            "held_out_documents": n,
            **data_keys,
        }
    )


@pytest.mark.parametrize(
    ("name", "dtype", "said"),
    [
        ("a.npy", "<u2", {}),
        ("a.npy", ">i4", {}),
        ("a.bin", "<u2", {}),
        ("a.bin", "<u4", {"dtype": "uint32"}),
        ("a.bin", "<i8", {"dtype": "int64"}),
        ("a.bin", "u1", {"dtype": "uint8"}),
    ],
)
def test_ids_are_read_as_they_were_written(tmp_path, name, dtype, said):
    ids = stream()
    dataset = load_dataset(config(write(tmp_path / name, ids, dtype), **said))
    everything = [*dataset.train, *(i for d in dataset.held_out for i in d.tokens[:-1])]
    assert everything == ids[: len(everything)].tolist()
    assert isinstance(dataset.train, np.memmap)


def test_the_end_is_held_out_from_the_start_of_a_document_on(tmp_path, cpu):
    ids = stream()
    dataset = load_dataset(config(write(tmp_path / "a.npy", ids)))
    start = len(dataset.train)
    assert ids[start] == 0 and 2000 - 200 - 1 - 97 < start <= 2000 - 200 - 1
    assert [d.tokens.tolist() for d in dataset.held_out] == [
        ids[a : a + 51].tolist() for a in range(start, start + 200, 50)
    ]
    assert leaked_share(dataset, run=8) == 0
    order = batches(dataset, 3, 16, 0, cpu)
    highest = max(int(order.order.order.starts(step).max()) for step in range(40))
    assert highest + 16 < start


def test_without_separators_the_place_is_what_the_number_of_excerpts_says(tmp_path):
    ids = np.random.default_rng(0).integers(1, 50, 2000)
    dataset = load_dataset(config(write(tmp_path / "a.npy", ids)))
    assert len(dataset.train) == 2000 - 4 * 50 - 1


def test_at_most_half_is_held_out(tmp_path):
    ids = stream(40)
    dataset = load_dataset(config(write(tmp_path / "a.npy", ids)))
    assert [len(d.tokens) for d in dataset.held_out] == [6] * 4
    with pytest.raises(ConfigError, match="corpus: 7 ids are too few to hold 4 excerpts out"):
        load_dataset(config(write(tmp_path / "b.npy", ids[:7])))


def test_ids_of_bytes_have_bits_per_byte_and_plain_ids_none(tmp_path):
    text = ("the quick brown fox, " * 100).encode()
    file = write(tmp_path / "a.bin", list(text), "u1")
    as_bytes = config(file, "byte", dtype="uint8")
    assert as_bytes.has_bytes
    assert [d.n_bytes for d in load_dataset(as_bytes).held_out] == [50] * 4
    plain = config(file, {"name": "ids", "vocab_size": 256}, dtype="uint8")
    assert not plain.has_bytes
    assert [d.n_bytes for d in load_dataset(plain).held_out] == [0] * 4


def test_packing_tells_documents_apart_by_the_separator(tmp_path, cpu):
    file = write(tmp_path / "a.npy", stream())
    rows = batches(load_dataset(config(file, packing="documents")), 2, 200, 0, cpu)[0]
    assert (rows.documents[0].diff() == (rows.tokens[0][1:] == 0)).all()
    assert rows.documents[0].max() >= 2
    assert batches(load_dataset(config(file)), 2, 200, 0, cpu)[0].documents is None


def test_windows_may_start_anywhere(tmp_path):
    file = write(tmp_path / "a.npy", stream())
    split = {"name": "overlapping_windows", "seq_len": 8, "scored": 5}
    dataset = load_dataset(config(file, split=split))
    assert len(dataset.train) == 2000
    assert len(dataset.places) == 1992 - 199
    assert len(dataset.held_out) == 5


def test_the_fingerprint_is_of_the_content_and_of_how_it_is_read(tmp_path):
    ids = stream()
    before = fingerprint(config(write(tmp_path / "a.npy", ids)))
    assert fingerprint(config(write(tmp_path / "moved.npy", ids))) == before
    assert load_dataset(config(tmp_path / "a.npy")).fingerprint == before
    others = [
        fingerprint(config(write(tmp_path / "b.npy", [*ids[:-1], 9]))),
        fingerprint(config(write(tmp_path / "c.npy", ids, "<u4"))),
        fingerprint(config(write(tmp_path / "d.bin", ids, "<u4"), dtype="uint32")),
        fingerprint(config(tmp_path / "d.bin", dtype="int32")),
        fingerprint(config(tmp_path / "a.npy", {"name": "ids", "vocab_size": 51})),
        fingerprint(config(tmp_path / "a.npy", excerpt=51)),
        fingerprint(config(tmp_path / "a.npy", held_out_documents=5)),
        fingerprint(config(tmp_path / "a.npy", packing="documents")),
    ]
    assert len({before, *others}) == 9


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", r"path: must be one of .npy, .bin, but got '.*a.txt'"),
        ("a.npy", b"x", r"path: .*a.npy cannot be read: "),
        ("a.bin", b"", r"path: .*a.bin cannot be read: "),
        ("a.bin", b"abc", r"path: .*a.bin cannot be read: "),
    ],
)
def test_a_file_that_holds_no_ids_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=rf"^corpus\.{message}"):
        load_dataset(config(tmp_path / name))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"^corpus\.path: .*nowhere.bin cannot be read"):
        fingerprint(config(tmp_path / "nowhere.bin"))


@pytest.mark.parametrize("array", [np.zeros((4, 4), np.uint16), np.zeros(9)])
def test_an_array_of_anything_else_is_refused(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ConfigError, match="must hold one axis of integers, but holds"):
        load_dataset(config(tmp_path / "a.npy"))


def test_an_array_of_objects_is_not_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return print, ("unpickled",)

    np.save(tmp_path / "a.npy", np.array([Trap()], object), allow_pickle=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_dataset(config(tmp_path / "a.npy"))


@pytest.mark.parametrize("ids", [[-1] * 400, [50] * 400])
def test_ids_that_the_tokenizer_does_not_have_are_refused(tmp_path, ids):
    file = write(tmp_path / "a.npy", ids, "<i4")
    with pytest.raises(ConfigError, match=rf"^corpus: has ids from {ids[0]} .*below 50"):
        load_dataset(config(file))


def test_the_tokenizer_must_be_chosen(tmp_path):
    with pytest.raises(ConfigError, match="tokenizer: the corpus 'tokens' needs one"):
        DataConfig.read({"corpus": {"name": "tokens", "path": "x.bin"}})


@pytest.mark.parametrize("tokenizer", ["bpe", {"name": "bpe", "vocab_size": 300}])
def test_a_tokenizer_that_is_learned_has_not_made_ids(tokenizer):
    with pytest.raises(ConfigError, match="tokenizer: 'bpe' is learned from text"):
        DataConfig.read({"corpus": {"name": "tokens", "path": "x.bin"}, "tokenizer": tokenizer})


def test_nothing_is_copied(tmp_path, cache):
    load_dataset(config(write(tmp_path / "a.npy", stream())))
    assert not cache.exists()
