"""What a host with an activation API holds besides, and hosts that do not answer while the inventory is compared with them."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from support.host_orders import CARDS, Card, order_rig
from support.patience import PATIENCE

from gateway.sims.host_runtime import HostRuntime
from provisioning.errors import HostRefused
from provisioning.hosts import tmf640
from provisioning.hosts.interface import UNLISTED
from provisioning.hosts.tmf640 import PAGE, Tmf640
from simulators.host_api import HostApi
from simulators.host_faults import Fault

TIMEOUT = 0.2


@pytest.fixture
async def place(tmp_path, monkeypatch):
    async with HostApi() as host:

        def adapter():
            return Tmf640("lab", host.url, timeout=PATIENCE, poll=0.01)

        async with order_rig(tmp_path, adapter, monkeypatch) as rig:
            rig.host = host
            yield rig


def add(host, iccid, imsi, msisdn=None, state="active"):
    told = {"iccid": iccid, "imsi": imsi, "msisdn": msisdn}
    host.inventory.create(
        {
            "state": state,
            "serviceCharacteristic": [{"name": name, "value": value} for name, value in told.items() if value],
            "supportingResource": [{"id": iccid}],
            "serviceOrderItem": [{"serviceOrderId": f"theirs-{iccid}", "itemAction": "add"}],
        }
    )


async def test_cards_in_stock_and_lines_that_are_not_ours_are_listed_over_all_pages(place):
    stock = Card(next(CARDS))
    await place.take_in(stock.row)
    card, _ = await place.ready_for("suspend")
    add(place.host, stock.iccid, stock.imsi)
    theirs = [f"894499{n:013d}" for n in range(2 * PAGE + 1)]
    for n, iccid in enumerate(theirs):
        add(place.host, iccid, f"23499{n:010d}")
    add(place.host, "8944990000000009999", "234990000009999", state="terminated")
    found = await place.executor.reconcile(None, repair=True)
    assert [(row.iccid, row.state, row.found) for row in found.rows] == [(stock.iccid, "in_stock", "open")]
    assert sorted(row.iccid for row in found.strangers) == theirs
    assert {row.state for row in found.strangers} == {"not ours"}
    assert card.iccid not in {row.iccid for row in found.strangers}


async def test_a_host_that_lists_nothing_is_asked_for_each_card_in_stock(place, monkeypatch):
    async def unlisted(_self):
        raise HostRefused("no list", "host.unlisted")
        yield []

    monkeypatch.setattr(Tmf640, "lines", unlisted)
    stock = [Card(next(CARDS)) for _ in range(3)]
    await place.take_in(*(card.row for card in stock))
    add(place.host, stock[1].iccid, stock[1].imsi)
    found = await place.executor.reconcile(None, repair=False)
    assert [(row.iccid, row.found) for row in found.rows] == [(stock[1].iccid, "open")]


@asynccontextmanager
async def listing(page):
    """A host that gives `page(offset, number)` for the request of that number; gives its adapter and the offsets asked for."""
    offsets = []

    async def serve(request):
        offsets.append(int(request.query["offset"]))
        found = page(offsets[-1], len(offsets) - 1)
        return web.json_response([{"id": each, "supportingResource": [{"id": each}]} for each in found])

    app = web.Application()
    app.router.add_get("/service", serve)
    async with TestServer(app) as server:
        adapter = Tmf640("lab", str(server.make_url("/")), timeout=PATIENCE)
        yield adapter, offsets
        await adapter.close()


@pytest.mark.parametrize("before", [0, 3, 10])
@pytest.mark.parametrize("circle", [1, 2, 3, 7, 16])
async def test_a_host_that_gives_its_pages_in_a_circle_is_left(before, circle):
    def page(_offset, number):
        return [f"first-{number}"] if number < before else [f"circle-{(number - before) % circle}"]

    async with listing(page) as (host, offsets):
        with pytest.raises(HostRefused, match="again and again") as refused:
            assert [lines async for lines in host.lines()]
    assert refused.value.code == UNLISTED
    assert len(offsets) <= 4 * (before + circle)


async def test_a_list_without_an_end_is_left_after_as_many_pages_as_a_list_may_have(monkeypatch):
    monkeypatch.setattr(tmf640, "MAX_PAGES", 5)
    async with listing(lambda _offset, number: [f"new-{number}"]) as (host, offsets):
        with pytest.raises(HostRefused, match="no end after 5 pages") as refused:
            assert [lines async for lines in host.lines()]
    assert refused.value.code == UNLISTED
    assert offsets == [0, 1, 2, 3, 4]


@asynccontextmanager
async def black_hole():
    """A port that takes connections and never answers; gives its URL and the connections that it took."""
    taken, over = [], asyncio.Event()

    async def serve(_reader, writer):
        taken.append(writer)
        await over.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", taken
    finally:
        over.set()
        server.close()
        await server.wait_closed()


async def test_a_host_that_swallows_all_is_waited_for_once_and_its_cards_keep_what_was_seen(place):
    cards = [(await place.ready_for("suspend"))[0] for _ in range(12)]
    await place.stop()
    async with black_hole() as (url, taken):
        silent = Tmf640("lab", url, timeout=TIMEOUT, poll=0.01)
        place.start(hosts={"lab": HostRuntime(silent, asyncio.Semaphore(3), 0.01, 5.0)})
        found = await place.executor.reconcile(None, repair=True)
        assert len(taken) == 3  # the calls at once, and no call after them
        await place.stop()
    assert found.rows == []
    assert [(each.host, each.detail) for each in found.unreachable] == [("lab", "no answer in time")]
    place.start()
    assert {place.seen(card) for card in cards} == {"open"}


async def test_a_host_that_fails_for_one_card_is_compared_to_the_end(place):
    cards = [(await place.ready_for("suspend"))[0] for _ in range(3)]
    place.host.faults.next_reads(Fault.ERROR_BEFORE)
    found = await place.executor.reconcile(None, repair=False)
    assert found.unreachable == []
    (row,) = found.rows
    assert row.found == "the host can't do it now (HTTP 500)"
    assert row.iccid in {card.iccid for card in cards}


async def test_a_host_that_fails_for_every_card_is_told_once(place):
    for _ in range(30):
        await place.ready_for("suspend")
    place.host.faults.next_reads(*[Fault.ERROR_BEFORE] * 60)
    found = await place.executor.reconcile(None, repair=False)
    assert [each.detail for each in found.unreachable] == ["the host can't do it now (HTTP 500)"]
    assert len(found.rows) < 20
