"""An experiment that is named on the command line: by its name, or by its file."""

from pathlib import Path

from harness.experiments.loading import load_experiment

_ENDINGS = (".yaml", ".yml")


def experiment_name(named: str) -> str:
    """Return the name itself, or that which a file has in it.

    Reading a file also makes its own components known.

    Raises:
        SourceError: the file cannot be read, or has a mistake.
    """
    if not named.endswith(_ENDINGS):
        return named
    return load_experiment(Path(named)).resolved.experiment.name
