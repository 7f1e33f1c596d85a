"""What the gateway does for causes by itself: a month that is over is confirmed, once, by one of the gateways of a store."""

import asyncio
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select, update
from support.sims_context_fixture import settings_of

from gateway.background import Background
from gateway.charity.confirmation import GRACE
from gateway.charity.gift_aid import Details, Person, seal_details
from gateway.charity.months import end_of
from gateway.context import GatewayContext
from gateway.environment import Environment
from gateway.metrics.registry import Metrics
from gateway.policies import make_policies
from gateway.runtime.component import Services
from gateway.runtime.components.giving import GivingComponent
from gateway.store.errors import LaneClosed
from gateway.store.tables import cause_sums, charity_months, erasures, gift_aid_declarations, nodes, transfers

AT = 1_700_000_000_000_000
"""14 November 2023."""
DAY = 24 * 3600


@pytest.fixture
async def context(tmp_path):
    loop, clock, seconds, told = asyncio.get_running_loop(), [AT], [1.0], []
    context = await asyncio.to_thread(
        GatewayContext,
        settings_of(tmp_path),
        make_policies,
        deliver=lambda jobs: loop.call_soon_threadsafe(lambda: [job.done(job.answer, job.error) for job in jobs]),
        environment=Environment(clock=lambda: clock[0], monotonic=lambda: seconds[0]),
        log=lambda event, fields: told.append((event, dict(fields))),
    )
    context.set_clock = lambda now: clock.__setitem__(0, now)
    context.wait = lambda more: seconds.__setitem__(0, seconds[0] + more)
    context.told = told
    yield context
    await asyncio.to_thread(context.close)


def component(context):
    return GivingComponent(Services(context, Metrics(), Background(), context.log, lambda _: None), None)


def charge(context, at):
    account, number, owner = context.accounts, context.node.next_id + at // 1_000_000_000, (1 << 41) + 7
    rows = []
    for kind, debit, credit, amount in (
        ("topup", account["cash"], owner, 10_000_000),
        ("charge", owner, account["revenue"], 10_000_000),
        ("accrual", account["giving"], account["cause:wwf"], 1_000_000),
    ):
        number += 1
        row = {"id": number, "at": at, "kind": kind, "debit": debit, "credit": credit, "amount": amount}
        row |= {"base": 1, "policy": "2026-1", "share": 10_000, "reference": f"r:{number}"}
        rows.append(row | {"currency": "GBP", "event_at": at, "usage_id": (1 << 42) + at})
    with context._writer.begin() as connection:
        connection.execute(insert(transfers), rows)


def confirmed(context):
    found = context.read(lambda connection: connection.execute(select(charity_months.c.period)).scalars().all())
    return found, context.read(lambda connection: connection.scalar(select(cause_sums.c.confirmed)))


async def test_every_month_that_is_over_is_confirmed_once_and_nothing_is_said_where_nothing_changed(context):
    zone, giving = ZoneInfo("Europe/London"), component(context)
    charge(context, AT)
    charge(context, end_of("2023-11", zone) + 1)
    await giving._confirm()
    assert confirmed(context) == ([], None)
    context.set_clock(end_of("2023-12", zone) + GRACE)
    await giving._confirm()
    assert confirmed(context) == ([], None), "it looks once a day"
    for _ in range(2):
        context.wait(DAY)
        await giving._confirm()
        assert confirmed(context) == (["2023-11", "2023-12"], 2_000_000)
    months = [("charity.month.confirmed", {"period": period, "moves": 1}) for period in ("2023-11", "2023-12")]
    assert context.told == months


async def test_a_gateway_whose_store_another_one_works_on_first_leaves_the_months_to_that(context):
    charge(context, AT)
    context.set_clock(end_of("2023-11", ZoneInfo("Europe/London")) + GRACE)
    with context._writer.begin() as connection:
        connection.execute(update(nodes).values(owner=99))
    await component(context)._confirm()
    assert confirmed(context) == ([], None)


async def test_what_was_kept_of_gifts_is_looked_at_once_a_day_and_goes_when_its_time_is_over(context):
    giving, owner, ages_ago = component(context), context.node.take_id(), 1
    with context._writer.begin() as connection:
        connection.execute(insert(erasures).values(id=owner, at=1, subscriber_id=owner, actor="a", reason="r"))
    await giving._forget()
    details = seal_details(context.cause_seals, owner, Details("wwf", Person("", "A", "K", "1", "X")))
    row = {"id": owner, "subscriber_id": owner, "declared_at": ages_ago, "covers_from": ages_ago, "details": details}
    with context._writer.begin() as connection:
        connection.execute(insert(gift_aid_declarations).values(row | {"channel": "c", "wording": "w", "actor": "a"}))
    await giving._forget()
    assert context.told == []
    context.wait(DAY)
    await giving._forget()
    assert context.told == [("subscriber.gifts.forgotten", {"rows": 1})]
    assert context.read(lambda connection: connection.execute(select(gift_aid_declarations)).all()) == []


async def test_a_month_that_is_being_read_is_given_up_as_the_gateway_stops(context):
    giving = component(context)
    await giving.start()
    await giving.stop()
    with pytest.raises(LaneClosed):
        giving._rest("wallets in debt", 1)
