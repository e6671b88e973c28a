"""Lists of studies, and of the trials of one, for the terminal."""

from typing import Any

from rich.console import Group
from rich.text import Text

from harness.analysis.study.front import front
from harness.analysis.study.read import Study, read_study
from harness.analysis.study.trials import WAITING
from harness.analysis.study.words import params_words, study_lines
from harness.experiments.showing.listing import View, plain, table_of
from harness.quantities import format_duration
from harness.store.studies import StudyStore


def studies_view(studies: StudyStore) -> View:
    """List the studies with how many of their trials have ended, and the best."""
    rows = [_row(read_study(studies, name)) for name in studies.names()]
    return View(table_of(rows), rows)


def study_view(study: Study) -> View:
    """List the trials of a study, and say what was best; as data, every column."""
    records = [
        {str(key): plain(value) for key, value in row.items()}
        for row in study.trials.astype(object).to_dict("records")
    ]
    keys = [one.key for one in study.objectives]
    rows = [
        {
            "trial": row["number"],
            "status": row["status"],
            **{
                key: one.words(row[one.column])
                for key, one in zip(keys, study.objectives, strict=True)
            },
            "rung": "-" if row["rung"] is None else f"{row['rung']:g}",
            "seconds": "-" if row["seconds"] is None else format_duration(row["seconds"]),
            "settings": params_words(row),
            "cause": row["cause"] or "-",
        }
        for row in records
    ]
    question = Text(study.definition.get("question") or study.name, style="bold")
    said = [Text(line) for line in study_lines(study)]
    return View(Group(question, table_of(rows), *said), records)


def _row(study: Study) -> dict[str, Any]:
    ended = int((~study.trials["status"].isin(WAITING)).sum())
    best = front(study.trials, study.objectives)
    values = [
        " and ".join(f"{one.key} {one.words(row[one.column])}" for one in study.objectives)
        for row in best.to_dict("records")[:1]
    ]
    more = f", front of {len(best)}" if len(study.objectives) > 1 and values else ""
    return {
        "study": study.name,
        "ended": f"{ended}/{study.definition['trials']}",
        "question": study.definition.get("question") or "",
        "best": f"{values[0]}{more}" if values else "none is done",
        "confirmed": _confirmed(study),
    }


def _confirmed(study: Study) -> str:
    about = study.confirmation
    if about is None or about.comparison is None:
        return "no"
    return ", ".join(f"{c.arm}: {c.verdict}" for c in about.comparison.contrasts)
