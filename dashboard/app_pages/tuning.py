"""How the loss depends on what was tuned: what was chosen by which runs, and what they answer."""

import streamlit as st

from dashboard.charts import sensitivity_figure
from dashboard.data import Experiment
from dashboard.tables import words_table
from dashboard.text import literal
from dashboard.theme import arm_styles
from dashboard.widgets import chosen_experiments
from harness.analysis.verdicts.sensitivity import Sensitivity, of_report, of_tuning
from harness.analysis.verdicts.tuning import setting_name
from harness.analysis.words.titles import title
from harness.report.tuning import choice_table


def _show(experiment: Experiment) -> None:
    plan, runs = experiment.plan, experiment.runs
    st.subheader(literal(experiment.name), anchor=False)
    st.dataframe(
        words_table(choice_table(plan, runs)), hide_index=True, alt=f"Settings of {experiment.name}"
    )
    for line in experiment.comparison.spent:
        st.caption(literal(line))
    if plan["tune"]["key"] is None:
        st.info("A space of several settings was searched: its trials are on the page Runs.")
        return
    report = "Report seeds around what was chosen; the parabola through their means, its minimum"
    _chart(experiment, "report", plan["metric"], of_report(plan, runs), report)
    tuning = "Tuning seeds, which settings were chosen by and which answer nothing; their means"
    _chart(experiment, "tuning", plan["tune"]["metric"], of_tuning(plan, runs), tuning)


def _chart(
    experiment: Experiment, kind: str, metric: str, found: list[Sensitivity], caption: str
) -> None:
    if not found:
        st.info(f"No {kind} runs are done yet.")
        return
    setting = setting_name(experiment.plan["tune"]["key"])
    st.caption(f"{caption}.")
    figure = sensitivity_figure(found, arm_styles(experiment.plan), metric, setting)
    alt = f"{title(metric)} against the {setting} on {kind} seeds"
    key = f"{kind}-{experiment.name}"
    figure.update_layout(uirevision=key)
    st.plotly_chart(figure, key=key, alt=alt, config={"displaylogo": False})


experiments = chosen_experiments()
tuned = [experiment for experiment in experiments if experiment.plan.get("tune")]
for experiment in tuned:
    _show(experiment)
if not tuned:
    st.info("Nothing was tuned here: all arms had the same settings. To give each arm its own:")
    st.code("tune: {train.optimizer.lr: {factor: 2, points: 4}}", language="yaml")
