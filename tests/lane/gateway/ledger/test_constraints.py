"""The store itself refuses what is none of the postings, on both databases."""

import itertools

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, text
from support.books import check
from support.lane_fixture import EVIDENCE_KEY, workplace

from gateway.charity.policies import recompute
from gateway.ledger.account_names import HIGHEST_SYSTEM
from gateway.ledger.constraints import checks, constrain, guard, missing_constraints, wanted_checks
from gateway.ledger.postings import POSTINGS, AccountClass, Evidence
from gateway.store.constraints import check_names, checks_of, set_checks, unique_name
from gateway.store.engine import storing
from gateway.store.errors import StoreError

pytestmark = pytest.mark.xdist_group("constraints")

NUMBERS = itertools.count(1000)
ROWS = [pytest.param(row, id=f"{row.kind} {row.debit}") for row in POSTINGS]


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def place(request, tmp_path_factory):
    on_disk = request.param == "sqlite"
    url = f"sqlite:///{tmp_path_factory.mktemp('s')}/t.db" if on_disk else request.getfixturevalue("database")("guard")
    with workplace(url) as opened:
        yield opened


def entry(row, **other):
    """An entry as a posting has it, but for what is said."""
    sides = [HIGHEST_SYSTEM + place if side is AccountClass.WALLET else place + 1
             for place, side in enumerate((row.debit, row.credit))]  # fmt: skip
    carried = {str(each): "r" if each in ("reference", "policy") else 1 for each in (*row.evidence, *row.any_of[:1])}
    whole = {"id": next(NUMBERS), "at": 1, "kind": row.kind, "debit": sides[0], "credit": sides[1], "amount": 1,
             "currency": "GBP", "event_at": 1, **carried}  # fmt: skip
    return whole | other


def book(place, *entries):
    with storing(), place.writer.connect() as connection:
        for each in entries:
            names = ", ".join(each)
            values = ", ".join(f":{name}" for name in each)
            connection.execute(text(f"INSERT INTO transfers ({names}) VALUES ({values})"), each)
        connection.rollback()


def refuses(place, constraint, *entries):
    with pytest.raises(StoreError, match=constraint):
        book(place, *entries)


@pytest.mark.parametrize("row", ROWS)
def test_an_entry_as_its_posting_has_it_is_booked_and_no_other(place, row):
    book(place, entry(row))
    one = entry(row)
    refuses(place, "ck_transfers_amount", one | {"amount": 0})
    if row.kind != "settlement" and row.debit is not row.credit:
        refuses(place, "ck_transfers_sides", one | {"debit": 1 << 40, "credit": (1 << 40) + 1})
    refuses(place, "ck_transfers_sides", one | {"credit": one["debit"]})
    for evidence in row.evidence:
        refuses(place, "ck_transfers_evidence", one | {str(evidence): None})
    if row.any_of:
        refuses(place, "ck_transfers_evidence", one | dict.fromkeys(map(str, row.any_of)))


@pytest.mark.parametrize("row", ROWS)
def test_a_reference_is_booked_once_a_kind_where_its_posting_says_so(place, row):
    if Evidence.REFERENCE not in row.evidence:
        return
    twice = entry(row), entry(row)
    if row.unique is Evidence.REFERENCE:
        refuses(place, "reference", *twice)
    else:
        book(place, *twice)


def test_a_kind_that_is_no_posting_is_refused(place):
    refuses(place, "ck_transfers_sides", entry(POSTINGS[0], kind="rebate"))


def test_a_step_that_makes_them_again_leaves_them_as_they_are_and_copies_get_theirs(place):
    with place.writer.connect() as connection:
        before = checks_of(connection, "transfers")
        constrain(connection)
        assert checks_of(connection, "transfers") == before
        assert set(before) == set(checks())
        set_checks(connection, "transfers", {})
        assert check_names(connection, "transfers") == set()
        assert len(missing_constraints(connection)) == len(checks())
        constrain(connection)
        assert checks_of(connection, "transfers") == before
        connection.rollback()


