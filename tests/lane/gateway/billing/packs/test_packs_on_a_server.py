"""The same on PostgreSQL: a month's packs and its report, in one story."""

from datetime import UTC

from support.billing_fixture import billing_place
from support.evidence_pack import audited, closed_month, failure, rows_of, write

from gateway.charity.giving_report import giving_report


def test_a_month_is_committed_to_drawn_and_reported_on_a_server(database, tmp_path):
    with billing_place(database("packs")) as place:
        period = closed_month(place, lines=2)
        found = audited(place, period)
        assert failure(write(tmp_path / "pack", found)) is None
        assert audited(place, period) == found
        given = sum(bill["given"] for bill in rows_of(found)["bills"])
        with place.reading() as connection:
            report = giving_report(connection, period, "company", UTC)
        assert sum(month.amount for month in report.year) == given > 0
        assert {line.cause for line in report.lines} == {"wateraid", "wwf"}
