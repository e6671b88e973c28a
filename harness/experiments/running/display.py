"""Live progress in the terminal: a bar for each run and a total, or plain lines in a log."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from harness.experiments.planning.planned import PlannedRun
from harness.experiments.running.complete import Progress as RunProgress
from harness.quantities import format_count, format_duration
from harness.store.status import Status

Events = Iterable[RunProgress]


def show(events: Events, total: int, console: Console) -> Iterator[RunProgress]:
    """Draw events as they pass, and hand on those that end a run."""
    drawing = _bars(total, console) if console.is_terminal else _lines(total, console)
    with drawing as draw:
        for event in events:
            draw(event)
            if event.status is not Status.RUNNING:
                yield event


@contextmanager
def _lines(total: int, console: Console):  # type: ignore[no-untyped-def]
    started, ended = time.monotonic(), 0

    def draw(event: RunProgress) -> None:
        nonlocal ended
        if event.status is Status.RUNNING:
            for line in _taken_up(event):
                console.print(line, highlight=False, markup=False, soft_wrap=True)
            if event.heartbeat is None and event.resumed is None:
                begins = "start" if event.trains else "measure"
                console.print(f"{begins:<9}{_name(event.run)}", highlight=False)
            return
        ended += 1
        left = format_duration((time.monotonic() - started) / ended * (total - ended))
        cause = f": {event.cause}" if event.cause else ""
        line = f"{event.status:<9}{_name(event.run)}{cause}  [{ended}/{total}, about {left} left]"
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    yield draw


@contextmanager
def _bars(total: int, console: Console):  # type: ignore[no-untyped-def]
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[detail]}"),
    )
    with Progress(*columns, console=console) as progress:
        started, ended = time.monotonic(), 0
        all_runs = progress.add_task("all runs", total=total, detail=f"0/{total}")
        bars: dict[str, TaskID] = {}
        fractions: dict[str, float] = {}

        def draw(event: RunProgress) -> None:
            nonlocal ended
            key = _name(event.run)
            if event.status is Status.RUNNING:
                if key not in bars:
                    detail = "starting" if event.trains else "measuring its weights"
                    bars[key] = progress.add_task(escape(key), total=1.0, detail=detail)
                for line in _taken_up(event):
                    progress.console.print(line, highlight=False, markup=False, soft_wrap=True)
                if event.heartbeat:
                    fractions[key] = event.heartbeat.fraction
                    detail = _detail(event)
                    progress.update(bars[key], completed=event.heartbeat.fraction, detail=detail)
            else:
                ended += 1
                fractions.pop(key, None)
                if key in bars:
                    progress.remove_task(bars.pop(key))
                if event.cause:
                    progress.console.print(
                        f"[red]{event.status}[/] {escape(key)}: {escape(event.cause)}"
                    )
            done = ended + sum(fractions.values())
            left = (time.monotonic() - started) / done * (total - done) if done > 0.02 else None
            eta = f", about {format_duration(left)} left" if left else ""
            progress.update(all_runs, completed=done, detail=f"{ended}/{total}{eta}")

        yield draw


def _detail(event: RunProgress) -> str:
    beat = event.heartbeat
    assert beat
    loss = "" if beat.loss is None else f"loss {beat.loss:.3f}  "
    share = "" if beat.share_of_peak is None else f" ({beat.share_of_peak:.0%} of peak)"
    per_s = beat.tokens_per_s
    speed = "" if per_s is None else f"{format_count(per_s)} tokens/s{share}  "
    left = "" if beat.seconds_left is None else f"{format_duration(beat.seconds_left)} left"
    return loss + speed + left


def _taken_up(event: RunProgress) -> Iterator[str]:
    """Say after which step a run goes on, and what is wrong with checkpoints that are not used."""
    if resumed := event.resumed:
        for problem in resumed.put_aside:
            yield f"{'damaged':<9}{problem}"
        start = f"after step {resumed.step}" if resumed.step else "from the beginning"
        elsewhere = "" if resumed.exact else ", in another environment: not to the last bit"
        yield f"{'resume':<9}{_name(event.run)} {start}{elsewhere}"


def _name(run: PlannedRun) -> str:
    return run.wanted.label
