"""Months in files of their own read as the store did before: check, balances, journal, months, export; nothing counts twice."""

import itertools
from collections import Counter
from decimal import Decimal

import pytest
from sqlalchemy import select
from support.books import check
from support.charging_fixture import INITIAL, TERMINATION, UPDATE, ccr, charging_place, service
from support.sealing import (
    at,
    folder,
    months_of,
    next_of,
    publish_all,
    remove_rows,
    rows_in_store,
    seal_all,
    seal_day,
    seal_one,
)

from gateway.charging import usage_export
from gateway.charging.check_sessions import wrong_sessions
from gateway.charity.policies import recompute
from gateway.ledger import balances, journal
from gateway.ledger.balances import Selection
from gateway.ledger.months import month_totals
from gateway.store.backup import backup
from gateway.store.errors import StoreUnavailable
from gateway.store.recovery import aftermath
from gateway.store.sealed_months import writing
from gateway.store.sealed_months.units import DropUsage, RemoveSealed
from gateway.store.tables import transfers

MEGABYTE = 1_000_000
NOW = at(2026, 11, 26)
BOTH = {"234150000000001": "447700900001", "234150000000002": "447700900002"}


def set_clock(place, now):
    place.ticks = itertools.count(now, 1_000)


@pytest.fixture
def place(tmp_path):
    """Two customers from August until November; one session lasts from August until October."""
    with charging_place(f"sqlite:///{tmp_path}/books.db") as place:
        set_clock(place, at(2026, 8, 3))
        place.enrol(50_000_000)
        place.enrol(90_000_000, imsi="234150000000002", msisdn="447700900002", plan="bundle-gb", cause="wwf")
        place.ask(ccr(INITIAL, 0, service(ask=0), session="long"))
        for month in (8, 9, 10, 11):
            set_clock(place, at(2026, month, 5))
            place.top_up("447700900001", 1_000_003, f"card-{month}")
            place.ask(ccr(UPDATE, month, service(used=[1_234_567], ask=0), session="long"))
            for imsi, msisdn in BOTH.items():
                session = {"session": f"{month};{imsi}", "imsi": imsi, "msisdn": msisdn}
                place.ask(ccr(INITIAL, 0, service(ask=0), **session))
                place.ask(ccr(UPDATE, 1, service(used=[1_300_001], ask=0), **session))
                place.ask(ccr(TERMINATION, 2, service(used=[777_777]), **session))
        yield place


def everything(place):
    """All that reports tell, but for where it stands."""
    times = [None, at(2026, 8, 1), at(2026, 9, 5), at(2026, 10, 1), NOW]
    with place.reader.connect() as connection:
        report = check(connection, recompute)
        assert report.findings == []
        ranges = [Selection(None, since, until) for since in times for until in times]
        wallet = connection.scalars(select(transfers.c.credit).where(transfers.c.kind == "topup")).first()
        ranges.append(Selection([wallet or 0], None, None))
        totals = [balances.balances(connection, after=0, limit=100, only=only) for only in ranges]
        pages = [journal.read(connection, after=0, limit=1000, causes=True, only=only) for only in ranges]
        exports = [
            usage_export.read(connection, after=0, limit=1000, start=start, end=end, number=number)
            for start in times
            for end in times
            for number in ("", "447700900001")
        ]
        months = Counter()
        for row in month_totals(connection):
            months[row.month, row.table, row.kind, row.currency, "rows"] += row.rows
            months[row.month, row.table, row.kind, row.currency, "amount"] += Decimal(row.amount)
    return [report.entries, report.accruals, report.wallets, totals, pages, exports, months]


def test_reports_tell_the_same_before_amid_and_after_the_sealing(place, monkeypatch):
    monkeypatch.setattr(writing, "STEP", 3)
    before, rows = everything(place), rows_in_store(place)
    publish_all(place.writer)
    for period in ("2026-08", "2026-09"):
        assert seal_one(place, NOW, remove=False) == period
        assert everything(place) == before
        place.lane.run(RemoveSealed(period, 5))  # what is half removed counts once, whole
        assert everything(place) == before
        assert remove_rows(place, period, limit=4) > 1
    assert seal_one(place, NOW) == "2026-10"
    assert seal_one(place, NOW) is None
    assert everything(place) == before
    left = rows_in_store(place)
    assert 0 < left["transfers"] < rows["transfers"] / 3
    names = sorted(file.name.rpartition("-")[0] for file in folder(place).iterdir())
    assert names == [f"2026-{month}-{content}" for month in ("08", "09", "10") for content in ("journal", "usage")]
    assert {file.stat().st_mode & 0o777 for file in folder(place).iterdir()} == {0o600}
    with place.reader.connect() as connection:
        stands = {row.part for row in month_totals(connection)}
    assert stands == {"transfers", "usage"} | {f"sealed/{file.name}" for file in folder(place).iterdir()}


