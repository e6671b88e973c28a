"""A mixture has of each part the share that its weight says, however much of it is used."""

import collections
import itertools

import pytest

from harness.data.corpora import CORPUS
from harness.data.dataset import DataConfig, fingerprint, load_dataset
from harness.errors import ConfigError

SIZES = {"long": (400, 40), "short": (30, 400), "wide": (100, 200)}  # bytes, documents
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    home = tmp_path_factory.mktemp("parts")
    for name, (size, n) in SIZES.items():
        (home / name).mkdir()
        for i in range(n):
            letter = "é" if name == "wide" else "x"  # of two bytes, or one
            text = f"{name} {i:03} " + letter * (size // len(letter.encode()) - i % 7)
            (home / name / f"{i:03}.txt").write_text(text)
    return home


def local(folders, name):
    return {"name": "local", "path": str(folders / name)}


def mixture(folders, **weights):
    parts = {n: {"corpus": local(folders, n), "weight": w} for n, w in weights.items()}
    return {"name": "mixture", "parts": parts}


def documents(folders, **weights):
    return list(CORPUS.build(CORPUS.resolve(mixture(folders, **weights))).documents())


def shares(found):
    counts = collections.Counter()
    for document in found:
        counts[document.id.split("/")[0]] += len(document.text.encode())
    return {name: count / counts.total() for name, count in counts.items()}


@pytest.mark.parametrize(
    "weights", [{"long": 3, "short": 1}, {"long": 0.2, "short": 0.3, "wide": 0.5}]
)
def test_every_beginning_has_the_shares(folders, weights):
    found = documents(folders, **weights)
    for n in (len(found) // 4, len(found) // 2, len(found)):
        for name, share in shares(found[:n]).items():
            assert share == pytest.approx(weights[name] / sum(weights.values()), abs=0.06)


def test_a_mixture_ends_with_the_part_that_has_no_more(folders):
    found = documents(folders, long=1, short=1)
    counts = collections.Counter(document.id.split("/")[0] for document in found)
    assert counts["short"] == 400 and counts["long"] < 40
    assert max(collections.Counter(document.id for document in found).values()) == 1


def test_parts_keep_their_order_their_texts_and_their_strata(folders):
    found = documents(folders, long=1, short=1)
    for name in ("long", "short"):
        alone = list(CORPUS.build(CORPUS.resolve(local(folders, name))).documents())
        ours = [document for document in found if document.id.startswith(f"{name}/")]
        assert [d.id for d in ours] == [f"{name}/{d.id}" for d in alone[: len(ours)]]
        assert [d.text for d in ours] == [d.text for d in alone[: len(ours)]]
        assert {d.stratum for d in ours} == {f"{name}/{alone[0].stratum}"}


def test_the_order_of_the_keys_and_the_scale_of_weights_say_nothing(folders):
    found = documents(folders, long=1, short=2)
    assert found == documents(folders, short=2, long=1) == documents(folders, short=4, long=2)
    assert found != documents(folders, long=2, short=1)


def test_what_is_held_out_is_in_proportion_and_not_trained_on(folders):
    config = DataConfig.read(
        {"corpus": mixture(folders, long=2, short=1), "tokenizer": "byte", "held_out_documents": 20}
    )
    dataset = load_dataset(config)
    held_out = collections.Counter(d.id.split("/")[0] for d in dataset.held_out)
    entering = collections.Counter(e.id.split("/")[0] for e, _ in config.documents())
    assert set(held_out) == {"long", "short"} and held_out.total() == 20
    for name, n in held_out.items():
        assert n == pytest.approx(20 * entering[name] / entering.total(), abs=1)
    assert dataset.n_train_documents == entering.total() - 20
    assert load_dataset(config).fingerprint == dataset.fingerprint


def test_the_first_documents_are_mixed_alike_and_no_others_are_read(folders, monkeypatch):
    config = DataConfig.read({"corpus": mixture(folders, long=1, short=1), "max_documents": 50})
    found = [(entry.id, text) for entry, text in config.documents()]
    everything = documents(folders, long=1, short=1)
    assert found == [(d.id, d.text) for d in everything[:50]]
    read = itertools.islice(CORPUS.build(config.corpus).documents(), 3)
    assert [d.id for d in read] == [d.id for d in everything[:3]]


def test_a_text_of_two_parts_enters_once(folders):
    parts = mixture(folders, long=1, wide=1)
    parts["parts"]["again"] = parts["parts"]["long"]
    left_out = collections.Counter()
    config = DataConfig.read({"corpus": parts})
    texts = [text for _, text in config.documents(left_out)]
    assert left_out["repeated"] > 20
    assert len(set(texts)) == len(texts)


def test_the_fingerprint_follows_the_weights(folders):
    names = {
        fingerprint(DataConfig.read({"corpus": mixture(folders, long=w, short=1)})) for w in (1, 2)
    }
    assert len(names) == 2


def test_a_mixture_of_pinned_parts_is_known_without_a_connection(folders):
    pinned = {"name": "hub", "dataset": "someone/stories", "revision": COMMIT}
    parts = {
        "a": {"corpus": pinned, "weight": 1},
        "b": {"corpus": {**pinned, "split": "test"}, "weight": 1},
    }
    both = fingerprint(DataConfig.read({"corpus": {"name": "mixture", "parts": parts}}))
    heavier = {**parts, "b": {**parts["b"], "weight": 2}}
    other = fingerprint(DataConfig.read({"corpus": {"name": "mixture", "parts": heavier}}))
    assert both != other
    local_too = {**parts, "b": {"corpus": local(folders, "long"), "weight": 1}}
    assert DataConfig.read({"corpus": {"name": "mixture", "parts": local_too}}).pinned() is None


def test_what_is_written_is_complete_and_read_back(folders):
    parts = mixture(folders, long=1, short=1)
    parts["parts"]["long"]["corpus"] = "sotu"
    config = DataConfig.read({"corpus": parts})
    written = config.to_dict()["corpus"]
    assert written["parts"]["long"] == {"corpus": {"name": "sotu"}, "weight": 1}
    assert written["parts"]["short"]["corpus"]["text_key"] == "text"
    assert DataConfig.read(config.to_dict()) == config


GOOD = {"corpus": "sotu", "weight": 1}


@pytest.mark.parametrize(
    ("part", "path", "message"),
    [
        ({"corpus": "soto", "weight": 1}, ("corpus",), "unknown corpus 'soto'"),
        ({"corpus": "copy", "weight": 1}, ("corpus",), "must be a corpus of texts"),
        ({"corpus": "sotu", "weight": 0}, ("weight",), "greater than 0, but got 0"),
        ({"corpus": "sotu"}, ("weight",), "required"),
        ({**GOOD, "max": 3}, ("max",), "unknown key 'max'"),
        ({"corpus": {"name": "local"}, "weight": 1}, ("corpus", "path"), "required"),
        (
            {"corpus": {"name": "hub", "dataset": "x", "revision": "main"}, "weight": 1},
            ("corpus", "revision"),
            "full commit hash",
        ),
    ],
)
def test_a_bad_part_is_found_where_it_is(part, path, message):
    with pytest.raises(ConfigError) as error:
        DataConfig.read({"corpus": {"name": "mixture", "parts": {"a": GOOD, "b": part}}})
    [problem] = error.value.problems
    assert problem.path == ("corpus", "parts", "b", *path)
    assert message in problem.message


def test_a_part_that_cannot_be_read_is_named(tmp_path):
    nowhere = {"corpus": {"name": "local", "path": str(tmp_path / "nowhere")}, "weight": 1}
    config = DataConfig.read({"corpus": {"name": "mixture", "parts": {"a": GOOD, "b": nowhere}}})
    with pytest.raises(ConfigError, match=r"^corpus\.parts\.b\.corpus\.path: no .txt"):
        load_dataset(config)


def test_one_part_is_no_mixture():
    with pytest.raises(ConfigError, match=r"^corpus\.parts: .*at least 2 items"):
        DataConfig.read({"corpus": {"name": "mixture", "parts": {"a": GOOD}}})
