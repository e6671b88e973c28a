"""A run that goes wrong costs that run alone, says why, and is tried again."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from lab import ABLATE, ROOT, ablate, attempts, files, start_ablate, statuses, write_yaml

# Planning runs on the meta device; what goes wrong here goes wrong in training.
FFN = '''
import os
import signal
import torch
from harness.core.slots import FFN
from variants.ffn.swiglu import SwiGLU

@FFN.register("{name}")
class Own(SwiGLU):
    """Goes wrong."""

    def forward(self, x, context):
        y = super().forward(x, context)
        if y.device.type != "meta" and not os.path.exists("{folder}/mended"):
            {fault}
        return y
'''
FAULTS = {
    "raises": 'raise RuntimeError("the sky fell")',
    "aborts": "os.abort()",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "nan": "return y * float('nan')",
}
CAUSES = {
    "raises": ("failed", "RuntimeError: the sky fell"),
    "aborts": ("failed", "the worker was killed by SIGABRT"),
    "killed": ("failed", "the worker was killed by SIGKILL (perhaps out of memory)"),
    "nan": ("diverged", "the loss is nan at step 1; the update was not made"),
}


@pytest.fixture
def faulty(small, tmp_path):
    """Write an experiment with an arm for each fault, and a sound one."""

    def write(*faults, **changes):
        arms = {"sound": {}}
        for fault in faults:
            own = tmp_path / "own" / "ffn" / f"{fault}.py"
            own.parent.mkdir(parents=True, exist_ok=True)
            own.write_text(FFN.format(name=fault, folder=tmp_path, fault=FAULTS[fault]))
            arms[fault] = {"variant": {"ffn": fault}}
        given = {"arms": arms, "baseline": "sound", "components": ["own"], "seeds": 1, **changes}
        return write_yaml(tmp_path / "small.yaml", small(**given))

    return write


def causes(results):
    rows = ablate("results", "small", "--json", results=results).json
    return {row["arm"]: (row["status"], row["cause"]) for row in rows}


def test_each_fault_is_recorded_with_its_cause_and_the_others_finish(faulty, tmp_path):
    file, results = faulty(*FAULTS), tmp_path / "results"
    given = [*ABLATE, "run", str(file), "--workers", "2", "--results", str(results)]
    ended = subprocess.run(given, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 1, ended.stderr
    assert f"{len(FAULTS)} runs failed, diverged or were stopped" in ended.stderr
    found = causes(results)
    assert found.pop("sound") == ("done", None)
    for arm, (status, cause) in CAUSES.items():
        assert found[arm][0] == status, (arm, found[arm])
        assert found[arm][1].startswith(cause), (arm, found[arm])
    assert "own/ffn/raises.py:" in found["raises"][1]  # where it was raised
    failed = next(a for a in attempts(results) if a.path.joinpath("traceback.txt").exists())
    assert "Traceback" in (failed.path / "traceback.txt").read_text()

    (tmp_path / "mended").touch()
    again = subprocess.run(given, capture_output=True, text=True, cwd=ROOT)
    assert again.returncode == 0, again.stderr
    assert f"1 of them already in the store; training {len(FAULTS)}" in again.stdout
    assert {status for status, _ in causes(results).values()} == {"done"}


@pytest.mark.parametrize("fault", ["raises", "nan"])
def test_a_run_in_this_process_fails_alike(faulty, tmp_path, fault):
    results = tmp_path / "results"
    ended = ablate("run", faulty(fault), "--inline", results=results)
    assert ended.code == 1, ended.err
    found = causes(results)
    assert found["sound"] == ("done", None)
    assert found[fault][0] == CAUSES[fault][0]
    assert found[fault][1].startswith(CAUSES[fault][1])


def test_a_huge_learning_rate_diverges(small, tmp_path):
    """Also when it does so at once, in the few steps that its fingerprint takes."""
    file = write_yaml(tmp_path / "small.yaml", small(seeds=1))
    data = ["train.optimizer={lr: 100, weight_decay: 1e30}", "train.schedule={warmup: 0}"]
    ended = ablate("run", file, *data, "--inline", results=tmp_path / "results")
    assert ended.code == 1
    for status, cause in causes(tmp_path / "results").values():
        assert status == "diverged"
        assert "at step" in cause or "after step" in cause


def test_what_fails_on_the_meta_device_is_told_before_anything_is_trained(small, tmp_path):
    own = tmp_path / "own" / "ffn" / "wrong.py"
    own.parent.mkdir(parents=True)
    body = FFN.format(name="wrong", folder=tmp_path, fault="pass")
    own.write_text(body.replace("super().forward(x, context)", "x @ x"))
    arms = {"wrong": {"variant": {"ffn": "wrong"}}, "sound": {}}
    data = small(arms=arms, baseline="sound", components=["own"])
    file, results = write_yaml(tmp_path / "small.yaml", data), tmp_path / "results"
    ended = ablate("run", file, results=results)
    assert ended.code == 2
    assert "arms.wrong.variant" in ended.err
    assert "own/ffn/wrong.py:" in ended.err  # where its author has to look
    assert not files(results)


def descendants(pid):
    """Return the processes that `pid` has started and these have, from /proc."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(stat.parent.name)] = int(fields[1])
    found, todo = set(), {pid}
    while todo:
        todo = {child for child, parent in parents.items() if parent in todo} - found
        found |= todo
    return found


