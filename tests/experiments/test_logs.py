"""What a run has logged can be read by people and by other programs."""

import io
import json

import pandas as pd
import pytest
from lab import ablate, attempts, write_yaml

N_STEPS = 250


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory):
    """Train two seeds of two arms for 250 steps; return the results."""
    from lab import experiment

    folder = tmp_path_factory.mktemp("logged")
    data = experiment(corpus)
    data["base"]["train"] |= {"budget": {"steps": N_STEPS}, "optimizer": {"lr": 0.004}}
    ended = ablate("run", write_yaml(folder / "x.yaml", data), "--inline", results=folder)
    assert ended.code == 0, ended.err
    return folder


def table(results, which):
    ended = ablate("results", "small", "--csv", which, results=results)
    assert ended.code == 0, ended.err
    return pd.read_csv(io.StringIO(ended.out))


@pytest.mark.row("R3-26")
def test_a_line_of_the_log_has_step_loss_and_rate_and_none_is_far_from_the_next(finished):
    for attempt in attempts(finished):
        lines = (attempt.path / "curve.jsonl").read_text().splitlines()
        points = [json.loads(line) for line in lines]
        assert len(points) == 100
        steps = [point["step"] for point in points]
        assert steps[-1] == N_STEPS and steps == sorted(set(steps))
        assert max(b - a for a, b in zip([0, *steps], steps, strict=False)) <= 3
        assert all(1 < point["train_loss"] < 6 and 0 <= point["lr"] <= 0.004 for point in points)
        rates = [point["lr"] for point in points]
        assert max(rates) > 0.0039 and rates[-1] < 0.0001  # a cosine
        assert points[-1]["train_loss"] < points[0]["train_loss"] - 1


@pytest.mark.row("R3-27")
def test_the_curves_are_a_csv_with_every_measurement(finished):
    curves = table(finished, "curves")
    assert len(curves) == 4 * 100
    keys = ["arm", "seed", "step", "tokens", "flops", "seconds"]
    spent = ["tokens_per_s", "share_of_peak", "peak_memory"]
    assert {*keys, "train_loss", "val_loss", "lr", "grad_norm", *spent} <= set(curves.columns)
    for attempt in attempts(finished):
        ours = curves[curves["run_id"] == attempt.run_id]
        for column in ("step", "train_loss", "lr", "grad_norm"):
            assert ours[column].tolist() == [p[column] for p in attempt.read_curve()], column


def test_losses_by_position_and_by_document_are_tidy_tables(finished):
    positions, documents = table(finished, "positions"), table(finished, "documents")
    layers = table(finished, "layers")
    for attempt in attempts(finished):
        result = attempt.read_result()
        ours = positions[positions["run_id"] == attempt.run_id]
        assert dict(zip(ours["first"], ours["loss"], strict=True)) == result.loss_by_position
        assert ours["last"].tolist()[:-1] == [first - 1 for first in ours["first"][1:]]
        ours = documents[documents["run_id"] == attempt.run_id].set_index("document")
        for name, (nats, n_bytes) in result.documents.items():
            assert (ours["nats"][name], ours["bytes"][name]) == (nats, n_bytes)
        bpb = (ours["bpb"] * ours["bytes"]).sum() / ours["bytes"].sum()
        assert bpb == pytest.approx(result.metrics["val_bpb"])
        (row,) = layers[layers["run_id"] == attempt.run_id].to_dict("records")
        assert row["ffn_rms"] == result.activations["ffn"]["rms"][0]
        assert row["gradient_at_start"] == result.grad_norm_by_layer["start"][0]
    assert set(positions["arm"]) == set(documents["arm"]) == {"gelu", "swiglu"}


def test_what_is_measured_in_another_precision_is_told_of_that(small, tmp_path):
    int8 = {"variant": {"precision": {"infer": "int8"}}}
    data = small(arms={"fp32": {}, "int8": int8}, baseline="fp32", seeds=1)
    ended = ablate("run", write_yaml(tmp_path / "x.yaml", data), "--inline", results=tmp_path)
    assert ended.code == 0, ended.err
    documents = table(tmp_path, "documents").set_index(["arm", "document"])["nats"]
    (attempt,) = attempts(tmp_path)
    (name,) = attempt.measurements()
    for document, (nats, _) in attempt.read_measurement(name).documents.items():
        assert documents["int8", document] == nats != documents["fp32", document]


def test_a_table_is_of_one_experiment(tmp_path):
    ended = ablate("results", "--csv", "curves", results=tmp_path)
    assert ended.code == 2
    assert "--csv curves is of one experiment or study: give its name" in ended.err
