"""Shows the progress of a bulk explanation: as a bar in a terminal, a line in a notebook, or lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from sequela_client.cohort.run import Progress

_LINE_SECONDS = 10.0
_NOTEBOOK_SECONDS = 0.5


@contextmanager
def shown_in_command(line_seconds: float = _LINE_SECONDS) -> Iterator[Callable[[Progress], None]]:
    """Yields a function that shows the progress on standard error.

    Args:
        line_seconds: seconds between two lines, if standard error is not a terminal.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        with _bar(console) as bar:
            yield _in_bar(bar)
    else:
        yield Lines(line_seconds, _print_line).show


@contextmanager
def shown_in_session() -> Iterator[Callable[[Progress], None]]:
    """Yields a function that shows the progress in a notebook or a terminal, and nothing elsewhere."""
    console = Console(stderr=True)
    if _in_notebook():
        lines = Lines(_NOTEBOOK_SECONDS, _notebook_line())
        yield lines.show
        lines.end()
    elif console.is_terminal:
        with _bar(console) as bar:
            yield _in_bar(bar)
    else:
        yield lambda _: None


def _in_notebook() -> bool:
    """Returns whether this process is the kernel of a notebook. IPython in a terminal has no kernel."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None


def _notebook_line() -> Callable[[str], None]:
    """Returns a function that replaces the line in a notebook. It needs no widgets, which Jupyter may not have."""
    display = sys.modules["IPython"].display
    place = display.display(display.Pretty("explaining"), display_id=True)

    def write(text: str) -> None:
        place.update(display.Pretty(text))

    return write


def _print_line(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


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
        # Rows of earlier runs do not count, since they took no time now.
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
    """Writes a line of text every few seconds.

    Args:
        seconds: the time between two lines.
        write: takes a line.
        clock: returns the time in seconds.
    """

    def __init__(
        self, seconds: float, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds, self._write, self._clock = seconds, write, clock
        self._started = self._written = clock()
        self._left_out: Progress | None = None

    def show(self, progress: Progress) -> None:
        """Writes a line, unless it is too soon after the last one."""
        now = self._clock()
        self._left_out = progress
        if progress.done and now - self._written >= self._seconds:
            self._write_line(progress, now)

    def end(self) -> None:
        """Writes the final progress, unless the last line shows it."""
        if self._left_out is not None:
            self._write_line(self._left_out, self._clock())

    def _write_line(self, progress: Progress, now: float) -> None:
        self._written, self._left_out = now, None
        rows, parts = progress.there + progress.done, [f"{progress.failed:,} failed"]
        per_second = progress.done / max(now - self._started, 1e-9)
        if progress.done and rows < progress.total:
            parts.insert(0, f"{duration((progress.total - rows) / per_second)} left")
        if progress.done:
            parts.insert(0, f"{per_second:.1f}/s")
        self._write(f"{rows:,} of {progress.total:,} rows, {', '.join(parts)}")


def duration(seconds: float) -> str:
    """Returns a duration as text: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
