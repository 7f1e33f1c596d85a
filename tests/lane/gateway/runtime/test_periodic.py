"""What the gateway does by itself: here, that a month's figures are published when it is over, all of them and once."""

import asyncio
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import insert, select
from support.sims_context_fixture import settings_of

from gateway.background import Background
from gateway.billing.packs.row_trees import Ways
from gateway.charity.months import end_of, period_of
from gateway.charity.publication import GRACE
from gateway.context import GatewayContext
from gateway.environment import Environment
from gateway.ledger.seals import SealKey, kept, read_file, tree_of_day
from gateway.metrics.registry import Metrics
from gateway.policies import make_policies
from gateway.runtime.component import Services
from gateway.runtime.periodic import BUSY_TURNS, PeriodicWork
from gateway.store.errors import StoreUnavailable
from gateway.store.evidence import Evidence
from gateway.store.keep_months import KeepMonths, MonthsKept
from gateway.store.nodes import SPAN_BITS
from gateway.store.tables import outbox, subscriptions, transfers

AT = 1_700_000_000_000_000
"""14 November 2023."""


@pytest.fixture
async def context(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.runtime.periodic.READING_PAUSE", 0)
    loop = asyncio.get_running_loop()

    def deliver(jobs):
        loop.call_soon_threadsafe(lambda: [job.done(job.answer, job.error) for job in jobs])

    clock = [AT]
    context = await asyncio.to_thread(
        GatewayContext,
        settings_of(tmp_path),
        make_policies,
        deliver=deliver,
        environment=Environment(clock=lambda: clock[0]),
    )
    context.set_clock = lambda now: clock.__setitem__(0, now)
    yield context
    await asyncio.to_thread(context.close)


def services(context, log):
    return Services(context, Metrics(), Background(), log, lambda _: None)


def charge(context, at, givers):
    account, number = context.accounts, context.node.next_id + at // 1_000_000_000
    rows = []
    for giver in range(givers):
        for kind, debit, credit, amount in (
            ("charge", (1 << 41) + giver, account["revenue"], 10_000_000),
            ("accrual", account["giving"], account["cause:wwf"], 1_000_000),
        ):
            number += 1
            row = {"id": number, "at": at, "kind": kind, "debit": debit, "credit": credit, "amount": amount}
            row |= {"base": 1, "policy": "2026-1", "share": 10_000}
            rows.append(row | {"currency": "GBP", "event_at": at, "usage_id": (1 << 42) + giver})
    with context._writer.begin() as connection:
        connection.execute(insert(transfers), rows)


def told(context):
    found = select(outbox.c.body).where(outbox.c.topic == "charity/accrued").order_by(outbox.c.id)
    bodies = context.read(lambda connection: connection.execute(found).scalars().all())
    return [(event["data"]["period"], event["data"]["amount"]) for event in map(msgspec.json.decode, bodies)]


async def test_every_month_that_is_over_is_published_once_on_the_operators_clock(context):
    zone, alarms = ZoneInfo("Europe/London"), []
    periodic = PeriodicWork(services(context, lambda event, fields: alarms.append((event, fields))), None, None)
    assert period_of(AT, zone) == "2023-11"
    charge(context, AT, 60)
    charge(context, end_of("2023-11", zone) + 1, 70)
    await periodic._publish_months()
    assert told(context) == []
    context.set_clock(end_of("2023-12", zone) + GRACE)
    for _ in range(2):
        await periodic._publish_months()
        assert told(context) == [("2023-11", "60.00"), ("2023-12", "70.00")]
    assert alarms == [
        ("charity.month.published", {"period": "2023-11", "figures": 1}),
        ("charity.month.published", {"period": "2023-12", "figures": 1}),
    ]


async def test_the_tax_of_every_day_that_is_over_is_booked_once(context):
    alarms, owner = [], context.node.take_id()
    periodic = PeriodicWork(services(context, lambda event, fields: alarms.append((event, fields))), None, None)
    sold = {
        "kind": "sale",
        "debit": owner,
        "credit": context.accounts["revenue"],
        "amount": 6_000_000,
        "currency": "GBP",
    }
    with context._writer.begin() as connection:
        connection.execute(insert(subscriptions).values(id=owner, subscriber_id=owner, plan="bundle-gb", valid_from=AT))
        for at in (AT, AT + 86_400_000_000):
            number = context.node.take_id()
            entry = {"id": number, "at": at, "event_at": at, "reference": f"sale:{number}"}
            connection.execute(insert(transfers).values(sold | entry))
    await periodic._book_taxes()
    assert alarms == []
    context.set_clock(AT + 3 * 86_400_000_000)
    for _ in range(2):
        await periodic._book_taxes()
        booked = select(transfers.c.amount).where(transfers.c.kind == "tax").order_by(transfers.c.id)
        assert context.read(lambda c, booked=booked: c.execute(booked).scalars().all()) == [1_000_000, 1_000_000]
    assert [(event, fields["day"]) for event, fields in alarms if fields["rates"]] == [
        ("ledger.tax.booked", "2023-11-14"),
        ("ledger.tax.booked", "2023-11-15"),
    ]


async def test_a_store_in_trouble_leaves_the_month_to_the_next_turn(context, monkeypatch):
    periodic = PeriodicWork(services(context, lambda *_: None), None, None)
    charge(context, AT, 60)
    context.set_clock(AT + 60 * 86_400_000_000)
    with monkeypatch.context() as trouble:
        trouble.setattr(context, "read", lambda _look: (_ for _ in ()).throw(StoreUnavailable("disk I/O error")))
        with pytest.raises(StoreUnavailable):
            await periodic._publish_months()
    await periodic._publish_months()
    assert told(context) == [("2023-11", "60.00")]


async def test_months_that_come_and_go_are_told_each_time_and_what_stays_wrong_once(context, monkeypatch):
    """What a turn may find on a server, told by a lane of SQLite, which has no months."""
    told_of = []
    periodic = PeriodicWork(
        services(context, lambda event, fields: told_of.append((event, *fields.values()))), None, None
    )
    await periodic._keep_months()
    assert told_of == []
    made = MonthsKept(made=["usage_2026_12"], dropped=["usage_2025_10"], strays=["usage_default"])
    turns = [made, made, *[MonthsKept(waiting=["transfers"], busy=["usage"])] * BUSY_TURNS, MonthsKept()]
    monkeypatch.setattr(KeepMonths, "decide", lambda _unit, _batch: turns.pop(0))
    while turns:
        await periodic._keep_months()
    come_and_go = [("store.month.made", "usage_2026_12"), ("store.month.dropped", "usage_2025_10")]
    assert told_of == [
        *come_and_go,
        ("store.month.missing", "usage_default"),
        *come_and_go,
        ("store.months.waiting", "transfers"),
        ("store.month.put_off", "usage"),
    ]


@pytest.mark.parametrize("beside", [1 << 40, 0], ids=["in a thread", "in a process of its own"])
async def test_each_day_is_sealed_with_the_tree_of_its_rows_and_the_file_has_the_seal(context, monkeypatch, beside):
    monkeypatch.setattr("gateway.runtime.periodic.BESIDE", beside)
    told_of = []
    periodic = PeriodicWork(services(context, lambda event, fields: told_of.append((event, fields))), None, None)
    charge(context, AT, 3)
    context.set_clock(AT + 86_400_000_000)
    for _ in range(2):
        await periodic._seal_day()
    (seal,) = read_file(context.seals_file)
    assert [(event, fields["day"]) for event, fields in told_of] == [("ledger.sealed", "2023-11-14")]
    numbers = context.read(lambda connection: connection.execute(select(transfers.c.id)).scalars().all())
    ways = context.read(lambda connection: Ways(connection, context.evidence_key).of(numbers))
    assert set(ways) == set(numbers)
    tree = context.read(lambda connection: tree_of_day(connection, seal.node, seal.day))
    assert (seal.day, seal.rows) == ("2023-11-14", tree.root.hex())
    assert SealKey(context.evidence_key).is_signed(seal)


async def test_a_day_whose_tree_is_not_done_when_the_gateway_ends_is_sealed_at_the_next_start(context, monkeypatch):
    monkeypatch.setattr("gateway.runtime.periodic.BESIDE", 0)
    monkeypatch.setattr("gateway.runtime.periodic.make_beside", lambda _question, _ended: None)
    periodic = PeriodicWork(services(context, lambda *_: None), None, None)
    charge(context, AT, 3)
    context.set_clock(AT + 86_400_000_000)
    context.draining = True
    await periodic._seal_day()
    assert context.read(kept) == []
    context.draining = False
    await periodic._seal_day()  # a process that fails leaves it to a thread
    assert [seal.rows != "" for seal in context.read(kept)] == [True]


async def test_what_a_node_booked_last_that_is_taken_over_is_sealed_once_by_who_has_its_shard(context):
    periodic = PeriodicWork(services(context, lambda *_: None), None, None)
    other, row = 99, (99 << SPAN_BITS) + 5
    entry = (row, AT, "topup", context.accounts["cash"], 1 << 41, 5, "GBP", AT, None, None, None, None, "r-1")
    with context._writer.begin() as connection:
        connection.execute(insert(transfers).values(entry))
        Evidence(context.evidence_key, other).append(connection, {"transfers": [entry]}, AT)
    context.node.owned = (other, context.node.id)
    for day in (1, 2):
        context.set_clock(AT + day * 86_400_000_000)
        await periodic._seal_day()
    assert [(each.node, each.day) for each in read_file(context.seals_file) if each.node == other] == [
        (other, "2023-11-14")
    ]
    assert len(context.read(kept)) == 3
    assert context.read(lambda connection: set(Ways(connection, context.evidence_key).of([row]))) == {row}
