"""How far a command is with the rows of a file: a bar on a terminal, elsewhere a line on standard error from time to time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from gateway.cli.output import complain

REPORT_SECONDS: Final = 10.0
"""How often a line tells it where there is no terminal."""


@contextmanager
def row_progress(total: int, *, clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[[int], None]]:
    """Lend a function that is told of how many rows of all something has become."""
    if not sys.stderr.isatty():
        yield _Lines(total, clock).show
        return
    from rich.console import Console  # noqa: PLC0415  (nothing is drawn elsewhere)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415  (as above)

    with Progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)


class _Lines:
    """A line every few seconds, with the rows a second since the beginning."""

    def __init__(self, total: int, clock: Callable[[], float]) -> None:
        self._total, self._clock = total, clock
        self._began = self._told_at = clock()

    def show(self, done: int) -> None:
        """Report it if it is time."""
        now = self._clock()
        if now >= self._told_at + REPORT_SECONDS:
            self._told_at = now
            complain(f"{done:,} of {self._total:,} rows, {done / (now - self._began):,.0f} a second")
