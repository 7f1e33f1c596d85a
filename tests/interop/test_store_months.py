"""The months of a server's tables: made in time, dropped when due, by one gateway, and never in the way of a booking."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import msgspec
import psycopg
import pytest
from sqlalchemy import insert, select, text
from support.books import check
from support.lane_fixture import Workplace
from support.old_stores import everything
from support.patience import PATIENCE
from support.sealing import seal_day

from gateway.charity import publication
from gateway.environment import wall_clock
from gateway.store import division, lock, months, partitioning
from gateway.store.errors import StoreUnavailable
from gateway.store.keep_months import KeepMonths, MonthsKept
from gateway.store.months import following, month_start, partitions
from gateway.store.sweeper import Retention, Sweep
from gateway.store.tables import transfers, usage

DAY = 86_400
MICROSECONDS = 1_000_000
NUMBERS = itertools.count((1 << 40) + 1)
"""Those of the first node."""
BOTH = (transfers, usage)


def at(*date):
    return int(datetime(*date, tzinfo=UTC).timestamp()) * MICROSECONDS


NOW = at(2026, 11, 26)


@pytest.fixture
def place(database):
    place = Workplace(database(f"months_{next(NUMBERS)}"))
    set_clock(place, NOW)
    place.lane.start()
    yield place
    place.close()


def set_clock(place, now):
    place.ticks = iter(lambda: now, None)


def keep(place, days=400):
    return written_down(place.lane.run(KeepMonths(days * DAY)))


def written_down(answer):
    """As it comes from a lane that is another process."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(answer), type=type(answer))


def entry(number, when):
    return {
        "id": number, "at": when, "kind": "charge", "debit": 1 << 40, "credit": 2, "amount": 7, "currency": "GBP",
        "event_at": when, "usage_id": number,
    }  # fmt: skip


def record(number, when):
    amounts = {"octets": 1, "seconds": 0, "units": 0, "price": 7, "currency": "GBP", "plan": "p"}
    return {"id": number, "event_at": when, "subscriber_id": 1 << 40, "session": 1, "service": "data"} | amounts


def book(place, *times):
    """Book usage of these times and its charges."""
    with place.writer.begin() as connection:
        numbers = [next(NUMBERS) for _ in times]
        connection.execute(insert(transfers), [entry(*row) for row in zip(numbers, times, strict=True)])
        connection.execute(insert(usage), [record(*row) for row in zip(numbers, times, strict=True)])
    return numbers


def where(place, table):
    """Give the partition of each row by its number."""
    with place.reader.connect() as connection:
        rows = connection.execute(text(f"SELECT id, tableoid::regclass::text FROM {table.name} ORDER BY id"))
        return dict(map(tuple, rows))


def names(place, table):
    with place.reader.connect() as connection:
        return [each.name for each in partitions(connection, table)]


@pytest.mark.parametrize(
    ("when", "start", "then"),
    [
        (at(2026, 12, 1), at(2026, 12, 1), at(2027, 1, 1)),
        (at(2027, 1, 1) - 1, at(2026, 12, 1), at(2027, 1, 1)),
        (at(2024, 2, 29, 23), at(2024, 2, 1), at(2024, 3, 1)),
        (0, at(1970, 1, 1), at(1970, 2, 1)),
    ],
)
def test_a_month_is_a_calendar_month_in_utc(when, start, then):
    assert month_start(when) == start
    assert following(start) == then


def test_on_sqlite_there_are_no_months_and_nothing_is_done(tmp_path):
    place = Workplace(f"sqlite:///{tmp_path}/t.db")
    place.lane.start()
    assert keep(place) == MonthsKept()
    with place.reader.connect() as connection:
        assert months.outside_months(connection, usage) == [usage]
    assert division.divide(place.writer, NOW, print) == {}
    place.close()


def test_an_empty_stores_months_begin_with_the_running_one_and_two_are_there_before_they_begin(place):
    made = [f"{table.name}_{month}" for table in BOTH for month in ("2026_11", "2026_12", "2027_01")]
    assert keep(place) == MonthsKept(made=made)
    assert keep(place) == MonthsKept()
    for table in BOTH:
        assert len(names(place, table)) == 5
    set_clock(place, at(2026, 12, 1))
    assert keep(place).made == ["transfers_2027_02", "usage_2027_02"]


