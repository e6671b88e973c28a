"""What may stand in each slot, what it costs, where it comes from and which experiments use it."""

import json
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.catalogue import Entry, catalogue, used_by
from dashboard.data import load_all, store
from dashboard.text import from_docstring, literal
from dashboard.widgets import picked
from harness.analysis.units import count, size
from harness.errors import AblateError


def _entry(entry: Entry, users: list[str]) -> None:
    with st.container(border=True):
        if "broken" in entry:
            st.markdown(f"**{literal(entry['name'])}**")
            st.error(f"broken: {literal(entry['broken'])}", icon=":material/broken_image:")
            return
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{literal(entry['name'])}**", width="content")
            for alias in entry["aliases"]:
                st.badge(f"also {literal(alias)}", color="gray")
            if entry["fault"]:
                st.badge("known fault", icon=":material/bug_report:", color="orange")
        st.markdown(from_docstring(entry["summary"]))
        if entry["fault"]:
            st.warning(literal(entry["fault"]), icon=":material/bug_report:")
        if options := entry["options"]:
            st.table(_options(options))  # wraps the meanings
        st.caption(_cost(entry))
        if entry["source"]:
            st.caption(f"Source: {from_docstring(entry['source'])}")
        st.caption(f"Used by: {', '.join(map(literal, users)) or 'no stored experiment'}")


def _options(options: list[dict[str, Any]]) -> pd.DataFrame:
    rows = [
        {
            "option": option["name"],
            "type": option["type"],
            "default": "required" if option["required"] else _as_yaml(option["default"]),
            "meaning": from_docstring(option["meaning"]),
        }
        for option in options
    ]
    return pd.DataFrame(rows).set_index("option")


def _as_yaml(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _cost(entry: Entry) -> str:
    cost = entry["cost"]
    if cost is None:
        return "Has no cost of its own: it cannot stand in the preset tiny without other changes."
    flops, cache = count(cost["train_flops_per_token"]), size(cost["cache_bytes"])
    at = f"cache {cache} at T={cost['seq_len']} ({cost['cache_dtype']})"
    return f"tiny with it: {count(cost['params'])} parameters, {flops} training FLOPs/token, {at}"


try:
    entries = catalogue()
except AblateError as error:
    st.error(literal(str(error)), icon=":material/broken_image:")
    st.stop()

slots = list(dict.fromkeys(entry["slot"] for entry in entries))
slot = st.pills("Slot", slots, key="slot", bind="query-params")
experiments, _ = load_all(store(), store().names())
chosen = picked()
if chosen:
    st.caption(f"Components of {literal(chosen)}; clear the experiment to see all.")
for shown in [slot] if slot else slots:
    st.subheader(literal(shown), anchor=False)
    for entry in entries:
        users = used_by(experiments, entry["slot"], entry["name"])
        if entry["slot"] == shown and (chosen is None or chosen in users):
            _entry(entry, users)
