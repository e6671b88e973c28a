"""The dashboard's entry point: its pages. Start it with `ablate dashboard`."""

from pathlib import Path

import streamlit as st

from dashboard.widgets import show_picker

PAGES = [
    st.Page("app_pages/overview.py", title="Overview", icon=":material/fact_check:", default=True),
    st.Page("app_pages/runs.py", title="Runs", icon=":material/table_rows:"),
    st.Page("app_pages/curves.py", title="Curves", icon=":material/show_chart:"),
    st.Page("app_pages/tuning.py", title="Tuning", icon=":material/tune:"),
    st.Page("app_pages/components.py", title="Components", icon=":material/widgets:"),
]

# A file of our own: an icon by name would be fetched from another host.
st.set_page_config(page_icon=str(Path(__file__).with_name("icon.svg")), layout="wide")
page = st.navigation(PAGES, position="top")
show_picker()
page.run()
