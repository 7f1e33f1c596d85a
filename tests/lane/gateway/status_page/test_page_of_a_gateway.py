"""The page of a gateway, out of its store, its metrics and its peers."""

import re
import threading
from types import SimpleNamespace

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application
from sqlalchemy import insert
from support.lane_fixture import Workplace
from support.messaging_fixture import FRIEND, TextPlace
from support.page_views import Reader
from support.sims_context_fixture import card, serve_plans, settings_of

from gateway.api.actions.table import ACTIONS
from gateway.api.callers import ADMIN, Caller
from gateway.charging.gy.server import Observed
from gateway.charity.public_sums import SMALLER
from gateway.context import GatewayContext
from gateway.messaging.texts import Step
from gateway.metrics.registry import Metrics
from gateway.policies import make_policies
from gateway.sims.accept_order import AcceptOrder, Asked
from gateway.status_page.alarms import RecentAlarms
from gateway.status_page.collect import Parts, StatusCollector
from gateway.status_page.rendering import POLICY, document
from gateway.status_page.routes import StatusPage
from gateway.status_page.sampling import between
from gateway.status_page.stored import given, read_store
from gateway.status_page.view import Given
from gateway.store.engine import reading
from gateway.store.errors import StoreUnavailable
from gateway.store.tables import public_sums, publications, transfers
from provisioning.orders import Kind, OrderRequest

NUMBER = "447700900123"
ADMIN_CALLER = Caller("local:0", ADMIN)
CAUSES = {"wateraid": "WaterAid", "wwf": "WWF-UK"}


def told(concerns):
    return [(each.id, each.words) for each in concerns]


async def test_a_gateway_in_which_nothing_is_configured_says_so(context):
    assert [each.id for each in gatherer_of(context).concerns()] == ["config.empty"]


async def test_peers_that_were_lost_again_and_again_are_a_concern_for_ten_minutes(context):
    recent_alarms = RecentAlarms()
    for second in range(4):
        recent_alarms.record("diameter.peer.down", {"peer": "a"}, context.clock() - second * 5_000_000)
    gatherer = gatherer_of(context, troubles=recent_alarms)
    assert ("peer.unstable", "connections of Diameter peers were lost: 4 in 10 minutes") in told(gatherer.concerns())
    words = Reader(document(await gatherer.view())).words
    assert "connections of Diameter peers were lost: 4 in 10 minutes" in words
    assert "docs/runbooks/peer-down.md" in words
    assert recent_alarms.count_since("diameter.peer.down", context.clock() - 7_000_000) == 2


async def test_the_parts_of_batches_are_those_of_the_last_ten_minutes(context):
    metrics = Metrics()
    gatherer = gatherer_of(context, metrics=metrics)
    metrics.observe_phase("committing", 4.0)
    gatherer.sample()
    for _ in range(100):
        metrics.observe_phase("committing", 0.02)
    gatherer.sample()
    [found] = [phase for phase in (await gatherer.view()).phases if phase.name == "committing"]
    assert round(found.seconds, 3) == 2.0
    assert 0.01 < found.p99 <= 0.025


# The store


def test_doubtful_texts_are_counted_and_shown_without_their_numbers(tmp_path):
    place = TextPlace(f"sqlite:///{tmp_path}/t.db")
    place.lane.start()
    first, second, third = (text.id for text in place.accept(*(place.draft() for _ in range(3))).new)
    place.take(first)
    place.answer(first, Step.DOUBTFUL)
    place.take(second)
    with reading(place.reader) as connection:
        stored = read_store(connection, CAUSES)
    place.close()
    assert stored.texts == [("queued", "1"), ("submitted", "1"), ("doubtful", "1")]
    assert [(text.id, text.receiver) for text in stored.doubtful] == [(str(first), f"…{FRIEND[-2:]}")]
    assert third not in (first, second)


@pytest.fixture
def context(tmp_path):
    context = GatewayContext(settings_of(tmp_path), make_policies)
    serve_plans(context, **{"payg-gb": "lab"})
    yield context
    context.close()


def gatherer_of(context, **changes):
    smsc_client = SimpleNamespace(links=dict, depth=0, sent=0, arrived=0, losses={}, stranded=0, without_route=0)
    executor = SimpleNamespace(hosts={"lab": True}, running=0, finished={})
    metrics, recent_alarms = changes.pop("metrics", Metrics()), changes.pop("troubles", RecentAlarms())
    gone = changes.pop("nodes_gone", ())
    parts = Parts(smsc_client, executor, None, None, lambda: 0.0, nodes_gone=lambda: gone)
    return StatusCollector(context, metrics, recent_alarms, parts, 0.0)


async def page_of(gatherer):
    app = Application()
    app.router.add_routes(StatusPage(gatherer).routes())
    async with TestClient(TestServer(app)) as client, client.get("/") as answer:
        return answer, await answer.text()


