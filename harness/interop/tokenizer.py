"""A tokenizer as the files that transformers' AutoTokenizer reads."""

import json
from dataclasses import dataclass
from pathlib import Path

from harness.core.dims import Dims
from harness.errors import AblateError


@dataclass(frozen=True)
class HubTokenizer:
    """A `tokenizer.json` of the `tokenizers` library, as text, and the id between documents."""

    json: str
    separator: int

    def write(self, folder: Path, dims: Dims) -> None:
        """Write `tokenizer.json` and `tokenizer_config.json`.

        Raises:
            AblateError: the separator is no special token of it.
        """
        separator = self._separator_text()
        config = {
            # the class that takes tokenizer.json as it is
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": separator,
            "eos_token": separator,
            "pad_token": separator,
            "model_max_length": dims.max_seq_len,
            "clean_up_tokenization_spaces": False,
            # text never means a separator, whatever it spells
            "split_special_tokens": True,
        }
        (folder / "tokenizer.json").write_text(self.json, "utf-8")
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")

    def _separator_text(self) -> str:
        added = json.loads(self.json).get("added_tokens") or []
        for token in added:
            if token["id"] == self.separator:
                return str(token["content"])
        raise AblateError(f"the tokenizer has no special token with the id {self.separator}")
