import msgspec
import pytest
from sqlalchemy import insert
from support import postgres
from support.lane_fixture import workplace

from gateway.ledger.months import MonthTotal, month_totals
from gateway.store.keep_months import KeepMonths
from gateway.store.tables import transfers, usage

DECEMBER_2023 = 1_701_388_800_000_000
"""Two weeks after the clock of the test's store."""


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    if request.param == "sqlite":
        with workplace(f"sqlite:///{tmp_path}/t.db") as place:
            yield place
        return
    if not postgres.BINARIES:
        pytest.skip("PostgreSQL is not installed (package postgresql)")
    with postgres.server() as make, workplace(make("totals")) as place:
        place.lane.run(KeepMonths(86_400 * 400))
        yield place


def entry(number, at, kind, amount, currency="GBP"):
    debit, credit = (2 << 40, 1) if kind == "charge" else (1, 2 << 40)
    sides = {"debit": debit, "credit": credit, "event_at": at, "usage_id": 6, "reference": f"shop-{number}"}
    return {"id": number, "at": at, "kind": kind, "amount": amount, "currency": currency} | sides


def test_each_month_tells_what_was_booked_and_used_by_kind_and_where_it_stands(place):
    used = {"subscriber_id": 1, "session": 1, "octets": 5, "seconds": 0, "units": 0, "currency": "GBP", "plan": "p"}
    with place.writer.begin() as connection:
        entries = [
            entry(1, DECEMBER_2023 - 1, "topup", 10_000_000),
            entry(2, DECEMBER_2023, "topup", 5_000_000),
            entry(3, DECEMBER_2023, "topup", 2_500_000),
            entry(4, DECEMBER_2023, "topup", 1_000_000, "USD"),
            entry(5, DECEMBER_2023, "charge", 20_000),
        ]
        connection.execute(insert(transfers), entries)
        connection.execute(insert(usage).values(id=6, event_at=DECEMBER_2023, service="data", price=20_000, **used))
    with place.reader.connect() as connection:
        found = month_totals(connection)
    msgspec.json.encode(found)
    split = connection.dialect.name == "postgresql"
    november, december, used_then = (
        ("transfers_2023_11", "transfers_2023_12", "usage_2023_12") if split else ("transfers", "transfers", "usage")
    )
    assert [row for row in found if row.rows] == [
        MonthTotal("2023-11", "transfers", november, "topup", "GBP", 1, "10.00"),
        MonthTotal("2023-12", "transfers", december, "charge", "GBP", 1, "0.02"),
        MonthTotal("2023-12", "transfers", december, "topup", "GBP", 2, "7.50"),
        MonthTotal("2023-12", "transfers", december, "topup", "USD", 1, "1.00"),
        MonthTotal("2023-12", "usage", used_then, "data", "GBP", 1, "0.02"),
    ]
    ends = ("2023_11", "2023_12", "2024_01", "before", "default") if split else ()
    parts = {f"{table}_{end}" for table in ("transfers", "usage") for end in ends}
    assert {row.part for row in found if not row.rows} == parts - {november, december, used_then}
