"""Which contrasts are judged, and which of them together."""

from dataclasses import dataclass

from harness.analysis.statistics.critical import Contrasts
from harness.store.tables import Plan


@dataclass(frozen=True)
class Pair:
    """An arm and what it is compared with."""

    name: str
    arm: str
    baseline: str


@dataclass(frozen=True)
class Family:
    """Contrasts whose intervals hold simultaneously."""

    name: str
    pairs: tuple[Pair, ...]

    @property
    def arms(self) -> list[str]:
        """The arms that are compared, each once."""
        return list(dict.fromkeys(arm for pair in self.pairs for arm in (pair.arm, pair.baseline)))

    @property
    def contrasts(self) -> Contrasts:
        """The weights of the arms in each contrast."""
        return tuple(
            tuple(float(arm == pair.arm) - float(arm == pair.baseline) for arm in self.arms)
            for pair in self.pairs
        )


def families(plan: Plan) -> list[Family]:
    """Split a plan's contrasts: the declared `primary` alone, all others together.

    The others are those declared and each arm against the baseline, every pair once. A
    confirmation asks again what was resolved, which it declares, and nothing else.
    """
    confirms = (plan.get("condition") or {}).get("kind") == "confirm"
    declared = [Pair(name, arm, against) for name, (arm, against) in plan["contrasts"].items()]
    implied = [
        Pair(f"{arm} - {plan['baseline']}", arm, plan["baseline"])
        for arm in plan["arms"]
        if arm != plan["baseline"] and not confirms
    ]
    once: dict[frozenset[str], Pair] = {}
    for pair in sorted(declared, key=lambda p: p.name != "primary") + implied:
        once.setdefault(frozenset((pair.arm, pair.baseline)), pair)
    primary = tuple(p for p in once.values() if p.name == "primary")
    others = tuple(p for p in once.values() if p.name != "primary")
    return [Family(n, pairs) for n, pairs in (("primary", primary), ("others", others)) if pairs]
