"""The losses of held-out documents in an experiment: what an evaluation error is computed from."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from harness.store.attempt import Attempt
from harness.store.errors import StoreError
from harness.store.records import Ended
from harness.store.runs import RunStore
from harness.store.status import Status
from harness.store.tables import Plan, attempt_of

# In a clone they stand for the run folders, which are not committed: small enough to be.
DOCUMENT_COLUMNS = {
    "arm": "category",
    "seed": "int64",
    "setting": "float64",
    "document": "category",
    "nats": "float32",
    "bytes": "int32",
}


def collect_documents(plan: Plan, run_store: RunStore) -> pd.DataFrame:
    """Read the nats and bytes of each document that the plan's metric scores, of every report run.

    A file that cannot be read leaves its run out: the table of runs tells that it is corrupt.
    """
    rows: list[dict[str, Any]] = []
    for planned in plan["runs"]:
        if planned.get("purpose", "report") != "report":
            continue
        attempt = attempt_of(planned, run_store)
        ended = _scored(plan, planned, attempt) if attempt else None
        keys = {key: planned.get(key) for key in ("arm", "seed", "setting")}
        documents = ended.documents if ended and ended.status is Status.DONE else {}
        rows += [
            {**keys, "document": name, "nats": nats, "bytes": n_bytes}
            for name, (nats, n_bytes) in documents.items()
        ]
    return pd.DataFrame(rows, columns=list(DOCUMENT_COLUMNS)).astype(DOCUMENT_COLUMNS)


def no_documents() -> pd.DataFrame:
    """Return the table of an experiment whose documents are not known."""
    return pd.DataFrame(columns=list(DOCUMENT_COLUMNS)).astype(DOCUMENT_COLUMNS)


def _scored(plan: Plan, planned: Mapping[str, Any], attempt: Attempt) -> Ended | None:
    """Return what the plan's metric is of: the training, a measurement of it, or of a set."""
    name, _, _ = plan["metric"].rpartition("/")
    measurement = planned.get("evaluations", {}).get(name) if name else planned.get("measurement")
    try:
        if measurement:
            return attempt.read_measurement(measurement)
        return None if name else attempt.read_result()
    except StoreError:
        return None
