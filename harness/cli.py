"""The command line: which commands there are, and how they end."""

import sys
from collections.abc import Callable
from typing import Any

import typer

from harness.bench.commands import bench
from harness.commands.answers import compare, report, validate
from harness.commands.architectures import components, cost, show
from harness.commands.checkpoints import export_command, import_command
from harness.commands.new import new_component, new_experiment
from harness.commands.options import fail
from harness.commands.stored import clean, dashboard, results
from harness.commands.training import plan, run, train
from harness.errors import AblateError
from harness.search.commands import search

app = typer.Typer(
    help="Architecture ablations for small Qwen3-style language models, with verdicts that hold.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
new = typer.Typer(
    help="Start an experiment or a component from a file that works.", no_args_is_help=True
)
app.add_typer(new, name="new")
app.add_typer(bench, name="bench")

PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    "Experiments": (plan, run, train, search, compare, validate, results, report, clean),
    "Architectures": (components, cost, show),
    "Results": (dashboard,),
}
for panel, commands in PANELS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.command("export", rich_help_panel="Hugging Face")(export_command)
app.command("import", rich_help_panel="Hugging Face")(import_command)
new.command("experiment")(new_experiment)
new.command("component")(new_component)

INTERRUPTED = 130  # the exit code that shells give to Ctrl-C


def main() -> None:
    """Run the command line; a user's mistake is one message on stderr and exit code 2."""
    try:
        if app(standalone_mode=False) == INTERRUPTED:  # typer turns Ctrl-C into this value
            raise KeyboardInterrupt
    except AblateError as error:
        fail(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        fail("interrupted: what was finished is kept, the same command goes on", INTERRUPTED)
    except BrokenPipeError:
        sys.exit(1)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        _usage(error)


def _usage(error: Any) -> None:
    """Show a mistake in the command itself, as typer does."""
    error.show()
    sys.exit(2)


if __name__ == "__main__":
    main()
