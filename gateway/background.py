"""Background tasks: each one is watched, told of when it ends by surprise, and begun again.

A loop that dies unseen leaves what it does undone for ever: texts are accepted and never sent, a drain never ends. So no task
of the gateway is started but here. Trouble of the store is no surprise: it is told (`daemon.timer.failed`) and the work is
tried again after seconds. Any other error is (`daemon.task.failed`): it is counted, and the wait before the next attempt
doubles. After five surprises within a minute the gateway is not ready, until a minute has passed without one. A lane that takes
nothing any more (LaneClosed) means that the gateway stops: the task ends, and nobody is told.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from random import Random
from typing import Final

from gateway.environment import Environment
from gateway.privacy.masks import mask
from gateway.store.errors import LaneClosed, StoreError
from protocols.backoff import Backoff

SURPRISES: Final = 5
WITHIN: Final = 60.0
"""So many surprises within so many seconds take readiness; as many seconds without one give it back."""
FIRST_DELAY: Final = 0.5
LAST_DELAY: Final = 30.0
"""Seconds; with its jitter shorter than `WITHIN`, so that a task that fails at once is never called well."""
TROUBLE_DELAY: Final = 5.0
"""The longest wait for a store in trouble: what waits for it should go on soon after it is back."""
Alarm = Callable[[str, Mapping[str, object]], None]
Work = Callable[[], Coroutine[None, None, object]]


def new_backoff(random: Random, last: float = LAST_DELAY) -> Backoff:
    """Make the waits of a task: doubling from FIRST_DELAY to `last`, give or take a half, never longer than `last`."""
    return Backoff(FIRST_DELAY, last, random.random, earlier=0.5, later=0.5)


class Record:
    """How often the tasks of one name ended by surprise; times are seconds of a clock that never goes back."""

    def __init__(self, random: Random) -> None:
        """Begin without any."""
        self._latest: deque[float] = deque(maxlen=SURPRISES)
        self._failing = False
        self._surprises, self._recent_alarms = new_backoff(random), new_backoff(random, TROUBLE_DELAY)

    def ran(self, seconds: float) -> None:
        """A run has ended after so many seconds: one that was long enough starts the waits anew."""
        if seconds >= WITHIN:
            self._surprises.reset()
            self._recent_alarms.reset()

    def surprised(self, now: float) -> float:
        """Note an end by surprise, and give the seconds to wait before the next attempt."""
        self._latest.append(now)
        if len(self._latest) == SURPRISES and now - self._latest[0] <= WITHIN:
            self._failing = True
        return self._surprises.next()

    def in_trouble(self) -> float:
        """Note an end for the store's sake, and give the seconds to wait before the next attempt."""
        return self._recent_alarms.next()

    def is_failing(self, now: float) -> bool:
        """Whether it failed too often, and has not run well for long enough since."""
        if self._failing and now - self._latest[-1] >= WITHIN:
            self._failing = False
            self._latest.clear()
        return self._failing


class Background:
    """All background tasks of one gateway. `alarm` is told what a person should see; `sleep` waits so many seconds."""

    def __init__(
        self,
        alarm: Alarm = lambda _event, _fields: None,
        *,
        environment: Environment | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Begin without any task."""
        environment = environment or Environment()
        self._alarm, self._monotonic, self._sleep = alarm, environment.monotonic, sleep
        self._random = environment.random
        self._records: dict[str, Record] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.surprises: Counter[str] = Counter()
        """Ends by surprise since the start, by the name of the task."""

    def keep(self, name: str, work: Work) -> asyncio.Task[None]:
        """Run something until it returns or its task is cancelled; whatever it raises, it is begun again after a wait."""
        return self._start(name, self._keep(name, work))

    def every(self, name: str, seconds: float, work: Work) -> asyncio.Task[None]:
        """Run something at intervals until its task is cancelled; what one turn raises does not end the turns."""

        async def repeat() -> None:
            while True:
                await self._sleep(seconds)
                await work()

        return self.keep(name, repeat)

    def once(self, name: str, work: Work) -> asyncio.Task[None]:
        """Run something once beside its caller; what it raises is told and counted."""
        return self._start(name, self._once(name, work))

    @property
    def failing(self) -> list[str]:
        """The names of tasks that fail too often to call the gateway ready."""
        now = self._monotonic()
        return sorted(name for name, record in self._records.items() if record.is_failing(now))

    def _start(self, name: str, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)  # the loop itself holds a task only weakly
        task.add_done_callback(self._tasks.discard)
        return task

    async def _keep(self, name: str, work: Work) -> None:
        while True:
            began = self._monotonic()
            try:
                await work()
            except LaneClosed:
                return
            except Exception as error:  # noqa: BLE001  (this is the place that they are all brought to)
                self._record(name).ran(self._monotonic() - began)
                await self._sleep(self._note(name, error))
            else:
                return

    async def _once(self, name: str, work: Work) -> None:
        try:
            await work()
        except LaneClosed:
            return
        except Exception as error:  # noqa: BLE001  (as above)
            self._note(name, error)

    def _note(self, name: str, error: Exception) -> float:
        """Return an error, and give the seconds to wait before the next attempt."""
        detail = mask(str(error).partition("\n")[0])
        if isinstance(error, StoreError | OSError):
            self._alarm("daemon.timer.failed", {"timer": name, "detail": detail or type(error).__name__})
            return self._record(name).in_trouble()
        self.surprises[name] += 1
        fields = {"task": name, "detail": f"{type(error).__name__}: {detail}", "exc_info": error}
        self._alarm("daemon.task.failed", fields)
        return self._record(name).surprised(self._monotonic())

    def _record(self, name: str) -> Record:
        found = self._records.get(name)
        if found is None:
            found = self._records[name] = Record(self._random)
        return found
