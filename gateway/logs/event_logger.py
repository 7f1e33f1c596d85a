"""Events whose names are data, written at their level; a storm of them is told in a few lines that add up to all of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

import structlog

from gateway.logs.catalogue import EVENTS
from gateway.logs.limit import SUPPRESSED, Limit


def log(log: structlog.typing.FilteringBoundLogger, event: str, **fields: object) -> None:
    """Log an event at its level in the catalogue; one that isn't there is a warning."""
    known = EVENTS.get(event)
    log.log(logging.getLevelNamesMapping()[(known.level if known else "warning").upper()], event, **fields)


class EventLogger:
    """Writes events to the log, on any thread; those that the catalogue marks `per_message` no oftener than `Limit` lets them.

    What is held back is told by the next line of its kind, or by `settle`, which its owner calls every few seconds: so the
    last of a storm is told even if nothing follows. `finish` tells the rest at the end of the process.
    """

    def __init__(self, log: structlog.typing.FilteringBoundLogger, monotonic: Callable[[], float]) -> None:
        """Take the log and a clock in seconds."""
        self._log, self._monotonic = log, monotonic
        # A library may speak while the collector runs, in the middle of one of our own calls.
        self._limit, self._lock = Limit(), threading.RLock()

    def capture_libraries(self) -> None:
        """Limit what the standard library's loggers let through too, by logger: one bad request can be a line there."""
        for handler in logging.getLogger().handlers:
            handler.addFilter(self._admit_library)

    def log(self, event: str, fields: Mapping[str, object]) -> None:
        """Write an event, or count it for a later line."""
        known = EVENTS.get(event)
        admitted: Mapping[str, object] | None = fields
        if known is not None and known.per_message:
            admitted = self._admit(event, fields)
        if admitted is not None:
            log(self._log, event, **admitted)

    def settle(self) -> None:
        """Write what has been held back for long enough."""
        with self._lock:
            lines = list(self._limit.due(self._monotonic()))
        self._write(lines)

    def finish(self) -> None:
        """Write all that is held back."""
        with self._lock:
            lines = list(self._limit.rest())
        self._write(lines)

    def _admit(self, event: str, fields: Mapping[str, object]) -> Mapping[str, object] | None:
        with self._lock:
            return self._limit.admit(event, fields, self._monotonic())

    def _admit_library(self, record: logging.LogRecord) -> bool:
        # The words without what is filled in: to fill it in may fail, and nobody would catch that here.
        admitted = self._admit("log.library", {"logger": record.name, "message": str(record.msg)})
        if admitted is not None and SUPPRESSED in admitted:
            setattr(record, SUPPRESSED, admitted[SUPPRESSED])
        return admitted is not None

    def _write(self, lines: list[tuple[str, Mapping[str, object]]]) -> None:
        for event, fields in lines:
            log(self._log, event, **fields)
