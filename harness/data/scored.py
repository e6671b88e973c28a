"""What finished models may be scored on besides the documents that training scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.data import ids, probes, text
from harness.data.base import Dataset, HeldOut, TokenDataset
from harness.data.config import DataConfig
from harness.data.corpora import Corpus, IdCorpus, Probe
from harness.data.dataset import fingerprint, load_dataset
from harness.data.splits import SPLIT
from harness.data.tokenizers import TOKENIZER
from harness.errors import ConfigError


@dataclass(frozen=True)
class Scored:
    """What `data` holds out, for models that are trained on `trained_on`.

    Texts are encoded by the tokenizer of `trained_on`, as it was trained there, so that losses are
    comparable; of documents held out, none is among those trained on.

    Attributes:
        part: `report` are the documents that `report_documents` keeps, of `trained_on` itself.
    """

    trained_on: DataConfig
    data: DataConfig
    part: Literal["held_out", "report"] = "held_out"

    def check(self) -> None:
        """Refuse what does not go with the run, without reading any data.

        Raises:
            ConfigError: with its path below `data`.
        """
        own, tokenizer = self.trained_on, self.trained_on.tokenizer.name
        if self.part == "report" and not own.report_documents:
            hint = "data.report_documents keeps some, and then trains without them"
            raise ConfigError.at(("held_out",), f"no documents were kept for a report: {hint}")
        match self.data.source():
            case Probe():
                return
            case Corpus() if not TOKENIZER[tokenizer].of_text:
                cannot = f"the run's tokenizer {tokenizer!r} encodes no text"
                raise ConfigError.at(
                    ("corpus",), f"{cannot}, and {self.data.corpus.name!r} is text"
                )
            case IdCorpus() if not isinstance(own.source(), IdCorpus):
                made = f"its ids were not made by the run's tokenizer {tokenizer!r}"
                raise ConfigError.at(("corpus",), made)
            case IdCorpus() if self.data.corpus == own.corpus and self.data != own:
                once = "the run's own ids are divided once: others of them were trained on"
                raise ConfigError.at(("held_out_documents",), once)

    def content(self) -> str:
        """Identify what is scored, for a run on `trained_on`: 16 hexadecimal digits.

        Raises:
            ConfigError: a corpus cannot be read, or a document that would be scored is trained on.
        """
        sources = self.trained_on.source(), self.data.source()
        if all(isinstance(source, Corpus) for source in sources):
            self._refuse_trained_on()
        return fingerprint(self.data)

    def load(self) -> tuple[Sequence[HeldOut], int | None]:
        """Return what is scored, and the separator of documents that must not see each other."""
        dataset = self._dataset()
        scored = dataset.report if self.part == "report" else dataset.held_out
        return scored, dataset.separator

    def _dataset(self) -> Dataset:
        own = load_dataset(self.trained_on)
        if self.data == self.trained_on:
            return own
        match self.data.source():
            case Probe() as probe:
                return probes.load(probe)
            case IdCorpus() as corpus:
                return ids.load(self.data, corpus)
        assert isinstance(own, TokenDataset)  # its tokenizer is one of text
        return text.load(self.data, encoded_like=own)

    def _refuse_trained_on(self) -> None:
        """Compare the texts of documents; a split with a known fault is there to show it."""
        if SPLIT[self.data.split.name].fault or self.data == self.trained_on:
            return
        scored = _documents(self.data, held_out=True)
        both = scored & _documents(self.trained_on, held_out=False)
        if both:
            trained = f"{len(both)} of the {len(scored)} documents that would be scored"
            raise ConfigError.at((), f"{trained} are trained on")


def _documents(config: DataConfig, *, held_out: bool) -> frozenset[str]:
    """Return the digests of the documents that are scored, or of those that are trained on."""
    entries = [entry for entry, _ in config.documents()]
    sides = text.kept(config, entries)
    if held_out:
        return sides["held_out"]
    return frozenset(entry.digest for entry in entries).difference(*sides.values())
