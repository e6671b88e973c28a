"""A run as data: everything that determines what training returns, and its id."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from harness.core.registry import use_folder
from harness.core.slots import PRECISION
from harness.core.spec import BASELINE, VariantSpec
from harness.data.config import DataConfig
from harness.data.dataset import fingerprint
from harness.experiments.question.initial_weights import InitialWeights
from harness.training.config import TrainConfig
from harness.training.randomness import address

SAMPLES = 3
Source = Literal["init", "data", "dropout"]
"""What a seed determines: initial weights, the order of the data or a probe's examples, dropout."""
HELD_SEED = 0


@dataclass(frozen=True)
class RunConfig:
    """One variant, trained once, with one seed.

    `salt` is the experiment's name where runs may not be shared (a budget in seconds), else empty.
    """

    variant: VariantSpec
    data: DataConfig
    train: TrainConfig
    seed: int
    replica: int = 0
    salt: str = ""
    component_folders: tuple[Path, ...] = ()  # where to look for components; not part of the id
    init_from: InitialWeights | None = None  # what training begins with; None: the seed's weights
    samples: int = SAMPLES  # texts that it writes at the end; not part of the id
    held: tuple[Source, ...] = ()  # what is that of one seed, whatever the run's own is

    @property
    def effective_seed(self) -> int:
        """The seed that training uses: replicas of a seed are independent of each other."""
        return self._in_replica(self.seed)

    def seed_of(self, source: Source) -> int:
        """Return the seed that training uses for one of its sources of chance."""
        return self._in_replica(HELD_SEED if source in self.held else self.seed)

    def _in_replica(self, seed: int) -> int:
        return address(seed, "replica", self.replica) if self.replica else seed

    def to_dict(self) -> dict[str, Any]:
        """Write everything, defaults included, in the form that `read` takes."""
        return {
            "variant": self.variant.to_dict(),
            "data": self.data.to_dict(),
            "train": self.train.to_dict(),
            "seed": self.seed,
            "replica": self.replica,
            "salt": self.salt,
            "component_folders": [str(folder) for folder in self.component_folders],
            "init_from": self.init_from and self.init_from.to_dict(),
            "samples": self.samples,
            "held": list(self.held),
        }

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> "RunConfig":
        """Read what `to_dict` wrote, in another process or later."""
        folders = tuple(map(Path, written["component_folders"]))
        for folder in folders:
            use_folder(folder)
        weights = written.get("init_from")  # runs from before there was such a thing lack it
        return cls(
            init_from=weights and InitialWeights.read(weights),
            variant=VariantSpec.read(written["variant"]),
            data=DataConfig.read(written["data"]),
            train=TrainConfig.read(written["train"]),
            seed=written["seed"],
            replica=written["replica"],
            salt=written["salt"],
            component_folders=folders,
            samples=written.get("samples", SAMPLES),
            held=tuple(written.get("held", ())),
        )

    def trained(self) -> dict[str, Any]:
        """Return the part of the configuration that training depends on: what reuse must equal."""
        written = self.to_dict()
        del written["component_folders"], written["samples"]
        del written["variant"]["precision"]["infer"]
        return written | {"init_from": self.init_from and self.init_from.digest}

    def without_conversion(self) -> "RunConfig":
        """Return the run as it is trained: what inference makes of it comes later."""
        plain = PRECISION.resolve(BASELINE["precision"])
        precision = replace(self.variant.precision, infer=plain)
        return replace(self, variant=replace(self.variant, precision=precision))

    def run_id(self) -> str:
        """Return 12 hexadecimal digits that name this run.

        Values equal to their default are left out, so adding an option later keeps old results;
        the data enters by its content.
        """
        identity = {
            "variant": self.variant.identity(),
            "data": _content(repr(self.data), self.data),
            "train": self.train.identity(),
            "seed": self.seed,
            "replica": self.replica,
            "salt": self.salt,
        }
        if self.init_from:
            identity["init_from"] = self.init_from.digest
        if self.held:
            identity["held"] = sorted(self.held)
        canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


_contents: dict[str, str] = {}


def _content(key: str, data: DataConfig) -> str:
    """Return the fingerprint of the data, reading the corpus once a process."""
    if key not in _contents:
        _contents[key] = fingerprint(data)
    return _contents[key]
