"""The conductor beside a scripted host: what is sent and when, what becomes of it, and what a restart goes on with."""

import asyncio
import shutil
import threading
from collections import Counter, deque

import msgspec
import pytest
from sqlalchemy import select, update
from support.host_orders import OTHER_PLAN, OrderRig, opened
from support.patience import PATIENCE
from support.sims_fixture import KI, NUMBER, OPC, QUARANTINE, card

from gateway.messaging.submit import Draft
from gateway.privacy.sealing import Sealer
from gateway.sims import order_executor as conducting
from gateway.sims.accept_order import Asked
from gateway.sims.cards import from_row as sim_of
from gateway.sims.host_runtime import HostRuntime
from gateway.store import tables
from provisioning.errors import HostRefused, HostUnavailable
from provisioning.hosts.interface import ABSENT, NOTHING, Access, Condition, Holding, HostReading, Pending
from provisioning.hosts.ownership import check_unchanged
from provisioning.keys import Keys
from provisioning.masks import mask
from provisioning.orders import ATTEMPTS, FIRST_DELAY, SAGAS, HostStep, Kind, Mark, OrderRequest, OrderState
from provisioning.sim_lifecycle import SimState

LONG = 3600.0
"""Seconds that no test waits."""
OPEN, BARRED, SILENT = Condition(Access.OPEN, NUMBER), Condition(Access.BARRED, NUMBER), Condition(Access.BARRED)
OLD, NEW = card(1)["iccid"], card(2)["iccid"]
DOWN = HostUnavailable("it does not answer")


@pytest.fixture(autouse=True)
def _quick_scans(monkeypatch):
    monkeypatch.setattr(conducting, "SCAN_SECONDS", 0.02)


class ScriptedHost:
    """A host in memory. `script` says what the next calls of `bring` do, in order; without it they do as they are told.

    An error is raised; a Pending is given and nothing done; a function is awaited with `apply`, which does it.
    """

    name = "lab"

    def __init__(self):
        self.held, self.keys = {}, {}
        self.calls, self.script = [], deque()
        self.on_read = self.on_inspect = None
        self.busy = self.most_busy = 0
        self.closed = False

    async def inspect(self, line, msisdn=None):
        if self.on_inspect is not None:
            await self.on_inspect()
        held = self.held.get(line.iccid, ABSENT)
        if held == ABSENT:
            return NOTHING
        elsewhere = any(iccid != line.iccid and other.msisdn == msisdn for iccid, other in self.held.items() if msisdn)
        words = f"{held.access} as {mask(held.msisdn or 'nobody')}"
        return Holding(held, words, held.msisdn, number_elsewhere=elsewhere, record=repr(held).encode())

    async def bring(self, call_id, line, wanted, *, before):
        check_unchanged(await self.inspect(line), before, wanted)
        return await self._asked(call_id, line, wanted)

    async def restore(self, call_id, line, wanted, before):
        return await self._asked(call_id, line, before.condition)

    async def _asked(self, call_id, line, wanted):
        self.calls.append((call_id, line.iccid, wanted))
        self.keys[line.iccid] = line.keys
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            return await self._play(lambda: self.apply(line.iccid, wanted))
        finally:
            self.busy -= 1

    async def _play(self, apply):
        act = self.script.popleft() if self.script else None
        if isinstance(act, Exception):
            raise act
        if isinstance(act, Pending):
            return act
        if act is not None:
            return await act(apply)
        return apply()

    def apply(self, iccid, wanted):
        self.held[iccid] = wanted

    async def read(self, line):
        if self.on_read is not None:
            await self.on_read()
        return HostReading(self.held.get(line.iccid, ABSENT))

    def hinted(self, body):
        return body.decode().split()

    async def close(self):
        self.closed = True

    def ids(self):
        """The call ids without the order's, in order."""
        return [call_id.split(".")[1] for call_id, _, _ in self.calls]