def wait_until(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("number", "to_group", "code"),
    [(signal.SIGINT, True, 130), (signal.SIGTERM, False, 130), (signal.SIGKILL, False, -9)],
)
def test_a_stopped_experiment_leaves_a_consistent_store(small, tmp_path, number, to_group, code):
    data = small(seeds=1, arms={"short": {"train": {"budget": {"steps": 4}}}, "swiglu": {}})
    data["arms"]["long"] = {"variant": {"ffn": "gelu"}}
    data["base"]["train"]["budget"] = {"steps": 8000}
    file, results = write_yaml(tmp_path / "small.yaml", data), tmp_path / "results"
    process = start_ablate("run", file, "--workers", "2", results=results)
    try:
        wait_until(
            lambda: (
                process.poll() is not None
                or (
                    statuses(results) == ["done", "running", "running"]
                    and all((a.path / "curve.jsonl").exists() for a in attempts(results))
                )
            ),
            "two runs in the middle",
        )
        started = descendants(process.pid)
        assert len(started) >= 3  # the fork server and two workers
        if to_group:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
    assert process.returncode == code, out + err
    assert "Traceback" not in err
    wait_until(lambda: not any(map(is_alive, started)), "no orphans", seconds=20)
    assert statuses(results) == ["done", "interrupted", "interrupted"]
    assert not [name for name in files(results) if "/." in name]  # nothing half-written
    if code == 130:
        assert err == "interrupted: what was finished is kept, the same command goes on\n"
        rows = ablate("results", "small", "--json", results=results).json
        assert sorted(row["status"] for row in rows) == ["done", "interrupted", "interrupted"]
    for attempt in attempts(results):
        attempt.read_run(), attempt.read_curve()


def test_the_same_command_completes_what_was_stopped(small, tmp_path):
    file, results = write_yaml(tmp_path / "small.yaml", small()), tmp_path / "results"
    assert ablate("run", file, "--inline", results=results).code == 0
    for attempt in attempts(results)[:2]:  # as a stopped one is left
        (attempt.path / "result.json").unlink()
        with (attempt.path / "curve.jsonl").open("a") as curve:
            curve.write('{"step": 1')
    assert statuses(results) == ["done"] * 2 + ["interrupted"] * 2
    ended = ablate("run", file, "--inline", results=results)
    assert ended.code == 0, ended.err
    assert "2 of them already in the store; training 2" in ended.out
    rows = ablate("results", "small", "--json", results=results).json
    assert [row["status"] for row in rows] == ["done"] * 4
