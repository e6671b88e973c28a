"""Plant faults in what an interrupted training goes on from, and see that tests catch each.

python tests/training/mutations.py          every fault; exit code 1 if one survives
python tests/training/mutations.py rate     those whose name contains a word
"""

# ruff: noqa: E501 - a table of texts reads better unbroken

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from planting import Mutation, plant

LOOP, STATE = "harness/training/loop.py", "harness/training/state.py"
SAVING, CHECKPOINTS = "harness/experiments/running/checkpointing.py", "harness/store/checkpoints.py"
EXECUTE, CURVE = "harness/experiments/running/execute.py", "harness/store/curve.py"
RESUME, KILL = "tests/training/test_resume.py", "tests/experiments/test_kill.py"
STORE, CRASHES = "tests/store/test_checkpoints.py", "tests/store/test_crashes.py"
BEST = "tests/experiments/test_best_weights.py"
DIVERGING = "tests/experiments/test_diverging.py"
ATOMIC = "harness/store/atomic.py"


def of(name: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(name, file, ((old, new),), tests or (RESUME,))


COUNTERS = "self.counters = Counters(**state.numbers)"
MUTATIONS = (
    of("the optimizer's state is lost", STATE, 'if kind == "optimizer":', "if False:"),
    of("its second moments are lost", STATE, 'if kind == "optimizer":', 'if kind == "optimizer" and "sq" not in rest:'),
    of("its step counter is lost", STATE, 'if kind == "optimizer":', 'if kind == "optimizer" and "step" not in rest:'),
    of("the data begins anew", LOOP, COUNTERS, "self.counters = Counters(**{**state.numbers, 'rows': 0})"),
    of("the data is one batch behind", LOOP, COUNTERS, COUNTERS + "; self.counters.rows -= self.config.batch_size"),
    Mutation("the schedule begins anew", LOOP, ((COUNTERS, COUNTERS + "; self.began = self.fraction"),
             ("factor = rate(self.fraction)", "factor = rate(self.fraction - getattr(self, 'began', 0.0))")), (RESUME,)),
    of("dropout is not keyed", LOOP, "            torch.manual_seed(address(self.seed,", "            (address(self.seed,"),
    of("dropout is keyed by the process", LOOP, 'f"micro-batch {i}", step)', 'f"micro-batch {i}", step + id(self))'),
    of("evaluations begin anew", LOOP, COUNTERS, COUNTERS + "; self.counters.evaluations = 0"),
    of("steps are counted anew", LOOP, COUNTERS, COUNTERS + "; self.counters.step = 0"),
    of("branches are followed again", LOOP, "self._go_on_from(state)", "self._go_on_from(state); self.counters.branches = 0"),
    of("shorter sequences are charged as whole ones", LOOP, COUNTERS, COUNTERS + "; self.counters.shorter = {}"),
    of("the average of weights is lost", LOOP, "self.average.restore(state.tensors, self.counters.step)", "pass"),
    of("the average does not know its age", LOOP, "self.average.restore(state.tensors, self.counters.step)", "self.average.restore(state.tensors, 0)"),
    of("buffers are lost", STATE, "model.state_dict().items()", "model.named_parameters()"),
    of("the weights of the seed are kept", STATE, "model.load_state_dict(of_model, strict=True)", "of_model"),
    of("what was measured twice stays twice", EXECUTE, "        attempt.append_measurement(point.to_dict())", "        attempt.append_measurement(point.to_dict()); attempt.append_measurement(point.to_dict())", KILL),
    of("the curve is not cut", SAVING, "attempt.go_on_from(step)", "step", KILL),
    of("a torn checkpoint is used", CHECKPOINTS, "            problem = _problem(checkpoint)\n", "            problem = None\n", STORE),
    of("the best loss is forgotten", SAVING, 'min((loss for loss in losses if loss is not None), default=float("inf"))', 'float("inf")', BEST),
    of("a state that diverges is saved", SAVING, "(state := training.state()).is_finite", "(state := training.state())", DIVERGING),
    of("a checkpoint has its name before its manifest", CHECKPOINTS, "                sync_folder(made)\n                made.rename(target)", "                made.rename(target); (target / MANIFEST).rename(target / 'm'); (target / 'm').rename(target / MANIFEST)", CRASHES),
    of("a sync that fails is taken for one that does not", ATOMIC, "(errno.EIO, errno.ENOSPC, errno.EDQUOT)", "()", CRASHES),
    of("what a dead writer left stays", ATOMIC, "shutil.rmtree(leftover)", "leftover.exists()", CRASHES),
)  # fmt: skip


def main(words: list[str]) -> int:
    """Run every chosen mutation; print each verdict and the count."""
    chosen = [m for m in MUTATIONS if not words or any(w in m.name for w in words)]
    return plant(chosen, check_source=not words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