class World(OrderRig):
    """Orders with a scripted host; executors come and go."""

    def __init__(self, context, clock):
        super().__init__(context, clock, lambda: self.host)
        self.host = ScriptedHost()
        self.told = Counter()
        self.blocked = {}
        """What `reauthorise` and `abort` wait for, by their names."""

    def start(self, *, slots=16, poll=0.005, verify=LONG, **options):
        return super().start(slots=slots, poll=poll, verify=verify, **options)

    def compose(self, kind, msisdn, now):
        return Draft("TPO", msisdn, kind, 1, now + QUARANTINE)

    async def reauthorise(self, _subscriber_id):
        await self._tell("reauthorise")

    async def abort(self, _subscriber_id):
        await self._tell("abort")

    async def _tell(self, name):
        self.told[name] += 1
        act = self.blocked.get(name)
        if act is not None:
            await act()

    async def take_in(self, *numbers):
        await super().take_in(*map(card, numbers))

    async def accept(self, kind, iccid=OLD, **request):
        taken = await self.executor.accept("shop", None, Asked(Kind(kind), iccid, OrderRequest(**request), "tester"))
        return taken.order_id

    async def activate(self, n=1, msisdn=NUMBER):
        return await self.accept("activate", card(n)["iccid"], msisdn=msisdn, plan="payg-gb", cause="wwf")

    async def bring_to_life(self):
        """Have the first card in service, and forget how."""
        await self.take_in(1, 2)
        await self.ends(await self.activate())
        self.host.calls.clear()
        self.enqueued.clear()

    def sim(self, iccid=OLD):
        with self.context.reading() as connection:
            return sim_of(tuple(connection.execute(select(tables.sims).where(tables.sims.c.iccid == iccid)).one()))

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110  (any condition of the test)
                await asyncio.sleep(0.002)

    async def ends(self, order_id, state=OrderState.DONE):
        """Wait until an order and who carries it have come to an end."""
        await self.until(lambda: not self.order(order_id).open and not self.executor.running)
        order = self.order(order_id)
        assert order.state is state, order
        return order

    async def waits(self, order_id):
        """Wait until an order is left for later; gives it."""
        await self.until(lambda: self.order(order_id).due_at > self.clock.now and not self.executor.running)
        return self.order(order_id)

    def names(self):
        """The alarms so far."""
        return [event for event, _ in self.alarms]


@pytest.fixture
async def place(tmp_path, blank):
    shutil.copy(blank, tmp_path / "tpo.db")
    async with opened(tmp_path, World) as made:
        yield made


class Stage:
    """A place where something is held up: `reached` when it is there, `go` lets it on."""

    def __init__(self):
        self.reached, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self):
        self.reached.set()
        await self.go.wait()

    async def before(self, apply):
        await self()
        return apply()

    async def after(self, apply):
        apply()
        await self()


# The straight way


async def test_every_order_leaves_the_host_as_it_should_be(place):
    executor = place.start()
    await place.take_in(1, 2)
    held = []
    for kind, iccid, request in (
        ("activate", OLD, {"msisdn": NUMBER, "plan": "payg-gb"}),
        ("suspend", OLD, {"reason": "lost"}),
        ("resume", OLD, {"reason": "lost"}),
        ("swap", OLD, {"new_iccid": NEW}),
        ("terminate", NEW, {}),
    ):
        await place.ends(await place.accept(kind, iccid, **request))
        held.append((place.host.held.get(OLD, ABSENT), place.host.held.get(NEW, ABSENT)))
    assert held == [(OPEN, ABSENT), (BARRED, ABSENT), (OPEN, ABSENT), (SILENT, OPEN), (SILENT, SILENT)]
    assert place.told == {"reauthorise": 1, "abort": 1}
    assert [text.body for text in place.enqueued] == ["welcome", "swap"]
    assert {state for _, state in executor.finished} == {OrderState.DONE}
    assert sum(executor.finished.values()) == 5
    assert place.alarms == []


async def test_the_host_gets_the_cards_own_keys_and_what_it_showed_is_noted(place):
    place.start()
    await place.take_in(1)
    await place.ends(await place.activate())
    assert place.host.keys == {OLD: Keys(bytes.fromhex(KI.format(1)), bytes.fromhex(OPC.format(1)))}
    sim = place.sim()
    assert (sim.observed, sim.wanted) == (Access.OPEN, OPEN)
    assert sim.observed_at > sim.created_at


async def test_an_order_of_another_gateway_is_carried_on_once_that_was_adopted_and_not_before(place):
    executor = place.start()
    await place.take_in(1)
    node = place.context.node
    node.owned = (node.id + 1,)
    order_id = await place.activate()
    with place.context.reading() as connection:
        assert executor._due(connection, set()) == []
    assert (place.order(order_id).state, place.host.calls) == (OrderState.ACCEPTED, [])
    node.owned = (node.id, node.id + 1)
    await place.ends(order_id)


async def test_a_gateway_that_may_have_been_taken_over_from_changes_nothing_at_a_host(place, monkeypatch):
    place.start()
    await place.take_in(1)
    monkeypatch.setattr(type(place.context), "may_send", False)
    order_id = await place.activate()
    await place.until(lambda: "order.stuck" in place.names())
    assert place.host.calls == []
    assert place.order(order_id).open
    monkeypatch.undo()
    monkeypatch.setattr(conducting, "SCAN_SECONDS", 0.02)
    await place.ends(order_id)


