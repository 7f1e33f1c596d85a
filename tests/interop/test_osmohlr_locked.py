"""A real OsmoHLR whose database is locked for a while: what it declines then is no refusal."""

import asyncio
import shutil
import sqlite3
from contextlib import closing, contextmanager

import pytest
from support.host_orders import CARDS, PATIENCE, Card, order_rig
from support.osmo_hlr import osmo_hlr

from provisioning.hosts.osmohlr import OsmoHlr
from provisioning.orders import DECLINES

pytestmark = pytest.mark.skipif(not shutil.which("osmo-hlr"), reason="needs Debian's osmo-hlr")

SECOND = 1_000_000


@pytest.fixture
def hlr(tmp_path):
    (tmp_path / "hlr").mkdir()
    with osmo_hlr(tmp_path / "hlr") as process:
        yield process


@pytest.fixture
async def place(tmp_path, hlr, monkeypatch):
    def adapter():
        return OsmoHlr("home", hlr.ctrl, hlr.vty, timeout=2.0)

    async with order_rig(tmp_path, adapter, monkeypatch) as rig:
        rig.hlr = hlr
        yield rig


@contextmanager
def locked(hlr):
    """Keep the HLR from writing, as a backup or a person at its database does."""
    with closing(sqlite3.connect(hlr.database, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield
        database.execute("ROLLBACK")


async def pass_time(place, until):
    """Let the gateway's time pass from one due order to the next."""
    async with asyncio.timeout(PATIENCE):
        while place.clock.now < until:
            place.clock.now += SECOND // 10
            await asyncio.sleep(0.01)


async def test_activations_while_the_database_is_locked_for_four_seconds_are_done(place):
    cards = [Card(next(CARDS)) for _ in range(6)]
    await place.take_in(*(card.row for card in cards))
    with locked(place.hlr):
        orders = [await place.place("activate", card) for card in cards]
        await pass_time(place, place.clock.now + 4 * SECOND)
        assert [place.order(order_id).state for order_id in orders] == ["running"] * 6
        assert all(place.order(order_id).steps[0].attempts > 1 for order_id in orders)
    assert [(await place.ended(order_id)).state for order_id in orders] == ["done"] * 6
    held = place.hlr.subscribers()
    assert [(held[card.imsi]["msisdn"], held[card.imsi]["k"]) for card in cards] == [(c.msisdn, c.ki) for c in cards]


@pytest.mark.parametrize("kind", ["suspend", "resume", "swap", "terminate", "retire"])
async def test_any_other_order_is_done_when_the_lock_is_gone(place, kind):
    card, new = await place.ready_for(kind)
    with locked(place.hlr):
        order_id = await place.place(kind, card, new)
        await pass_time(place, place.clock.now + 4 * SECOND)
    assert (await place.ended(order_id)).state == "done"


async def test_a_database_that_stays_locked_ends_the_activation_and_leaves_nothing(place):
    card = Card(next(CARDS))
    await place.take_in(card.row)
    before = place.hlr.dump()
    with locked(place.hlr):
        order = await place.carry_out("activate", card)
    assert (order.state, place.hlr.dump()) == ("compensated", before)
    assert "Cannot create subscriber." in order.steps[0].error
    assert place.clock.now - order.created_at > (2 ** (DECLINES - 1) - 1) * SECOND
