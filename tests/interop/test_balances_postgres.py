"""Balances on a server as on a file: several allowances, a renewal, credit, a family, a refund; the books of both add up."""

import itertools

import pytest
from sqlalchemy import select
from support.books import check
from support.charging_fixture import INITIAL, PENNY, TERMINATION, ccr, charging_place, service

from gateway.balance.families import SetPayer
from gateway.balance.line_terms import SetRenewal
from gateway.balance.promotions import GivePromotion
from gateway.balance.refunds import RefundUsage, charged
from gateway.balance.wallets import read_wallet
from gateway.charging.add_ons import BuyAddOn
from gateway.charging.renewals import KeepWallet, due_wallets
from gateway.charity.policies import recompute
from gateway.rating.plans import Bundle, Plan, Rate
from gateway.store import tables
from gateway.store.engine import reading
from gateway.store.waiting_rows import kinds_waiting

MEGABYTE, POUND, DAY_US = 1_000_000, 100 * PENNY, 86_400_000_000
PAYER, MEMBER = "447700900001", "447700900002"
PLAN = Plan(
    "p", "", "GBP", Rate(PENNY, MEGABYTE), Rate(3 * PENNY, 60), Rate(2 * PENNY, 1), {},
    Bundle(2 * POUND, 0, data=30 * MEGABYTE, roll_over=("data",)), add_ons={"boost": Bundle(POUND, 7, data=5 * MEGABYTE)},
)  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    url = f"sqlite:///{tmp_path}/t.db" if request.param == "sqlite" else request.getfixturevalue("database")("balances")
    with charging_place(url, plans={"p": PLAN}) as opened:
        opened.owners = [opened.enrol(10 * POUND, "234150000000001", PAYER, "p")]
        opened.owners.append(opened.enrol(0, "234150000000002", MEMBER, "p", cause=""))
        yield opened
        with opened.reader.connect() as connection:
            assert check(connection, recompute).findings == []


def use(place, line, octets, session):
    imsi = f"23415000000000{line + 1}"
    return place.ask(ccr(TERMINATION, 0, service(used=[octets]), session=session, imsi=imsi)).result_code


def test_a_month_of_a_family_adds_up_on_both_stores(place):
    run = place.lane.run
    run(SetPayer(MEMBER, PAYER, 5 * POUND, "t", "family"))
    run(SetRenewal("msisdn", MEMBER, True, 0, "t", "agreed"))
    run(GivePromotion("msisdn", PAYER, 50 * PENNY, "GBP", 3, "t", "r"))
    assert use(place, 1, 31 * MEGABYTE, "a") == 2001
    run(BuyAddOn("msisdn", MEMBER, "boost", "t", "r"))
    assert use(place, 1, 7 * MEGABYTE, "b") == 2001
    assert use(place, 0, 31 * MEGABYTE, "c") == 2001
    assert place.ask(ccr(INITIAL, 0, service(ask=MEGABYTE), session="d", imsi="234150000000002")).result_code == 2001
    place.ticks = itertools.count(next(place.ticks) + 31 * DAY_US, 1_000)
    with place.reader.connect() as connection:
        due = set(due_wallets(connection, next(place.ticks), [place.node.id]))
        waits = kinds_waiting(connection, [place.node.id])
    assert due == set(place.owners)
    assert ("wallets" in waits) == (place.reader.dialect.name == "postgresql"), "an adopter would renew them"
    assert [run(KeepWallet(owner)).renewed for owner in place.owners] == [False, True]
    records = place.read(select(tables.usage.c.id).order_by(tables.usage.c.id))
    with place.reader.connect() as connection:
        found = [charged(connection, record) for (record,) in records]
    assert [run(RefundUsage(each, "t", "r")).repeated for each in (*found, *found)] == [False] * 3 + [True] * 3
    transfers = tables.transfers.c
    kinds = {kind for (kind,) in place.read(select(transfers.kind).distinct())}
    assert kinds >= {"sale", "charge", "family", "promotion", "promotional", "refund", "accrual_reversal"}


def test_who_only_reads_a_wallet_locks_nothing(place):
    place.lane.run(GivePromotion("msisdn", PAYER, 50 * PENNY, "GBP", 3, "t", "r"))
    with reading(place.reader) as connection:
        wallet = read_wallet(connection, place.owners[0])
    assert (wallet.balance, [each.kind for each in wallet.allowances]) == (10 * POUND + 50 * PENNY, ["promotion"])