def test_a_page_of_the_journal_opens_the_files_alone_that_it_needs(place):
    seal_all(place, NOW)
    with place.reader.connect() as connection:
        first = journal.read(connection, after=0, limit=3)
        whole = journal.read(connection, after=0, limit=1000)
        pages, after = [], 0
        while page := journal.read(connection, after=after, limit=3):
            pages, after = [*pages, *page], page[-1].id
    assert pages == whole
    for month in months_of(place)[1:]:
        (folder(place) / month.journal.file).unlink()
    with place.reader.connect() as connection:
        assert journal.read(connection, after=0, limit=3) == first
        with pytest.raises(StoreUnavailable, match=r"2026-09-journal-.* is missing"):
            journal.read(connection, after=0, limit=1000)


def test_a_month_waits_until_it_is_over_for_so_long_and_published(place):
    assert next_of(place, NOW) is None
    publish_all(place.writer)
    assert next_of(place, at(2026, 8, 31)) is None
    assert next_of(place, at(2026, 9, 1)).period == "2026-08"


def test_what_comes_late_and_a_clock_that_went_back_add_nothing_to_a_month_that_is_sealed(place):
    seal_all(place, at(2026, 9, 1))
    set_clock(place, at(2026, 8, 20))
    place.top_up("447700900001", 5_000_000, "late")
    place.ask(ccr(UPDATE, 90, service(used=[2_000_000], ask=0), session="long"))
    set_clock(place, NOW)
    before = everything(place)
    assert seal_all(place, NOW) == ["2026-09", "2026-10"]
    assert everything(place) == before


def test_usage_past_its_retention_goes_as_a_file_and_what_was_in_it_is_remembered(place):
    seal_all(place, NOW)
    set_clock(place, at(2026, 11, 20))
    first, second, _ = months_of(place)
    days = (at(2026, 11, 20) - second.usage.first_at) // 86_400_000_000
    assert place.lane.run(DropUsage(days * 86_400)) == []  # no seal stands for it yet
    seal_day(place, at(2026, 11, 20))
    assert place.lane.run(DropUsage(days * 86_400)) == [first.usage.file]
    (folder(place) / first.usage.file).unlink()
    with place.reader.connect() as connection:
        report = check(connection, recompute)
        exported = usage_export.read(connection, after=0, limit=1000, start=None, end=None)
        given_up = [row for row in month_totals(connection) if row.part.endswith("given up")]
    assert report.findings == []
    assert exported
    assert all(int(row.record_id) > first.ranges[0][1] for row in exported)
    assert [(row.month, row.table, row.kind, row.rows) for row in given_up] == [
        ("2026-08", "usage", None, first.usage.rows)
    ]
    assert place.lane.run(DropUsage(days * 86_400)) == []


def test_the_latest_entry_and_what_sessions_used_are_known_when_all_is_sealed(place):
    latest = [max(place.read(select(transfers.c.at)))[0]]
    assert seal_all(place, at(2026, 12, 2)) == ["2026-08", "2026-09", "2026-10", "2026-11"]
    assert rows_in_store(place)["transfers"] == 0
    with place.reader.connect() as connection:
        assert [journal.latest_entry(connection, place.node.id)] == latest
        assert aftermath.last_commit(connection) >= latest[0]
        assert list(wrong_sessions(connection)) == []
    with place.writer.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE sealed_files SET removed_at = NULL, removed_to = -1 WHERE period = '2026-11'"
        )
    with place.reader.connect() as connection:
        assert list(wrong_sessions(connection)) == []
    (folder(place) / months_of(place)[-1].usage.file).write_bytes(b"")
    with place.reader.connect() as connection:
        assert "its usage records say 0" in next(wrong_sessions(connection)).detail


def test_what_a_restored_store_lacks_is_counted_also_where_it_was_sealed_in_the_lost_time(place, tmp_path):
    (tmp_path / "then").mkdir()
    backup(tmp_path / "books.db", tmp_path / "then" / "books.db", lambda _share: None)
    set_clock(place, at(2026, 11, 7))
    for number in range(3):
        place.top_up("447700900001", 1_000_000, f"lost-{number}")
    seal_all(place, at(2026, 12, 2))
    restored = aftermath.open_unchanged(tmp_path / "then" / "books.db")
    with place.reader.connect() as before, restored.connect() as after:
        assert aftermath.lost(before, after).rows == {"transfers": 3}
    with place.reader.connect() as before, place.reader.connect() as after:
        assert aftermath.lost(before, after).rows == {}