async def test_a_step_is_on_disk_before_it_is_sent(place):
    place.start()
    await place.take_in(1)
    seen = []

    async def look(apply):
        seen.append(
            [
                (order.state, order.steps[0].mark)
                for order in map(place.order, [int(place.host.calls[0][0].split(".")[0])])
            ]
        )
        return apply()

    place.host.script.append(look)
    await place.ends(await place.activate())
    assert seen == [[(OrderState.RUNNING, Mark.SENT)]]


async def test_calls_are_named_after_their_order_and_step(place):
    place.start()
    await place.bring_to_life()
    order_id = await place.accept("swap", OLD, new_iccid=NEW)
    await place.ends(order_id)
    assert place.host.calls == [
        (f"{order_id}.1", NEW, SILENT),
        (f"{order_id}.2", OLD, SILENT),
        (f"{order_id}.3", NEW, OPEN),
    ]


# Hosts that take their time


async def test_a_hint_has_the_host_read_back_at_once(place):
    executor = place.start(poll=LONG)
    await place.take_in(1)
    looks = Counter()

    async def count():
        looks["read"] += 1

    place.host.on_read = count
    place.host.script.append(Pending(LONG))
    order_id = await place.activate()
    await place.until(lambda: place.host.calls)
    await asyncio.sleep(0.02)  # it waits now
    assert looks["read"] == 0
    assert executor.hint("lab", f"{order_id}.0".encode()) == 1
    await asyncio.sleep(0.02)
    assert place.order(order_id).open  # a hint is no proof: the host did not show it
    assert looks["read"] == 1  # and it has one look for each
    place.host.held[OLD] = OPEN
    assert executor.hint("lab", b"other.1 " + f"{order_id}.0".encode()) == 1
    await place.ends(order_id)
    assert executor.hint("lab", f"{order_id}.0".encode()) == 0


async def test_a_hint_that_comes_before_the_answer_counts(place):
    executor = place.start(poll=LONG)
    await place.take_in(1)

    async def call_back_first(apply):
        apply()
        assert executor.hint("lab", place.host.calls[0][0].encode()) == 1
        return Pending(LONG)

    place.host.script.append(call_back_first)
    await place.ends(await place.activate())


async def test_a_hint_of_an_unknown_host_wakes_nobody(place):
    assert place.start().hint("nobody", b"1.0") == 0


async def test_without_a_hint_the_host_is_polled(place):
    place.start()
    await place.take_in(1)
    looks = Counter()

    async def count():
        looks["read"] += 1
        if looks["read"] == 3:
            place.host.held[OLD] = OPEN

    place.host.on_read = count
    place.host.script.append(Pending(0.005))
    await place.ends(await place.activate())
    assert (looks["read"], len(place.host.calls)) == (3, 1)


async def test_what_the_host_never_shows_is_tried_again_later_under_the_same_call(place):
    place.start(verify=0.02)
    await place.take_in(1)
    place.host.script.extend([Pending(0.001), Pending(0.001)])
    order_id = await place.activate()
    for attempt in (1, 2):
        order = await place.waits(order_id)
        assert order.steps[0].error == "the host did not show it within 0.02 s"
        assert (order.state, order.steps[0].mark, order.steps[0].attempts) == (OrderState.RUNNING, Mark.SENT, attempt)
        assert FIRST_DELAY * attempt - 100 < order.due_at - order.updated_at <= FIRST_DELAY * attempt
        place.clock.now = order.due_at
    await place.ends(order_id)
    assert place.host.ids() == ["0", "0", "0"]
    assert place.host.held == {OLD: OPEN}


async def test_an_ok_that_is_not_true_is_not_believed(place):
    place.start(verify=0.0)
    await place.take_in(1)

    async def say_yes(_apply):
        return None

    place.host.script.append(say_yes)
    order_id = await place.activate()
    assert "did not show it" in (await place.waits(order_id)).steps[0].error
    assert place.sim().state is SimState.ACTIVATING


# Hosts that are away


async def test_a_host_that_is_away_is_told_of_once_and_its_return_as_well(place):
    place.start()
    await place.take_in(1, 2)
    place.host.script.extend([DOWN] * 3)
    first, second = await place.activate(1), await place.activate(2, "447700900102")
    for order_id in (first, second):
        await place.waits(order_id)
    place.clock.now += FIRST_DELAY
    await place.until(lambda: len(place.host.calls) >= 4)
    await place.until(lambda: not place.executor.running)
    place.clock.now += 10 * FIRST_DELAY
    for order_id in (first, second):
        await place.ends(order_id)
    assert place.alarms == [
        ("host.unreachable", {"host": "lab", "detail": "it does not answer"}),
        ("host.back", {"host": "lab"}),
    ]


async def test_a_host_that_asks_for_time_gets_it(place):
    place.start()
    await place.take_in(1)
    place.host.script.append(HostUnavailable("busy", after=90.0))
    order = await place.waits(await place.activate())
    assert order.due_at - order.updated_at == 90_000_000


