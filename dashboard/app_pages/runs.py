"""Every planned run, what varies first, and a file of what is shown."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboard.tables import run_table
from dashboard.widgets import chosen_experiments
from harness.analysis.words.titles import title

experiments = chosen_experiments()
arms = list(dict.fromkeys(arm for experiment in experiments for arm in experiment.plan["arms"]))
metrics = {experiment.plan["metric"] for experiment in experiments}

with st.container(horizontal=True, vertical_alignment="bottom"):
    all_columns = st.toggle("All columns", key="all_columns", bind="query-params")
    everything = run_table(experiments, all_columns)
    states = sorted(everything["status"].dropna().unique())
    status = st.multiselect("Status", states, key="status", bind="query-params", placeholder="Any")
    arm = st.multiselect("Arm", arms, key="arm", bind="query-params", placeholder="Any")

shown = everything
if status:
    shown = shown[shown["status"].isin(status)]
if arm:
    shown = shown[shown["arm"].isin(arm)]

_MOST_ROWS = 20  # shown whole; a longer table scrolls


def _column(name: str, values: pd.Series) -> Any:
    if name.rpartition("/")[2].startswith(("val_", "train_loss")) or name in metrics:
        return st.column_config.NumberColumn(help=title(name), format="%.4f")
    if name == "seconds":
        return st.column_config.NumberColumn(help="Spent on the run", format="%.1f")
    if name == "run_id":
        return st.column_config.TextColumn(width="medium")
    if pd.api.types.is_numeric_dtype(values):
        return st.column_config.NumberColumn(help=title(name), format="plain")
    return st.column_config.TextColumn()


left_out = "" if all_columns else " Columns that do not vary are left out."
st.caption(f"{len(shown)} of {len(everything)} runs.{left_out}")
st.dataframe(
    shown,
    hide_index=True,
    height="content" if len(shown) <= _MOST_ROWS else 640,
    column_config={name: _column(name, shown[name]) for name in shown.columns},
    placeholder="-",
    alt="Runs",
)
names = experiments[0].name if len(experiments) == 1 else "all-experiments"
st.download_button(
    "Download as CSV",
    shown.to_csv(index=False, lineterminator="\n"),
    file_name=f"{names}-runs.csv",
    mime="text/csv",
    on_click="ignore",
    icon=":material/download:",
)
