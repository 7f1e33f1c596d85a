"""Traces: each listens for a while, keeps what it saw in a few words, and may write it to a file. Every trace ends by itself.

While none runs, nobody listens: the taps on links, peers and hosts are put on for the first trace and taken off after the last.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Final

import msgspec

from gateway.environment import Environment
from gateway.tracing.captures import record
from gateway.tracing.files import CaptureFile
from gateway.tracing.masking import masked
from gateway.tracing.matching import Matching
from gateway.tracing.summary import Words, words
from protocols.tap import Captured, Tap

MAX_RUNNING: Final = 8
MAX_ENDED: Final = 8
"""Ended traces whose lines can still be looked at."""
MAX_SECONDS: Final = 24 * 3600
MAX_LINES: Final = 1000
"""The latest messages of a trace that are kept in words."""
MAX_MESSAGES: Final = 1_000_000
MAX_FILE: Final = 256 << 20
"""Octets of a file."""

Later = Callable[[float, Callable[[], None]], asyncio.TimerHandle]
"""Calls a function after so many seconds: the loop's `call_later`."""
Alarm = Callable[[str, Mapping[str, object]], None]


class TooMany(Exception):
    """As many traces run as may."""


class Asked(msgspec.Struct, frozen=True):
    """What was asked for. `subject` is what people are told that it is about, `by` who asked."""

    subject: str
    seconds: float
    by: str
    show_content: bool = False
    pcap: Path | None = None


class TraceLine(msgspec.Struct, frozen=True):
    """A message in a few words. `number` counts within the trace, `at` is in UTC microseconds."""

    number: int
    at: int
    outgoing: bool
    protocol: str
    name: str
    words: Words


class Trace:
    """One trace, running or ended; `ended` says why it ended."""

    def __init__(self, trace_id: str, asked: Asked, matching: Matching, began: int, until: int) -> None:
        self.id = trace_id
        self.asked, self.began, self.until = asked, began, until
        self.seen = self.missed = 0
        """Messages that were about its subject, and those of them that its file could not take."""
        self.lines: deque[TraceLine] = deque(maxlen=MAX_LINES)
        self.ended: str | None = None
        self.file: CaptureFile | None = None
        self.timer: asyncio.TimerHandle | None = None
        self._matching = matching

    def take(self, captured: Captured, at: int) -> None:
        """Look at a message that goes by."""
        for one in self._matching.take(captured):
            self.seen += 1
            message = masked(one, show_content=self.asked.show_content)
            told = words(one.protocol, message)
            self.lines.append(TraceLine(self.seen, at, one.outgoing, one.protocol, one.name, told))
            if self.file is not None and not self.file.put(record(one, message, at)):
                self.missed += 1

    @property
    def full(self) -> bool:
        """Whether it has seen all that it may."""
        return self.seen >= MAX_MESSAGES or (self.file is not None and self.file.size >= MAX_FILE)


class Traces:
    """All traces of this gateway.

    Args:
        watch: puts a tap on everything that there is to listen to, or takes it off.
        environment: whose clock says when a message came, and whose threads write the files.
        alarm: is told when a trace begins and ends, and who wanted it.
    """

    def __init__(
        self, watch: Callable[[Tap | None], None], environment: Environment, later: Later, alarm: Alarm
    ) -> None:
        self._watch, self._later, self._alarm = watch, later, alarm
        self._clock, self._in_thread = environment.clock, environment.in_thread
        self._numbers = count(1)
        self._running: dict[str, Trace] = {}
        self._ended: OrderedDict[str, Trace] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """How many run."""
        return len(self._running)

    def all(self) -> list[Trace]:
        """Return the running ones, then those that ended, the latest first."""
        return [*self._running.values(), *reversed(self._ended.values())]

    def get(self, trace_id: str) -> Trace | None:
        """Return a trace by its id, while it is known."""
        return self._running.get(trace_id) or self._ended.get(trace_id)

    def new_id(self) -> str:
        """Return an id that none here has or had."""
        return str(next(self._numbers))

    def start(self, asked: Asked, matching: Matching, trace_id: str = "") -> Trace:
        """Begin to listen, under a new id or one that another gateway gave; TooMany or FileRefused."""
        if len(self._running) >= MAX_RUNNING:
            raise TooMany(f"{MAX_RUNNING} traces run already: stop one of them first")
        began, seconds = self._clock(), min(asked.seconds, MAX_SECONDS)
        trace = Trace(trace_id or self.new_id(), asked, matching, began, began + int(seconds * 1_000_000))
        if asked.pcap is not None:
            trace.file = CaptureFile(asked.pcap, lambda reason: self.end(trace, reason), self._in_thread)
        trace.timer = self._later(seconds, lambda: self.end(trace, "its time is over"))
        self._running[trace.id] = trace
        if len(self._running) == 1:
            self._watch(self._hear)
        self._log("trace.started", trace, seconds=seconds)
        return trace

    def end(self, trace: Trace, reason: str) -> None:
        """End a trace; what it saw can be looked at for a while. Ending it again does nothing."""
        if self._running.pop(trace.id, None) is None:
            return
        trace.ended = reason
        if trace.timer is not None:
            trace.timer.cancel()
        if not self._running:
            self._watch(None)
        self._ended[trace.id] = trace
        if len(self._ended) > MAX_ENDED:
            self._ended.popitem(last=False)
        if trace.file is not None:
            task = asyncio.get_running_loop().create_task(trace.file.close(), name=f"end of trace {trace.id}")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        self._log("trace.ended", trace, reason=reason, messages=trace.seen, missed=trace.missed)

    async def stop(self) -> None:
        """End all; their files are whole when this returns."""
        for trace in list(self._running.values()):
            self.end(trace, "the gateway stops")
        await asyncio.gather(*self._closing)

    async def settle(self) -> None:
        """Wait until the files of ended traces are whole."""
        await asyncio.gather(*self._closing)

    def _hear(self, captured: Captured) -> None:
        """Let each trace look; whatever goes wrong with one of them must not touch the connection that it listens to."""
        at = self._clock()
        for trace in list(self._running.values()):
            try:
                trace.take(captured, at)
            except Exception as error:  # noqa: BLE001  (as said: a message may be anything)
                self.end(trace, f"it could not read a message of {captured.protocol}: {type(error).__name__}")
            if trace.full:
                self.end(trace, "it has seen as much as a trace may")

    def _log(self, event: str, trace: Trace, **fields: object) -> None:
        asked = trace.asked
        known = {"trace": trace.id, "subject": asked.subject, "by": asked.by, "content": asked.show_content}
        self._alarm(event, {**known, "file": str(asked.pcap or ""), **fields})
