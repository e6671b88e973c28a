"""Each experiment as a card: its question, how far it is, and what may be claimed."""

from collections.abc import Iterator
from typing import Literal

import streamlit as st

from dashboard.charts import difference_figure
from dashboard.data import Experiment, losses, store
from dashboard.tables import arm_table, words_table
from dashboard.text import literal
from dashboard.theme import arm_styles
from dashboard.widgets import chosen_experiments, picked
from harness.analysis.effects.answers import main_and_conditions
from harness.analysis.effects.holds import held
from harness.analysis.statistics.verdict import Verdict
from harness.analysis.words.holds_view import holds_lines
from harness.analysis.words.multiplier_view import multipliers
from harness.analysis.words.numbers import interval_name
from harness.analysis.words.seeds import seed_differences
from harness.analysis.words.sentences import sentence
from harness.report.conditions import condition_table
from harness.report.document import Table
from harness.report.factors import effect_tables
from harness.report.pages import html_page
from harness.report.trade import front_table, multiplier_table
from harness.report.verdicts import verdict_table
from harness.report.write import stored_report

_COLOURS: dict[Verdict, Literal["green", "red", "blue", "gray", "orange", "violet"]] = {
    Verdict.BETTER: "green",
    Verdict.WORSE: "red",
    Verdict.EQUAL: "blue",
    Verdict.TRIVIAL: "gray",
    Verdict.NOT_RESOLVED: "orange",
    Verdict.REFUSED: "violet",
}


def _card(experiment: Experiment) -> None:
    plan = experiment.plan
    with st.container(border=True):
        st.subheader(literal(experiment.name), anchor=False)
        st.text(plan["question"])
        _progress(experiment)
        for contrast in experiment.comparison.contrasts:
            with st.container(gap="xxsmall"):
                st.badge(contrast.verdict, color=_COLOURS[contrast.verdict])
                st.text(sentence(contrast, plan))
                if contrast.labels:
                    st.caption(literal(", ".join(contrast.labels)))
        for note in experiment.comparison.notes:
            st.caption(literal(note))
        _chart(experiment)
        table = arm_table(experiment)
        right = st.column_config.TextColumn(alignment="right")
        st.dataframe(
            table,
            hide_index=True,
            column_config=dict.fromkeys(table.columns[1:], right),
            alt=f"Arms of {experiment.name}",
        )
        _more(experiment)


def _more(experiment: Experiment) -> None:
    """Offer the report, and of a chosen experiment every number behind its verdicts."""
    name = experiment.name
    if picked():
        for table in _tables(experiment):
            with st.expander(literal(table.title)):
                st.dataframe(words_table(table), hide_index=True, alt=f"{table.title}: {name}")
                if table.note:
                    st.caption(literal(table.note))
    st.download_button(
        "Report",
        lambda: html_page(stored_report(store(), name)),
        file_name=f"{name}.html",
        mime="text/html",
        key=f"report-{name}",
        on_click="ignore",
        icon=":material/download:",
        help="Question, design, charts, verdicts and every run as one page that stands alone.",
    )


def _tables(experiment: Experiment) -> Iterator[Table]:
    plan, runs, comparison = experiment.plan, experiment.runs, experiment.comparison
    main, others = main_and_conditions(store().open(experiment.name), store())
    found = multipliers(main, others)
    yield verdict_table(plan, comparison, found)
    yield from effect_tables(plan, runs)
    if plan.get("conditions"):
        for line in holds_lines(main, others, held(main, others)):
            st.caption(literal(line))
        yield condition_table(main, others)
    yield from front_table(plan, runs, comparison)
    yield from multiplier_table(found)


def _progress(experiment: Experiment) -> None:
    done, planned = experiment.n_done, experiment.n_planned
    if done < planned:
        st.progress(done / planned, f"{done} of {planned} runs done")
    else:
        st.caption(f"{done} of {planned} runs done")
    if lost := list(losses(experiment)):
        st.warning("  \n".join(map(literal, lost)), icon=":material/error:")


def _chart(experiment: Experiment) -> None:
    contrasts = experiment.comparison.contrasts
    if all(contrast.difference is None for contrast in contrasts):
        return
    plan, runs = experiment.plan, experiment.runs
    seeds = [seed_differences(plan, runs, contrast) for contrast in contrasts]
    styles, metric = arm_styles(experiment.plan), experiment.comparison.metric
    limit = experiment.comparison.margin
    margin = limit.value if limit else None
    figure = difference_figure(contrasts, seeds, styles, metric, margin)
    figure.update_layout(uirevision=experiment.name)
    kinds = dict.fromkeys(interval_name(contrast) for contrast in contrasts)
    band = f" Grey: practically equal, within {margin:g}." if margin else ""
    st.caption(f"Differences paired by seed; bars: {', '.join(kinds)}; dots: seeds.{band}")
    key, alt = f"differences-{experiment.name}", f"Paired differences in {metric}"
    st.plotly_chart(figure, key=key, alt=alt, config={"displaylogo": False})


for experiment in chosen_experiments():
    _card(experiment)
