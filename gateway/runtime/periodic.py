"""What the gateway does at intervals: supervise sessions, publish a month's sums of giving, expire texts and ask for silent
ones, renew bundles, sweep what is past its retention, and see that the store is still what it was."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar
from zoneinfo import ZoneInfo

import msgspec
from prometheus_client.core import Metric
from sqlalchemy import Connection

from gateway.balance.added_taxes import BookAddedTax, FinishAddedTaxes, OpenTaxAccounts, accounts_of
from gateway.balance.gift_units import CompleteGift, due_gifts
from gateway.balance.gifts import GiftState
from gateway.billing.packs.row_trees import make, ranges_due
from gateway.billing.packs.tree_process import Question, make_beside
from gateway.charging.renewals import DoneByCalendar, KeepWallet, due_wallets
from gateway.charging.review import count_held
from gateway.charging.session_expiry import ExpireSession, overdue
from gateway.charity.ageing import Due, transmit_due
from gateway.charity.publication import MonthReader, PublishMonth
from gateway.fraud.cases import open_cases
from gateway.ledger.added_taxes import due_month
from gateway.ledger.row_tree import Numbers
from gateway.ledger.seals import RowTree, SealKey, WriteSeal, append_missing, due_with_usage, kept
from gateway.ledger.tax_days import BookTaxDay, due_day
from gateway.messaging.queries import count_open
from gateway.messaging.retention import SweepMessaging
from gateway.messaging.smsc_client import SmscClient
from gateway.metrics.catalogue import sample
from gateway.metrics.sources import text_metrics
from gateway.runtime.clock_watch import ClockWatch
from gateway.runtime.component import Component, Services, Stage
from gateway.sims.order_executor import OrderExecutor
from gateway.store.async_submit import submit
from gateway.store.errors import LaneClosed, LaneOverloaded, StoreError
from gateway.store.evidence import Tip
from gateway.store.keep_months import KeepMonths
from gateway.store.probe import Probe
from gateway.store.sweeper import Retention, Sweep

SUPERVISION_SECONDS = 2.0
PUBLISH_SECONDS = 60.0
READING_PAUSE = 0.2
"""Seconds between two parts of a month's journal that is being added up: charging goes first."""
SWEEP_SECONDS = 60.0
CALENDAR_SECONDS = 10.0
GIFT_SECONDS = 1.0
MONTHS_SECONDS = 60.0
SEAL_SECONDS = 60.0
BESIDE = 50_000
"""Numbers of a day from which on the tree of its rows is made in a process of its own."""
TAX_SECONDS = 60.0
TAXED = 500
"""Lines whose taxes of a month are booked at a time: charging goes between."""
BUSY_TURNS = 60
"""Turns in which a change of a table was put off before it is told."""
EXPIRE_SECONDS = 5.0
INQUIRE_SECONDS = 5.0
NOTICE_SECONDS = 1.0
"""A statutory notice has a minute in all (Ofcom General Condition C3)."""
GIVING_SECONDS = 60.0
COUNT_SECONDS = 5.0
COUNT_SHARE = 20
"""Open texts are counted again after this many times the time that counting took, lest a long queue costs a core."""
LAG_SECONDS = 0.5
GIVE_UP_SECONDS = 0.25
"""How late a unit that the store keeps waiting may be given up."""
WATCH_SECONDS = 1.0
INSPECT_SECONDS = 5.0
INSPECT_SHARE = 20
"""The store is read back from the disk again after this many times the time that it took, lest a large one costs a core."""


