"""What the pages share: the picker of experiments, and what is shown when there is none."""

import streamlit as st

from dashboard.data import Experiment, load_all, store
from dashboard.text import literal

FIRST_COMMAND = "ablate run experiments/ablations/quickstart.yaml"
_KEY = "experiment"


def chosen_experiments() -> list[Experiment]:
    """Let the user choose an experiment, or all; show as an error each that cannot be read.

    The page stops here when there is nothing to show.
    """
    experiments = store()
    names = experiments.names()
    if not names:
        st.info(f"No experiments yet in {literal(str(experiments.root.absolute()))}. To run one:")
        st.code(FIRST_COMMAND, language="shell")
        st.stop()
    asked = st.query_params.get(_KEY)
    chosen = st.selectbox(
        "Experiment",
        names,
        index=None,
        placeholder="All experiments",
        key=_KEY,
        bind="query-params",
        width=480,
    )
    if asked and asked not in names:
        st.warning(f"Experiment {literal(asked)} was not found.")
    readable, errors = load_all(experiments, [chosen] if chosen else names)
    for error in errors:
        st.error(literal(error), icon=":material/broken_image:")
    if not readable:
        st.stop()
    return readable
