"""What is tuned is reported on other documents than it was chosen by."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.data.config import DataConfig
from harness.data.corpora import Corpus
from harness.experiments.question.config import Arm, Experiment
from harness.experiments.question.evaluation_set import HELD_OUT, EvaluationOptions

KEY, REPORT = "report_documents", "report"


def report_apart(
    experiment: Experiment, arms: Mapping[str, Arm], listed: Sequence[EvaluationOptions]
) -> tuple[Experiment, dict[str, Arm], list[EvaluationOptions]]:
    """Keep documents for the report, score finished runs on them, and compare arms by that.

    As many as training evaluates on, unless `report_documents` says otherwise: with 0, or where
    there are no documents to keep, everything stays as it is written.
    """
    arms = {name: replace(arm, data=_with_report(arm.data)) for name, arm in arms.items()}
    listed = list(listed)
    if not all(arm.data.report_documents for arm in arms.values()):
        return experiment, arms, listed
    own = [one.name for one in listed if one.data.get(HELD_OUT) == REPORT]
    written = experiment.evaluate
    if not own:
        own = [REPORT]
        listed.append(EvaluationOptions(name=REPORT, data={HELD_OUT: REPORT}))
        written = [*written, {"name": REPORT, "data": {HELD_OUT: REPORT}}]
    analysis = experiment.analysis
    if "/" not in analysis.metric:
        analysis = analysis.model_copy(update={"metric": f"{own[0]}/{analysis.metric}"})
    update = {"analysis": analysis, "evaluate": written}
    return experiment.model_copy(update=update), arms, listed


def _with_report(data: DataConfig) -> DataConfig:
    source = data.source()
    keeps = isinstance(source, Corpus) and KEY in source.keys
    if not keeps or KEY in data.model_fields_set:
        return data
    return data.model_copy(update={KEY: data.held_out_documents})
