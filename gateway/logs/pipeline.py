"""Set up the logs: JSON lines for machines, colour for a terminal, one way out for all loggers of the process."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, Final, TextIO

import msgspec
import structlog

from gateway.logs.masking import mask_fields

LEVELS: Final = ("debug", "info", "warning", "error", "critical")


def get_logger(**fields: object) -> structlog.typing.FilteringBoundLogger:
    """Return a logger whose lines all carry `fields`; use it as `log.info("diameter.peer.up", peer=identity)`."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(**fields)
    return logger


def configure(level: str = "info", stream: TextIO | None = None, *, colour: bool | None = None) -> None:
    """Send all logs of this process to `stream` (stdout), from `level` up; colour where it is a terminal.

    What the standard library's loggers, warnings and uncaught exceptions say takes the same way, so it is masked too.
    """
    out = stream or sys.stdout
    render = _renderer(colour=out.isatty() if colour is None else colour)
    threshold = logging.getLevelNamesMapping()[level.upper()]
    last: list[structlog.typing.Processor] = [structlog.processors.format_exc_info, mask_fields, render]
    stamps: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*stamps, structlog.processors.StackInfoRenderer(), *last],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    _take_standard_library(out, threshold, stamps, last)
    _take_uncaught()


def _renderer(*, colour: bool) -> structlog.typing.Processor:
    if colour:
        return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return _to_json


def _to_json(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> str:
    # Time, level and event first: a line is read from the left.
    ordered = {name: fields[name] for name in ("timestamp", "level", "event") if name in fields}
    return msgspec.json.encode({**ordered, **fields}).decode()


def _take_standard_library(
    out: TextIO,
    threshold: int,
    stamps: list[structlog.typing.Processor],
    last: list[structlog.typing.Processor],
) -> None:
    handler = logging.StreamHandler(out)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*stamps, _name_foreign],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries tell their life story below warning.
    root.setLevel(max(threshold, logging.WARNING) if threshold > logging.DEBUG else threshold)
    logging.captureWarnings(capture=True)


def _name_foreign(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Return a library's message our form: a constant event, with its words as a field."""
    record = fields.get("_record")
    fields["message"] = fields.pop("event", "")
    fields["event"] = "log.library"
    fields["logger"] = record.name if isinstance(record, logging.LogRecord) else ""
    if suppressed := getattr(record, "suppressed", 0):  # see gateway.logs.event_logger
        fields["suppressed"] = suppressed
    return fields


def _take_uncaught() -> None:
    log = get_logger()

    def report(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt | SystemExit):  # somebody's wish, of the process or of a thread
            return
        log.critical("daemon.crashed", exc_info=(kind, error, trace))

    sys.excepthook = report
    threading.excepthook = lambda args: report(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: report(args.exc_type, args.exc_value, args.exc_traceback)