def test_rows_stand_in_the_month_of_their_time_and_any_time_has_a_place(place):
    keep(place)
    times = (1, at(2026, 11, 1), at(2026, 12, 1) - 1, at(2026, 12, 1), at(2090, 1, 1))
    numbers = book(place, *times)
    for table in BOTH:
        ends = ("before", "2026_11", "2026_11", "2026_12", "default")
        assert where(place, table) == dict(zip(numbers, (f"{table.name}_{end}" for end in ends), strict=True))


def test_a_store_that_has_rows_keeps_them_in_place_and_its_months_begin_after_them(place):
    numbers = book(place, at(2026, 3, 1), at(2026, 11, 26))
    before = everything(place.reader)
    assert keep(place).made == ["transfers_2026_12", "transfers_2027_01", "usage_2026_12", "usage_2027_01"]
    for table in BOTH:
        assert where(place, table) == dict.fromkeys(numbers, f"{table.name}_before")
    after = everything(place.reader)
    assert {name: after[name] for name in ("transfers", "usage")} == {
        name: before[name] for name in ("transfers", "usage")
    }


def test_rows_of_a_clock_that_was_ahead_are_named_count_and_move_into_their_month_once_it_is_made(place):
    keep(place)
    (number,) = book(place, at(2027, 3, 5))
    assert keep(place).strays == ["transfers_default", "usage_default"]
    assert findings(place, "usage") == []
    set_clock(place, at(2027, 1, 20))
    assert keep(place) == MonthsKept(
        made=["transfers_2027_02", "transfers_2027_03", "usage_2027_02", "usage_2027_03"], strays=[]
    )
    assert where(place, usage) == {number: "usage_2027_03"}


def findings(place, check_name):
    with place.reader.connect() as connection:
        return [each.detail for each in check(connection, lambda *_: 1).findings if each.check == check_name]


def test_a_month_of_usage_goes_as_a_whole_when_all_of_it_is_due_and_the_journal_stays(place):
    set_clock(place, at(2023, 11, 26))
    keep(place)
    book(place, at(2023, 11, 2), at(2023, 11, 30))
    last_is_due = at(2023, 12, 1) + 120 * DAY * MICROSECONDS
    set_clock(place, last_is_due - 1)
    assert keep(place, days=120).dropped == []
    set_clock(place, last_is_due)
    assert keep(place, days=120).dropped == []  # no seal stands for it yet
    seal_day(place, last_is_due)
    assert keep(place, days=120).dropped == ["usage_2023_11"]
    assert where(place, usage) == {}
    assert len(where(place, transfers)) == 2
    assert findings(place, "usage") == []


def test_a_clock_that_is_ahead_of_the_servers_drops_nothing(place):
    set_clock(place, wall_clock())
    made = keep(place).made
    set_clock(place, wall_clock() + 10_000 * DAY * MICROSECONDS)
    assert keep(place).dropped == []
    assert set(made) <= {*names(place, usage), *names(place, transfers)}


def test_what_is_in_no_month_is_swept_row_by_row_and_a_months_rows_are_not(place):
    for_ever = dict.fromkeys(("answers", "outbox", "sessions", "orders", "access_log"), 10**9)
    sweep = Sweep(Retention(usage=90 * DAY, **for_ever), published_only=True)
    old, older, young = book(place, *(NOW - days * DAY * MICROSECONDS for days in (91, 92, 89)))
    seal_day(place, NOW)
    assert place.lane.run(sweep) == 2
    keep(place)
    (in_a_month,) = book(place, at(2026, 12, 1))
    assert place.lane.run(sweep) == 0
    assert not {old, older} & where(place, usage).keys()
    set_clock(place, at(2027, 12, 1))
    assert place.lane.run(sweep) == 1
    assert where(place, usage) == {in_a_month: "usage_2026_12"}
    assert young not in where(place, usage)