async def test_an_order_gives_up_in_the_end_and_goes_on_where_it_stands_when_it_is_retried(place):
    executor = place.start()
    await place.take_in(1)
    place.host.script.extend([DOWN] * ATTEMPTS)
    order_id = await place.activate()
    while place.order(order_id).open:
        await place.until(lambda: not executor.running)
        place.clock.now = max(place.clock.now, place.order(order_id).due_at)
        await asyncio.sleep(0.005)
    await place.ends(order_id, OrderState.FAILED)
    assert place.names() == ["host.unreachable", "order.failed"]
    assert place.sim().state is SimState.FAILED
    assert (await executor.retry(order_id)).state is OrderState.RUNNING
    await place.ends(order_id)
    assert place.host.ids() == ["0"] * (ATTEMPTS + 1)
    assert (place.sim().state, place.host.held) == (SimState.ACTIVE, {OLD: OPEN})


async def test_a_retry_has_an_order_that_waits_tried_at_once(place):
    executor = place.start()
    await place.take_in(1)
    place.host.script.append(DOWN)
    order_id = await place.activate()
    await place.waits(order_id)
    await executor.retry(order_id)
    await place.ends(order_id)


async def test_an_order_for_a_host_that_is_configured_no_more_waits_for_it(place):
    place.start(hosts={})
    await place.take_in(1)
    order_id = await place.activate()
    order = await place.waits(order_id)
    assert order.steps[0].error == "the host 'lab' is not among provisioning.hosts"
    assert order.due_at - order.updated_at == FIRST_DELAY
    place.clock.now = order.due_at
    await place.until(lambda: place.order(order_id).steps[0].attempts == 2)
    await place.waits(order_id)
    assert "order.stuck" not in place.names()
    await place.stop()
    place.clock.now += 10 * FIRST_DELAY
    place.start()
    await place.ends(order_id)


# Refusals


async def test_a_refused_activation_is_taken_back_at_the_host(place):
    executor = place.start()
    await place.take_in(1)
    place.host.script.append(HostRefused("447700900101 is not ours"))
    order_id = await place.activate()
    order = await place.ends(order_id, OrderState.COMPENSATED)
    assert place.host.calls == [(f"{order_id}.0", OLD, OPEN), (f"{order_id}.0u", OLD, ABSENT)]
    assert order.steps[0].mark is Mark.UNDONE
    assert (place.sim().state, place.sim().msisdn) == (SimState.IN_STOCK, None)
    ((event, fields),) = place.alarms
    assert (event, fields["kind"]) == ("order.compensated", Kind.ACTIVATE)
    assert fields["detail"] == order.steps[0].error != ""
    assert NUMBER not in str(fields)
    assert executor.finished == {(Kind.ACTIVATE, OrderState.COMPENSATED): 1}


async def test_a_card_that_is_somebody_elses_at_the_host_is_left_alone(place):
    place.start()
    await place.take_in(1)
    theirs = place.host.held[OLD] = Condition(Access.OPEN, "447700900999")
    order_id = await place.activate()
    order = await place.ends(order_id, OrderState.COMPENSATED)
    assert order.steps[0].error.startswith(
        "the host holds this card already: open as 44********99; nothing was changed"
    )
    assert place.host.calls == []
    assert place.host.held == {OLD: theirs}


async def test_a_refused_swap_gives_the_number_back_to_the_old_card(place):
    place.start()
    await place.bring_to_life()

    async def yes(apply):
        return apply()

    place.host.script.extend([yes, yes, HostRefused("no")])
    order_id = await place.accept("swap", OLD, new_iccid=NEW)
    await place.ends(order_id, OrderState.COMPENSATED)
    assert place.host.ids() == ["1", "2", "3", "3u", "2u", "1u"]
    assert (place.host.held[OLD], place.host.held[NEW]) == (OPEN, ABSENT)
    assert (place.sim(OLD).state, place.sim(NEW).state) == (SimState.ACTIVE, SimState.IN_STOCK)


async def test_what_is_undone_of_a_suspended_line_stays_barred(place):
    place.start()
    await place.bring_to_life()
    await place.ends(await place.accept("suspend", OLD, reason="lost"))
    place.host.calls.clear()

    async def yes(apply):
        return apply()

    place.host.script.extend([yes, yes, HostRefused("no")])
    await place.ends(await place.accept("swap", OLD, new_iccid=NEW), OrderState.COMPENSATED)
    assert place.host.held[OLD] == BARRED
    assert not any(iccid == OLD and wanted.access is Access.OPEN for _, iccid, wanted in place.host.calls)
    assert place.sim(OLD).state is SimState.SUSPENDED


