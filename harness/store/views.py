"""Tidy rows from what was found in a run: by position, by document, by layer."""

import itertools
import math
from typing import Any

from harness.store.records import Ended

Rows = list[dict[str, Any]]


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
