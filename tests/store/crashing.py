"""Save a checkpoint in a process of its own in which one call to the system goes wrong."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.store.checkpoints import Checkpoints
from harness.store.errors import StoreError

REFUSED, UNHURT = 3, 4  # exit codes: the save has raised, as it should; nothing was done to it


def plain(folder):
    (folder / "weights").write_bytes(b"w" * 5000)
    (folder / "numbers").write_bytes(b"n")


def training():
    import torch  # not needed by the others, and slow

    from harness.training.state import TrainingState

    tensors = {f"model.{i}": torch.full((40, 40), float(i)) for i in range(3)}
    return TrainingState(tensors, {"step": 5}).save


SAVES = {"plain": lambda: plain, "training": training}


def save_when_told(folder, step, kind, told, on_event=None):
    """Save once, after a byte has come; never return."""
    save, checkpoints = SAVES[kind](), Checkpoints(folder)
    with tempfile.TemporaryDirectory() as other:  # loads whatever is loaded on first use
        Checkpoints(Path(other)).write(step, save)
    told.send_bytes(b"ready")
    told.recv_bytes()
    if on_event:
        sys.addaudithook(on_event)
    try:
        checkpoints.write(step, save, best=True)
    except StoreError:
        os._exit(REFUSED)
    os._exit(UNHURT if on_event and on_event.left > 0 else 0)


class AtEvent:
    """Goes wrong at the n-th event that Python tells of a file: by a kill, or an error."""

    def __init__(self, n, number):
        self.n, self.number, self.left = n, number, n

    def __call__(self, event, arguments):
        if event.startswith(("open", "os.", "shutil.")):
            self.left -= 1
            if self.left == 0:
                if self.number is None:
                    os.kill(os.getpid(), signal.SIGKILL)
                raise OSError(self.number, os.strerror(self.number))


def save(context, folder, step, kind, on_event=None, injection=None, log=None):
    """Save in a new process; return its exit code, `UNHURT` if all went well."""
    theirs, ours = context.Pipe()
    arguments = (folder, step, kind, theirs, on_event)
    process = context.Process(target=save_when_told, args=arguments)
    process.start()
    ours.recv_bytes()
    tracer = trace(process.pid, injection, log) if injection else None
    ours.send_bytes(b"go")
    process.join()
    if tracer:
        tracer.communicate()
        if process.exitcode == 0 and "INJECTED" not in log.read_text():
            return UNHURT
    return process.exitcode


def trace(pid, injection, log):
    """Attach strace to a process, so that calls are counted from here on."""
    calls = re.match(r"[^:]+", injection)[0]
    command = ["strace", "-f", "-o", str(log), "-e", f"trace={calls}", "-e", f"inject={injection}"]
    tracer = subprocess.Popen([*command, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
    said = tracer.stderr.readline()
    assert "attached" in said, said
    return tracer


def why_not_traced():
    """Say why processes cannot be traced here; None if they can be."""
    if not shutil.which("strace"):
        return "strace is not installed: apt-get install strace"
    with subprocess.Popen(["sleep", "60"]) as other:
        command = ["strace", "-o", os.devnull, "-p", str(other.pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            said = tracer.stderr.readline()
            other.kill()
    if "attached" in said:
        return None
    return f"this machine does not let a process be traced (SYS_PTRACE): {said}"
