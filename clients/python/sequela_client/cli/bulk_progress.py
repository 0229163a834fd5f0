"""Shows how far a bulk explanation is: a bar in a terminal, else a line every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from sequela_client.cohort.run import Progress, RunSummary

_LINE_SECONDS = 10.0


@contextmanager
def shown(line_seconds: float = _LINE_SECONDS) -> Iterator[Callable[[Progress], None]]:
    """A function that takes how far a run is, and shows it on standard error.

    Args:
        line_seconds: seconds between two lines, if standard error is not a terminal.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        with _bar(console) as bar:
            yield _in_bar(bar)
    else:
        yield Lines(line_seconds).show


def _bar(console: Console) -> Bar:
    return Bar(
        TextColumn("explaining"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[failed]}"),
        console=console,
    )


def _in_bar(bar: Bar) -> Callable[[Progress], None]:
    started = time.monotonic()
    task = bar.add_task("", total=None, rate="", failed="")

    def show(progress: Progress) -> None:
        per_second = progress.done / max(time.monotonic() - started, 1e-9)
        bar.update(
            task,
            total=progress.total,
            completed=progress.there + progress.done,
            rate=f"{per_second:.1f}/s" if progress.done else "",
            failed=f"{progress.failed:,} failed" if progress.failed else "",
        )

    return show


class Lines:
    """Prints a line every few seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._started = self._printed = clock()

    def show(self, progress: Progress) -> None:
        """Prints a line, unless the last one is too new."""
        now = self._clock()
        if now - self._printed < self._seconds or not progress.done:
            return
        self._printed = now
        per_second = progress.done / max(now - self._started, 1e-9)
        left = max(progress.total - progress.there - progress.done, 0) / per_second
        click.echo(
            f"{progress.there + progress.done:,} of {progress.total:,} rows, {per_second:.1f}/s, "
            f"{duration(left)} left, {progress.failed:,} failed",
            err=True,
        )


def duration(seconds: float) -> str:
    """A time for people: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def print_summary(summary: RunSummary, out: str) -> None:
    """Prints what a run did."""
    rate = f", {summary.added / summary.seconds:.1f}/s" if summary.added and summary.seconds else ""
    failed = sum(summary.failed.values())
    click.echo(f"{summary.added:,} rows added in {duration(summary.seconds)}{rate}; {out} has:")
    click.echo(f"  {summary.explained:,} explained")
    if summary.below_minimum:
        click.echo(f"  {summary.below_minimum:,} below the minimum score, not explained")
    if failed:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in summary.failed.items())
        click.echo(f"  {failed:,} failed: {reasons}")
