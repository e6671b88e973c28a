"""A run that is killed, wherever that happens, ends as if it had not been."""

import itertools
import multiprocessing
import os
import random
import signal

import pytest
import torch
from killing import PHASES, n_steps, optimizer_of, seen, start
from lab import experiment

from harness.experiments.planning.plan import make_plan
from harness.experiments.question.resolve import resolve
from harness.store.runs import RunStore
from harness.store.status import Status

VARIANTS = {
    "dense with dropout": {"variant": {"dropout": 0.2}},
    "experts": {"variant": {"ffn": {"name": "moe", "n_experts": 4, "bias_rate": 0.1}}},
    "linear attention": {"variant": {"attention": "linear"}},
    "gated delta rule": {"variant": {"attention": "gated_delta"}},
    "int8 in training": {"variant": {"precision": {"train": "int8_qat", "infer": "fp32"}}},
    "several tokens": {"variant": {"objective": "multi_token"}},
    "muon": {"train": {"optimizer": "muon"}},
    "micro-batches with dropout": {"train": {"micro_batches": 2}, "variant": {"dropout": 0.1}},
}
N_STEPS, BETWEEN_SAVES = 40, 1  # of a hundred measurements of forty steps, each is after another


@pytest.fixture(scope="module")
def context():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["harness.experiments.running.local", "torch._dynamo", "killing"]
    )
    return context


@pytest.fixture(scope="module", params=VARIANTS.values(), ids=VARIANTS)
def config(request, corpus, tmp_path_factory):
    train = {"budget": {"steps": N_STEPS}, "batch_size": 2, "seq_len": 32, "evaluations": 4}
    data = experiment(corpus, arms={"only": request.param}, baseline="only", seeds=1)
    data["base"]["train"] = train
    folder = tmp_path_factory.mktemp("plan")
    plan = make_plan(resolve(data, folder), RunStore(folder), torch.device("cpu"), "x.yaml")
    return plan.runs[0].config


@pytest.fixture(scope="module")
def whole(context, config, tmp_path_factory):
    """What an uninterrupted run ends as."""
    attempt = RunStore(tmp_path_factory.mktemp("whole")).new_attempt(config.run_id(), "e")
    process = start(context, config, attempt)
    process.join()
    assert process.exitcode == 0 and n_steps(attempt) == N_STEPS
    return seen(attempt), optimizer_of(attempt)


def moments(chance):
    """Choose events to die at: one of each phase, in resumes twice in a row, and the next again."""
    first = [("save", chance.randrange(1, 40)), ("forward", chance.randrange(1, 60))]
    resumes = [("resume", n) for n in chance.sample(range(1, 8), 2)]
    between = [("evaluation", chance.randrange(1, 20)), ("step", chance.randrange(1, 6))]
    chance.shuffle(between)
    return [*first, *between, *resumes, ("save", chance.randrange(1, 20)), ("step", 1), ("end", 2)]


@pytest.mark.parametrize("seed", [0])
def test_a_killed_run_ends_as_an_uninterrupted_one(context, config, whole, tmp_path, seed):
    broken = RunStore(tmp_path).new_attempt(config.run_id(), "e")
    chosen = moments(random.Random(f"{config.run_id()} {seed}"))
    assert {phase for phase, _ in chosen} == set(PHASES)
    for phase, n in chosen:
        process = start(context, config, broken, phase, n)
        process.join()
        assert process.exitcode == -signal.SIGKILL, (phase, n)
        assert broken.status is Status.INTERRUPTED, (phase, n)
    process = start(context, config, broken)
    process.join()
    assert process.exitcode == 0
    check(broken, whole, n_kills=len(chosen))
    assert n_steps(broken) <= N_STEPS + BETWEEN_SAVES * len(chosen)


@pytest.mark.slow
def test_it_may_be_killed_at_any_time(context, config, whole, tmp_path):
    """From outside, in whatever it is at: seven times each of eight variants, at least."""
    chance, n_kills = random.Random(config.run_id()), 0
    while n_kills < 7:
        broken = RunStore(tmp_path).new_attempt(config.run_id(), "e")
        n_more = killed_until_done(context, config, broken, chance)
        check(broken, whole, n_more)
        n_kills += n_more
    print(f"{n_kills} kills")  # noqa: T201 - for -s


def killed_until_done(context, config, attempt, chance, longest=0.8):
    """Kill a run again and again, until it ends before its moment comes; count the kills."""
    for n_kills in itertools.count():
        process = start(context, config, attempt, checkpoint_seconds=chance.choice([0, 0.03]))
        process.join(chance.uniform(0.1, longest))
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
        if attempt.status is Status.DONE:
            attempt.tidy()
            return n_kills
        assert process.exitcode == -signal.SIGKILL
        longest *= 1.05  # or a slow machine would never come to an end
    raise AssertionError


def check(attempt, whole, n_kills):
    assert (seen(attempt), optimizer_of(attempt)) == whole
    assert len((attempt.path / "curve.jsonl").read_text().splitlines()) == N_STEPS
    assert not attempt.checkpoints.folder.exists()
    resumes = attempt.read_resumes()
    assert len(resumes) <= n_kills
    assert [one.step for one in resumes] == sorted(one.step for one in resumes)
    assert all(one.exact and not one.put_aside for one in resumes)
