"""What a name on the command line is: a stored experiment, or a study."""

from harness.analysis.study.read import Study, read_study
from harness.errors import AblateError, unknown
from harness.store.experiments import ExperimentStore, ExperimentTables
from harness.store.studies import StudyStore


def named(name: str, experiments: ExperimentStore) -> ExperimentTables | Study:
    """Read the experiment of this name, or the study.

    Raises:
        AblateError: there is neither, or both.
        StoreError: a file of it is corrupt.
    """
    studies = StudyStore(experiments.root)
    both = experiments.names(), studies.names()
    match name in both[0], name in both[1]:
        case True, False:
            return experiments.open(name)
        case False, True:
            return read_study(studies, name)
        case True, True:
            where = f"{experiments.folder(name)} and {studies.open(name).path}"
            raise AblateError(f"{name} is an experiment and a study: move one of {where} away")
    raise AblateError(unknown("experiment or study", name, [*both[0], *both[1]]))
