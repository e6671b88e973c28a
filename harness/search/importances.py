"""Which parameters tell good trials from others, by Optuna's PED-ANOVA."""

from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from harness.analysis.study.front import finished
from harness.analysis.study.objectives import Objective
from harness.analysis.study.read import Study
from harness.search.shown import shown_study

LEAST_TRIALS = 10
"""With fewer the best tenth is a single trial among too few to compare it with."""


def importances(study: Study) -> dict[str, dict[str, float]]:
    """Return by objective the importance of each parameter; none of an objective with few trials.

    Source: S. Watanabe, A. Bansal, F. Hutter, PED-ANOVA, IJCAI 2023, arXiv:2304.10255, as Optuna
    implements it, also for parameters that only some branches have: how far the density of the best
    tenth of the trials is from that of all. Parameters of one value have none.
    """
    found = ((one, _importances(study, one)) for one in study.objectives)
    return {one.key: shares for one, shares in found if shares}


def _importances(study: Study, objective: Objective) -> dict[str, float]:
    known = finished(study.trials, [objective])
    if len(known) < LEAST_TRIALS or known[objective.column].nunique() == 1:
        return {}
    evaluator = PedAnovaImportanceEvaluator()
    return get_param_importances(shown_study(study, [objective]), evaluator=evaluator)
