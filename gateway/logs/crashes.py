"""Errors that nobody expected, in a process that goes on: a task or a callback of the loop, or a thread, has ended by one.

Each is told in the log as `daemon.crashed`, at once, and counted. What ends the whole process is told by the hooks of
gateway.logs.pipeline; nobody could read the count of that one, but the time of the next start tells of it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from gateway.logs.pipeline import get_logger

CRASHED: Final = "daemon.crashed"
Count = Callable[[str, Mapping[str, object]], None]


def install(loop: asyncio.AbstractEventLoop, count: Count) -> None:
    """Report crashes from now on; `count` gets the event and its fields, on the loop."""
    loop.set_exception_handler(lambda loop, context: _of_the_loop(loop, context, count))
    report = threading.excepthook

    def of_a_thread(given: threading.ExceptHookArgs) -> None:
        report(given)
        if given.exc_type is not SystemExit:
            _count(loop, count, f"a thread: {given.exc_type.__name__}")

    threading.excepthook = of_a_thread


def _of_the_loop(loop: asyncio.AbstractEventLoop, context: dict[str, Any], count: Count) -> None:
    """Take what the loop has no other place for. Trouble of the network and of its sockets is not a crash of ours."""
    error = context.get("exception")
    if not isinstance(error, Exception) or isinstance(error, OSError):
        loop.default_exception_handler(context)
        return
    log = get_logger()
    log.critical("daemon.crashed", detail=context["message"], exc_info=error)
    _count(loop, count, f"{context['message']}: {type(error).__name__}")


def _count(loop: asyncio.AbstractEventLoop, count: Count, detail: str) -> None:
    # Later, and on the loop: a task that nobody waits for is told of while the collector runs, with any lock held.
    with suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(count, CRASHED, {"detail": detail})
