import pytest
from sqlalchemy import select
from support.books import check
from support.charging_fixture import IMSI, MSISDN
from support.lane_fixture import workplace
from support.old_stores import store_at

from gateway.balance.opening_balances import Enrol, Enrolment
from gateway.balance.topups import PaymentRefused, ToppedUp
from gateway.charity.policies import recompute
from gateway.store import schema, tables
from gateway.store.idempotency import KeyConflict

OTHER, AMERICAN = "447700900002", "12025550123"
POUND = 1_000_000


@pytest.fixture
def place(tmp_path):
    with workplace(f"sqlite:///{tmp_path}/pay.db") as opened:
        lines = ((MSISDN, IMSI, "GBP"), (OTHER, "234150000000002", "GBP"), (AMERICAN, "310150000000001", "USD"))
        for msisdn, imsi, currency in lines:
            row = Enrolment(msisdn, imsi, f"8944{imsi}", "payg", "wateraid", 5 * POUND)
            opened.lane.run(Enrol(row, currency))
        yield opened
        with opened.reader.connect() as connection:
            assert check(connection, recompute).findings == []


def booked(place):
    rows = select(tables.transfers.c.amount).where(tables.transfers.c.kind == "topup").order_by(tables.transfers.c.id)
    return [amount for (amount,) in place.read(rows)]


def test_a_payment_is_booked_once_and_its_repeat_tells_the_balance_as_it_is_now(place):
    assert place.top_up(MSISDN, 10 * POUND, "shop-1").balance == 15 * POUND
    place.top_up(MSISDN, POUND, "shop-2")
    again = place.top_up(MSISDN, 10 * POUND, "shop-1")
    assert (again.balance, again.repeated) == (16 * POUND, True)
    assert booked(place) == [10 * POUND, POUND]


@pytest.mark.parametrize(
    "other",
    [
        {"amount": 11 * POUND},
        {"number": OTHER},
        {"number": AMERICAN, "currency": "USD"},
        {"currency": "USD"},
    ],
    ids=["another amount", "another line", "a line in dollars", "another currency"],
)
def test_a_reference_is_not_booked_for_anything_else(place, other):
    first = {"number": MSISDN, "amount": 10 * POUND, "reference": "shop-1"}
    place.top_up(**first)
    assert isinstance(place.top_up(**first | other), KeyConflict)
    assert booked(place) == [10 * POUND]


def test_a_reference_is_its_channels_own(place):
    for channel in ("api:shop", "api:bank", "tpo"):
        assert isinstance(place.top_up(MSISDN, POUND, "1", channel=channel), ToppedUp)
    assert booked(place) == [POUND] * 3


def test_a_reference_does_not_serve_the_next_owner_of_a_number(place):
    place.top_up(MSISDN, POUND, "shop-1")
    with place.writer.begin() as connection:
        moved = tables.lines.c.value == MSISDN
        owner = select(tables.lines.c.subscriber_id).where(tables.lines.c.value == OTHER).scalar_subquery()
        connection.execute(tables.lines.update().where(moved).values(subscriber_id=owner))
    assert isinstance(place.top_up(MSISDN, POUND, "shop-1"), KeyConflict)


def test_money_of_another_currency_than_the_wallets_is_refused(place):
    refused = place.top_up(AMERICAN, 5 * POUND, "shop-1", currency="GBP")
    assert isinstance(refused, PaymentRefused)
    assert (refused.code, "USD" in str(refused)) == ("topup.currency", True)
    assert isinstance(place.top_up(AMERICAN, 5 * POUND, "shop-1", currency="USD"), ToppedUp)


def test_a_wallet_holds_no_more_than_its_limit_and_the_refused_payment_may_come_again(place):
    full = place.top_up(MSISDN, 6 * POUND, "shop-1", limit=10 * POUND)
    assert isinstance(full, PaymentRefused)
    assert (full.code, "10.00 GBP" in str(full)) == ("topup.limit", True)
    assert place.top_up(MSISDN, 6 * POUND, "shop-1", limit=11 * POUND).balance == 11 * POUND


def test_an_idempotency_key_stands_for_one_request(place):
    assert place.top_up(MSISDN, POUND, "bank-1", key="k-1").repeated is False
    assert place.top_up(MSISDN, POUND, "bank-1", key="k-1").repeated is True
    assert isinstance(place.top_up(MSISDN, POUND, "bank-2", key="k-1"), KeyConflict)
    assert place.top_up(MSISDN, POUND, "bank-1", key="k-2").repeated is True
    assert booked(place) == [POUND]


def test_references_of_before_channels_were_told_apart_hold_for_every_channel(tmp_path):
    url = f"sqlite:///{tmp_path}/old.db"
    old = store_at(url, "0003")
    with old.begin() as connection:
        row = {
            "at": 1,
            "kind": "topup",
            "debit": 2,
            "amount": POUND,
            "currency": "GBP",
            "event_at": 1,
            "reference": "shop-1",
        }
        connection.execute(tables.transfers.insert(), [{**row, "id": number, "credit": number} for number in (7, 8)])
    schema.upgrade(old)
    old.dispose()
    with workplace(url) as place:
        columns = (tables.payments.c.channel, tables.payments.c.reference, tables.payments.c.subscriber_id)
        assert place.read(select(*columns)) == [("", "shop-1", 7)]
        row = Enrolment(MSISDN, IMSI, f"8944{IMSI}", "payg", "", 0)
        place.lane.run(Enrol(row, "GBP"))
        assert isinstance(place.top_up(MSISDN, POUND, "shop-1", channel="api:shop"), KeyConflict)