async def test_a_refused_suspension_fails_and_the_customer_stays_barred_with_us(place):
    place.start()
    await place.bring_to_life()
    place.host.script.append(HostRefused("no"))
    order_id = await place.accept("suspend", OLD, reason="fraud")
    await place.ends(order_id, OrderState.FAILED)
    assert (place.sim().state, place.host.held[OLD], place.names()) == (SimState.SUSPENDED, OPEN, ["order.failed"])
    await place.executor.retry(order_id)
    await place.ends(order_id)
    assert place.host.held[OLD] == BARRED


async def test_what_the_host_held_is_on_record_before_anything_is_sent(place):
    place.start()
    await place.bring_to_life()
    stage = Stage()
    place.host.script.append(stage.before)
    order_id = await place.accept("terminate", OLD)
    await stage.reached.wait()
    log = next(log for log in place.order(order_id).steps if log.name == "host.terminate")
    assert (log.mark, log.found, NUMBER.encode() in log.before) == (Mark.SENT, "open as 44********01", False)
    stage.go.set()
    assert (await place.ends(order_id)).steps[1].before is None


async def test_a_host_that_cannot_be_read_is_sent_nothing_and_asked_again_later(place):
    place.start()
    await place.take_in(1)

    async def down():
        raise DOWN

    place.host.on_inspect = down
    order_id = await place.activate()
    order = await place.waits(order_id)
    assert (place.host.calls, order.steps[0].mark, order.steps[0].attempts) == ([], Mark.WAITING, 1)
    assert place.names() == ["host.unreachable"]
    place.host.on_inspect = None
    place.clock.now = order.due_at
    await place.ends(order_id)


async def test_a_step_of_which_nothing_is_on_record_is_not_undone_but_shown_to_a_person(place):
    executor = place.start()
    await place.take_in(1)
    place.host.script.append(DOWN)
    order_id = await place.activate()
    await place.waits(order_id)
    order = place.order(order_id)
    order.steps[0].before = None  # as an older version has left it
    with place.context._writer.begin() as connection:
        steps = msgspec.msgpack.encode(order.steps)
        connection.execute(update(tables.orders).where(tables.orders.c.id == order_id).values(steps=steps))
    await executor.cancel(order_id)
    order = await place.ends(order_id, OrderState.FAILED)
    assert "not on record" in order.steps[0].error
    assert place.host.ids() == ["0"]


async def test_the_keys_of_a_line_in_service_are_not_sent_again(place):
    place.start()
    await place.bring_to_life()
    for kind in ("suspend", "resume"):
        await place.ends(await place.accept(kind, OLD, reason="lost"))
        assert place.host.keys == {OLD: None}


# Cancelling


async def test_a_step_that_is_under_way_is_undone_when_the_order_is_cancelled(place):
    executor = place.start()
    await place.take_in(1)
    stage = Stage()
    place.host.script.append(stage.before)
    order_id = await place.activate()
    await stage.reached.wait()
    assert (await executor.cancel(order_id)).undoing
    stage.go.set()
    await place.ends(order_id, OrderState.COMPENSATED)
    assert place.host.ids() == ["0", "0u"]
    assert (place.host.held[OLD], place.sim().state) == (ABSENT, SimState.IN_STOCK)


async def test_a_swap_that_is_cancelled_during_its_notice_touches_no_host_and_raises_no_alarm(place):
    executor = place.start(notice=LONG)
    await place.bring_to_life()
    order_id = await place.accept("swap", OLD, new_iccid=NEW)
    await place.until(lambda: place.order(order_id).steps[0].mark is Mark.SENT)
    assert (await executor.cancel(order_id)).state is OrderState.COMPENSATED
    finish_texts(place)
    await place.ends(order_id, OrderState.COMPENSATED)
    assert (place.host.calls, place.names()) == ([], ["order.compensated"])
    assert (place.sim(OLD).state, place.sim(NEW).state) == (SimState.ACTIVE, SimState.IN_STOCK)


async def test_an_order_that_nobody_knows_is_neither_retried_nor_cancelled(place):
    executor = place.start()
    assert [await executor.retry(5), await executor.cancel(5)] == [None, None]


# The notice of a swap


def finish_texts(place):
    """All texts have come to their end."""
    with place.context._writer.begin() as connection:
        connection.execute(update(tables.texts).values(final=1))


async def test_a_swap_waits_until_its_notice_has_arrived(place):
    place.start(notice=LONG)
    await place.bring_to_life()
    order_id = await place.accept("swap", OLD, new_iccid=NEW)
    await place.until(lambda: place.enqueued)
    await asyncio.sleep(0.05)
    assert (place.host.calls, place.order(order_id).steps[0].mark) == ([], Mark.SENT)
    finish_texts(place)
    await place.ends(order_id)
    assert [text.destination for text in place.enqueued] == [NUMBER]