def test_a_change_gives_way_to_a_report_that_reads_the_table_and_is_made_after_it(place):
    with psycopg.connect(place.url) as report:
        report.execute("SELECT count(*) FROM transfers")
        kept = keep(place)
        assert kept.busy == ["transfers"]
        assert kept.made == ["usage_2026_11", "usage_2026_12", "usage_2027_01"]
        book(place, NOW)
    assert keep(place).made == ["transfers_2026_12", "transfers_2027_01"]


@pytest.mark.parametrize("first", BOTH, ids=str)
def test_rows_of_a_month_that_is_just_being_made_wait_for_it_and_are_booked(place, first):
    keep(place)
    early = at(2027, 2, 1)
    with ThreadPoolExecutor(1) as clerk:
        with place.writer.begin() as maker:
            partitioning.make_month(maker, first, early)
            booking = clerk.submit(book, place, early + 1)
            somebody_waits_for_a_lock(place)
        booking.result(timeout=PATIENCE)
    assert {*where(place, first).values()} == {f"{first.name}_2027_02"}


def somebody_waits_for_a_lock(place):
    with psycopg.connect(place.url, autocommit=True) as connection:
        while not connection.execute("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'").rowcount:
            time.sleep(0.01)


def test_a_user_who_does_not_own_the_tables_charges_on_and_the_change_is_put_off(database):
    url = database(f"months_{next(NUMBERS)}")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE clerk LOGIN")
        connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk")
    place = Workplace(url.replace("tpo@", "clerk@"))
    place.lane.start()
    assert keep(place) == MonthsKept(busy=["transfers", "usage"])
    book(place, NOW)
    with pytest.raises(StoreUnavailable, match="or they are another user's"):
        division.divide(place.writer, NOW, print)
    assert place.alarms == []
    place.close()


def test_of_two_gateways_one_makes_the_months_and_the_other_does_not_wait(place):
    with psycopg.connect(place.url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [lock.number_of("tpo-schema")])
        assert keep(place) == MonthsKept()
    assert keep(place).made


def test_the_check_finds_a_number_that_two_months_have(place):
    keep(place)
    (number,) = book(place, at(2026, 11, 2))
    with place.writer.begin() as connection:
        connection.execute(insert(transfers), [entry(number, at(2026, 12, 2))])
    assert findings(place, "number") == [f"entry {number} is there more than once"]


def test_a_report_of_a_month_reads_its_partition_alone(place):
    keep(place)
    book(place, *(at(2026, 11, 1 + n) for n in range(20)), at(2026, 12, 3))
    wanted = select(usage.c.id).where(usage.c.event_at >= at(2026, 12, 1), usage.c.event_at < at(2027, 1, 1))
    with place.reader.connect() as connection:
        plan = "\n".join(connection.scalars(text(f"EXPLAIN {wanted.compile(compile_kwargs={'literal_binds': True})}")))
    assert "usage_2026_12" in plan
    assert "usage_2026_11" not in plan
    assert "usage_before" not in plan


def test_who_paid_what_was_given_is_looked_for_in_the_month_of_its_booking_alone(place):
    keep(place)
    book(place, at(2026, 11, 2))
    (number,) = book(place, at(2026, 12, 2))
    accrual = entry(number + 1, at(2026, 12, 2)) | {"kind": "accrual", "debit": 3, "usage_id": number}
    accrual |= {"base": 70, "policy": "2026-1", "share": 10_000}
    with place.writer.begin() as connection:
        connection.execute(insert(transfers), [accrual])
    wanted = publication._sums(0, number + 1).compile(
        dialect=place.reader.dialect, compile_kwargs={"literal_binds": True}
    )
    with place.reader.connect() as connection:
        found = [tuple(row) for row in connection.exec_driver_sql(str(wanted))]
        plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {wanted}").scalars().all()
    assert (2, "GBP", 1 << 40, 7) in found
    looks = [line for line in plan if " charge_" in line]
    assert len(looks) == 5
    (look,) = [line for line in looks if "never executed" not in line]
    assert "transfers_2026_12" in look


