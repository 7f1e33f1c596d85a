"""Two gateways on one PostgreSQL when a month ends: it is published once, as one month of both journals."""

import threading
from datetime import UTC

import msgspec
import pytest
from sqlalchemy import insert, select
from support.lane_fixture import CAUSE_SEALS, workplace
from support.patience import PATIENCE

from gateway.charity.months import end_of
from gateway.charity.publication import GRACE, MonthReader, PublishMonth
from gateway.store.engine import reading
from gateway.store.tables import marks, outbox, public_sums, publications, transfers

pytestmark = pytest.mark.xdist_group("months_two_gateways")
AT, ZONE, POUND = 1_700_000_000_000_000, UTC, 1_000_000
"""14 November 2023."""
NOW = end_of("2023-11", ZONE) + GRACE


def charge(place, givers):
    """Each of these subscribers is charged 10 pounds at this gateway, and one accrues to a cause."""
    account, rows = place.accounts, []
    number = place.node.next_id + 10_000
    for giver in givers:
        for kind, debit, credit, amount in (
            ("charge", (1 << 50) + giver, account["revenue"], 10 * POUND),
            ("accrual", account["giving"], account["cause:wwf"], POUND),
        ):
            number += 1
            row = {"id": number, "at": AT, "kind": kind, "debit": debit, "credit": credit, "amount": amount}
            row |= {"base": 1, "policy": "2026-1", "share": 10_000}
            rows.append(row | {"currency": "GBP", "event_at": AT, "usage_id": (1 << 51) + giver})
    with place.writer.begin() as connection:
        connection.execute(insert(transfers), rows)


def month_of(place):
    with reading(place.reader) as connection:
        reader = MonthReader(connection, ZONE, NOW, CAUSE_SEALS)
        if reader.period is None:
            return None
        while reader.advance(connection):
            continue
        return reader.month()


@pytest.mark.parametrize("turn", range(5))
def test_of_two_gateways_one_publishes_the_month_with_the_givers_of_both(database, turn):
    url = database(f"months_{turn}")
    with workplace(url) as one, workplace(url, node="ocs2.test.example") as two:
        charge(one, range(30))
        charge(two, range(20, 55))  # ten of them were charged at both
        months, done = {place.node.id: month_of(place) for place in (one, two)}, []
        threads = [
            threading.Thread(target=lambda p=place: done.append(p.lane.run(PublishMonth("n", months[p.node.id]))))
            for place in (one, two)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert sorted(done) == [False, True]
        assert (one.alarms, two.alarms) == ([], [])
        (body,) = one.read(select(outbox.c.body).where(outbox.c.topic == "charity/accrued"))
        assert msgspec.json.decode(body[0])["data"] == {
            "period": "2023-11", "cause": "wwf", "amount": "65.00", "currency": "GBP",
        }  # fmt: skip
        assert len(one.read(select(publications))) == len(one.read(select(public_sums))) == 1
        assert len(one.read(select(marks).where(marks.c.name == "charity/accrued"))) == 2
        assert month_of(two) is None
