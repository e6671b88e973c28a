"""Train in a process of its own that kills itself at a chosen event, or is killed from outside.

The events are seen through hooks of Python and of torch, so the code is that of every run.
"""

import hashlib
import os
import signal
import sys
from collections import Counter

import torch
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_post_hook

from harness.experiments.question.run_config import RunConfig
from harness.experiments.running.execute import execute
from harness.experiments.running.execution import Execution
from harness.store.attempt import Attempt

PHASES = ("forward", "step", "evaluation", "save", "resume", "end")
TIMED = {"seconds", "tokens_per_s", "share_of_peak", "peak_memory"}
OPTIMIZER, STEPS = "optimizer.sha256", "steps"  # files that a process leaves beside the attempts


class Events:
    """Counts what happens in this process, and kills it at the n-th event of a phase."""

    def __init__(self, phase, n, at_end):
        self.fatal, self.at_end = {phase: n}, at_end
        self.seen = Counter()
        self.has_begun = False  # training itself: what is fingerprinted before is trained as well

    def count(self, phase):
        self.seen[phase] += 1
        if self.seen[phase] == self.fatal.get(phase):
            os.kill(os.getpid(), signal.SIGKILL)

    def on_file(self, event, arguments):
        if not event.startswith(("open", "os.", "shutil.")):
            return
        path = " ".join(map(str, arguments[:2]))
        if ".writing-" in path:
            self.count("save")
        elif "weights.safetensors" in path or "result.json" in path:
            if self.has_begun:
                self.at_end()
            self.count("end" if self.has_begun else "resume")
        elif "/checkpoints" in path and not self.has_begun:
            self.count("resume")
        elif "curve.jsonl" in path and event == "os.rename":
            self.has_begun = True

    def on_forward(self, module, _inputs):
        if self.has_begun:
            self.count("forward" if module.training else "evaluation")


def work(written, path, phase, n, checkpoint_seconds):
    """Train, and leave the hash of the optimizer's final state and a byte for every step."""
    optimizers = []
    events = Events(phase, n, lambda: write_sha256(optimizers[-1], path))
    log = os.open(path.parent / STEPS, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def on_step(optimizer, _arguments, _named):
        if events.has_begun:
            optimizers[:] = [optimizer]
            os.write(log, b".")
            events.count("step")

    sys.addaudithook(events.on_file)
    register_module_forward_pre_hook(events.on_forward)
    register_optimizer_step_post_hook(on_step)
    how = Execution(torch.device("cpu"), checkpoint_seconds=checkpoint_seconds)
    execute(RunConfig.read(written), Attempt(path), how)


def write_sha256(optimizer, path):
    """Write the hash of an optimizer's whole state beside an attempt."""
    digest = hashlib.sha256()
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            for key, value in sorted(optimizer.state[parameter].items()):
                digest.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
                digest.update(value.numpy().tobytes())
    path.with_name(f"{path.name}.{OPTIMIZER}").write_text(digest.hexdigest())


def start(context, config, attempt, phase="", n=0, checkpoint_seconds=0.0):
    arguments = (config.to_dict(), attempt.path, phase, n, checkpoint_seconds)
    process = context.Process(target=work, args=arguments)
    process.start()
    return process


def optimizer_of(attempt):
    """Return the SHA-256 of the optimizer's state at the end."""
    return attempt.path.with_name(f"{attempt.path.name}.{OPTIMIZER}").read_text()


def n_steps(attempt):
    """Return how many steps all processes together have made at attempts of a run."""
    return (attempt.path.parent / STEPS).stat().st_size


def seen(attempt):
    """Everything of a finished run that does not depend on clock or machine, to the last bit."""
    result = attempt.read_result()

    def exact(values):
        return {
            k: v.hex() if isinstance(v, float) else v for k, v in values.items() if k not in TIMED
        }

    return {
        "status": result.status,
        "weights": result.weights_sha256,
        "best": (result.best_step, result.best_weights_sha256),
        "metrics": exact(result.metrics),
        "documents": dict(result.documents),
        "curve": [exact(point) for point in attempt.read_curve()],
        "gradients": result.grad_norm_by_layer,
    }
