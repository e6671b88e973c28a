"""What was expected before the first run, against what was found."""

from collections.abc import Iterator, Sequence

from harness.analysis.verdicts.contrasts import Contrast
from harness.store.tables import Plan


def expectation_notes(plan: Plan, contrasts: Sequence[Contrast]) -> Iterator[str]:
    """Say of each expectation what became of it, and what was changed after the fact."""
    stamped = plan.get("stamped")
    expect = plan.get("expect", {})
    before = stamped.get("expect", expect) if stamped else expect
    verdicts = {contrast.name: contrast.verdict for contrast in contrasts}
    when = _when(plan)
    for name in {**before, **expect}:
        was, now = before.get(name), expect.get(name)
        found = verdicts.get(name)
        words = f"expected of {name}: {now or 'nothing'}, found: {found or 'no such contrast'}"
        if was == now:
            yield f"{words}{when}"
        else:
            yield f"{words}; changed after the first run{when}, when it was {was or 'nothing'}"
    if not stamped:
        return
    asked, declared = plan["contrasts"], stamped.get("contrasts", plan["contrasts"])
    primary, was_primary = asked.get("primary"), declared.get("primary")
    if primary != was_primary:
        was = " - ".join(was_primary) if was_primary else "none"
        yield f"the primary contrast was changed after the first run{when}, when it was {was}"


def _when(plan: Plan) -> str:
    stamped = plan.get("stamped")
    if not stamped:
        return ""
    commit = f" at {stamped['commit']}" if stamped["commit"] else ""
    return f" (stamped {stamped['time']}{commit})"