class PeriodicWork(Component):
    """The gateway's timers; what one of them fails at is told, and tried again at one of its next turns."""

    name: ClassVar[str] = "periodic work"
    stage: ClassVar[Stage] = Stage.INITIATORS

    def __init__(
        self,
        services: Services,
        smsc_client: SmscClient,
        executor: OrderExecutor,
        reauthorise: Callable[[int], Coroutine[None, None, object]] | None = None,
    ) -> None:
        """Take what is worked on; nothing runs before `start`.

        `reauthorise` has the open sessions of a subscriber ask for quota anew; None where Diameter is not configured.
        """
        self._reauthorise = reauthorise
        self._context, self._log, self._background = services.context, services.log, services.background
        self._smsc_client, self._executor = smsc_client, executor
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = asyncio.get_running_loop()
        self._clock_watch = ClockWatch(services.context.environment)
        self._months_told: set[str] = set()
        self._seals_written = False
        self._busy_turns: dict[str, int] = {}
        self._lag_due = float("inf")
        self.lag = 0.0
        """Seconds that the event loop was late at its last look."""
        self._count_due = self._inspect_due = 0.0
        self.open_texts: dict[str, int] = {}
        """Texts that have not come to their end, by state."""
        self.held_reports = 0
        """Usage reports that wait for a decision."""
        self.fraud_cases = 0
        """Lines whose use passed a fraud limit, and that nobody has looked at."""
        self._last_case = 0
        self.giving_due = Due()
        """Money of causes that has waited for most of the time in which they must have it."""

    async def start(self) -> None:
        """Start every timer."""
        for name, seconds, work in (
            ("measure_lag", LAG_SECONDS, self._measure_lag),
            ("watch_clock", WATCH_SECONDS, self._watch_clock),
            ("give_up_units", GIVE_UP_SECONDS, self._give_up_units),
            ("watch_store", WATCH_SECONDS, self._watch_store),
            ("inspect_store", INSPECT_SECONDS, self._inspect_store),
            ("supervise", SUPERVISION_SECONDS, self._supervise),
            ("publish_months", PUBLISH_SECONDS, self._publish_months),
            ("expire", EXPIRE_SECONDS, self._smsc_client.expire),
            ("recover", EXPIRE_SECONDS, self._smsc_client.recover),
            ("take_notices", NOTICE_SECONDS, self._smsc_client.take_notices),
            ("inquire", INQUIRE_SECONDS, self._smsc_client.inquire),
            ("end_unfinished", EXPIRE_SECONDS, self._smsc_client.end_unfinished),
            ("settle_crossed", EXPIRE_SECONDS, self._smsc_client.settle_crossed),
            ("count_fraud", COUNT_SECONDS, self._count_fraud),
            ("count_texts", COUNT_SECONDS, self._count_texts),
            ("watch_giving", GIVING_SECONDS, self._watch_giving),
            ("sweep", SWEEP_SECONDS, self._sweep),
            ("keep_wallets", CALENDAR_SECONDS, self._keep_wallets),
            ("make_gifts", GIFT_SECONDS, self._make_gifts),
            ("keep_months", MONTHS_SECONDS, self._keep_months),
            ("seal_day", SEAL_SECONDS, self._seal_day),
            ("book_taxes", TAX_SECONDS, self._book_taxes),
            ("retire_due", SWEEP_SECONDS, self._executor.retire_due),
        ):
            self._tasks.append(self._background.every(name, seconds, work))

    async def stop(self) -> None:
        """Stop every timer."""
        for task in self._tasks:
            task.cancel()

    def metrics(self) -> Iterable[Metric]:
        """Return what becomes of texts, and how many cases of suspected fraud wait, as far as the last count knows."""
        yield from text_metrics(self._smsc_client, self.open_texts)
        yield sample("tpo_fraud_cases_open", self.fraud_cases)
        yield sample("tpo_charity_transmit_used_ratio", self.giving_due.used)

    async def _measure_lag(self) -> None:
        now = self._loop.time()
        self.lag = max(0.0, now - self._lag_due)
        self._lag_due = now + LAG_SECONDS

    async def _watch_clock(self) -> None:
        """Report a wall clock that stepped: what is charged at the event's arrival is dated by it."""
        step = self._clock_watch.step()
        if step:
            self._executor.clock_stepped(step)
            self._log("clock.stepped", {"seconds": round(step, 3)})

    async def _give_up_units(self) -> None:
        self._context.lane.expire()

    async def _count_texts(self) -> None:
        began = self._loop.time()
        if began < self._count_due:
            return
        shards = self._context.node.owned
        self.open_texts = await self._context.read_async(lambda connection: count_open(connection, shards))
        self.held_reports = await self._context.read_async(count_held)
        ended = self._loop.time()
        self._count_due = ended + COUNT_SHARE * (ended - began)

    async def _count_fraud(self) -> None:
        """Count the open cases of suspected fraud, and log each that is new, or was open at the start.

        The sessions of a line that is barred ask anew at once: what they were granted before is not used up first.
        """
        after = self._last_case
        found = await self._context.read_async(lambda connection: open_cases(connection, after))
        self.fraud_cases = found.count
        for case in found.new:
            self._last_case = max(self._last_case, case.id)
            self._log("fraud.suspected", {"case": str(case.id), "kind": case.kind, "barred": case.barred})
            if case.barred and self._reauthorise is not None:
                self._background.once("ask a barred line's sessions", partial(self._reauthorise, case.subscriber_id))

    async def _watch_giving(self) -> None:
        """Report money of causes that has waited for 80 % of the time in which they must have it."""
        settings = self._context.settings
        zone = ZoneInfo(settings.operator.timezone)
        today = datetime.fromtimestamp(self._context.clock() / 1_000_000, UTC).astimezone(zone).date().isoformat()
        found = await self._context.read_async(lambda connection: transmit_due(connection, settings.causes, today))
        if found.days and found.days != self.giving_due.days:
            self._log("charity.transmit.due", {"causes": found.causes, "days": found.days})
        self.giving_due = found

    async def _watch_store(self) -> None:
        """Look whether the store's files are still there, and whether a store that was in trouble can be written again."""
        with suppress(StoreError):  # the ground and the lane tell of it themselves
            await self._context.in_thread(self._context.ground.check)
            if self._context.lane.in_trouble:
                await submit(self._context.lane, Probe())

    async def _inspect_store(self) -> None:
        """Read the store back from the disk, unless it was read lately for as long as it takes."""
        began = self._loop.time()
        if began < self._inspect_due or self._context.ground.lost is not None:
            return
        try:
            await self._context.in_thread(self._context.inspect)
        except StoreError:
            if self._context.ground.lost is None:
                raise
        ended = self._loop.time()
        self._inspect_due = ended + INSPECT_SHARE * (ended - began)

    async def _supervise(self) -> None:
        now = self._context.clock()
        for session_id in await self._context.read_async(lambda connection: overdue(connection, now)):
            with suppress(LaneOverloaded, LaneClosed):
                if await submit(self._context.lane, ExpireSession(session_id)):
                    self._log("charging.session.expired", {"session_id": session_id})

    async def _publish_months(self) -> None:
        """Publish every month that is over and was not published, the oldest first."""
        while await self._publish_month():
            continue

    async def _publish_month(self) -> bool:
        context = self._context
        zone, now = ZoneInfo(context.settings.operator.timezone), context.clock()
        reader = await context.read_async(lambda connection: MonthReader(connection, zone, now, context.cause_seals))
        if reader.period is None:
            return False
        more = True
        while more:
            more = await context.read_async(reader.advance)
            await asyncio.sleep(READING_PAUSE)
        month = await self._context.in_thread(reader.month)
        if await submit(context.lane, PublishMonth(context.node_name, month)):
            told = {"period": month.period, "figures": len(month.decision.figures)}
            self._log("charity.month.published", told)
        return True

    async def _sweep(self) -> None:
        settings, lane = self._context.settings, self._context.lane
        retention = msgspec.convert(settings.retention, Retention, from_attributes=True)
        while await submit(lane, Sweep(retention, published_only=settings.events.mqtt is not None)):
            continue
        while await submit(lane, SweepMessaging(settings.retention.texts * 1_000_000)):
            continue

    async def _keep_wallets(self) -> None:
        """Renew the bundles whose period is over, and take away what has ended, while anything is due and is done."""
        context, done = self._context, True
        while done:
            now, shards = context.clock(), context.node.owned
            due = await context.read_async(partial(due_wallets, now=now, shards=shards))
            units = (submit(context.lane, KeepWallet(each)) for each in due)
            outcomes = await asyncio.gather(*units, return_exceptions=True)
            kept = [each for each in outcomes if isinstance(each, DoneByCalendar)]
            done = any(each.anything for each in kept)
            renewed, unpaid = sum(each.renewed for each in kept), sum(each.unpaid for each in kept)
            if renewed or unpaid:
                self._log("balance.bundles.renewed", {"renewed": renewed, "unpaid": unpaid})
            for failed in outcomes:
                if isinstance(failed, BaseException) and not isinstance(failed, (LaneOverloaded, LaneClosed)):
                    raise failed

    async def _make_gifts(self) -> None:
        """Make the gifts whose time to be taken back is over."""
        context = self._context
        now, shards = context.clock(), context.node.owned
        for each in await context.read_async(partial(due_gifts, now=now, shards=shards)):
            with suppress(LaneOverloaded, LaneClosed):
                told = await submit(context.lane, CompleteGift(each.id, each.subscriber_id))
                if told is not None and told.gift.state is GiftState.REFUSED:
                    self._log("charity.gift.refused", {"gift": str(each.id)})

    async def _seal_day(self) -> None:
        """Seal the day that is over, and what a node left that is taken over; write what the file of seals has not yet."""
        context, sealed = self._context, False
        for node in context.node.owned:
            sealed |= await self._seal_node(node, is_over=node != context.node.id)
        if sealed or not self._seals_written:
            for node in context.node.owned:
                seals = await context.read_async(partial(kept, node=node))
                await context.in_thread(append_missing, context.seals_file, seals)
            self._seals_written = True

    async def _seal_node(self, node: int, *, is_over: bool) -> bool:
        """Seal a node's day, if it is due; tells whether it was."""
        context = self._context
        wanted = partial(_to_seal, node=node, now=context.clock(), is_over=is_over)
        found, usage, ranges = await context.read_async(wanted)
        tree = await self._row_tree(node, ranges) if ranges else None
        if found is None or (tree is None and ranges):  # where the gateway ends, the next start seals
            return False
        seal = SealKey(context.evidence_key).sign(node, *found, tree)
        if await submit(context.lane, WriteSeal(seal, context.node_name, tree, usage)):
            self._log("ledger.sealed", {"day": found[0], "links": found[1].sequence})
        return True

    async def _row_tree(self, node: int, ranges: list[tuple[int, int]]) -> RowTree | None:
        """Make the tree of a day's rows: a large one in a process beside this one; None where the gateway ends meanwhile."""
        context, tree = self._context, None
        if Numbers(ranges).width > BESIDE:
            question = Question(context.settings.store.connect_url, context.evidence_key, node, ranges)
            tree = await context.in_thread(make_beside, question, lambda: context.draining)
            if tree is None and context.draining:
                return None
        return tree or await context.in_thread(make, context.reading, context.evidence_key, node, ranges)

    async def _book_taxes(self) -> None:
        """Book the tax within the prices of each day that is over, one after the other, of every shard that is ours."""
        context = self._context
        for shard in context.node.owned:
            while True:
                zone, now = ZoneInfo(context.settings.operator.timezone), context.clock()
                day = await context.read_async(partial(due_day, node=shard, zone=zone, now=now))
                if day is None:
                    await self._add_taxes(shard)
                    break
                if not await submit(context.lane, BookTaxDay(day)):
                    break
                self._log("ledger.tax.booked", {"day": day.day, "rates": len(day.sums)})

    async def _add_taxes(self, shard: int) -> None:
        """Book the taxes on top of what the lines of a shard were charged in each month whose days are booked."""
        context = self._context
        while True:
            zone, now = ZoneInfo(context.settings.operator.timezone), context.clock()
            month = await context.read_async(partial(due_month, node=shard, zone=zone, now=now))
            if month is None:
                return
            names = sorted({name for row in month.rows for name in accounts_of(row)})
            await submit(context.lane, OpenTaxAccounts(names))
            for some in (month.rows[begin : begin + TAXED] for begin in range(0, len(month.rows), TAXED)):
                await asyncio.gather(*(submit(context.lane, BookAddedTax(row, month.ends_at)) for row in some))
            if await submit(context.lane, FinishAddedTaxes(shard, month.period)):
                told = {"period": month.period, "lines": len(month.rows), "unknown": month.unknown}
                self._log("ledger.tax.added", told)

    async def _keep_months(self) -> None:
        """Make and drop the months of a server's tables; what stays as it is, is told once."""
        kept = await submit(self._context.lane, KeepMonths(self._context.settings.retention.usage))
        for event, names in (("store.month.made", kept.made), ("store.month.dropped", kept.dropped)):
            for name in names:
                self._log(event, {"partition": name})
        self._busy_turns = {name: self._busy_turns.get(name, 0) + 1 for name in kept.busy}
        for name, turns in self._busy_turns.items():
            if turns == BUSY_TURNS:
                self._log("store.month.put_off", {"table": name})
        for event, names in (("store.month.missing", kept.strays), ("store.months.waiting", kept.waiting)):
            for name in sorted(set(names) - self._months_told):
                self._months_told.add(name)
                self._log(event, {"table": name})


def _to_seal(
    connection: Connection, node: int, now: int, *, is_over: bool
) -> tuple[tuple[str, Tip] | None, int, list[tuple[int, int]]]:
    """Return the day that is to be sealed, if one is, the last usage that it stands for, and the numbers that its tree is of.

    All from one snapshot.
    """
    found, usage = due_with_usage(connection, node, now, is_over=is_over)
    return found, usage, ranges_due(connection, node) if found is not None else []
