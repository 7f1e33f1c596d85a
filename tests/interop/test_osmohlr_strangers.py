"""What a real OsmoHLR holds besides: cards of ours in stock, lines that are not ours; and an HLR that is down."""

import shutil

import pytest
from support.host_orders import CARDS, Card, order_rig
from support.osmo_hlr import osmo_hlr

from provisioning.hosts.interface import Access
from provisioning.hosts.osmohlr import OsmoHlr

pytestmark = pytest.mark.skipif(not shutil.which("osmo-hlr"), reason="needs Debian's osmo-hlr")

STRANGER = "234159999999991"


@pytest.fixture
def hlr(tmp_path):
    (tmp_path / "hlr").mkdir()
    with osmo_hlr(tmp_path / "hlr") as process:
        yield process


@pytest.fixture
async def place(tmp_path, hlr, monkeypatch):
    def adapter():
        return OsmoHlr("lab", hlr.ctrl, hlr.vty, timeout=2.0)

    async with order_rig(tmp_path, adapter, monkeypatch) as rig:
        rig.hlr, rig.adapter = hlr, adapter
        yield rig


def add(hlr, imsi, msisdn=None, nam=1):
    hlr.write("INSERT INTO subscriber (imsi, msisdn, nam_cs, nam_ps) VALUES (?, ?, ?, ?)", imsi, msisdn, nam, nam)


def _text(msisdn):
    return f"'{msisdn}'" if msisdn else "NULL"


def told(rows):
    return [(row.iccid, row.imsi, row.state, row.wanted, row.found) for row in rows]


async def test_a_card_in_stock_that_is_live_at_the_hlr_is_listed_and_left_alone(place):
    live, barred, absent = (Card(next(CARDS)) for _ in range(3))
    await place.take_in(live.row, barred.row, absent.row)
    add(place.hlr, live.imsi, live.msisdn)
    add(place.hlr, barred.imsi, nam=0)
    before = place.hlr.dump()
    found = await place.executor.reconcile(None, repair=True)
    masked = f"44********{live.msisdn[-2:]}"
    assert told(found.rows) == [
        (live.iccid, "", "in_stock", "absent", f"open as {masked}"),
        (barred.iccid, "", "in_stock", "absent", "barred"),
    ]
    assert (found.strangers, place.hlr.dump()) == ([], before)


async def test_an_imsi_that_is_not_ours_is_listed_and_a_number_of_ours_on_it_named(place):
    card, _ = await place.ready_for("suspend")
    place.hlr.write("UPDATE subscriber SET msisdn = NULL WHERE imsi = ?", card.imsi)
    add(place.hlr, STRANGER, card.msisdn)
    add(place.hlr, "234159999999992")
    before = place.hlr.dump()
    found = await place.executor.reconcile(None, repair=False)
    (row,) = found.rows
    assert (row.iccid, row.found) == (card.iccid, "open")
    masked = f"44********{card.msisdn[-2:]}"
    assert told(found.strangers) == [
        ("", STRANGER, "not ours", "absent", f"open as {masked}; the number is ours"),
        ("", "234159999999992", "not ours", "absent", "open"),
    ]
    assert place.hlr.dump() == before


async def test_lines_in_service_and_cards_at_work_are_no_strangers(place):
    await place.ready_for("suspend")
    await place.ready_for("resume")
    await place.ready_for("retire")
    found = await place.executor.reconcile(None, repair=False)
    assert (found.rows, found.strangers, found.unreachable) == ([], [], [])


async def test_a_card_whose_line_is_somewhere_else_is_listed_where_it_should_not_be(place):
    card, _ = await place.ready_for("suspend")
    hosts = dict(place.executor.host_runtimes)
    await place.stop()
    place.start(hosts={"lab": hosts["lab"], "other": hosts["lab"]})
    found = await place.executor.reconcile("other", repair=False)
    assert told(found.rows) == [
        (card.iccid, "", "active", "absent", f"open as 44********{card.msisdn[-2:]}; its host is lab")
    ]


async def test_an_hlr_with_more_subscribers_than_a_screen_holds_is_listed_whole(place):
    rows = [(f"23415{n:010d}", f"44740{n:07d}" if n % 2 else None, n % 3 > 0) for n in range(1, 2001)]
    numbered = ", ".join(f"('{imsi}', {_text(msisdn)}, {nam:d}, {nam:d})" for imsi, msisdn, nam in rows)
    place.hlr.write(f"INSERT INTO subscriber (imsi, msisdn, nam_cs, nam_ps) VALUES {numbered}")
    adapter = place.adapter()
    listed = [line async for page in adapter.lines() for line in page]
    await adapter.close()
    assert [(line.imsi, line.msisdn, line.access is Access.OPEN) for line in listed] == rows


async def test_an_hlr_that_is_down_is_told_once_and_no_card_is_waited_for(place):
    cards = [await place.ready_for("suspend") for _ in range(4)]
    place.hlr.kill()
    found = await place.executor.reconcile(None, repair=True)
    assert (found.rows, found.strangers) == ([], [])
    ((name, detail),) = [(each.host, each.detail) for each in found.unreachable]
    assert name == "lab"
    assert "connection" in detail.lower()
    place.hlr.start()
    assert (await place.executor.reconcile(None, repair=False)).unreachable == []
    assert cards