def test_a_column_that_is_added_leaves_the_constraints(place):
    with place.writer.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE transfers ADD COLUMN later BIGINT")
        assert check_names(connection, "transfers") == set(checks())
        constrain(connection)
        assert check_names(connection, "transfers") == set(checks())
        connection.rollback()


@pytest.mark.parametrize("table", ["transfers", "sealed_choices", "payments"])
def test_a_table_that_a_step_copied_has_all_that_it_had(tmp_path, table):
    everything = text("SELECT type, name, sql IS NULL FROM sqlite_schema WHERE tbl_name = :table ORDER BY type, name")
    with workplace(f"sqlite:///{tmp_path}/t.db") as place, place.writer.begin() as connection:
        before = connection.execute(everything, {"table": table}).all(), checks_of(connection, table)
        with Operations(MigrationContext.configure(connection)).batch_alter_table(table, recreate="always") as copied:
            copied.add_column(Column("later", BigInteger))
        guard(connection, table)
        assert (connection.execute(everything, {"table": table}).all(), checks_of(connection, table)) == before


def test_a_constraint_and_an_index_that_are_gone_are_missed_by_the_check(place):
    on_disk = place.writer.dialect.name == "sqlite"
    index = unique_name("transfers" if on_disk else "transfers_default")
    with place.writer.connect() as connection:
        assert missing_constraints(connection) == []
        kept = {name: condition for name, condition in checks().items() if name != "ck_transfers_sides"}
        set_checks(connection, "transfers", kept)
        connection.exec_driver_sql(f"DROP INDEX {index}")
        found = [each.detail for each in check(connection, recompute, EVIDENCE_KEY).findings if each.check == "guard"]
        connection.rollback()
    assert len(found) == 2
    assert "ck_transfers_sides" in found[0]
    assert "unique references" in found[1]


def test_references_that_are_booked_twice_already_leave_the_index_out_and_no_upgrade_stops(place):
    opening = next(row for row in POSTINGS if row.kind == "opening")
    with place.writer.connect() as connection:
        on_disk = connection.dialect.name == "sqlite"
        connection.exec_driver_sql(f"DROP INDEX {unique_name('transfers' if on_disk else 'transfers_default')}")
        for each in (entry(opening), entry(opening)):
            names, values = ", ".join(each), ", ".join(f":{name}" for name in each)
            connection.execute(text(f"INSERT INTO transfers ({names}) VALUES ({values})"), each)
        constrain(connection)
        assert len(missing_constraints(connection)) == 1
        connection.rollback()


def test_what_needs_a_column_of_a_later_step_waits_for_it(place):
    with place.writer.connect() as connection:
        assert wanted_checks(connection) == checks()
        if connection.dialect.name == "sqlite":
            set_checks(connection, "transfers", {})
            connection.exec_driver_sql("ALTER TABLE transfers DROP COLUMN share")
            assert checks().keys() - wanted_checks(connection).keys() == {"ck_transfers_evidence"}
        connection.rollback()


WEAK = ("CHECK that holds always", "index that is not unique", "index of fewer rows")


@pytest.mark.parametrize("what", WEAK)
def test_a_constraint_that_was_replaced_under_its_name_is_missed_by_the_check(place, what):
    on_disk = place.writer.dialect.name == "sqlite"
    table = "transfers" if on_disk else "transfers_default"
    index, columns = unique_name(table), "kind, reference"
    with place.writer.connect() as connection:
        if what == WEAK[0]:
            set_checks(connection, "transfers", checks() | {"ck_transfers_sides": "debit <> credit OR amount > 0"})
        else:
            connection.exec_driver_sql(f"DROP INDEX {index}")
            made = f"{index} ON {table} ({columns}) WHERE kind = 'sale' AND reference IS NOT NULL"
            connection.exec_driver_sql(f"CREATE {'' if what == WEAK[1] else 'UNIQUE '}INDEX {made}")
        found = missing_constraints(connection)
        connection.rollback()
    assert found == (["ck_transfers_sides"] if what == WEAK[0] else [f"unique references of {table}"])