def test_the_check_joins_no_table_row_by_row_where_the_server_has_no_statistics_of_the_whole(place):
    keep(place)
    with place.reader.connect() as connection:
        check(connection, lambda *_: 1)
        assert connection.scalars(text("SHOW enable_nestloop")).one() == "off"
    with place.reader.connect() as connection:
        assert connection.scalars(text("SHOW enable_nestloop")).one() == "on"


# A large store


@pytest.fixture
def large(place, monkeypatch):
    """A store whose tables are too large to be read under a lock."""
    monkeypatch.setattr("gateway.store.keep_months.SMALL", 0)
    book(place, at(2026, 11, 3))
    return place


def test_a_large_table_waits_to_be_divided_and_is_booked_in_meanwhile(large):
    assert keep(large) == MonthsKept(waiting=["transfers", "usage"])
    book(large, NOW)
    assert set(where(large, usage).values()) == {"usage_default"}


def test_a_large_store_is_divided_beside_a_gateway_and_nothing_is_read_under_a_lock(large):
    said = []
    assert division.divide(large.writer, NOW, said.append) == dict.fromkeys(("transfers", "usage"), at(2027, 1, 1))
    assert [words.partition(":")[0] for words in said] == ["transfers", "usage"]
    assert division.divide(large.writer, NOW, said.append) == dict.fromkeys(("transfers", "usage"), at(2027, 1, 1))
    assert len(said) == 2
    assert keep(large).made == ["transfers_2027_01", "usage_2027_01"]
    assert set(where(large, usage).values()) == {"usage_before"}
    with large.reader.connect() as connection:
        assert not connection.scalars(text("SELECT conname FROM pg_constraint WHERE conname = 'months_begin'")).all()


def test_the_server_takes_the_proof_for_its_own(large):
    """ATTACH tells so, where it need not read."""
    seen = []
    with psycopg.connect(large.url, autocommit=True) as connection:
        connection.add_notice_handler(lambda notice: seen.append(notice.message_primary))
        connection.execute("SET client_min_messages = debug1")
        connection.execute("ALTER TABLE usage_default ADD CONSTRAINT months_begin CHECK (event_at < 1893456000000000)")
        connection.execute("ALTER TABLE usage DETACH PARTITION usage_default")
        connection.execute(
            "ALTER TABLE usage ATTACH PARTITION usage_default FOR VALUES FROM (MINVALUE) TO (1893456000000000)"
        )
    assert any("is implied by existing constraints" in words for words in seen)


def test_a_division_that_ended_halfway_goes_on_and_one_that_is_forgotten_is_taken_back_in_time(large, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(division, "prove_bound", die)
    with pytest.raises(KeyboardInterrupt):
        division.divide(large.writer, NOW, print)
    monkeypatch.undo()
    monkeypatch.setattr("gateway.store.keep_months.SMALL", 0)
    assert keep(large).waiting == ["transfers", "usage"]
    set_clock(large, at(2026, 12, 31) + 1)
    assert keep(large).waiting == ["transfers", "usage"]
    book(large, at(2027, 1, 1))  # the constraint is gone
    monkeypatch.setattr(division, "prove_bound", die)
    with pytest.raises(KeyboardInterrupt):
        division.divide(large.writer, at(2027, 1, 1), print)
    monkeypatch.undo()
    assert division.divide(large.writer, at(2027, 1, 1), print)["transfers"] == at(2027, 2, 1)


def test_a_division_gives_way_to_a_report_and_says_so(large):
    with psycopg.connect(large.url) as report:
        report.execute("SELECT count(*) FROM transfers")
        with pytest.raises(StoreUnavailable, match="somebody reads the tables"):
            division.divide(large.writer, NOW, print)


def test_rows_far_ahead_that_come_between_end_a_division_and_it_leaves_nothing_behind(large, monkeypatch):
    real = division.set_bound

    def with_a_late_row(connection, table, start):
        connection.execute(insert(transfers), [entry(next(NUMBERS), at(2031, 1, 1))])
        real(connection, table, start)

    monkeypatch.setattr(division, "set_bound", with_a_late_row)
    with pytest.raises(StoreUnavailable, match="transfers has rows of a time far ahead"):
        division.divide(large.writer, NOW, print)
    book(large, at(2031, 1, 1))
