"""Tidy rows from what was found in a run: by position, by document, by layer."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from harness.store.records import Ended
from harness.store.runs import RunStore
from harness.store.status import Status
from harness.store.tables import Plan, attempt_of, stands_for_arm

Rows = list[dict[str, Any]]
View = Callable[[Ended], Rows]


def collect_view(plan: Plan, run_store: RunStore, view: View) -> pd.DataFrame:
    """Return the rows of a view over the runs of a plan that are done, with their arm and seed.

    Of an arm that was tuned, the runs at its chosen setting are looked at. They are of
    the measurement that answers for a run, if its training does not.

    Raises:
        StoreError: a file of a run is corrupt.
    """
    rows: Rows = []
    for planned in (run for run in plan["runs"] if stands_for_arm(plan, run)):
        attempt = attempt_of(planned, run_store)
        ended: Ended | None = attempt.read_result() if attempt else None
        if attempt and ended and planned.get("measurement"):
            ended = attempt.read_measurement(planned["measurement"])
        if ended and ended.status is Status.DONE:
            keys = {key: planned[key] for key in ("arm", "seed", "run_id")}
            rows += [{**keys, **row} for row in view(ended)]
    table = pd.DataFrame(rows)
    whole = [name for name in ("last",) if name in table]  # of the last range it is not known
    return table.astype(dict.fromkeys(whole, "Int64"))


def by_position(ended: Ended) -> Rows:
    """Return the loss in nats per token in each range of positions in the window.

    The last range goes on to the end of the window.
    """
    firsts = sorted(ended.loss_by_position)
    lasts = [first - 1 for first in firsts[1:]]
    return [
        {"first": first, "last": last, "loss": ended.loss_by_position[first]}
        for first, last in itertools.zip_longest(firsts, lasts)
    ]


def by_document(ended: Ended) -> Rows:
    """Return the nats and bytes of each document, and its bits per byte where it is text.

    From the easiest on: by bits per byte, or by nats.
    """
    rows: Rows = [
        {
            "document": name,
            "nats": nats,
            "bytes": n_bytes,
            "bpb": nats / math.log(2) / n_bytes if nats is not None and n_bytes else None,
        }
        for name, (nats, n_bytes) in ended.documents.items()
    ]
    return sorted(rows, key=lambda row: (row["bpb"] or 0.0, row["nats"] or 0.0))


def by_layer(ended: Ended) -> Rows:
    """Return rms and largest |x| of the activations in each layer, and gradient norms if known."""
    columns = {
        f"{kind}_{measure}": layers
        for kind, of_kind in ended.activations.items()
        for measure, layers in of_kind.items()
    }
    for when, norms in getattr(ended, "grad_norm_by_layer", {}).items():
        columns[f"gradient_at_{when}"] = norms
    values = itertools.zip_longest(*columns.values())
    return [{"layer": i, **dict(zip(columns, of, strict=True))} for i, of in enumerate(values)]
