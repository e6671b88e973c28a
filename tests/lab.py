"""A small laboratory for tests: a corpus, an experiment of seconds, and new processes at no cost.

Processes are forked from a server that has imported everything and run nothing, so each is as
fresh as one from the shell, without the seconds that importing torch takes.
"""

import contextlib
import copy
import io
import json
import multiprocessing
import multiprocessing.forkserver
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

ABLATE = [sys.executable, "-m", "harness.cli"]
ROOT = Path(__file__).resolve().parents[1]
MODULES = ("harness.cli", "harness.experiments.running.local", "harness.experiments.running.run")
PRELOAD = [*MODULES, "harness.analysis.words.rendering", "torch._dynamo", "lab"]
WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "and", "sleeps"]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def write_corpus(folder, n_documents=30):
    """Write short documents of a text that is easy to learn."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n_documents):
        words = [WORDS[(i * j + j * j) % len(WORDS)] for j in range(40 + i)]
        (folder / f"{i:02}.txt").write_text(f"document {i}: {' '.join(words)}.\n")
    return folder


VARIANT = {
    "d_model": 16,
    "n_layers": 1,
    "n_heads": 2,
    "d_ff": 32,
    "max_seq_len": 64,
    "attention": {"name": "gqa", "n_kv_heads": 1},
}


def experiment(corpus, **changes):
    """Return a complete experiment whose runs take a tenth of a second."""
    local = {"name": "local", "path": str(corpus)}
    data = {
        "corpus": local,
        "tokenizer": "byte",
        "held_out_documents": 4,
        "held_out_bytes": 100,
    }
    train = {"budget": {"steps": 4}, "batch_size": 2, "seq_len": 32, "evaluations": 2}
    return copy.deepcopy(
        {
            "name": "small",
            "base": {"variant": VARIANT, "data": data, "train": train},
            "arms": {"gelu": {"variant": {"ffn": "gelu"}}, "swiglu": {}},
            "baseline": "swiglu",
            "seeds": 2,
            "match": "none",
            **changes,
        }
    )


def write_yaml(path, content):
    """Write an experiment's file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(content, file)
    return path


def in_new_process(function, *arguments, env=None, cwd=None):
    """Call a function in a process that has imported everything and run nothing."""
    multiprocessing.set_forkserver_preload(PRELOAD)
    multiprocessing.forkserver.ensure_running()
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        call = (function, arguments, str(answer), {**os.environ, **(env or {})}, cwd)
        process = multiprocessing.get_context("forkserver").Process(target=_call, args=call)
        process.start()
        process.join()
        if not answer.exists():
            raise RuntimeError(f"the process ended with exit code {process.exitcode}")
        return json.loads(answer.read_text())


def _call(function, arguments, answer, env, cwd):
    os.environ.update(env)
    os.chdir(cwd or Path.cwd())
    Path(answer).write_text(json.dumps(function(*arguments)))


def ablate(*arguments, results, cwd=None, env=None):
    """Run the command line in a new process; `run` needs `--inline` there."""
    given = [str(argument) for argument in arguments]
    environment = {"ABLATE_RESULTS": str(results), "COLUMNS": "200", **(env or {})}
    code, out, err = in_new_process(_main, given, env=environment, cwd=cwd and str(cwd))
    return Ended(code, out, err)


def _main(arguments):
    import torch

    from harness.cli import main

    torch.set_num_threads(1)
    sys.argv = ["ablate", *arguments]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
    return code, out.getvalue(), err.getvalue()


def start_ablate(*arguments, results):
    """Start the command line from the shell's point of view, in a process group of its own."""
    return subprocess.Popen(
        [*ABLATE, *map(str, arguments)],
        env={**os.environ, "ABLATE_RESULTS": str(results), "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def curve_of(run):
    """Train a planned run in this process and return the losses of its curve."""
    import torch

    from harness.experiments.running.execution import Execution
    from harness.experiments.running.local import run_inline
    from harness.store.runs import RunStore

    with tempfile.TemporaryDirectory() as folder:
        list(run_inline([run], RunStore(Path(folder)), Execution(torch.device("cpu"))))
        (attempt,) = attempts(folder)
        assert attempt.read_result().cause is None
        return [[point["train_loss"], point.get("val_loss")] for point in attempt.read_curve()]


def attempts(results):
    """Return every attempt in a store, by run id and number."""
    from harness.store.runs import RunStore

    store = RunStore(Path(results))
    return [attempt for run_id in store.runs() for attempt in store.attempts(run_id)]


def statuses(results):
    """Return the statuses of all attempts, sorted."""
    return sorted(str(attempt.status) for attempt in attempts(results))


def files(folder):
    """Return every file below a folder."""
    return sorted(str(f.relative_to(folder)) for f in Path(folder).rglob("*") if f.is_file())
