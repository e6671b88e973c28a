"""What is named on the command line: an experiment, its file, or a table of runs made elsewhere."""

from pathlib import Path

from harness.analysis.verdicts.elsewhere import Asked, read_runs
from harness.errors import AblateError
from harness.experiments.planning.loading import load_experiment
from harness.store.experiments import ExperimentStore, ExperimentTables
from harness.store.tables import empty_curves

_YAML, _CSV = (".yaml", ".yml"), ".csv"


def experiment_name(named: str) -> str:
    """Return the name itself, or that which a file has in it.

    Reading a file also makes its own components known.

    Raises:
        SourceError: the file cannot be read, or has a mistake.
    """
    if not named.endswith(_YAML):
        return named
    return load_experiment(Path(named)).resolved.experiment.name


def open_named(named: str, experiments: ExperimentStore, asked: Asked) -> ExperimentTables:
    """Read the tables of an experiment, or the runs of a CSV file with what was asked of them.

    Raises:
        AblateError: there is no such experiment, a file cannot be read or has a mistake, or
            something was asked of an experiment, which says all of it itself.
    """
    if named.endswith(_CSV):
        plan, runs = read_runs(Path(named), asked)
        return ExperimentTables(plan, runs, empty_curves())
    if asked != Asked():
        options = "--metric, --baseline, --maximise, --alpha and --practical"
        raise AblateError(f"{options} are for a CSV file: an experiment has its own in its plan")
    return experiments.open(experiment_name(named))
