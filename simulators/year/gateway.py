"""The gateway of a simulated year: the real one in this process, on a store of its own, by the year's clock.

Its context, lane, units, actions, timers and order executor are those of the daemon. What is not there: Diameter and SMPP
connections (requests are posted as their servers post them), HTTP (its actions are called), signals. Its timers are turned by
the year and not by the machine's clock.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final, ParamSpec, TypeVar

import msgspec
from sqlalchemy import Connection, select

from gateway.api.action import RunningAction
from gateway.api.actions.orders import OrderActions
from gateway.api.actions.table import ACTIONS
from gateway.api.callers import ADMIN, OPERATOR, Caller
from gateway.background import Background, Work
from gateway.context import GatewayContext
from gateway.environment import Environment
from gateway.logs.catalogue import EVENTS
from gateway.metrics.registry import Metrics
from gateway.policies import make_policies
from gateway.privacy.access import CAUSES
from gateway.runtime.component import Component, Services, stop_in_stages
from gateway.runtime.components.bills import BillsComponent
from gateway.runtime.components.orders import OrdersComponent
from gateway.runtime.components.sealed_months import SealedMonthsComponent
from gateway.runtime.components.store import StoreComponent
from gateway.runtime.components.texts import TextsComponent
from gateway.runtime.periodic import PeriodicWork
from gateway.settings import Settings
from gateway.store.batch import Unit
from gateway.store.errors import StoreError, StoreUnavailable
from gateway.store.lane_jobs import Job
from gateway.store.tables import orders

Answer = TypeVar("Answer", bound=msgspec.Struct)
Found = TypeVar("Found")
Arguments = ParamSpec("Arguments")
RIGHTS: Final = frozenset({CAUSES})
MAKER: Final = Caller("ann", ADMIN, RIGHTS)
CHECKER: Final = Caller("ben", ADMIN, RIGHTS)
CUSTOMER_CARE: Final = Caller("desk", OPERATOR, channel="desk")
"""Who asks: the two people that stand for each payment, and whoever works for customers."""
DAILY: Final = ("keep_wallets", "make_gifts", "seal_day", "book_taxes", "dunning")
SELDOM: Final = ("supervise", "expire", "publish_months", "keep_months", "retire_due", "sweep")
"""The daemon's timers that matter to money and to what is kept, in the order in which a day, or every fifth, turns them."""
STORE: Final = "tpo.db"
WRONG: Final = ("error", "critical")
PATIENCE: Final = 60.0
LOOK_SECONDS: Final = 0.002
"""Seconds of the machine's clock: how long orders may take in all, and between two looks at them."""


class Unexpected(Exception):
    """The gateway did something else than a year needs to go on; the text says what."""


def expect(holds: bool, what: str, found: object) -> None:  # noqa: FBT001  (what holds, or not)
    """Raise Unexpected unless something holds."""
    if not holds:
        raise Unexpected(f"expected that {what}; found: {found}")


class Timers(Background):
    """Keeps what the gateway does at intervals, for the year to turn."""

    def __init__(self, alarm: Callable[[str, Mapping[str, object]], None], environment: Environment) -> None:
        """Begin without any."""
        super().__init__(alarm, environment=environment)
        self.works: dict[str, Work] = {}

    def every(self, name: str, seconds: float, work: Work) -> asyncio.Task[None]:  # noqa: ARG002  (the year turns it)
        """Keep it; the task only waits to be cancelled."""
        self.works[name] = work
        return self.keep(name, asyncio.Event().wait)


