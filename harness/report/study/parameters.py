"""What the parameters have to do with the objectives: importances, slices, all of them at once."""

from collections.abc import Iterator, Mapping

import pandas as pd

from harness.analysis.study.front import finished, front
from harness.analysis.study.names import short_names
from harness.analysis.study.objectives import Objective
from harness.analysis.study.read import Study
from harness.analysis.study.words import trial_words
from harness.report.charts.bars import Bar, BarRow, bar_chart
from harness.report.charts.lines import Line, line_chart
from harness.report.charts.parallel import Column, Row, parallel_chart
from harness.report.document import Block, Figure, Paragraph, Section
from harness.report.study.scales import Scale, scales

Importances = Mapping[str, Mapping[str, float]]
"""By objective and parameter, the first summing to 1."""

_STABLE = 50
"""Five in the best tenth, which Optuna asks for."""
_CHOSEN = (
    "The sampler chose where to look, so that these charts say where good trials were found, and "
    "not what a parameter does on its own: that takes an ablation."
)


def parameters(study: Study, importances: Importances) -> Iterator[Section]:
    """Draw what is known of the parameters, where enough trials are done."""
    known = finished(study.trials, study.objectives)
    if len(known) < 2:
        return
    blocks: list[Block] = [Paragraph(_CHOSEN)]
    looked_for = list(enumerate(study.objectives, start=1))
    for i, one in looked_for:
        if shares := importances.get(one.key):
            short = short_names(study.definition["space"])
            found = {short[name]: share for name, share in shares.items()}
            blocks.append(_importances(one, i, found, len(known)))
    best = set(front(study.trials, study.objectives)["number"])
    for i, scale in enumerate(scales(study, known), start=1):
        blocks.append(_slice(study, known, best, scale, f"slice-{i}"))
    blocks.append(_parallel(study, known, best))
    yield Section("Parameters", blocks)


def _importances(objective: Objective, i: int, found: Mapping[str, float], n_trials: int) -> Figure:
    ranked = sorted(found.items(), key=lambda pair: -pair[1])
    rows = [BarRow(name, [Bar(0.0, share, f"{name}: {share:.2f}")]) for name, share in ranked]
    what = f"Importance of parameters for {objective.title}"
    caption = "PED-ANOVA: how far the best tenth of the trials differs from all. "
    caption += f"From {n_trials} trials; with fewer than {_STABLE} it is a rough guide."
    return Figure(f"importances-{i}", bar_chart(what, "importance", rows), what, caption)


def _slice(study: Study, known: pd.DataFrame, best: set[int], scale: Scale, name: str) -> Figure:
    """Draw the first objective: others are mostly costs, which are known before training."""
    objective = study.objectives[0]
    dots: dict[bool, list[tuple[tuple[float, float], str]]] = {False: [], True: []}
    for row in known.to_dict("records"):
        if (place := scale.values.get(row["number"])) is not None:
            point = (place, float(row[objective.column]))
            dots[row["number"] in best].append((point, trial_words(study, row)))
    lines = [Line("trials", "a0", [], dots=dots[False]), Line("best", "a1", [], dots=dots[True])]
    what = f"{objective.title} by {scale.name}"
    svg = line_chart(
        what, scale.name, objective.title, lines, log_ticks=scale.log_ticks, names=scale.names
    )
    return Figure(name, svg, what)


def _parallel(study: Study, known: pd.DataFrame, best: set[int]) -> Figure:
    of_params = scales(study, known)
    of_values = [
        Scale(one.key, dict(zip(known["number"], known[one.column].astype(float), strict=True)), {})
        for one in study.objectives
    ]
    everything = [*of_params, *of_values]
    columns = [Column(scale.name, scale.ticks, scale.axis) for scale in everything]
    records = sorted(known.to_dict("records"), key=lambda row: row["number"] in best)
    rows = [
        Row(
            [scale.values.get(row["number"]) for scale in everything],
            trial_words(study, row),
            "a1" if row["number"] in best else "a0 muted",
        )
        for row in records
    ]
    what = "Parameters and objectives of every trial that is done"
    caption = "A line for each trial, the best on top; it leaves out what its branch lacks."
    return Figure("parallel", parallel_chart(what, columns, rows), what, caption)
