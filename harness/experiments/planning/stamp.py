"""When a question was asked: what was expected, and by which code, before its first run."""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.store.tables import Plan

_OF_ARMS = ("variant", "data", "train", "init_from")


def stamp(record: Plan, earlier: Plan | None, folder: Path) -> dict[str, Any]:
    """Return the stamp of a question: that of the earlier plan, as long as it asks the same.

    Args:
        record: What is about to be run.
        earlier: What the store has under this name.
        folder: Of the experiment's file, for the commit.
    """
    asked = _hash_of(record)
    before = (earlier or {}).get("stamped")
    if before and before["question_hash"] == asked:
        return dict(before)
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit_of(folder),
        "question_hash": asked,
        "expect": record["expect"],
        "contrasts": record["contrasts"],
    }


def _hash_of(record: Plan) -> str:
    """Identify what is compared by what: not the seeds, which answer, nor what is expected."""
    arms: Mapping[str, Any] = record["arms"]
    question = {
        "metric": record["metric"],
        "baseline": record["baseline"],
        "arms": {name: {key: arm[key] for key in _OF_ARMS} for name, arm in arms.items()},
    }
    written = json.dumps(question, sort_keys=True)
    return hashlib.sha256(written.encode()).hexdigest()[:16]


def commit_of(folder: Path) -> str | None:
    """Return the commit of the folder's repository, marked if files differ from it; or None."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):  # no git here
        return None
    return found.stdout.strip() or None
