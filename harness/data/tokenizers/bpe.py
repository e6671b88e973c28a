"""Byte-level byte-pair encoding, learned from the training documents."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field

from harness.data.tokenizers import TOKENIZER, Tokenizer
from harness.data.tokenizers._library import tokenizers

SEPARATOR = "<|endoftext|>"


@TOKENIZER.register("bpe")
class BytePairEncoding(Tokenizer):
    """Merge the most frequent pair of neighbours, again and again, starting from bytes.

    Options:
        vocab_size: ids: the separator, 256 bytes and the merges; at least 257.

    Source:
        Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units",
        arXiv:1508.07909, section 3.2; over bytes, within the words that GPT-2's expression finds.
    """

    is_learned = True
    separator = 0

    def __init__(self, *, vocab_size: Annotated[int, Field(ge=257, le=2**20)] = 1024) -> None:
        self.vocab_size = vocab_size
        self._use(tokenizers.Tokenizer(tokenizers.models.BPE()))
        self._code.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        self._code.decoder = tokenizers.decoders.ByteLevel()

    def train(self, texts: Iterable[str]) -> None:
        """Learn the merges, none of which crosses the border of a word or was seen only once."""
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=self.vocab_size,
            min_frequency=2,
            special_tokens=[SEPARATOR],
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        self._code.train_from_iterator(texts, trainer)

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Return the ids of each text; one that spells the separator out is text all the same."""
        assert self._code.get_vocab_size(), "train or load the tokenizer first"
        return [code.ids for code in self._code.encode_batch_fast(texts, add_special_tokens=False)]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of `ids`."""
        return str(self._code.decode([int(i) for i in ids], skip_special_tokens=True))

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json`, which the libraries of Hugging Face read."""
        self._code.save(str(folder / "tokenizer.json"), pretty=False)

    def to_json(self) -> str:
        """Return what `save` writes."""
        return str(self._code.to_str())

    @classmethod
    def load(cls, folder: Path, **options: Any) -> Self:
        """Read `tokenizer.json`."""
        tokenizer = cls(**options)
        tokenizer._use(tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")))
        return tokenizer

    def _use(self, code: tokenizers.Tokenizer) -> None:
        # Text must never mean a separator, whatever it spells. The file does not store this.
        code.encode_special_tokens = True
        self._code = code
