"""A month's control totals: from reports to the journal, each step the sum of the next ones; what is missing is told."""

import itertools

import msgspec
import pytest
from sqlalchemy import text
from support.charging_fixture import INITIAL, MSISDN, PLANS, TERMINATION, UPDATE, ccr, charging_place, service
from support.taxed_place import GB, book, record_taxes

from gateway.balance.promotions import GivePromotion
from gateway.balance.refunds import RefundUsage, charged
from gateway.ledger.totals import totals

NUMBERS = itertools.count()
MEGABYTE = 1_000_000
NOVEMBER = (1_698_796_800_000_000, 1_701_388_800_000_000)
BUNDLE = {"imsi": "234150000000002", "msisdn": "447700900002"}


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    on_disk = request.param == "sqlite"
    url = (
        f"sqlite:///{tmp_path}/books.db" if on_disk else request.getfixturevalue("database")(f"totals_{next(NUMBERS)}")
    )
    with charging_place(url) as opened:
        opened.enrol(50_000_000)
        opened.ask(ccr(INITIAL, 0, service(ask=0)))
        opened.ask(ccr(UPDATE, 1, service(used=[8 * MEGABYTE], ask=0)))
        opened.ask(ccr(UPDATE, 2, service(used=[2 * MEGABYTE], ask=0), service(200, used=[5])))
        opened.enrol(9_000_000, plan="bundle-gb", cause="", **BUNDLE)
        opened.ask(ccr(INITIAL, 0, service(ask=0), imsi=BUNDLE["imsi"], session="pgw;2"))
        opened.ask(ccr(TERMINATION, 1, service(used=[MEGABYTE]), imsi=BUNDLE["imsi"], session="pgw;2"))
        yield opened


def page(place):
    with place.reader.connect() as connection:
        return totals(connection, "2023-11", *NOVEMBER)


def test_each_step_is_the_sum_of_the_next_and_a_missing_charge_is_told(place):
    found = page(place)
    assert found.differences == []
    lines = {row.step: (row.count, row.octets, row.amount) for row in found.rows}
    assert lines == {
        "reported": (4, 11_000_005, None),
        "rated": (4, 11_000_005, "0.10"),
        "covered or free": (2, 1_000_005, "0.00"),
        "priced": (2, 10_000_000, "0.10"),
        "charged": (2, 0, "0.10"),
        "charged, booked in the month": (2, 0, "0.10"),
        "journal: charges of this month's use": (2, 0, "0.10"),
        "journal: bundles sold": (1, 0, "7.50"),
        "journal: revenue": (3, 0, "7.60"),
        "journal: tenths": (3, 0, "0.76"),
    }
    place.unguard()
    with place.writer.begin() as connection:
        connection.execute(text("DELETE FROM transfers WHERE kind = 'charge' AND amount = 80000"))
    assert page(place).differences == ["GBP: priced is 100000 micro-units, charged 20000"]


def test_a_month_in_which_nothing_was_is_an_empty_page(place):
    with place.reader.connect() as connection:
        assert totals(connection, "2023-12", NOVEMBER[1], NOVEMBER[1] + 1).rows == []


def test_credit_of_ours_refunds_and_taxes_are_lines_of_the_page(tmp_path):
    plans = {name: msgspec.structs.replace(plan, tax=GB) for name, plan in PLANS.items()}
    with charging_place(f"sqlite:///{tmp_path}/books.db", plans=plans) as place:
        record_taxes(place)
        place.enrol(50_000_000)
        place.lane.run(GivePromotion("msisdn", MSISDN, 30_000, "GBP", 30, "till", "r1"))
        place.ask(ccr(INITIAL, 0, service(ask=0)))
        place.ask(ccr(UPDATE, 1, service(used=[8 * MEGABYTE], ask=0)))
        place.ask(ccr(TERMINATION, 2, service(used=[2 * MEGABYTE])))
        with place.reader.connect() as connection:
            number = connection.scalar(text("SELECT max(id) FROM usage"))
            of = charged(connection, number)
        place.lane.run(RefundUsage(of, "me", "bad line"))
        place.ticks.skip(86_400)
        book(place)
        found = page(place)
    assert found.differences == []
    lines = {row.step: row.amount for row in found.rows}
    assert lines["priced"] == lines["charged"] == "0.10"
    assert lines["journal: given back"] == "-0.02"
    assert lines["journal: taxes within prices"] == "-0.007447"  # 17.5 % within 5 pence