class Gateway:
    """One run of the gateway; `troubles` counts what it logged that is worse than a warning."""

    def __init__(self, settings: Settings, clock: Callable[[], int]) -> None:
        """Open the store; StoreError."""
        self._loop = asyncio.get_running_loop()
        self.told: Counter[str] = Counter()
        self.dunned: Counter[str] = Counter()
        """Lines by the states of dunning that they came to."""
        self.troubles: list[str] = []
        self._waiting = 0
        environment = Environment(clock=clock, in_thread=self._here)
        self.context = GatewayContext(
            settings,
            make_policies,
            deliver=self._deliver,
            alarm=lambda event, detail: self._log(event, {"detail": detail}),
            log=self._log,
            environment=environment,
        )
        self.timers = Timers(self._log, environment)
        services = Services(self.context, Metrics(), self.timers, self._log, lambda _event: None)
        texts = TextsComponent(services)
        orders_component = OrdersComponent(services, texts.client, None)
        periodic = PeriodicWork(services, texts.client, orders_component.executor)
        bills = BillsComponent(services)
        self._sealed = SealedMonthsComponent(services, settings.folder / STORE)
        self._components: list[Component] = [
            StoreComponent(self.context),
            texts,
            orders_component,
            bills,
            periodic,
        ]
        self._executor = orders_component.executor
        self._running: dict[str, RunningAction] = {
            **OrderActions(self.context, orders_component.executor).actions(),
            **bills.actions(),
        }

    async def start(self) -> None:
        """Start its components."""
        for component in self._components:
            await component.start()

    async def stop(self) -> None:
        """Stop in order, and close the store; again, nothing is left to stop."""
        components, self._components = self._components, []
        await stop_in_stages(components, self._log)

    async def turn(self, *names: str) -> None:
        """Let these timers have their turn, one after the other."""
        for name in names:
            await self.timers.works[name]()

    async def seal_month(self) -> None:
        """Move a month that is over into files of its own, as the gateway does by itself; StoreUnavailable where it cannot."""
        await self._sealed.turn()
        if self._sealed.trouble:
            raise StoreUnavailable(self._sealed.trouble)

    async def ask(self, who: Caller, action: str, kind: type[Answer], **params: object) -> Answer:
        """Ask for an action as a command does; Problem where it is refused."""
        if action in self._running:
            answer = await self._running[action].perform(params, who)
        else:
            answer = await self._here(ACTIONS[action].perform, self.context, params, who)
        if not isinstance(answer, kind):
            raise Unexpected(f"{action} answered {type(answer).__name__}")
        return answer

    async def run_all(self, units: Iterable[Unit]) -> list[object]:
        """Put units through the lane in their order; StoreError where one of them was not done."""
        wanted = list(units)
        if not wanted:
            return []
        answers = await self._here(self.context.run_all, wanted)
        for answer in answers:
            if isinstance(answer, StoreError):
                raise answer
        return answers

    async def orders_done(self) -> None:
        """Wait until every order that is due has come to its end; TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            while self.context.read(self._open_orders):
                self._executor.wake()
                await asyncio.sleep(LOOK_SECONDS)

    def _open_orders(self, connection: Connection) -> bool:
        due = select(orders.c.id).where(orders.c.open == 1, orders.c.due_at <= self.context.clock()).limit(1)
        return connection.execute(due).first() is not None

    async def _here(
        self, function: Callable[Arguments, Found], /, *arguments: Arguments.args, **named: Arguments.kwargs
    ) -> Found:
        """Run what may block on the loop's own thread: nobody else has anything to do, and a hop costs more than most of it."""
        self._waiting += 1
        try:
            return function(*arguments, **named)
        finally:
            self._waiting -= 1

    def _deliver(self, jobs: list[Job]) -> None:
        """Call back whoever posted; by the lane's thread where the loop's own waits for it, which then looks what there is."""
        waiting = bool(self._waiting)
        if waiting:
            _finish(jobs)
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_finish, [] if waiting else jobs)

    def _log(self, event: str, fields: Mapping[str, object]) -> None:
        self.told[event] += 1
        if event == "bill.dunning.done":
            self.dunned.update({state: int(str(count)) for state, count in fields.items() if state != "looked"})
        if EVENTS[event].level in WRONG:
            self.troubles.append(" ".join([event, *(f"{name}={value}" for name, value in fields.items())]))


def _finish(jobs: list[Job]) -> None:
    for job in jobs:
        job.done(job.answer, job.error)


async def pause() -> None:
    """Let the gateway work on for a moment of the machine's clock."""
    await asyncio.sleep(LOOK_SECONDS)
