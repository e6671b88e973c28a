"""From a configuration to a dataset: fingerprint, build, open."""

from harness.data import ids, probes, text
from harness.data.base import Dataset, HeldOut, TokenDataset
from harness.data.config import DataConfig
from harness.data.corpora import IdCorpus, Probe

__all__ = ["DataConfig", "Dataset", "HeldOut", "TokenDataset", "fingerprint", "load_dataset"]


def fingerprint(config: DataConfig) -> str:
    """Identify the content that enters, without tokenising it: 16 hexadecimal digits.

    Raises:
        ConfigError: the corpus cannot be found or read.
    """
    match config.source():
        case Probe() as probe:
            return probes.fingerprint(probe)
        case IdCorpus() as corpus:
            return ids.fingerprint(config, corpus)
    return text.fingerprint(config)


def load_dataset(config: DataConfig) -> Dataset:
    """Open a dataset; the tokens of texts are built in the cache if they are not there.

    Raises:
        ConfigError: the corpus cannot be found or read, or is too small to be split.
        AblateError: the cache cannot be written.
    """
    match config.source():
        case Probe() as probe:
            return probes.load(probe)
        case IdCorpus() as corpus:
            return ids.load(config, corpus)
    return text.load(config)
