"""What was best, and what of it may be claimed."""

from collections.abc import Iterator

from harness.analysis.study.confirmed import confirmed, unconfirmed
from harness.analysis.study.front import finished, front
from harness.analysis.study.objectives import Objective
from harness.analysis.study.read import Study
from harness.analysis.study.words import not_confirmed_words, trial_words, volume_lines
from harness.analysis.words.numbers import difference_words, interval_words
from harness.analysis.words.sentences import sentence
from harness.report.charts.lines import Line, line_chart
from harness.report.document import Block, Bullets, Claim, Figure, Paragraph, Section, Table
from harness.report.study.tables import front_table


def winners(study: Study) -> Section:
    """Give the verdicts on fresh seeds, the best trials, and what of them is not confirmed."""
    best = front(study.trials, study.objectives)
    if best.empty:
        return Section("Result", [Paragraph("No trial is done: there is no best one.")])
    blocks: list[Block] = [*_claims(study)]
    if left := unconfirmed(study):
        blocks.append(Claim("not confirmed", _sentence(not_confirmed_words(study, left))))
    blocks += [*_verdict_table(study), front_table(study), *_fronts(study)]
    if lines := list(volume_lines(study)):
        blocks.append(Bullets(lines))
    return Section("Result", blocks)


def _claims(study: Study) -> Iterator[Block]:
    about = study.confirmation
    if about is None:
        return
    if about.plan is None or about.comparison is None:
        yield Paragraph(f"The confirming experiment {about.experiment} has not been run.")
        return
    of = {one.arm: one.trial for one in confirmed(study)}
    for contrast in about.comparison.contrasts:
        number = of.get(contrast.arm)
        who = "" if number is None else f"Trial {number}: "
        said = f"{who}{sentence(contrast, about.plan)}"
        yield Claim(str(contrast.verdict), said, contrast.labels)


def _verdict_table(study: Study) -> Iterator[Table]:
    rows = [
        [
            str(one.trial),
            one.arm,
            str(one.contrast.verdict),
            difference_words(one.contrast),
            interval_words(one.contrast),
            str(one.contrast.n),
        ]
        for one in confirmed(study)
        if one.contrast
    ]
    if rows and study.confirmation:
        columns = ["trial", "arm", "verdict", "difference", "interval", "n"]
        note = f"from the experiment {study.confirmation.experiment}, whose report says the rest"
        yield Table("On fresh seeds, against the baseline", columns, rows, note=note)


def _fronts(study: Study) -> Iterator[Figure]:
    """Draw the first objective against each other one."""
    first, *others = study.objectives
    for i, other in enumerate(others, start=1):
        yield _front(study, first, other, i)


def _front(study: Study, up: Objective, across: Objective, i: int) -> Figure:
    best = set(front(study.trials, study.objectives)["number"])
    dots: dict[bool, list[tuple[tuple[float, float], str]]] = {False: [], True: []}
    known = finished(study.trials, study.objectives).sort_values(across.column)
    for row in known.to_dict("records"):
        point = (float(row[across.column]), float(row[up.column]))
        dots[row["number"] in best].append((point, trial_words(study, row)))
    # a line would join what is no neighbour, where more than two objectives make the front
    joined = [point for point, _ in dots[True]] if len(study.objectives) == 2 else []
    lines = [
        Line("other trials", "a6", [], dots=dots[False]),
        Line("front", "a1", joined, dots=dots[True]),
    ]
    what = f"{up.title} against {across.title}"
    svg = line_chart(what, across.title, up.title, lines)
    caption = "Each dot is one run. Front: no other trial is as good in everything and better once."
    return Figure(f"front-{i}", svg, what, caption)


def _sentence(words: str) -> str:
    """Write a line of the terminal as a sentence."""
    said = words.removeprefix("not confirmed: ")
    return f"{said[:1].upper()}{said[1:]}."
