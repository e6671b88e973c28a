"""Settings that are tuned, written into how an arm is trained."""

from collections.abc import Mapping
from typing import Any

from scipy.stats import qmc

from harness.errors import ConfigError, unknown
from harness.experiments.question.tuning_config import PART, Setting, Space, Tune
from harness.training.config import TrainConfig


def check_settings(tune: Tune, train: TrainConfig) -> None:
    """Try what an arm is going to try, as far as that is known.

    Raises:
        ConfigError: a setting does not exist or does not take a value; with the path of its key.
    """
    if isinstance(tune.search, Space):
        for setting in draws(tune.search):
            with_setting(train, setting)
        return
    grid = tune.search
    try:
        start = own_value(train, grid.key)
        if start <= 0:
            raise ConfigError.at((), f"a grid multiplies, so it needs a value above 0, not {start}")
    except ConfigError as error:
        raise error.within(grid.key) from None
    for exponent in grid.exponents:
        with_setting(train, {grid.key: grid.value(start, exponent)})


def draws(space: Space) -> list[Setting]:
    """Return the settings that every arm tries: a scrambled Halton sequence with a fixed seed.

    Source:
        Bousquet et al. 2017, arXiv:1706.03200: sequences of low discrepancy find good settings
        with fewer trials than independent draws.
    """
    sequence = qmc.Halton(len(space.ranges), scramble=True, rng=0)
    points = sequence.random(space.trials)
    return [
        {
            key: _scaled(one.low, one.high, one.log, share)
            for (key, one), share in zip(space.ranges.items(), map(float, point), strict=True)
        }
        for point in points
    ]


def _scaled(low: float, high: float, log: bool, share: float) -> float:
    value = low * (high / low) ** share if log else low + (high - low) * share
    return float(f"{value:.4g}")


def with_setting(train: TrainConfig, setting: Setting) -> TrainConfig:
    """Return how to train under a setting.

    Raises:
        ConfigError: there is no such setting, or it does not take this value; the path is that of
            the key, in one piece.
    """
    for key, value in setting.items():
        written = train.to_dict()
        parts = key.removeprefix(PART).split(".")
        try:
            own_value(train, key)
            _assign(written, parts, value)
            train = TrainConfig.read(written)
        except ConfigError as error:
            told = "; ".join(problem.message for problem in error.problems)
            raise ConfigError.at((key,), told) from None
    return train


def own_value(train: TrainConfig, key: str) -> float:
    """Return what is written of a setting, or its default.

    Raises:
        ConfigError: there is no such setting, or it is no real number.
    """
    if key.startswith("train.budget"):
        raise ConfigError.at((), "is what arms are given alike; it cannot be tuned")
    found: Any = train.to_dict()
    for part in key.removeprefix(PART).split("."):
        if not isinstance(found, Mapping) or part not in found:
            known = list(found) if isinstance(found, Mapping) else []
            raise ConfigError.at((), f"{unknown('setting', part, known)} (in {key})")
        found = found[part]
    if not isinstance(found, float):
        raise ConfigError.at((), f"must be a real number to be tuned, but {key} is {found!r}")
    return found


def _assign(written: dict[str, Any], parts: list[str], value: float) -> None:
    for part in parts[:-1]:
        written = written[part]
    written[parts[-1]] = value