async def test_the_page_of_a_house_has_its_orders_and_no_number_in_clear(context):
    sim = card(7)
    imported = {"rows": [sim]}
    assert ACTIONS["sim.import"].perform(context, imported, ADMIN_CALLER).results[0].outcome == "created"
    asked = Asked(Kind.ACTIVATE, sim["iccid"], OrderRequest(msisdn=NUMBER, plan="payg-gb", cause="wwf"), "socket:0")
    order = context.lane.run(AcceptOrder("socket", None, asked)).order_id
    answer, page = await page_of(gatherer_of(context))
    assert (answer.status, answer.content_type, answer.charset) == (200, "text/html", "utf-8")
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["Cache-Control"] == "no-store"
    words = Reader(page).words
    assert str(order) in words
    assert "activate" in words
    for number in (NUMBER, sim["iccid"], sim["imsi"]):
        assert number not in page
        assert number[:-2] not in page


async def test_a_gateway_that_is_gone_and_nobody_adopted_is_a_concern(context):
    found = gatherer_of(context, nodes_gone=("ocs2.tpo.example",)).concerns()
    assert [(each.id, each.severity, each.words) for each in found if each.id.startswith("node.")] == [
        ("node.gone", "critical", "gateway ocs2.tpo.example is gone, and its work waits")
    ]


async def test_a_store_in_trouble_is_told_and_the_rest_of_the_page_stands(context, monkeypatch):
    def fail(_look):
        raise StoreUnavailable("disk I/O error")

    monkeypatch.setattr(context, "read", fail)
    view = await gatherer_of(context).view()
    assert view.stored.trouble == "disk I/O error"
    words = Reader(document(view)).words
    assert "the store cannot be read" in words
    assert "The store cannot be read: disk I/O error" in words


async def test_a_store_that_does_not_answer_does_not_hold_up_the_page(context, monkeypatch):
    answered = threading.Event()
    read, asked = context.read, []
    monkeypatch.setattr(context, "read", lambda look: (asked.append(look), answered.wait(20), read(look))[-1])
    monkeypatch.setattr("gateway.status_page.collect.PATIENCE", 0.02)
    gatherer = gatherer_of(context)
    for _ in range(3):
        assert (await gatherer.view()).stored.trouble == "it does not answer"
    assert len(asked) == 1
    answered.set()
    await gatherer._reading
    assert (await gatherer.view()).stored.trouble == ""


async def test_many_who_look_read_the_store_once(context, monkeypatch):
    asked = []
    read = context.read
    monkeypatch.setattr(context, "read", lambda look: asked.append(look) or read(look))
    gatherer = gatherer_of(context)
    for _ in range(5):
        await gatherer.view()
    assert len(asked) == 1


async def test_samples_come_from_the_metrics(context):
    metrics = Metrics()
    gatherer = gatherer_of(context, metrics=metrics)
    before = gatherer._totals()
    for _ in range(50):
        metrics.observe(Observed(1, "2001", 0.004))
    after = msgspec.structs.replace(gatherer._totals(), at=before.at + 5.0)
    sample = between(before, after)
    assert sample.requests == 10.0
    assert 0.0025 < sample.p99 <= 0.005


# Giving


def test_the_page_tells_of_giving_what_was_published_last_and_nothing_else(tmp_path):
    place = Workplace(f"sqlite:///{tmp_path}/t.db")
    with place.reader.connect() as connection:
        assert given(connection, CAUSES) == Given()
    rows = [("2026-09", "wwf", 70), ("2026-10", "gone", 55), ("2026-10", SMALLER, 60), ("2026-10", "unassigned", 90)]
    with place.writer.begin() as connection:
        for period in ("2026-09", "2026-10"):
            connection.execute(insert(publications).values(period=period, node=1, published_at=1))
        for period, cause, pounds in rows:
            values = {"period": period, "cause": cause, "currency": "GBP", "amount": pounds * 1_000_000}
            connection.execute(insert(public_sums).values(values))
    with place.reader.connect() as connection:
        found = given(connection, CAUSES)
    place.close()
    assert found.month == "October 2026"
    assert {each.name: each.amount // 1_000_000 for each in found.sums} == {
        "gone": 55, "Smaller causes": 60, "No cause chosen yet": 90,
    }  # fmt: skip


async def test_a_tenth_that_accrues_now_is_not_on_the_page(context):
    """Whoever looks twice and knows what was used between would know for which cause it was."""
    account = context.accounts
    with context._writer.begin() as connection:
        for giver in range(100):
            number, wallet = context.node.next_id + 10_000 + 2 * giver, (1 << 41) + giver
            at = context.clock()
            for entry, kind, debit, credit, amount in (
                (number, "charge", wallet, account["revenue"], 123_456_789),
                (number + 1, "accrual", account["giving"], account["cause:wwf"], 12_345_679),
            ):
                row = {"id": entry, "at": at, "kind": kind, "debit": debit, "credit": credit, "amount": amount}
                row |= {
                    "currency": "GBP",
                    "event_at": at,
                    "usage_id": number,
                    "base": 1,
                    "policy": "2026-1",
                    "share": 10_000,
                }
                connection.execute(insert(transfers).values(row))
    _, page = await page_of(gatherer_of(context))
    assert "No month is published yet." in Reader(page).words
    assert "wwf" not in page.lower()
    assert "123" not in re.sub(r"127\.0\.0\.1|\d\d:\d\d:\d\d", "", Reader(page).words)
