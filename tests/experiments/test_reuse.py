"""What was trained is not trained again, unless the code would compute something else now."""

import json
from pathlib import Path

import pytest
import torch
from lab import ablate, attempts, curve_of, in_new_process, statuses, write_corpus, write_yaml

from harness.experiments.files.overrides import apply_overrides
from harness.experiments.planning.fingerprint import measure_fingerprint
from harness.experiments.planning.plan import make_plan
from harness.experiments.question import run_config
from harness.experiments.question.resolve import resolve
from harness.experiments.running.execution import Execution
from harness.experiments.running.local import run_inline
from harness.store.runs import RunStore

FFN = '''
import torch.nn.functional as F
from torch import nn
from harness.core.slots import FFN, FeedForward

@FFN.register("own")
class Own(FeedForward):
    """A component of one's own."""

    def __init__(self, dims, layer_idx{options}):
        super().__init__(dims, layer_idx)
        self.up_proj = nn.Linear(dims.d_model, dims.d_ff, bias=False)
        self.down_proj = nn.Linear(dims.d_ff, dims.d_model, bias=False)
        {set_options}

    def forward(self, x, context):
        {local} = self.up_proj(x)
        return self.down_proj({formula})
'''
OWN = {"options": "", "set_options": "", "local": "hidden", "formula": "F.silu(hidden)"}
SCALE = {"options": ", *, scale: float = {}", "set_options": "self.scale = scale"}
SCALED = {"formula": "F.silu(hidden) * self.scale"}


class Bench:
    """An experiment's folder and its results; every command is a new process."""

    def __init__(self, small, folder):
        self.small, self.folder, self.results = small, folder, folder / "results"

    def component(self, folder="own", **changes):
        path = self.folder / folder / "ffn" / "own.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FFN.format(**{**OWN, **changes}))

    def file(self, name="small", **changes):
        return write_yaml(self.folder / f"{name}.yaml", self.small(**{"name": name, **changes}))

    def own(self, option=None, folder="own"):
        ffn = {"name": "own", **({} if option is None else {"scale": option})}
        arms = {"own": {"variant": {"ffn": ffn}}}
        return self.file(arms=arms, baseline="own", components=[folder], seeds=1)

    def run(self, file, *overrides, code=0):
        ended = ablate("run", file, "--inline", *overrides, results=self.results)
        assert ended.code == code, ended.out + ended.err
        return ended

    def pending(self, file, *overrides):
        ended = ablate("plan", file, "--json", *overrides, results=self.results)
        assert ended.code == 0, ended.err
        return ended.json["pending"]

    @property
    def n_trained(self):
        return len(attempts(self.results))


@pytest.fixture
def bench(small, tmp_path):
    return Bench(small, tmp_path)


def test_running_again_trains_nothing(bench):
    file = bench.file()
    bench.run(file)
    assert bench.n_trained == 4
    ended = bench.run(file)
    assert "4 of them already in the store; training 0" in ended.out
    assert bench.n_trained == 4
    bench.run(file, "seeds=3")
    assert bench.n_trained == 6


def test_names_of_arms_and_experiments_are_not_part_of_a_run(bench):
    bench.run(bench.file())
    same = {"one": {"variant": {"ffn": "gelu"}}, "two": {"variant": {"ffn": {"name": "swiglu"}}}}
    assert bench.pending(bench.file("other", arms=same, baseline="one", question="?")) == 0


@pytest.mark.parametrize(
    "override",
    [
        "replica=1",
        "train.batch_size=3",
        "train.optimizer.lr=0.01",
        "train.budget={steps: 5}",
        "variant.d_ff=40",
        "data.held_out_bytes=90",
        "variant.init={std: 0.03}",
        "variant.tie_embeddings=false",
    ],
)
def test_what_training_depends_on_is_part_of_a_run(small, plan, override):
    before, after = small(), apply_overrides(small(), [override])
    ids = {run.run_id for run in plan(before).runs}
    assert len(ids) == 4
    assert not ids & {run.run_id for run in plan(after).runs}


def test_the_precision_of_inference_is_not(small, plan):
    infer = small()
    infer["base"]["variant"] |= {"precision": {"infer": "bf16"}}
    train = small()
    train["base"]["variant"] |= {"precision": {"train": "bf16"}}
    ids = [[run.run_id for run in plan(data).runs] for data in (small(), infer, train)]
    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])


def test_a_changed_corpus_is_another_run(small, plan, tmp_path):
    data = small()
    data["base"]["data"]["corpus"]["path"] = str(write_corpus(tmp_path / "texts"))
    before = [run.run_id for run in plan(data).runs]
    assert before == [run.run_id for run in plan(small()).runs]  # the path is no content
    (tmp_path / "texts" / "00.txt").write_text("Something else entirely.")
    run_config._contents.clear()  # as a new process would
    assert not set(before) & {run.run_id for run in plan(data).runs}


def test_a_budget_in_seconds_is_not_shared_between_experiments(small, plan):
    def ids(name, budget):
        data = small(name=name)
        data["base"]["train"]["budget"] = budget
        return {run.run_id for run in plan(data).runs}

    assert ids("a", {"steps": 3}) == ids("b", {"steps": 3})
    assert not ids("a", {"seconds": 3}) & ids("b", {"seconds": 3})