async def test_a_notice_that_does_not_arrive_holds_a_swap_up_only_so_long(place):
    place.start(notice=0.05)
    await place.bring_to_life()
    await place.ends(await place.accept("swap", OLD, new_iccid=NEW))
    assert len(place.enqueued) == 1


# Restarts


HOST_STEPS = [
    (kind, step.name) for kind, saga in SAGAS.items() for step in saga if isinstance(step, HostStep)
]  # fmt: skip
OTHER_NUMBER = "447700900199"
WANTED = {
    Kind.ACTIVATE: {OLD: OPEN},
    Kind.SUSPEND: {OLD: BARRED},
    Kind.RESUME: {OLD: OPEN},
    Kind.SWAP: {OLD: SILENT, NEW: OPEN},
    Kind.TERMINATE: {OLD: SILENT},
    Kind.RENUMBER: {OLD: Condition(Access.OPEN, OTHER_NUMBER)},
    Kind.REPLAN: {OLD: OPEN},
    Kind.RETIRE: {OLD: ABSENT},
}
REQUESTS = {
    "renumber": {"msisdn": OTHER_NUMBER, "reason": "mistyped"},
    "replan": {"plan": OTHER_PLAN, "reason": "as asked"},
    "suspend": {"reason": "lost"},
    "resume": {"reason": "lost"},
    "swap": {"new_iccid": NEW},
}


async def ready_for(place, kind):
    """Bring the first card to where an order of a kind begins, and open that order; gives its id."""
    place.start()
    await place.take_in(1, 2)
    before = {Kind.ACTIVATE: [], Kind.RESUME: ["activate", "suspend"], Kind.RETIRE: ["activate", "terminate"]}
    for earlier in before.get(kind, ["activate"]):
        order_id = await (
            place.activate() if earlier == "activate" else place.accept(earlier, OLD, **REQUESTS.get(earlier, {}))
        )
        await place.ends(order_id)
    place.clock.now += QUARANTINE
    place.host.calls.clear()
    place.enqueued.clear()
    place.told.clear()


async def open_order(place, kind):
    return await (place.activate() if kind is Kind.ACTIVATE else place.accept(kind, OLD, **REQUESTS.get(kind, {})))


@pytest.mark.parametrize("moment", ["before", "after", "read"])
@pytest.mark.parametrize(("kind", "step"), HOST_STEPS)
async def test_a_restart_in_the_middle_of_a_hosts_step_goes_on_with_the_same_call(place, kind, step, moment):
    await ready_for(place, kind)
    of_hosts = [name for known, name in HOST_STEPS if known is kind]
    stage = Stage()

    async def yes(apply):
        return apply()

    async def then_hold_reads(apply):
        apply()
        place.host.on_read = stage

    held_up = then_hold_reads if moment == "read" else getattr(stage, moment)
    place.host.script.extend([yes] * of_hosts.index(step) + [held_up])
    order_id = await open_order(place, kind)
    async with asyncio.timeout(PATIENCE):
        await stage.reached.wait()
    await place.stop()
    log = next(log for log in place.order(order_id).steps if log.name == step)
    assert (place.order(order_id).state, log.mark) == (OrderState.RUNNING, Mark.SENT)
    place.host.on_read = None
    place.start()
    await place.ends(order_id)
    repeated = [call for call, count in Counter(place.host.calls).items() if count == 2]
    assert [call[0] for call in repeated] == [f"{order_id}.{[each.name for each in SAGAS[kind]].index(step)}"]
    assert len(place.host.calls) == len(of_hosts) + 1
    assert {iccid: place.host.held[iccid] for iccid in WANTED[kind]} == WANTED[kind]
    assert place.alarms == []


@pytest.mark.parametrize(("kind", "name"), [(Kind.SUSPEND, "reauthorise"), (Kind.TERMINATE, "abort")])
async def test_a_restart_while_the_sessions_are_told_tells_them_again(place, kind, name):
    await ready_for(place, kind)
    stage = place.blocked[name] = Stage()
    order_id = await open_order(place, kind)
    await stage.reached.wait()
    await place.stop()
    assert (place.order(order_id).steps[0].mark, place.host.calls) == (Mark.SENT, [])
    place.blocked.clear()
    place.start()
    await place.ends(order_id)
    assert place.told == {name: 2}
    assert place.host.held == WANTED[kind]


async def test_a_restart_during_the_notice_sends_no_second_one(place):
    place.start(notice=LONG)
    await place.bring_to_life()
    order_id = await place.accept("swap", OLD, new_iccid=NEW)
    await place.until(lambda: place.enqueued)
    await place.stop()
    place.start(notice=0.0)
    await place.ends(order_id)
    assert len(place.enqueued) == 1


