"""Components that go wrong at a step of training, until they are mended."""

from lab import write_yaml

FFN = '''
"""Goes wrong at a step, counted from where its process begins to train."""

import os
import signal
from pathlib import Path

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from harness.core.slots import FFN
from variants.ffn.swiglu import SwiGLU


class Explode(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        return gradient * float("inf")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def break_the_update(module):
    def spoil(*_):
        with torch.no_grad():
            next(module.parameters()).fill_(float("inf"))
        hook.remove()

    hook = register_optimizer_step_post_hook(spoil)


@FFN.register("faulty")
class Own(SwiGLU):
    """Goes wrong."""

    n = 0

    def forward(self, x, context):
        y = super().forward(x, context)
        if self.training and y.device.type != "meta" and not Path("{folder}/mended").exists():
            self.n += 1
            {fault}
        return y
'''


def write_faulty(folder, experiment, fault):
    """Write a component and an experiment of ten steps with it, beside a sound arm."""
    own = folder / "own" / "ffn" / "faulty.py"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(FFN.format(folder=folder, fault=fault))
    arms = {"sound": {}, "faulty": {"variant": {"ffn": "faulty"}}}
    data = experiment(arms=arms, baseline="sound", components=["own"], seeds=1)
    data["base"]["train"] |= {"budget": {"steps": 10}, "evaluations": 5}
    return write_yaml(folder / "small.yaml", data)