def test_a_changed_formula_is_trained_again_and_a_renamed_variable_is_not(bench):
    bench.component()
    file = bench.own()
    bench.run(file)
    bench.component(local="h", formula="F.silu(h)")
    bench.run(file)
    assert bench.n_trained == 1
    bench.component(formula="F.silu(hidden) * 1.01")
    bench.run(file)
    assert bench.n_trained == 2
    assert len({attempt.run_id for attempt in attempts(bench.results)}) == 1
    compared = ablate("compare", "small", "--json", results=bench.results).json
    newest = max(attempts(bench.results), key=lambda attempt: attempt.number)
    assert compared["arms"][0]["mean"] == newest.read_result().metrics["val_bpb"]


def test_a_new_option_keeps_results_and_a_changed_default_does_not(bench):
    bench.component()
    file = bench.own()
    bench.run(file)
    bench.component(**SCALE | {"options": SCALE["options"].format(1.0)}, **SCALED)
    assert bench.pending(file) == 0
    assert bench.pending(bench.own(option=1.0)) == 0
    assert bench.pending(bench.own(option=2.0)) == 1
    bench.component(**SCALE | {"options": SCALE["options"].format(2.0)}, **SCALED)
    assert bench.pending(bench.own()) == 1


def test_an_arm_that_states_an_option_survives_a_changed_default(bench):
    """Its id changes with what is the default; it is never answered by a run with another value."""
    bench.component(**SCALE | {"options": SCALE["options"].format(1.0)}, **SCALED)
    bench.run(bench.own(option=2.0))
    bench.component(**SCALE | {"options": SCALE["options"].format(2.0)}, **SCALED)
    assert bench.pending(bench.own(option=1.0)) == 1


def test_a_changed_default_counts_also_where_the_fingerprint_does_not_see_it(bench):
    """The fingerprint's text is of 24 tokens; the complete configuration is compared as well."""
    unseen = {"formula": "F.silu(hidden) * (self.scale if x.shape[1] > 30 else 1.0)"}
    bench.component(**SCALE | {"options": SCALE["options"].format(1.0)}, **unseen)
    bench.run(bench.own())
    assert bench.pending(bench.own()) == 0
    bench.component(**SCALE | {"options": SCALE["options"].format(2.0)}, **unseen)
    assert bench.pending(bench.own()) == 1


def with_dropout(folder, data):
    """Return the fingerprint and the losses of a run, twice, under two global generators."""
    run = make_plan(
        resolve(data, Path(folder)), RunStore(Path(folder) / "r"), torch.device("cpu"), ""
    ).runs[0]
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        fingerprint = measure_fingerprint(run.config)
        assert torch.initial_seed() == seed  # the caller's generator is left alone
        found.append([fingerprint, curve_of(run)])
    return found


def test_dropout_is_a_function_of_the_seed_and_the_step(bench):
    bench.component(formula="F.dropout(hidden, 0.5, self.training)")
    data = bench.small(arms={"own": {"variant": {"ffn": "own"}}}, baseline="own", seeds=1)
    data["components"] = ["own"]
    first, second = in_new_process(with_dropout, str(bench.folder), data)
    assert first == second
    bench.component()
    plain, _ = in_new_process(with_dropout, str(bench.folder), data)
    assert plain != first


def test_a_moved_folder_of_components_keeps_its_results(bench):
    bench.component()
    bench.run(bench.own())
    (bench.folder / "own").rename(bench.folder / "moved")
    assert bench.pending(bench.own(folder="moved")) == 0
    bench.component()  # a copy with the same name at the old place is not in the way
    assert bench.pending(bench.own(folder="moved")) == 0


@pytest.fixture
def trained(small, plan, deterministic, tmp_path):
    """Train one seed of both arms in this process and return how to plan the same again."""
    data, store = small(seeds=1), RunStore(tmp_path / "results")

    def train():
        for _ in run_inline(plan(data).pending, store, Execution(torch.device("cpu"))):
            pass
        return plan(data).pending

    assert train() == []
    return train


def test_another_class_of_environments_is_never_pooled(trained, small, plan, tmp_path):
    for attempt in attempts(tmp_path / "results"):
        attempt.path.rename(attempt.path.with_name("cpu-torch0.0.0-1"))
    assert len(plan(small(seeds=1)).pending) == 2
    assert trained() == []
    assert statuses(tmp_path / "results") == ["done"] * 4


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", "{"),
        ("result.json", '{"status": "do'),
        ("result.json", ""),
        ("run.json", None),
        ("result.json", None),
        ("run.json", "config"),
    ],
)
def test_a_damaged_run_is_trained_again(trained, small, plan, tmp_path, name, content):
    damaged = attempts(tmp_path / "results")[0].path / name
    if content is None:
        damaged.unlink()
    elif content == "config":  # a record that can be read, of a configuration that cannot
        damaged.write_text(json.dumps({**json.loads(damaged.read_text()), "config": {}}))
    else:
        damaged.write_text(content)
    assert len(plan(small(seeds=1)).pending) == 1
    assert trained() == []
    assert statuses(tmp_path / "results").count("done") >= 2
