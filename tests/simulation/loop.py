"""An event loop in virtual time: nothing waits, the clock jumps to the next timer, and the order is always the same.

A *process* is a name in the context that a handle runs in. One that was killed never runs again: no `finally`, no last word,
as after `kill -9`. One that was stopped runs nothing until it goes on, as after SIGSTOP.
"""

import asyncio
import contextvars
import heapq
from asyncio import events

PROCESS = contextvars.ContextVar("process", default=None)
"""Whose code runs."""


class Process:
    """Whoever lives and dies in the simulation: a gateway from its start to its end, a peer.

    What a task of a *model* raises is a fault of the simulation, and is told.
    """

    def __init__(self, name, *, model=True):
        self.name, self.dead, self.model = name, False, model
        self.stopped, self.held = False, []
        """Whether it stands still, and what it would have run since."""
        self.tasks = []  # kept: a task that is collected would run its `finally` then

    def run(self, function, *arguments):
        """Run a function as this process."""
        context = contextvars.copy_context()
        context.run(PROCESS.set, self)
        return context.run(function, *arguments)

    def context(self):
        """A context in which this process runs."""
        return self.run(contextvars.copy_context)


class Stuck(Exception):
    """Nothing is left that could ever happen, or something happens for ever."""


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop without a selector. `spend` lets time pass in the middle of a callback, as another thread would see it."""

    MOST_AT_ONCE = 100_000
    """Handles that may run without any time passing."""

    def __init__(self):
        super().__init__()
        self._now, self._at_once, self.handled = 0.0, 0, 0
        self.errors = []
        self.set_task_factory(_make_task)
        self.set_exception_handler(self._note)

    def time(self):
        return self._now

    def spend(self, seconds, until):
        """Run what happens within so many seconds, or until a condition holds; not from within a task."""
        end = self._now + seconds
        while not until():
            if not self._ready and (not self._drop_cancelled() or self._scheduled[0]._when > end):
                self._now = max(self._now, end)
                return
            self._run_once()

    def _run_once(self):
        if not self._ready:
            if not self._drop_cancelled():
                raise Stuck("nobody waits for anything any more")
            if self._scheduled[0]._when > self._now:
                self._now, self._at_once = self._scheduled[0]._when, 0
            while self._drop_cancelled() and self._scheduled[0]._when <= self._now:
                timer = heapq.heappop(self._scheduled)
                timer._scheduled = False
                self._ready.append(timer)
        handle = self._ready.popleft()
        process = handle._context.get(PROCESS)
        if handle._cancelled or (process is not None and process.dead):
            return
        if process is not None and process.stopped:
            process.held.append(handle)
            return
        self.handled += 1
        self._at_once += 1
        if self._at_once > self.MOST_AT_ONCE:
            raise Stuck(f"no time passes: {handle!r}")
        handle._run()

    def resume(self, process):
        """Let a process that stood still go on, with all that was held up, in its order."""
        process.stopped = False
        self._ready.extend(process.held)
        process.held = []

    def _drop_cancelled(self):
        """Forget timers that nobody waits for; whether one is left."""
        while self._scheduled and (self._scheduled[0]._cancelled or _is_dead(self._scheduled[0])):
            heapq.heappop(self._scheduled)._scheduled = False
        return bool(self._scheduled)

    def _write_to_self(self):
        """Nobody sleeps."""

    def _timer_handle_cancelled(self, handle):
        """It is dropped when its time has come."""

    def _note(self, _loop, context):
        self.errors.append(context)

    def tell_error(self, task):
        """A task of a model has failed."""
        self.errors.append({"message": f"{task.get_coro()!r}", "exception": task.exception()})

    def run_in_executor(self, executor, function, *arguments):
        raise AssertionError(f"a thread for {function}: use Environment.in_thread")

    def close(self):
        self._ready.clear()
        self._scheduled.clear()
        super().close()


def _is_dead(handle):
    process = handle._context.get(PROCESS)
    return process is not None and process.dead


def _make_task(loop, coroutine, **options):
    task = asyncio.Task(coroutine, loop=loop, **options)
    process = PROCESS.get()
    task._log_destroy_pending = False
    if process is not None:
        process.tasks.append(task)
        if process.model:
            task.add_done_callback(lambda done: done.cancelled() or done.exception() is None or loop.tell_error(done))
        if len(process.tasks) > 5000:
            process.tasks = [each for each in process.tasks if not each.done()]
    return task


def run(loop, coroutine):
    """Run something to its end."""
    try:
        return loop.run_until_complete(coroutine)
    finally:
        events._set_running_loop(None)
