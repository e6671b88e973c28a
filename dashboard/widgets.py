"""What the pages share: the picker of experiments, and what is shown when there is none."""

import streamlit as st

from dashboard.data import Experiment, load_all, store
from dashboard.text import literal

FIRST_COMMAND = "ablate run experiments/ablations/quickstart.yaml"
_KEY = "experiment"


def show_picker() -> None:
    """Let the user choose an experiment, or all; the choice is kept in the URL.

    It belongs to the entry point: a widget of a page forgets its value on the way to another.
    """
    names = store().names()
    if not names:
        return
    asked = st.query_params.get(_KEY)
    st.selectbox(
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


def picked() -> str | None:
    """Return the name of the chosen experiment, None for all."""
    name: str | None = st.session_state.get(_KEY)
    return name


def chosen_experiments() -> list[Experiment]:
    """Read what was chosen; show as an error each experiment that cannot be read.

    The page stops here when there is nothing to show.
    """
    experiments = store()
    names = experiments.names()
    if not names:
        st.info(f"No experiments yet in {literal(str(experiments.root.absolute()))}. To run one:")
        st.code(FIRST_COMMAND, language="shell")
        st.stop()
    chosen = picked()
    readable, errors = load_all(experiments, [chosen] if chosen else names)
    for error in errors:
        st.error(literal(error), icon=":material/broken_image:")
    if not readable:
        st.stop()
    return readable
