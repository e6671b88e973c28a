"""`ablate bench`: a command for everything that is timed.

Nothing heavy is imported before a command needs it.
"""

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from harness.terminal import Json, Results, console, echo

bench = typer.Typer(
    help="Measure speed: ratios in one run, interleaved, medians.", no_args_is_help=True
)

Changed = Annotated[
    list[str] | None,
    typer.Argument(help="Changes to the variant, such as n_layers=2 attention.n_kv_heads=4."),
]
BatchSize = Annotated[int, typer.Option(min=1, help="Sequences in a batch.")]
SeqLen = Annotated[int, typer.Option(min=1, help="Tokens in a sequence.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of the CPU.")]
Rounds = Annotated[int, typer.Option(min=2, help="Interleaved rounds; medians are shown.")]
Device = Annotated[Literal["cpu", "cuda"], typer.Option(help="What everything is on.")]


@bench.command("train")
def bench_train(
    changes: Changed = None,
    batch_size: BatchSize = 8,
    seq_len: SeqLen = 256,
    threads: Threads = 1,
    rounds: Rounds = 7,
    compiled: Annotated[bool, typer.Option(help="Also time torch.compile.")] = True,
    workers: Annotated[bool, typer.Option(help="Also time two workers against one.")] = True,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Time a training step against transformers' Qwen3 and against the machine's own peak."""
    from harness.bench.train import bench_training, training_view
    from harness.bench.workload import read_workload

    workload = read_workload(changes or [], batch_size, seq_len, device, threads)
    found = bench_training(workload, rounds, compiled, workers, console(stderr=True))
    echo(found if as_json else training_view(found))


@bench.command("moe")
def bench_moe(
    changes: Changed = None,
    batch_size: BatchSize = 8,
    seq_len: SeqLen = 256,
    threads: Threads = 1,
    rounds: Rounds = 7,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Time a training step with 8 experts, of which a token meets 2, against transformers."""
    from harness.bench.moe import MIXTURE, bench_mixture, mixture_view
    from harness.bench.workload import read_workload

    changes = [f"ffn={MIXTURE}", *(changes or [])]
    workload = read_workload(changes, batch_size, seq_len, device, threads)
    found = bench_mixture(workload, rounds, console(stderr=True))
    echo(found if as_json else mixture_view(found))


@bench.command("optimizers")
def bench_optimizers(
    changes: Changed = None,
    preset: Annotated[str, typer.Option(help="The variant to begin with.")] = "tiny",
    batch_size: BatchSize = 8,
    seq_len: SeqLen = 256,
    threads: Threads = 1,
    rounds: Rounds = 15,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Time the update by each optimizer against the forward and backward pass before it."""
    from harness.bench.optimizers import bench_updates, updates_view
    from harness.bench.workload import preset_workload

    workload = preset_workload(preset, changes or [], batch_size, seq_len, device, threads)
    found = bench_updates(workload, rounds, console(stderr=True))
    echo(found if as_json else updates_view(found))


@bench.command("saves")
def bench_saves_command(
    changes: Changed = None,
    batch_size: BatchSize = 8,
    seq_len: SeqLen = 128,
    threads: Threads = 1,
    rounds: Rounds = 15,
    device: Device = "cpu",
    preset: Annotated[str, typer.Option(help="The variant to begin with.")] = "tiny",
    results: Results = None,
    as_json: Json = False,
) -> None:
    """Time a checkpoint and other notes of a run, on the disk where results are kept."""
    from harness.bench.saves import bench_saves, saves_view
    from harness.bench.workload import preset_workload
    from harness.store.root import results_root

    workload = preset_workload(preset, changes or [], batch_size, seq_len, device, threads)
    found = bench_saves(workload, rounds, results_root(results), console(stderr=True))
    echo(found if as_json else saves_view(found))


@bench.command("decode")
def bench_decode(
    changes: Changed = None,
    prompt: Annotated[int, typer.Option(min=1, help="Tokens of a prompt.")] = 128,
    new: Annotated[int, typer.Option(min=1, help="Tokens that follow it.")] = 128,
    batch_size: BatchSize = 1,
    threads: Threads = 1,
    rounds: Rounds = 7,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Time greedy decoding, with and without a cache, against transformers' `generate`."""
    from harness.bench.decode import bench_decoding, decoding_view
    from harness.bench.workload import read_workload

    changes = [f"max_seq_len={prompt + new}", *(changes or [])]
    workload = read_workload(changes, batch_size, prompt, device, threads)
    found = bench_decoding(workload, new, rounds, console(stderr=True))
    echo(found if as_json else decoding_view(found))


@bench.command("attention")
def bench_attention(
    changes: Changed = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            help="An attention component, or a mapping of its name and options; may be repeated. "
            "The others are compared with the first.",
        ),
    ] = None,
    shortest: Annotated[int, typer.Option(min=1, help="Tokens; doubled up to the longest.")] = 256,
    longest: Annotated[int, typer.Option(min=1, help="Tokens at most.")] = 4096,
    batch_size: BatchSize = 1,
    threads: Threads = 1,
    rounds: Rounds = 7,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Time attention components alone, forward and backward, over sequences of growing length.

    By default: full attention, a window of 256 tokens, linear attention and the gated delta rule.
    """
    from harness.bench.attention import KINDS, attention_view, bench_kinds
    from harness.bench.workload import read_workload

    workload = read_workload(changes or [], batch_size, longest, device, threads)
    found = bench_kinds(workload, kinds or KINDS, shortest, rounds, console(stderr=True))
    echo(found if as_json else attention_view(found))


@bench.command("arms")
def bench_arms_command(
    experiment: Annotated[str, typer.Argument(help="A stored experiment's name, or its file.")],
    threads: Threads = 1,
    rounds: Rounds = 9,
    device: Device = "cpu",
    results: Results = None,
    as_json: Json = False,
) -> None:
    """Time how fast the arms of an experiment train and answer; kept beside its other costs."""
    from harness.bench.arms import arms_view, bench_arms
    from harness.experiments.planning.named_experiment import experiment_name
    from harness.store.experiments import ExperimentStore
    from harness.store.latency import write_latency
    from harness.store.root import results_root
    from harness.training.environment import choose_device

    experiments = ExperimentStore(results_root(results))
    plan = experiments.open(experiment_name(experiment)).plan
    found = bench_arms(plan, rounds, threads, choose_device(device), console(stderr=True))
    write_latency(experiments.folder(plan["name"]), found)
    echo(asdict(found) if as_json else arms_view(found))
