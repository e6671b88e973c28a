"""A run that is killed, wherever that happens, ends as if it had not been."""

import multiprocessing
import os
import random
import signal

import pytest
import torch

from harness.experiments.execute import execute
from harness.experiments.execution import Execution
from harness.experiments.run_config import RunConfig
from harness.store.attempt import Attempt
from harness.store.runs import RunStore
from harness.store.status import Status

CPU = torch.device("cpu")
VARIANTS = {
    "dense with dropout": {"dropout": 0.2},
    "experts": {"ffn": {"name": "moe", "n_experts": 4, "bias_rate": 0.1}},
    "linear attention": {"attention": "linear"},
    "gated delta rule": {"attention": "gated_delta"},
    "int8 in training": {"precision": {"train": "int8_qat", "infer": "fp32"}},
    "several tokens": {"objective": "multi_token"},
}
N_STEPS = 40


@pytest.fixture(scope="module")
def context():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["harness.experiments.local", "torch._dynamo"])
    return context


@pytest.fixture
def config(small, plan):
    def make(changes):
        train = {"budget": {"steps": N_STEPS}, "batch_size": 2, "seq_len": 32, "evaluations": 4}
        data = small(arms={"only": {"variant": changes}}, baseline="only", seeds=1)
        data["base"]["train"] = train
        return plan(data).runs[0].config

    return make


def work(written, path):
    """Train in a process of its own, saving at each measurement."""
    execute(RunConfig.read(written), Attempt(path), Execution(CPU, checkpoint_seconds=0.0))


def start(context, config, attempt):
    process = context.Process(target=work, args=(config.to_dict(), attempt.path))
    process.start()
    return process


def killed_until_done(context, config, attempt, chance, longest):
    """Kill the training at random moments, until it ends before its moment comes."""
    n_kills = 0
    while True:
        process = start(context, config, attempt)
        process.join(chance.uniform(0.05, longest))
        if process.exitcode is not None:
            assert process.exitcode == 0
            return n_kills
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        n_kills += attempt.read_run() is not None
        assert attempt.status in (Status.INTERRUPTED, Status.DONE)
        if attempt.status is Status.DONE:
            return n_kills
        longest *= 1.05  # or a slow machine would never come to an end


def seen(attempt):
    """Everything of a finished run that does not depend on clock or machine, to the last bit."""
    result = attempt.read_result()
    timed = {"seconds", "tokens_per_s", "share_of_peak", "peak_memory"}

    def exact(values):
        return {
            k: v.hex() if isinstance(v, float) else v for k, v in values.items() if k not in timed
        }

    return {
        "status": result.status,
        "weights": result.weights_sha256,
        "metrics": exact(result.metrics),
        "documents": dict(result.documents),
        "curve": [exact(point) for point in attempt.read_curve()],
        "gradients": result.grad_norm_by_layer,
    }


def lines(attempt):
    return [line for line in (attempt.path / "curve.jsonl").read_text().splitlines() if line]


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("seed", [0])
def test_a_killed_run_ends_as_an_uninterrupted_one(context, config, tmp_path, changes, seed):
    check(context, config(changes), RunStore(tmp_path / "kills"), seed, longest=1.2)


@pytest.mark.slow
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("seed", range(1, 6))
def test_many_kills(context, config, tmp_path, changes, seed):
    check(context, config(changes), RunStore(tmp_path / "kills"), seed, longest=0.9)


def check(context, config, store, seed, longest):
    run_id = config.run_id()
    whole, broken = (store.new_attempt(run_id, "e") for _ in range(2))
    process = start(context, config, whole)
    process.join()
    n_kills = killed_until_done(context, config, broken, random.Random(seed), longest)
    print(f"{n_kills} kills, {len(broken.read_resumes())} resumes")  # noqa: T201 - for -s
    assert seen(broken) == seen(whole)
    assert len(lines(broken)) == len(lines(whole)) == N_STEPS
    assert not broken.checkpoints.exist
    steps = [one.step for one in broken.read_resumes()]
    assert steps == sorted(steps) and all(one.exact for one in broken.read_resumes())
