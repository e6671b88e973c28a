"""The items of `evaluate`: what finished runs are scored on besides, as data."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field, field_validator

from harness.core.dims import Dims
from harness.data.config import DataConfig
from harness.data.corpora import CORPUS, Corpus, Probe
from harness.data.scored import Scored
from harness.errors import ConfigError, Problem
from harness.experiments.files.merge import merge
from harness.quantities import Count
from harness.schema import Frozen, parse

HELD_OUT = "held_out"  # what training itself scores; no set has this name
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


class EvaluationOptions(Frozen):
    """A name, which the columns of tables begin with, and what differs from the run.

    `data` changes the run's data, but for the tokenizer; `held_out: report` in it chooses the
    documents that `report_documents` has kept.
    """

    name: str
    data: dict[str, Any] = Field(default_factory=dict)
    seq_len: Count | None = None

    @field_validator("name")
    @classmethod
    def _names_columns(cls, name: str) -> str:
        if not _NAME.fullmatch(name) or name == HELD_OUT:
            must = f"must be letters, digits, '_' and '-', and not {HELD_OUT!r}"
            raise ValueError(f"{must}, but got {name!r}")
        return name


@dataclass(frozen=True)
class EvaluationSet:
    """What the runs of an arm are scored on besides; `index` is its place in the list."""

    index: int
    name: str
    scored: Scored
    seq_len: int

    @property
    def metric(self) -> str:
        """The metric that tells most of it."""
        if isinstance(self.scored.data.source(), Probe):
            return "val_accuracy"
        return "val_bpb" if self.scored.data.has_bytes else "val_loss"

    def content(self) -> str:
        """Identify what is scored, reading each corpus once in a process.

        Raises:
            ConfigError: it cannot be read, or was trained on.
        """
        key = repr(self.scored)
        if key not in _contents:
            try:
                _contents[key] = self.scored.content()
            except ConfigError as error:
                raise error.within("evaluate", self.index, "data") from None
        return _contents[key]


_contents: dict[str, str] = {}


def read_options(written: Sequence[Mapping[str, Any]]) -> list[EvaluationOptions]:
    """Read the list.

    Raises:
        ConfigError: all problems, with paths such as `evaluate.0.name`.
    """
    problems: list[Problem] = []
    found: list[EvaluationOptions] = []
    for index, item in enumerate(written):
        try:
            options = parse(EvaluationOptions, item)
        except ConfigError as error:
            problems += error.within("evaluate", index).problems
            continue
        if options.name in {other.name for other in found}:
            problems.append(Problem(("evaluate", index, "name"), "two sets have this name"))
        found.append(options)
    if problems:
        raise ConfigError(*problems)
    return found


def sets_of(
    listed: Sequence[EvaluationOptions], dims: Dims, data: DataConfig, seq_len: int
) -> list[EvaluationSet]:
    """Return the sets for runs of these dims, trained on this data with this `seq_len`.

    Raises:
        ConfigError: all problems; a set may not go with the tokenizer or the sizes.
    """
    problems: list[Problem] = []
    sets: list[EvaluationSet] = []
    for index, options in enumerate(listed):
        try:
            scored = _scored(options.data, data)
            scored.check()
        except ConfigError as error:
            problems += error.within("evaluate", index, "data").problems
            continue
        one = EvaluationSet(index, options.name, scored, options.seq_len or seq_len)
        problems += [Problem(("evaluate", index, *p.path), p.message) for p in _misfits(one, dims)]
        sets.append(one)
    if problems:
        raise ConfigError(*problems)
    return sets


def _scored(patch: Mapping[str, Any], own: DataConfig) -> Scored:
    if HELD_OUT in patch:
        if patch[HELD_OUT] != "report" or len(patch) > 1:
            raise ConfigError.at((HELD_OUT,), f"must be `report`, alone, but got {dict(patch)!r}")
        return Scored(own, own, "report")
    if "tokenizer" in patch:
        raise ConfigError.at(("tokenizer",), "is that of the run: remove this key")
    whole = merge(own.to_dict(), patch)
    try:
        source = CORPUS[CORPUS.resolve(whole["corpus"]).name]
    except ConfigError as error:
        raise error.within("corpus") from None
    keys = {"corpus", "tokenizer", *source.keys, *patch}  # of the run's, those that still apply
    if issubclass(source, Probe):
        keys.discard("tokenizer")
    if issubclass(source, Corpus) and whole["corpus"] != own.corpus.to_dict():
        keys.discard("report_documents")
    return Scored(own, DataConfig.read({key: whole[key] for key in whole if key in keys}))


def _misfits(one: EvaluationSet, dims: Dims) -> list[Problem]:
    problems = []
    if one.scored.data.vocab_size > dims.vocab_size:
        fit = f"its {one.scored.data.vocab_size} ids do not fit into the variant's vocab_size"
        problems.append(Problem(("data",), f"{fit} ({dims.vocab_size})"))
    if one.seq_len > dims.max_seq_len:
        must = f"must not exceed the variant's max_seq_len ({dims.max_seq_len})"
        problems.append(Problem(("seq_len",), f"{must}, but got {one.seq_len}"))
    source = one.scored.data.source()
    if isinstance(source, Probe) and one.seq_len < source.length - 1:
        must = f"must be {source.length - 1} or more, the length of an example"
        problems.append(Problem(("seq_len",), f"{must}, but got {one.seq_len}"))
    return problems
