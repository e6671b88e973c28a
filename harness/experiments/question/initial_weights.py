"""Weights that an arm begins with, instead of its seed's: a checkpoint, known by its content."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.data.config import DataConfig
from harness.data.dataset import load_dataset
from harness.errors import AblateError, ConfigError
from harness.interop.checkpoint import Checkpoint, open_checkpoint


@dataclass(frozen=True)
class InitialWeights:
    """A folder with a checkpoint, and the digest of its weights; the folder may move."""

    folder: Path
    digest: str

    @classmethod
    def find(cls, folder: Path) -> "InitialWeights":
        """Look at a checkpoint.

        Raises:
            AblateError: the folder holds none that can be read.
        """
        return cls(folder, _digest(open_checkpoint(folder)))

    @classmethod
    def read(cls, written: Mapping[str, str]) -> "InitialWeights":
        """Read what `to_dict` wrote; the folder is not looked at."""
        return cls(Path(written["folder"]), written["digest"])

    def to_dict(self) -> dict[str, Any]:
        """Write it in the form that `read` takes."""
        return {"folder": str(self.folder), "digest": self.digest}

    def check(self, variant: VariantSpec) -> None:
        """Refuse a variant whose parameters are not those of the checkpoint.

        Raises:
            ConfigError: a parameter is missing, left over or of another shape.
        """
        with torch.device("meta"):
            here = _shapes(LanguageModel(variant))
            there = _shapes(LanguageModel(open_checkpoint(self.folder).variant))
        names = sorted(here.keys() | there.keys())
        if differ := [name for name in names if here.get(name) != there.get(name)]:
            name = differ[0]
            sizes = (
                f"the variant has {here.get(name, 'none')}, {self.folder} {there.get(name, 'none')}"
            )
            more = f"; {len(differ) - 1} more differ" if len(differ) > 1 else ""
            hint = "; `match` may have changed d_ff: add `match: none`" if ".ffn." in name else ""
            raise ConfigError.at(("init_from",), f"of {name}, {sizes}{more}{hint}")

    def check_tokenizer(self, data: DataConfig) -> None:
        """Refuse data whose token ids mean something else to the checkpoint, if it tells.

        Raises:
            ConfigError: the checkpoint's tokenizer.json has another vocabulary.
        """
        file = self.folder / "tokenizer.json"
        if file.exists():
            ours = load_dataset(data).tokenizer.to_json()
            if _vocabulary(file.read_text("utf-8")) != _vocabulary(ours):
                other = f"{file} has another vocabulary than the tokenizer of this arm's data"
                raise ConfigError.at(
                    ("init_from",), f"{other}: token ids would change their meaning"
                )

    def load_into(self, model: LanguageModel) -> None:
        """Give a model these weights.

        Raises:
            AblateError: they are no longer those that were planned with.
        """
        checkpoint = open_checkpoint(self.folder)
        if _digest(checkpoint) != self.digest:
            raise AblateError(f"{self.folder}: the weights have changed since the run was planned")
        checkpoint.load_into(model)


def _vocabulary(tokenizer: str) -> Any:
    return json.loads(tokenizer)["model"]["vocab"]


def _shapes(model: LanguageModel) -> dict[str, list[int]]:
    named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {n: list(t.shape) for n, t in named.items() if not n.startswith("objective.")}


_digests: dict[tuple[Path, int, int], str] = {}  # of files, by path, size and time of change


def _digest(checkpoint: Checkpoint) -> str:
    """Hash the files of weights, each read once while it stays as it is."""
    whole = hashlib.sha256()
    for file in sorted({stored.file for stored in checkpoint.tensors.values()}):
        about = file.stat()
        key = (file, about.st_size, about.st_mtime_ns)
        if key not in _digests:
            with file.open("rb") as opened:
                _digests[key] = hashlib.file_digest(opened, "sha256").hexdigest()
        whole.update(_digests[key].encode())
    return whole.hexdigest()[:16]
