"""Datasets of the Hub are streamed once from a named commit, and never more of them than asked.

In most tests `datasets` reads files in place of the Hub; in the last one there is a small Hub.
"""

import json
import os
import subprocess
import sys

import datasets
import hub_server
import huggingface_hub
import numpy as np
import pandas as pd
import pytest
from lab import ROOT

from harness.data.dataset import DataConfig, fingerprint, load_dataset
from harness.data.tokenizers import TOKENIZER
from harness.errors import ConfigError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TEXTS = [f"story {i}: " + "the quick brown fox. " * (i + 2) for i in range(20)]
load = datasets.load_dataset


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class FarHub:
    """Stands for the Hub: answers with a stream of rows, and keeps what it was asked."""

    def __init__(self, stream):
        self.stream, self.asked = stream, []

    def __call__(self, *args, **kwargs):
        self.asked.append((args, kwargs))
        return self.stream()


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Return a function that puts rows on the Hub, as parquet unless they come one by one."""

    def serve(rows=None, stream=None):
        if rows is not None:
            file = str(tmp_path / "rows.parquet")
            pd.DataFrame(rows).to_parquet(file)
            stream = lambda: load("parquet", data_files=file, split="train", streaming=True)  # noqa: E731
        far = FarHub(stream)
        monkeypatch.setattr(datasets, "load_dataset", far)
        return far

    return serve


def config(max_documents=None, **changes):
    corpus = {"name": "hub", "dataset": "someone/stories", "revision": COMMIT, **changes}
    small = {"tokenizer": "byte", "held_out_documents": 3, "held_out_bytes": 60}
    return DataConfig.read({"corpus": corpus, **small, "max_documents": max_documents})


def texts_of(dataset):
    """Return the texts that are trained on, and those that excerpts are of."""
    ends = np.flatnonzero(dataset.train == dataset.tokenizer.separator)
    trained = [dataset.tokenizer.decode(part) for part in np.split(dataset.train, ends + 1)[:-1]]
    return sorted([*trained, *(TEXTS[int(document.id)] for document in dataset.held_out)])


def rows_until(n):
    """Return a stream whose iterator breaks after `n` rows."""

    def generate():
        for i in range(n):
            yield {"text": TEXTS[i]}
        raise AssertionError(f"more than {n} rows were pulled")

    return lambda: datasets.IterableDataset.from_generator(generate)


def test_rows_are_documents_of_the_commit(hub):
    far = hub({"text": TEXTS, "other": range(20)})
    dataset = load_dataset(config())
    assert far.asked == [
        (("someone/stories", None), {"split": "train", "revision": COMMIT, "streaming": True})
    ]
    assert texts_of(dataset) == sorted(TEXTS)
    assert len(dataset.held_out) == 3


def test_config_split_and_column_are_those_that_are_named(hub):
    far = hub({"body": TEXTS, "text": ["no"] * 20})
    dataset = load_dataset(config(config="simple", split="test", text_column="body"))
    assert far.asked[0] == (
        ("someone/stories", "simple"),
        {"split": "test", "revision": COMMIT, "streaming": True},
    )
    assert dataset.n_train_documents == 17


@pytest.mark.row("R4-15")
def test_only_as_many_rows_are_pulled_as_documents_are_asked_for(hub):
    hub(stream=rows_until(8))
    dataset = load_dataset(config(max_documents=8))
    assert dataset.n_train_documents + len(dataset.held_out) == 8


@pytest.mark.row("R4-15")
def test_more_documents_later_cost_only_the_rest(hub):
    hub(stream=rows_until(8))
    load_dataset(config(max_documents=8))
    far = hub({"text": ["not asked for"] * 8 + TEXTS[8:]})
    dataset = load_dataset(config(max_documents=12))
    assert texts_of(dataset) == sorted(TEXTS[:12])
    assert len(far.asked) == 1


@pytest.mark.row("R4-16")
def test_a_second_run_asks_for_nothing_also_for_another_tokenizer_or_fewer_documents(hub):
    far = hub({"text": TEXTS})
    first = load_dataset(config(max_documents=10))
    again = load_dataset(config(max_documents=10))
    assert np.array_equal(first.train, again.train) and first.fingerprint == again.fingerprint
    load_dataset(config(max_documents=4))
    bpe = {"name": "bpe", "vocab_size": 300}
    load_dataset(config(max_documents=10).model_copy(update={"tokenizer": TOKENIZER.resolve(bpe)}))
    assert len(far.asked) == 1


@pytest.mark.row("R4-16")
def test_the_fingerprint_needs_no_connection_and_follows_every_limit(hub):
    far = hub({"text": TEXTS})
    changes = [
        {},
        {"dataset": "someone/else"},
        {"revision": COMMIT[::-1]},
        {"config": "simple"},
        {"split": "test"},
        {"text_column": "body"},
        {"max_documents": 10},
        {"max_documents": 11},
    ]
    names = [fingerprint(config(**change)) for change in changes]
    assert len(set(names)) == len(names) and not far.asked
    assert names == [fingerprint(config(**change)) for change in changes]
    assert load_dataset(config(max_documents=10)).fingerprint == names[6]


def test_what_is_left_out_is_remembered_with_the_tokens(hub):
    hub({"text": [*TEXTS[:9], TEXTS[0], " ", f"{TEXTS[1]}\n"]})
    assert load_dataset(config()).left_out == {"repeated": 2, "blank": 1}
    assert load_dataset(config()).left_out == {"repeated": 2, "blank": 1}


@pytest.mark.parametrize("revision", ["main", "v1.0", COMMIT[:12], COMMIT.upper(), COMMIT + "0"])
def test_a_revision_that_could_move_is_refused_with_where_to_find_the_commit(revision):
    with pytest.raises(ConfigError) as error:
        config(revision=revision)
    [problem] = error.value.problems
    assert problem.path == ("corpus", "revision")
    assert problem.message == (
        f"must be a full commit hash (40 hexadecimal digits), but got {revision!r}: "
        "https://huggingface.co/datasets/someone/stories/commits lists them"
    )


def test_without_a_connection_one_error_says_what_is_kept(monkeypatch, caplog):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError) as error:
        load_dataset(config())
    [problem] = error.value.problems
    assert problem.path == ("corpus", "dataset")
    assert problem.message.startswith("someone/stories cannot be read from the Hub: ")
    assert problem.message.endswith(
        "; 0 of its rows are kept here; a connection is needed for more"
    )
    assert not caplog.records


def test_a_stream_that_breaks_keeps_what_it_gave(hub):
    hub(stream=rows_until(6))
    with pytest.raises(ConfigError, match=r"more than 6 rows.* 0 of its rows are kept here"):
        load_dataset(config())
    far = hub({"text": TEXTS})
    load_dataset(config(max_documents=6))
    assert not far.asked


def test_a_column_that_is_not_there_is_named(hub):
    hub({"texts": TEXTS, "other": range(20)})
    with pytest.raises(
        ConfigError, match=r"^corpus\.text_column: unknown column 'text'. Did you mean 'texts'"
    ):
        load_dataset(config())


@pytest.mark.parametrize("value", [None, 3.0, ["a"]])
def test_a_row_without_text_is_named(hub, value):
    hub({"text": [value] * 4})
    with pytest.raises(ConfigError, match=r"corpus\.text_column: must be text, but row 0 has "):
        load_dataset(config())


def test_a_folder_of_this_name_is_not_taken_for_the_dataset(tmp_path, monkeypatch):
    (tmp_path / "someone" / "stories").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"corpus\.dataset: 'someone/stories' is also a file"):
        load_dataset(config())


IN_A_NEW_PROCESS = """
import json, sys
from harness.data.dataset import DataConfig
data = json.loads(sys.argv[1])
print(json.dumps([text for _, text in DataConfig.read(data).documents()]))
"""


def read_in_new_process(max_documents, **environment):
    data = json.dumps(config(max_documents=max_documents).to_dict())
    ended = subprocess.run(
        [sys.executable, "-c", IN_A_NEW_PROCESS, data],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ended.stdout)


@pytest.mark.slow
def test_a_hub_on_this_machine_is_read_over_the_network_once(tmp_path):
    home = {"HF_HOME": str(tmp_path / "hf")}  # the library's settings are read when it is imported
    with hub_server.serve("someone/stories", COMMIT, TEXTS) as (address, asked):
        online = {**home, "HF_ENDPOINT": address}
        assert read_in_new_process(8, **online) == TEXTS[:8]
        assert all(COMMIT in path for path in asked) and len(asked) > 3
        assert read_in_new_process(None, **online) == TEXTS
    offline = {**home, "HF_HUB_OFFLINE": "1"}
    assert read_in_new_process(12, **offline) == TEXTS[:12]
    assert read_in_new_process(None, **offline) == TEXTS
