"""The order executor: carries orders out step by step, at the pace of their hosts, from wherever they stand.

What it does is written down before it is sent and after it was read back, by the lane; what it knows in memory can be lost
at any instant. After a restart every open order goes on at its next step, under the same call id.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, select

from gateway.background import Background
from gateway.context import GatewayContext
from gateway.messaging.texts import Text
from gateway.privacy.masks import mask
from gateway.sims.accept_order import AcceptOrder, Asked, Taken
from gateway.sims.cards import Sim
from gateway.sims.cards import from_row as sim_of
from gateway.sims.host_runtime import HostRuntime, callback_secret
from gateway.sims.host_steps import HostStepRun, wait_for
from gateway.sims.line_effects import EFFECTS, Effect
from gateway.sims.order_steps import BeginStep, CancelOrder, DeclineStep, EndStep, PostponeStep, RefuseStep, RetryOrder
from gateway.sims.orders import cards_of
from gateway.sims.orders import from_row as order_of
from gateway.sims.reconciliation import reconcile
from gateway.sims.views import Reconciliation
from gateway.store.async_submit import submit
from gateway.store.batch import Unit
from gateway.store.errors import StoreError
from gateway.store.tables import orders, sims, texts
from protocols.tap import Tap
from provisioning.errors import HostDeclined, HostRefused, HostUnavailable
from provisioning.hosts.interface import NOTHING, Holding
from provisioning.hosts.ownership import FOREIGN
from provisioning.orders import (
    Card,
    HostStep,
    Kind,
    Mark,
    Move,
    Order,
    OrderRefused,
    OrderRequest,
    OrderState,
    next_move,
)
from provisioning.sim_lifecycle import SimState

SCAN_SECONDS = 1.0
PAGE = 5000
"""Open orders that are looked at in one scan, and the most that run at once."""
PER_SCAN = 500
"""Orders that one scan takes up; the next one goes on at once."""
ABORT_SECONDS = 10.0
"""How long the sessions of a line that ends may take to report for the last time."""
Network = Callable[[int], Awaitable[object]]


class OrderExecutor:
    """All open orders of this gateway and the hosts that they go to.

    `reauthorise` and `abort` tell the network of a subscriber's sessions; `abort` closes those that stay silent. `enqueue`
    takes texts that were committed. `alarm` is told what a person should see.
    """

    def __init__(
        self,
        context: GatewayContext,
        host_runtimes: dict[str, HostRuntime],
        *,
        notice: float,
        reauthorise: Network,
        abort: Network,
        enqueue: Callable[[Sequence[Text]], None],
        alarm: Callable[[str, Mapping[str, object]], None],
        background: Background | None = None,
    ) -> None:
        """Take the hosts by name, and the seconds that a notice of a swap has to arrive."""
        self._context, self._host_runtimes, self._notice = context, host_runtimes, notice
        self._reauthorise, self._abort, self._enqueue, self._alarm = reauthorise, abort, enqueue, alarm
        self._background = background or Background(alarm)
        self._running: dict[int, asyncio.Task[None]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._hints: dict[str, asyncio.Event] = {}
        self._wake = asyncio.Event()
        self._back: list[tuple[float, int]] = []
        """By how many microseconds the wall clock went back, and until when (monotonic) that counts."""
        self._scanner: asyncio.Task[None] | None = None
        self._unreachable: dict[str, str] = {}
        self._tap: Tap | None = None
        self.finished: Counter[tuple[str, str]] = Counter()
        """Orders that came to an end since the start, by kind and state."""

    @property
    def running(self) -> int:
        """How many orders are being carried out."""
        return len(self._running)

    @property
    def hosts(self) -> Mapping[str, bool]:
        """Return every host, and whether it answered when it was last asked."""
        return {name: name not in self._unreachable for name in self._host_runtimes}

    def trouble(self, host: str) -> str:
        """Say why a host did not answer, numbers masked; nothing where it did, or was not asked yet."""
        return self._unreachable.get(host, "")

    @property
    def host_runtimes(self) -> Mapping[str, HostRuntime]:
        """The hosts by name."""
        return self._host_runtimes

    def apply_settings(self, host_runtimes: dict[str, HostRuntime], *, notice: float) -> None:
        """Go by other hosts from each order's next step on; a host that is left is closed when its steps are over."""
        left = [
            host_runtime
            for name, host_runtime in self._host_runtimes.items()
            if host_runtimes.get(name) is not host_runtime
        ]
        self._host_runtimes, self._notice = host_runtimes, notice
        if self._tap is not None:
            self._set_tap(left, None)
            self._set_tap(host_runtimes.values(), self._tap)
        if left:
            task = self._background.once("hosts that were left", partial(_close, left, list(self._running.values())))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def set_tap(self, tap: Tap | None) -> None:
        """Pass every message to a host and from it to a tap, raw, also of hosts that come by a reload; None ends it."""
        self._tap = tap
        self._set_tap(self._host_runtimes.values(), tap)

    def _set_tap(self, host_runtimes: Iterable[HostRuntime], tap: Tap | None) -> None:
        for host_runtime in host_runtimes:
            host_runtime.host.set_tap(tap)

    def clock_stepped(self, seconds: float) -> None:
        """Learn that the wall clock stepped: where it went back, what was due soon is not to wait as long again."""
        if seconds < 0:
            self._back.append((self._context.monotonic() - seconds, int(-seconds * 1_000_000)))
            self._wake.set()

    def _now(self) -> int:
        """The time by which orders are due: the clock's, as if it had not gone back lately."""
        monotonic = self._context.monotonic()
        self._back = [(until, step) for until, step in self._back if until > monotonic]
        return self._context.clock() + sum(step for _, step in self._back)

    def wake(self) -> None:
        """Look for due orders now: somebody has accepted one by the lane alone."""
        self._wake.set()

    def start(self) -> None:
        """Go on with every open order."""
        self._scanner = self._background.keep("orders", self._scan)

    async def stop(self) -> None:
        """Leave every order where it stands."""
        tasks = [*self._running.values(), *([self._scanner] if self._scanner else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._closing, return_exceptions=True)
        for host_runtime in self._host_runtimes.values():
            await host_runtime.host.close()

    async def accept(self, client: str, key: str | None, asked: Asked) -> Taken | OrderRefused:
        """Commit an order and begin with it; StoreError where that cannot be."""
        taken: Taken | OrderRefused = await self._submit(AcceptOrder(client, key, asked))
        self._wake.set()
        return taken

    async def retry(self, order_id: int) -> Order | OrderRefused | None:
        """Let a failed order go on, or one that waits be tried now."""
        outcome: Order | OrderRefused | None = await self._submit(RetryOrder(order_id))
        self._wake.set()
        return outcome

    async def cancel(self, order_id: int) -> Order | OrderRefused | None:
        """Take an order back, as far as it can be."""
        outcome: Order | OrderRefused | None = await self._submit(CancelOrder(order_id))
        self._wake.set()
        return outcome

    async def reconcile(self, host: str | None, *, repair: bool) -> Reconciliation:
        """Compare every settled card with its host, or with one host, and what else the hosts hold with the inventory."""
        return await reconcile(self._context, self._host_runtimes, host, repair=repair)

    async def retire_due(self) -> None:
        """Order the end of cards whose quarantine is over."""
        for iccid, free_at in await self._context.read_async(self._free):
            asked = Asked(Kind.RETIRE, iccid, OrderRequest(), "gateway")
            outcome = await self.accept("gateway", f"retire:{iccid}:{free_at}", asked)
            if isinstance(outcome, OrderRefused):
                self._alarm("order.stuck", {"order": "-", "detail": str(outcome)})

    def _free(self, connection: Connection) -> list[tuple[str, int]]:
        found = select(sims.c.iccid, sims.c.free_at).where(
            sims.c.free_at <= self._context.clock(), sims.c.state == SimState.QUARANTINED, sims.c.order_id.is_(None)
        )
        return [tuple(row) for row in connection.execute(found.limit(PAGE))]

    def callback_secret(self, name: str) -> str:
        """Return the part of a host's callback address that nobody can guess."""
        return callback_secret(self._context, name)

    def hint(self, name: str, body: bytes) -> int:
        """A host called back: look at once at what it speaks of; gives the number of steps that were waiting for it."""
        host_runtime = self._host_runtimes.get(name)
        waiting = [
            self._hints[call]
            for call in (host_runtime.host.hinted(body) if host_runtime else [])
            if call in self._hints
        ]
        for event in waiting:
            event.set()
        return len(waiting)

    # Scanning

    async def _scan(self) -> None:
        looked_at: tuple[int, ...] = ()
        while True:
            self._wake.clear()
            if looked_at != self._context.node.owned:  # at the start, and when another gateway's orders come to be ours
                looked_at = self._context.node.owned
                await self._look_back()
            taken = 0
            busy = set(self._running)  # what is read of these may be old when it is here
            for order in await self._context.read_async(lambda connection: self._due(connection, busy)):  # noqa: B023  (run before the next turn)
                if order.id not in self._running and len(self._running) < PAGE:
                    self._running[order.id] = self._background.once("order", partial(self._carry, order))
                    taken += 1
            if taken < PER_SCAN:
                await wait_for(self._wake, SCAN_SECONDS)

    async def _look_back(self) -> None:
        """Find out whether the wall clock went back while nobody watched it: an order was changed later than now."""
        latest = await self._context.read_async(self._latest_change)
        ahead = (latest or 0) - self._now()
        if ahead > 0:
            self.clock_stepped(-ahead / 1_000_000)

    def _latest_change(self, connection: Connection) -> int | None:
        open_orders = select(func.max(orders.c.updated_at)).where(
            orders.c.open == 1, orders.c.node.in_(self._context.node.owned)
        )
        latest: int | None = connection.execute(open_orders).scalar()
        return latest

    def _due(self, connection: Connection, busy: set[int]) -> list[Order]:
        """Read the orders that are due and not busy; most scans of a bulk find few that are new among many that run."""
        now = self._now()
        due = (
            select(orders.c.id)
            .where(orders.c.open == 1, orders.c.due_at <= now, orders.c.node.in_(self._context.node.owned))
            .order_by(orders.c.due_at, orders.c.id)
            .limit(PAGE)
        )
        wanted = [order_id for order_id in connection.scalars(due) if order_id not in busy][:PER_SCAN]
        found = select(orders).where(orders.c.id.in_(wanted)).order_by(orders.c.due_at, orders.c.id)
        return [order_of(tuple(row)) for row in connection.execute(found)] if wanted else []

    async def _carry(self, order: Order) -> None:
        """Carry one order as far as it goes now; what goes wrong leaves it to the next scan."""
        try:
            while order.open and order.due_at <= self._now():
                move = next_move(order)
                if move is None:
                    break
                following = await self._step(order, move)
                if following is None:
                    break
                order = following
            if not order.open:
                self._ended(order)
        except StoreError as error:
            self._alarm("order.stuck", {"order": order.id, "detail": str(error)})
            await asyncio.sleep(SCAN_SECONDS)
        except Exception as error:  # noqa: BLE001  (one order's fault must not take the others with it)
            self._alarm("order.stuck", {"order": order.id, "detail": mask(f"{type(error).__name__}: {error}")})
            await asyncio.sleep(10 * SCAN_SECONDS)
        finally:
            self._running.pop(order.id, None)

    def _ended(self, order: Order) -> None:
        self.finished[order.kind, order.state] += 1
        error = next((log.error for log in reversed(order.steps) if log.error), "")
        if order.state is OrderState.FAILED:
            self._alarm("order.failed", {"order": order.id, "kind": order.kind, "detail": error})
        elif order.state is OrderState.COMPENSATED:
            self._alarm("order.compensated", {"order": order.id, "kind": order.kind, "detail": error})

    async def _step(self, order: Order, move: Move) -> Order | None:
        """Do one step, and give the order as it goes on; None: it is not ours to go on with now."""
        cards = await self._context.read_async(lambda connection: _cards(connection, order))
        if isinstance(move.step, HostStep):
            return await self._host_step(order, move, move.step, cards)
        return await self._gateway_step(order, move, cards)

    # Steps of the host

    async def _host_step(self, order: Order, move: Move, step: HostStep, cards: Mapping[Card, Sim]) -> Order | None:
        host_runtime = self._host_runtimes.get(order.host)
        if host_runtime is None:
            if await self._submit(BeginStep(order.id, move)) is None:
                return None
            error = f"the host {order.host!r} is not among provisioning.hosts"
            return await self._submit_order(PostponeStep(order.id, move, error))
        call_id = move.call_id(order)
        hint = self._hints[call_id] = asyncio.Event()
        wanted, has = order.request.msisdn, cards[Card.OWN].msisdn or ""
        msisdn = wanted if order.kind is Kind.RENUMBER else has or wanted
        run = HostStepRun(self._context, host_runtime, order, move, step, cards[step.card], msisdn, hint)
        try:
            return await self._at_host(order, move, run, host_runtime)
        finally:
            self._hints.pop(call_id, None)

    async def _at_host(self, order: Order, move: Move, run: HostStepRun, host_runtime: HostRuntime) -> Order | None:
        """Read what the host holds, write that down, then change it, and write down how that ended."""
        before: Holding | None = None
        try:
            found = await run.before()
            if await self._submit(BeginStep(order.id, move, run.sealed(found), found.words)) is None:
                return None
            before = found
            reading = await run.carry_out(before)
        except (HostRefused, HostUnavailable) as error:
            if before is None and await self._submit(BeginStep(order.id, move)) is None:
                return None
            return await self._submit_order(self._unsuccessful(order, move, before, error))
        if reading is None:
            late = f"the host did not show it within {host_runtime.verify:g} s"
            return await self._submit_order(PostponeStep(order.id, move, late))
        self.report_reach(order.host, None)
        return await self._submit_order(EndStep(order.id, move, reading))

    def _unsuccessful(
        self, order: Order, move: Move, before: Holding | None, error: HostRefused | HostUnavailable
    ) -> Unit:
        """Return what is to be written down of a step that the host did not do; `before` is None where nothing was sent."""
        said = mask(str(error))
        if isinstance(error, HostUnavailable):
            self.report_reach(order.host, error)
            return PostponeStep(order.id, move, said, int(error.after * 1_000_000) if error.after else None)
        if isinstance(error, HostDeclined):
            return DeclineStep(order.id, move, said)
        foreign = error.code == FOREIGN
        if move.undo and foreign and before == NOTHING:
            return EndStep(order.id, move)  # what stands there now is somebody else's, and nothing of ours
        return RefuseStep(order.id, move, said, untouched=before is None or (foreign and not before.present))

    def report_reach(self, name: str, error: HostUnavailable | None) -> None:
        """Report once that a host is lost, and once that it is back."""
        if error is not None and name not in self._unreachable:
            self._unreachable[name] = mask(str(error))
            self._alarm("host.unreachable", {"host": name, "detail": mask(str(error))})
        elif error is None and name in self._unreachable:
            del self._unreachable[name]
            self._alarm("host.back", {"host": name})

    # Steps of the gateway itself

    async def _gateway_step(self, order: Order, move: Move, cards: Mapping[Card, Sim]) -> Order:
        numbers = {n for card in cards.values() for n in (card.iccid, card.imsi, card.msisdn) if n}
        if order.request.msisdn:
            numbers.add(order.request.msisdn)
        unit = EFFECTS[move.step.name](order.id, move, numbers=tuple(numbers))
        effect: Effect = await submit(self._context.lane, unit, then=self._enqueue_texts)
        log = effect.order.steps[move.place]
        if log.mark is not Mark.SENT or effect.order.undoing or not effect.order.open:
            return effect.order
        await self._follow_up(move.step.name, effect)
        return await self._submit_order(EndStep(order.id, move))

    def _enqueue_texts(self, effect: Effect) -> None:
        if effect.texts:
            self._enqueue(effect.texts)

    async def _follow_up(self, name: str, effect: Effect) -> None:
        """Do what a step of the gateway has to do outside the store; it is done again if the process dies meanwhile."""
        match name:
            case "line.bar" if effect.subscriber_id is not None:
                await self._reauthorise(effect.subscriber_id)
            case "line.close" if effect.subscriber_id is not None:
                await self._abort(effect.subscriber_id)
            case "line.notice":
                await self._await_notice(effect)

    async def _await_notice(self, effect: Effect) -> None:
        """Wait until the notice has come to its end, or had its time."""
        note = next(log for log in effect.order.steps if log.name == "line.notice").note
        give_up = self._context.monotonic() + self._notice
        while note.isdigit() and self._context.monotonic() < give_up:
            if await self._context.read_async(lambda connection: _is_final(connection, int(note))):
                return
            await asyncio.sleep(min(SCAN_SECONDS, self._notice))

    async def _submit(self, unit: Unit) -> Any:  # noqa: ANN401  (whatever the unit answers)
        return await submit(self._context.lane, unit)

    async def _submit_order(self, unit: Unit) -> Order:
        order: Order = await self._submit(unit)
        return order


async def _close(host_runtimes: Sequence[HostRuntime], orders: Sequence[asyncio.Task[None]]) -> None:
    """Close hosts once the orders that may be speaking with them have come to a rest."""
    if orders:
        await asyncio.wait(orders)
    for host_runtime in host_runtimes:
        await host_runtime.host.close()


def _cards(connection: Connection, order: Order) -> dict[Card, Sim]:
    found = {
        row.iccid: sim_of(tuple(row))
        for row in connection.execute(select(sims).where(sims.c.iccid.in_(cards_of(order))))
    }
    return {card: found[order.iccid_of(card)] for card in Card if order.iccid_of(card) in found}


def _is_final(connection: Connection, text_id: int) -> bool:
    final = connection.execute(select(texts.c.final).where(texts.c.id == text_id)).scalar()
    return final is None or bool(final)
