"""An experiment's folder: its plan, and the tables made from its runs.

`plan.json` holds the question and everything the verdicts depend on:

- `name`, `question`, `created`, `file`, `baseline` (an arm), `metric`, `alpha`, `seeds`;
- `contrasts`: name to `[arm, against]`; the one named `primary` is judged on its own;
- `held_equal`, `differs`: phrases such as "tokens (1M)";
- `arms`: name to `variant`, `data`, `train`, `init_from`, `changes`, `cost` (`params`,
  `params_non_embedding`, `train_flops_per_token`, `cache_bytes`, `cache_seq_len`, `cache_dtype`;
  not in the oldest: `params_active`, `weight_bytes`) and perhaps `factors`, `matched` (whose
  `refused`, if any, says why the arm could not be matched) and `leak` (whose `found`, if any, says
  which layer looks ahead, and `tested` on what that was looked for);
- `runs`: `arm`, `seed`, `replica`, `run_id`, `environment` of each planned run, and which attempts
  stand for it: the number that it `reuses`, or those with numbers `attempts_from` on; and the
  `measurement` of its weights that answers for it, if not the training's own evaluation does;
- `factors` (not in the oldest; null without factors): how their levels are combined, `combine`, and
  all `levels`, the first of each factor first;
- `condition`, `conditions` (not in the oldest): of a main experiment null, and those of its
  file, each with the `experiment` that it is stored as; of another one its `kind` (design, budget,
  scale or confirm), its `name` and the `main` one;
- `evaluate`, `evaluations` (not in the oldest): what runs are scored on besides, by name (`metric`,
  `seq_len`, `changes`), and in each run the measurement of each.

Keys that came later, each with what it means to lack it:

- `practical` (null): the margin within which a difference makes none, or "auto"; `shared` (none):
  by arm, the other experiments that hold runs of it;
- `tune` (null): what was tuned for each arm (`key`, or null for a space; `keys`, `factor`,
  `points`, `extend`, `trials`, `seeds`, `protocol`, `metric`); `arms[...]["tuning"]` (null) is what
  came of it: `tried` in the order of trials, `chosen`, `at_edge`, `edge`, the settings of the
  `report`, `trials_spent`;
- `seeds_rule` (null): `pilot`, `resolve`, `max`, where `seeds` are those known to be needed so far;
  `held_sources` (none): what is the same for all seeds, of init, data and dropout;
- `expect` (none): contrast to verdict; `stamped` (null): `time`, `commit` and `question_hash` from
  before the first run of the question, with `expect` and `contrasts` as they were then;
- of a run: its `purpose` ("report"; else "tuning" or "slope"), the tuned key's value as its
  `setting` (null), its `trial` (null), the `budget_share` that it is given (1.0).
"""

import io
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from harness.errors import AblateError, unknown
from harness.store.atomic import write_bytes, write_json, write_text
from harness.store.documents import no_documents
from harness.store.errors import StoreError
from harness.store.latency import Latency, read_latency
from harness.store.names import check_name, is_name
from harness.store.tables import WHOLE, Plan, columns_of_sets, empty_curves, empty_runs

PLAN_KEYS = {
    *("name", "question", "baseline", "metric", "alpha", "contrasts"),
    *("held_equal", "differs", "seeds", "arms", "runs"),
}


@dataclass(frozen=True)
class ExperimentTables:
    """An experiment as last collected."""

    plan: Plan
    runs: pd.DataFrame
    curves: pd.DataFrame
    latency: Latency | None = None
    documents: pd.DataFrame = field(default_factory=no_documents)


class ExperimentStore:
    """The experiments under a results root: `<root>/experiments/<name>/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = root / "experiments"

    def names(self) -> list[str]:
        """List the experiments that have a plan, sorted."""
        plans = self._folder.glob("*/plan.json")
        return sorted(p.parent.name for p in plans if is_name(p.parent.name))

    def folder(self, name: str) -> Path:
        """Return where the experiment is, or would be, kept.

        Raises:
            AblateError: `name` may not name a folder.
        """
        return self._folder / check_name("an experiment's name", name)

    def open(self, name: str) -> ExperimentTables:
        """Read an experiment; its tables are empty before they are first written.

        Raises:
            AblateError: there is no such experiment.
            StoreError: one of its files is corrupt.
        """
        plan, folder = self.plan(name), self.folder(name)
        runs = _read_table(folder / "runs.parquet", empty_runs())
        new = [column for column in columns_of_sets(plan) if column not in runs]
        new += [column for column in ("setting", "trial") if column not in runs]
        return ExperimentTables(
            plan=plan,
            runs=runs.assign(
                **{key: value for key, value in WHOLE.items() if key not in runs},
                **dict.fromkeys(new, math.nan),
            ),
            curves=_read_table(folder / "curves.parquet", empty_curves()),
            latency=read_latency(folder, plan),
            documents=_read_table(folder / "documents.parquet", no_documents()),
        )

    def read_plan(self, name: str) -> Plan | None:
        """Read a plan alone; None if there is none, or none that can be read.

        Raises:
            AblateError: `name` may not name a folder.
        """
        path = self.folder(name) / "plan.json"
        try:
            return _read_plan(path) if path.exists() else None
        except StoreError:  # it is about to be replaced
            return None

    def plan(self, name: str) -> Plan:
        """Read the plan of an experiment.

        Raises:
            AblateError: there is no such experiment.
            StoreError: the file is corrupt.
        """
        if name not in self.names():
            raise AblateError(unknown("experiment", name, self.names()))
        return _read_plan(self.folder(name) / "plan.json")

    def write_plan(self, plan: Plan) -> None:
        """Write `plan.json`, replacing an older one of the same name."""
        write_json(self.folder(plan["name"]) / "plan.json", plan)

    def write_tables(
        self,
        name: str,
        runs: pd.DataFrame,
        curves: pd.DataFrame,
        summary: pd.DataFrame,
        documents: pd.DataFrame | None = None,
    ) -> None:
        """Replace the tables, each atomically; without documents theirs is left as it is."""
        folder = self.folder(name)
        if documents is not None:
            write_bytes(folder / "documents.parquet", _parquet(documents, compression="zstd"))
        write_bytes(folder / "runs.parquet", _parquet(runs))
        write_bytes(folder / "curves.parquet", _parquet(curves))
        write_text(folder / "summary.csv", summary.to_csv(index=False, lineterminator="\n"))


def _read_plan(path: Path) -> Plan:
    try:
        plan: Any = json.loads(path.read_bytes())
    except ValueError as error:
        raise StoreError(path, f"corrupt: {error}") from None
    if not isinstance(plan, dict):
        raise StoreError(path, "corrupt: must be an object")
    if missing := sorted(PLAN_KEYS - plan.keys()):
        raise StoreError(path, f"corrupt: lacks {', '.join(missing)}")
    return plan


def _read_table(path: Path, empty: pd.DataFrame) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        return empty
    except (ValueError, OSError) as error:  # what pyarrow raises for a file that is no Parquet
        raise StoreError(path, f"corrupt: {error}") from None


def _parquet(table: pd.DataFrame, compression: Literal["snappy", "zstd"] = "snappy") -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression=compression)
    return buffer.getvalue()
