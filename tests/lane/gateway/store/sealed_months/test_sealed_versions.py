"""Sealed months and versions: what was used in them is priced anew, and files of before versions read as they always did."""

import itertools
import sqlite3
from contextlib import closing

import msgspec
import pytest
from sqlalchemy import update
from support.books import check
from support.charging_fixture import INITIAL, PENNY, PLANS, TERMINATION, UPDATE, ccr, charging_place, service
from support.sealing import at, folder, reports, seal_all

from gateway.charging.rerate import Rerated
from gateway.charging.rerate_reading import Wanted, page, unknown_records
from gateway.charity.policies import recompute
from gateway.rating.plans import Rate
from gateway.store.sealed_months.records import USAGE, digest
from gateway.store.tables import sealed_files

MEGABYTE = 1_000_000
NOW = at(2026, 11, 26)
CHEAPER = msgspec.structs.replace(PLANS["payg-gb"], data=Rate(PENNY // 2, MEGABYTE))


@pytest.fixture
def place(tmp_path):
    """A customer from September until November, with a session that lasts for two months."""
    with charging_place(f"sqlite:///{tmp_path}/books.db") as place:
        place.ticks = itertools.count(at(2026, 9, 3), 1_000)
        place.enrol(50_000_000)
        place.ask(ccr(INITIAL, 0, service(ask=0), session="long"))
        for month in (9, 10, 11):
            place.ticks = itertools.count(at(2026, month, 5), 1_000)
            place.ask(ccr(UPDATE, month, service(used=[1_234_567], ask=0), session="long"))
            place.ask(ccr(TERMINATION, 2, service(used=[777_777]), session=f"of {month}"))
        yield place


def rerate(place):
    version, together, after = place.policy.tariff.plans["payg-gb"].version, Rerated(), 0
    wanted = Wanted("payg-gb", version, at(2026, 9, 1), "ops", dry_run=False)
    while after is not None:
        with place.reader.connect() as connection:
            found = page(connection, wanted, after=after, limit=2)
            together.leave("unknown_version", unknown_records(connection, wanted) if after == 0 else 0)
        for unit in found.units:
            together.add(place.lane.run(unit))
        after = found.next
    return together


def books(place):
    with place.reader.connect() as connection:
        report = check(connection, recompute)
        assert report.findings == []
        return report


def test_usage_of_sealed_months_is_priced_anew_and_the_books_are_right_in_both(place):
    assert seal_all(place, NOW) == ["2026-09", "2026-10"]
    place.price_by({**PLANS, "payg-gb": CHEAPER})
    done = rerate(place)
    assert (done.records, done.left) == (6, {})
    assert abs(done.price_before - 2 * done.price_after) <= 6
    books(place)
    assert rerate(place).records == 0
    with place.reader.connect() as connection:
        exported = reports(connection)[2]
    assert sum(round(float(row.price) * MEGABYTE) for row in exported) == done.price_after


def test_the_file_of_a_month_that_was_sealed_before_versions_reads_as_of_unknown_ones(place):
    assert seal_all(place, NOW)
    before = as_sealed_by_a_program_of_before(place)
    assert books(place).unknown == {"payg-gb": before}
    with place.reader.connect() as connection:
        assert len(reports(connection)[2]) == 6
    place.price_by({**PLANS, "payg-gb": CHEAPER})
    done = rerate(place)
    assert (done.records, done.left) == (6 - before, {"unknown_version": before})
    books(place)


def as_sealed_by_a_program_of_before(place):
    """Leave what versions brought out of the files of usage; gives how many rows they have."""
    rows = 0
    for file in folder(place).glob(f"*{USAGE}*"):
        with closing(sqlite3.connect(file)) as month, month:
            for column in ("version", "rate_key", "rated_before", "covered"):
                month.execute(f"ALTER TABLE usage DROP COLUMN {column}")
            (count,) = month.execute("SELECT count(*) FROM usage").fetchone()
        with closing(sqlite3.connect(file)) as month:
            month.execute("VACUUM")
        rows += count
        changed = {"sha256": digest(file), "octets": file.stat().st_size}
        with place.writer.begin() as connection:
            connection.execute(update(sealed_files).where(sealed_files.c.file == file.name).values(changed))
    return rows
