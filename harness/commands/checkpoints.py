"""Commands that write and read checkpoints of transformers."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.commands.options import stores
from harness.errors import AblateError
from harness.terminal import Json, Results, echo


def export_command(
    what: Annotated[
        str, typer.Argument(help="A run (EXPERIMENT/ARM/SEED, or an id's beginning) or a preset.")
    ],
    folder: Annotated[Path, typer.Argument(help="Where it goes: a new folder.")],
    changes: Annotated[
        list[str] | None, typer.Argument(help="Changes to a preset: vocab_size=32000 n_layers=2")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of a preset's initial weights.")] = 0,
    dtype: Annotated[
        Literal["float32", "bfloat16"], typer.Option(help="What the weights are written in.")
    ] = "float32",
    weights: Annotated[
        Literal["final", "best"],
        typer.Option(help="Of a run: where training ended, or its lowest held-out loss."),
    ] = "final",
    tokenizer: Annotated[
        bool, typer.Option("--tokenizer/--no-tokenizer", help="Write a run's tokenizer beside it.")
    ] = True,
    results: Results = None,
) -> None:
    """Write a run or a preset as a Qwen3 checkpoint for transformers and what reads its format."""
    import torch

    from harness.experiments.showing.exporting import plan_preset, plan_run
    from harness.experiments.showing.find_run import find_run, is_run

    runs, experiments = stores(results)
    numbers = getattr(torch, dtype)
    if is_run(what, runs):
        if changes:
            raise AblateError(f"a run is exported as it is, but got {' '.join(changes)}")
        planned = plan_run(find_run(what, runs, experiments), folder, numbers, weights)
    else:
        planned = plan_preset(what, changes or [], seed, folder, numbers)
    echo(str(planned))
    planned.write(tokenizer)
    echo(f"transformers.AutoModelForCausalLM.from_pretrained({str(folder)!r})")


def import_command(
    folder: Annotated[
        Path, typer.Argument(help="A folder with config.json and safetensors of Qwen3.")
    ],
    as_json: Json = False,
) -> None:
    """Check a Qwen3 checkpoint and say what it is here: its variant in YAML, and its cost."""
    from harness.experiments.showing.importing import checkpoint_view, describe_checkpoint

    found = describe_checkpoint(folder)
    echo(found if as_json else checkpoint_view(found))