async def test_a_restart_while_a_step_is_undone_goes_on_undoing(place):
    place.start()
    await place.take_in(1)
    stage = Stage()
    place.host.script.extend([HostRefused("no"), stage.before])
    order_id = await place.activate()
    await stage.reached.wait()
    await place.stop()
    place.start()
    await place.ends(order_id, OrderState.COMPENSATED)
    assert place.host.ids() == ["0", "0u", "0u"]


@pytest.mark.parametrize("turns", range(6))
async def test_stopping_ends_the_scanning_also_in_the_moment_when_it_was_woken(place, turns):
    executor = place.start()
    await asyncio.sleep(0.05)
    for _ in range(turns):
        await asyncio.sleep(0)
    executor._wake.set()
    async with asyncio.timeout(PATIENCE):
        await executor.stop()
    assert executor._scanner.done()


async def test_stopping_leaves_orders_where_they_stand_and_lets_go_of_the_host(place):
    executor = place.start()
    await place.take_in(1)
    stage = Stage()
    place.host.script.append(stage.before)
    order_id = await place.activate()
    await stage.reached.wait()
    assert executor.running == 1
    await place.stop()
    assert (executor.running, place.host.closed, place.host.held) == (0, True, {})
    order = place.order(order_id)
    assert (order.state, order.steps[0].mark, place.sim().order_id) == (OrderState.RUNNING, Mark.SENT, order_id)


# Many at once


async def test_orders_for_different_cards_run_side_by_side(place):
    place.start()
    await place.take_in(1, 2)
    both = asyncio.Barrier(2)

    async def meet(apply):
        async with asyncio.timeout(PATIENCE):
            await both.wait()
        return apply()

    place.host.script.extend([meet, meet])
    orders = [await place.activate(1), await place.activate(2, "447700900102")]
    for order_id in orders:
        await place.ends(order_id)
    assert place.host.most_busy == 2


async def test_a_host_gets_no_more_calls_at_once_than_it_has_slots(place):
    place.start(slots=2)
    await place.take_in(*range(1, 8))

    async def slowly(apply):
        await asyncio.sleep(0.005)
        return apply()

    place.host.script.extend([slowly] * 7)
    orders = [await place.activate(n, f"4477009001{n:02}") for n in range(1, 8)]
    for order_id in orders:
        await place.ends(order_id)
    assert place.host.most_busy == 2
    assert len(place.host.held) == 7


async def test_an_order_that_ends_while_the_store_is_read_is_not_carried_again(place, monkeypatch):
    executor = place.start()
    await place.bring_to_life()
    due, read, release = executor._due, threading.Event(), threading.Event()

    def look_slowly(connection, busy):
        found = due(connection, busy)
        if not read.is_set() and executor.running:
            read.set()
            assert release.wait(PATIENCE)
        return found

    stage = place.blocked["abort"] = Stage()
    order_id = await place.accept("terminate", OLD)
    await stage.reached.wait()
    monkeypatch.setattr(executor, "_due", look_slowly)
    await place.until(read.is_set)
    stage.go.set()
    await place.ends(order_id)
    release.set()
    await asyncio.sleep(0.05)
    assert executor.finished[Kind.TERMINATE, OrderState.DONE] == 1
    assert place.told == {"abort": 1}


async def test_a_slow_line_holds_no_slot_while_it_is_waited_for(place):
    executor = place.start(slots=1, poll=LONG)
    await place.take_in(1, 2)
    place.host.script.append(Pending(LONG))
    slow = await place.activate(1)
    await place.until(lambda: place.host.calls)
    quick = await place.activate(2, "447700900102")
    await place.until(lambda: not place.order(quick).open and executor.running == 1)
    assert place.order(slow).open


# Trouble


async def test_a_fault_of_one_order_is_told_masked_and_the_others_go_on(place):
    place.start()
    await place.take_in(1, 2)
    place.host.script.append(RuntimeError(f"no idea what to do with {NUMBER}"))
    first = await place.activate(1)
    await place.until(lambda: place.alarms)
    await place.ends(await place.activate(2, "447700900102"))
    ((event, fields),) = place.alarms
    assert (event, fields["order"]) == ("order.stuck", first)
    assert fields["detail"].startswith("RuntimeError: ")
    assert NUMBER not in fields["detail"]
    await place.ends(first)  # it is tried again


async def test_sessions_that_cannot_be_told_are_told_later(place):
    place.start()
    await place.bring_to_life()

    async def fail():
        place.blocked.clear()
        raise OSError("no peer")

    place.blocked["reauthorise"] = fail
    order_id = await place.accept("suspend", OLD, reason="fraud")
    await place.ends(order_id)
    assert place.told["reauthorise"] == 2
    assert place.names() == ["order.stuck"]


