"""Extracts of registers as they are kept, and money of causes that grows old."""

import pytest
from sqlalchemy import insert
from support.lane_fixture import Workplace

from gateway.charity.ageing import Due, is_due, transmit_due, waiting
from gateway.charity.causes import Agreement, Cause
from gateway.charity.register import ImportRegister, Row, read_register, with_absent
from gateway.store.engine import reading
from gateway.store.tables import cause_sums, charity_month_sums, charity_months


def test_a_number_that_the_extract_does_not_have_is_absent_and_a_later_extract_replaces_it(tmp_path):
    place = Workplace(f"sqlite:///{tmp_path}/t.db")
    place.lane.start()
    first = with_absent([Row("288701", "WATERAID", "registered")], ["288701", "1081247"])
    place.lane.run(ImportRegister("GB-CHC", "2026-11-01", first))
    place.lane.run(ImportRegister("GB-CHC", "2026-12-01", first[:1]))
    assert (
        place.lane.run(ImportRegister("GB-CHC", "2026-11-30", first)) == "2026-12-01"
    )  # an old file calls nobody back
    with reading(place.reader) as connection:
        found = read_register(connection)
    place.close()
    assert {key: (row.status, row.extracted_on) for key, row in found.items()} == {
        ("GB-CHC", "1081247"): ("absent", "2026-12-01")
    }


CAUSE = Cause(
    "wwf", "WWF", "GB", agreement=Agreement("2026-01-01", "2026-01-01", "GBP", "bacs", transmit_within=60, carry=20)
)


@pytest.fixture
def place(tmp_path):
    place = Workplace(f"sqlite:///{tmp_path}/t.db")
    with place.writer.begin() as connection:
        state = {"moved": 50, "confirmed": 0, "payable": 50, "instructed": 0, "paid": 0, "handed": 0}
        named = {"stream": "tenth", "cause": "wwf", "currency": "GBP"}
        connection.execute(insert(cause_sums).values(named | state))
        sums = {"period": "2026-10", "accrued": 50, "unpaid": 0, "confirmed": 50, "released": 50}
        connection.execute(insert(charity_month_sums).values(named | sums))
        connection.execute(insert(charity_months).values({"period": "2026-10", "node": 1, "at": 1, "until": 1}))
    yield place
    place.close()


@pytest.mark.parametrize(
    ("today", "days", "causes", "carried_long_enough"),
    [("2026-11-17", 0, 0, False), ("2026-11-18", 48, 1, False), ("2026-11-22", 52, 1, True)],
)
def test_money_is_told_of_at_80_per_cent_of_its_time_and_paid_after_its_carry(
    place, today, days, causes, carried_long_enough
):
    with reading(place.reader) as connection:
        found = transmit_due(connection, {"wwf": CAUSE}, today)
        waits = waiting(connection, {"wwf": CAUSE}, today)
        assert transmit_due(connection, {}, today) == Due()
    assert (found.days, found.causes) == (days, causes)
    assert is_due(CAUSE, waits, today) is carried_long_enough


def test_a_month_that_nobody_confirms_is_told_of_too(place):
    with place.writer.begin() as connection:
        connection.execute(cause_sums.delete())
    with reading(place.reader) as connection:
        assert transmit_due(connection, {"wwf": CAUSE}, "2026-12-17").days == 0
        assert transmit_due(connection, {"wwf": CAUSE}, "2026-12-19").days == 48
