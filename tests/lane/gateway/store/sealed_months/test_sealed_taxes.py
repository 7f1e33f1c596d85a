"""Sealed months and taxes: a day is summed, refunded and proved wherever its entries and usage stand."""

import msgspec
from sqlalchemy import select
from support.books import check
from support.charging_fixture import INITIAL, PLANS, TERMINATION, ccr, charging_place, service
from support.lane_fixture import EVIDENCE_KEY
from support.sealing import at, seal_all
from support.taxed_place import GB, book, record_taxes

from gateway.balance.refunds import RefundUsage, charged
from gateway.charity.policies import recompute
from gateway.rating.taxes import included
from gateway.store import tables
from gateway.store.sealed_months.parts import parts

TAXED = {name: msgspec.structs.replace(plan, tax=GB) for name, plan in PLANS.items()}
MEGABYTE = 1_000_000
PRICE = 100_000


def findings(place, **how):
    with place.reader.connect() as connection:
        return [(each.check, each.detail) for each in check(connection, recompute, EVIDENCE_KEY, **how).findings]


def test_days_of_sealed_months_are_taxed_refunded_and_proved(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/books.db", plans=TAXED) as place:
        record_taxes(place)
        place.ticks.now = at(2026, 9, 3)
        place.enrol(50_000_000)
        for month in (9, 10, 11):
            place.ticks.now = at(2026, month, 5)
            for name in ("a", "b"):
                place.ask(ccr(INITIAL, 0, service(ask=0), session=f"{name} of {month}"))
                place.ask(ccr(TERMINATION, 1, service(used=[10 * MEGABYTE]), session=f"{name} of {month}"))
        assert seal_all(place, at(2026, 11, 1)) == ["2026-09", "2026-10"]
        place.ticks.now = at(2026, 11, 20)
        days = {day.day: day.sums for day in book(place) if day.sums}
        assert {day: sums[0].gross for day, sums in days.items()} == dict.fromkeys(
            ("2026-09-05", "2026-10-05", "2026-11-05"), 2 * PRICE
        )
        with place.reader.connect() as connection, parts(connection) as found:
            used = [number for part in found for number in part.connection.scalars(select(tables.usage.c.id))]
            of = charged(connection, min(used))
        place.lane.run(RefundUsage(of, "me", "bad line"))
        place.ticks.now = at(2026, 11, 21, 12)
        (refunded,) = [each for day in book(place) for each in day.sums]
        assert (refunded.rate, refunded.gross) == (200_000, -PRICE)
        assert refunded.tax == included(5 * PRICE, 200_000) - included(6 * PRICE, 200_000)
        assert findings(place) == []
        assert findings(place, full=False) == []