async def test_keys_that_do_not_open_send_nothing_to_the_host(place):
    await place.take_in(1)
    place.context.sealer = Sealer(b"another key, which is long enough too")
    place.start()
    order_id = await place.activate()
    await place.until(lambda: place.alarms)
    assert place.names()[0] == "order.stuck"
    assert (place.host.calls, place.order(order_id).state) == ([], OrderState.ACCEPTED)


async def test_a_store_in_trouble_does_not_end_the_scanning(place, monkeypatch):
    executor = place.start()
    await place.take_in(1)
    due, failures = executor._due, iter([OSError("the disk is away")])

    def fail_once(connection, busy):
        for error in failures:
            raise error
        return due(connection, busy)

    monkeypatch.setattr(executor, "_due", fail_once)
    await place.until(lambda: place.alarms)
    assert place.alarms == [("daemon.timer.failed", {"timer": "orders", "detail": "the disk is away"})]
    await place.ends(await place.activate())


# Retiring


async def test_cards_whose_quarantine_is_over_are_retired_and_gone_from_the_host(place):
    executor = place.start()
    await place.bring_to_life()
    await place.ends(await place.accept("terminate", OLD))
    await executor.retire_due()
    assert place.sim().state is SimState.QUARANTINED
    place.clock.now += QUARANTINE
    for _ in range(2):
        await executor.retire_due()
    await place.until(lambda: place.sim().state is SimState.DESTROYED)
    assert place.host.held[OLD] == ABSENT
    assert place.host.ids() == ["1", "0"]
    assert (place.sim().keys, place.alarms) == (None, [])


# Other hosts


async def test_another_host_takes_the_next_step_and_the_old_one_is_closed_when_its_step_is_over(place):
    stage = Stage()
    executor = place.start()
    await place.take_in(1, 2)
    place.host.script.append(stage.before)
    first = await place.activate()
    await stage.reached.wait()
    other = ScriptedHost()
    desks = {"lab": HostRuntime(other, asyncio.Semaphore(1), 0.005, LONG)}
    executor.apply_settings(desks, notice=0.0)
    second = await place.activate(2, "447700900102")
    await place.until(lambda: other.calls)
    assert place.host.closed is False
    stage.go.set()
    await place.ends(first)
    await place.ends(second)
    await place.until(lambda: place.host.closed)
    assert (OLD in place.host.held, NEW in other.held, other.closed) == (True, True, False)


async def test_a_host_that_stayed_is_not_closed(place):
    executor = place.start()
    executor.apply_settings(dict(executor.host_runtimes), notice=0.0)
    await place.take_in(1)
    await asyncio.sleep(0)
    assert place.host.closed is False


async def test_an_order_that_waits_does_not_wait_an_hour_longer_where_the_clock_went_back(place):
    await place.take_in(1)
    place.start()
    place.host.script.append(DOWN)
    order_id = await place.activate()
    order = await place.waits(order_id)
    hour = 3_600_000_000
    place.clock.now = order.due_at - hour  # what was due now is an hour ahead
    place.executor.clock_stepped(-3600.0)
    await place.ends(order_id)
    place.executor.clock_stepped(3600.0)  # a step forward lets nothing wait longer
    assert [step for _, step in place.executor._back] == [hour]


async def test_an_order_that_waits_does_not_wait_an_hour_longer_where_the_clock_went_back_while_nobody_ran(place):
    await place.take_in(1)
    place.start()
    place.host.script.append(DOWN)
    order_id = await place.activate()
    order = await place.waits(order_id)
    await place.executor.stop()
    hour = 3_600_000_000
    place.clock.now = order.updated_at - hour
    place.start()
    await place.until(lambda: place.executor._back)
    place.clock.now = order.due_at - hour
    await place.ends(order_id)


async def test_an_order_that_came_by_adoption_does_not_wait_an_hour_longer_where_the_clock_had_gone_back(place):
    await place.take_in(1)
    place.start()
    place.host.script.append(DOWN)
    order_id = await place.activate()
    order = await place.waits(order_id)
    await place.executor.stop()
    node, hour = place.context.node, 3_600_000_000
    ours, node.owned = node.owned, (node.id + 1,)
    place.clock.now = order.updated_at - hour
    executor, looks = place.start(), []
    executor._latest_change = lambda connection, look=executor._latest_change: (
        looks.append(look(connection)) or looks[-1]
    )
    await place.until(lambda: looks)
    node.owned = ours
    executor._wake.set()
    await place.until(lambda: executor._back)
    place.clock.now = order.due_at - hour
    await place.ends(order_id)
