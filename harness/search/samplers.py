"""Optuna's samplers and pruners by name, with their own options.

A sampler is made anew for each suggestion, seeded by the number of the trial: what it suggests is a
function of that and of what it is shown, so that a search that was stopped goes on alike.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from harness.errors import ConfigError, unknown
from harness.search.view import quiet
from harness.training.randomness import address

SEEDS = 2**32

SAMPLERS: dict[str, Callable[..., BaseSampler] | None] = {
    "tpe": optuna.samplers.TPESampler,
    "nsgaii": optuna.samplers.NSGAIISampler,
    "nsgaiii": optuna.samplers.NSGAIIISampler,
    "random": optuna.samplers.RandomSampler,
    "grid": None,  # every point once, in an order that the seed draws
    "cmaes": optuna.samplers.CmaEsSampler,
    "qmc": optuna.samplers.QMCSampler,
}
PRUNERS: dict[str, type[BasePruner]] = {
    "median": optuna.pruners.MedianPruner,
    "percentile": optuna.pruners.PercentilePruner,
    "successive_halving": optuna.pruners.SuccessiveHalvingPruner,
    "hyperband": optuna.pruners.HyperbandPruner,
    "threshold": optuna.pruners.ThresholdPruner,
    "patient": optuna.pruners.PatientPruner,
    "wilcoxon": optuna.pruners.WilcoxonPruner,
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "tpe": {"multivariate": True, "group": True},
    "qmc": {"scramble": True, "warn_asynchronous_seeding": False},
}
GENETIC = ("nsgaii", "nsgaiii")
REMEMBERING = (*GENETIC, "cmaes", "qmc")
"""Samplers that keep notes in a study: these are made again by asking them again."""
FOR_ONE = ("cmaes",)
"""Samplers that serve one objective alone."""
PLAIN = (bool, int, float, str, type(None))


@dataclass(frozen=True)
class SamplerChoice:
    """A sampler's name, the seed of all its suggestions, and options of Optuna's."""

    name: str = "tpe"
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def build(self, number: int) -> BaseSampler:
        """Return the sampler that suggests one trial."""
        kind = SAMPLERS[self.name] or optuna.samplers.RandomSampler
        seed = address(self.seed, "suggestion", number) % SEEDS
        options = {**DEFAULTS.get(self.name, {}), **self.options}
        if self.name == "qmc":  # one sequence for all trials
            options["independent_sampler"] = optuna.samplers.RandomSampler(seed=seed)
            seed = address(self.seed, "sequence") % SEEDS
        with quiet():
            return kind(seed=seed, **options)

    def to_dict(self) -> dict[str, Any]:
        """Write it for the record of a study."""
        return {"name": self.name, "seed": self.seed, **self.options}


def read_sampler(written: Any, n_objectives: int) -> SamplerChoice:
    """Read a sampler's name, or a mapping of it with `seed` and its options.

    Raises:
        ConfigError: with the path below `sampler`.
    """
    options = dict(_named(written, "sampler", SAMPLERS))
    name, seed = options.pop("name"), options.pop("seed", 0)
    if type(seed) is not int or seed < 0:
        raise ConfigError.at(("seed",), f"must be a whole number from 0 on, but got {seed!r}")
    if name in FOR_ONE and n_objectives > 1:
        raise ConfigError.at((), f"{name} serves one objective, and here are {n_objectives}")
    _check_options(options, SAMPLERS[name], ("seed", "constraints_func", "independent_sampler"))
    choice = SamplerChoice(name, seed, options)
    _try(lambda: choice.build(0))
    return choice


def read_pruner(written: Any) -> dict[str, Any]:
    """Read a pruner's name, or a mapping of it with its options.

    Raises:
        ConfigError: with the path below `pruner`.
    """
    options = _named(written, "pruner", PRUNERS)
    _try(lambda: build_pruner(options))
    return options


def build_pruner(written: Mapping[str, Any]) -> BasePruner:
    """Return a pruner; `wrapped` of `patient` names another one.

    Raises:
        ConfigError: an option that it does not have.
    """
    options = {key: value for key, value in written.items() if key != "name"}
    kind = PRUNERS[written["name"]]
    if kind is optuna.pruners.PatientPruner:
        wrapped = options.pop("wrapped", None)
        options["wrapped_pruner"] = wrapped and build_pruner(_named(wrapped, "pruner", PRUNERS))
        options.setdefault("patience", 1)
    _check_options(options, kind, ())
    with quiet():
        return kind(**options)


def _named(written: Any, what: str, known: Mapping[str, Any]) -> dict[str, Any]:
    given = {"name": written} if isinstance(written, str) else written
    if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
        raise ConfigError.at((), f"must be a name or a mapping with `name`, but got {written!r}")
    if given["name"] not in known:
        raise ConfigError.at(("name",), unknown(what, given["name"], known))
    return dict(given)


def _check_options(
    options: Mapping[str, Any], kind: Callable[..., object] | None, ours: tuple[str, ...]
) -> None:
    signature = inspect.signature(kind).parameters if kind else {}
    known = [name for name in signature if name not in ours]
    for name in options:
        if name not in known:
            raise ConfigError.at((name,), unknown("option", name, known))


def _try(build: Callable[[], object]) -> None:
    try:
        build()
    except (ValueError, TypeError) as error:
        raise ConfigError.at((), str(error)) from None
    except ImportError:
        missing = "needs the package cmaes: pip install 'ablate[cmaes]'"
        raise ConfigError.at((), missing) from None
