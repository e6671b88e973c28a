"""The honest split: whole documents are held out."""

from collections.abc import Sequence

from harness.data.split import Entry, hold_out
from harness.data.splits import SPLIT, Split


@SPLIT.register("documents")
class Documents(Split):
    """Hold out whole documents, the same ones for the same texts, in proportion to each stratum.

    Ids without texts are divided once, at the end of a document where the separator tells: the
    last ones are held out.
    """

    def hold_out(self, entries: Sequence[Entry], n: int) -> frozenset[str]:
        """Choose documents by their digests, never more than half."""
        return hold_out(entries, n)
