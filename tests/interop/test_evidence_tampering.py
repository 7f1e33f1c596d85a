"""Tamper with each covered table in every way, and see the row named by its identifier."""

import itertools
from typing import ClassVar

import pytest
from sqlalchemy import LargeBinary, String, text
from support.books import check
from support.charging_fixture import INITIAL, MSISDN, TERMINATION, UPDATE, ccr, charging_place, service
from support.lane_fixture import EVIDENCE_KEY
from support.sealing import seal_day

from gateway.balance.changes import ChooseCauses
from gateway.charity.choices import Share
from gateway.charity.policies import recompute
from gateway.ledger.check import some_of
from gateway.ledger.check_process import CheckProcess
from gateway.ledger.checks.evidence import WORDS
from gateway.store.batch import Unit
from gateway.store.evidence import COVERED, DAY_US, Evidence
from gateway.store.sweeper import Retention, Sweep
from gateway.store.tables import metadata

pytestmark = pytest.mark.xdist_group("evidence_tampering")

MEGABYTE = 1_000_000
BUNDLE = {"imsi": "234150000000002", "msisdn": "447700900002"}


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def place(request, tmp_path_factory):
    on_disk = request.param == "sqlite"
    url = (
        f"sqlite:///{tmp_path_factory.mktemp('store')}/books.db"
        if on_disk
        else request.getfixturevalue("database")("books")
    )
    with charging_place(url) as opened:
        opened.enrol(5_000_000)
        opened.ask(ccr(INITIAL, 0, service(ask=0)))
        for number in (1, 2):
            opened.ask(ccr(UPDATE, number, service(used=[8 * MEGABYTE], ask=0)))
        opened.enrol(9_000_000, plan="bundle-gb", cause="", **BUNDLE)
        opened.ask(ccr(INITIAL, 0, service(ask=0), imsi=BUNDLE["imsi"], session="pgw;2"))
        opened.ask(ccr(TERMINATION, 1, service(used=[MEGABYTE]), imsi=BUNDLE["imsi"], session="pgw;2"))
        opened.top_up(MSISDN, 2_000_000, "shop-1")
        assert opened.lane.run(ChooseCauses("msisdn", MSISDN, (Share("wwf", 6_000), Share("wateraid", 4_000))))
        opened.ask(ccr(TERMINATION, 3, service(used=[8 * MEGABYTE])))
        opened.unguard()
        yield opened


def check_all(connection, key):
    """What all checks find."""
    return check(connection, recompute, key).findings


def check_evidence(connection, key):
    """What the one check finds that holds the rows against what was booked, in a tenth of the time."""
    return some_of(connection, ("rows_proved",), (), key, (), lambda *_: None)["rows_proved"]


def findings(place, *damage, key=EVIDENCE_KEY, look=check_all):
    """What is found after some statements, in a transaction that is taken back."""
    with place.writer.connect() as connection:
        for statement in damage:
            assert connection.execute(text(statement)).rowcount > 0, statement
        found = {(found.check, found.detail) for found in look(connection, key)}
        found = {each for each in found if each[0] != "guard"}
        connection.rollback()
    return found


def one(place, statement):
    (found,) = place.read(text(statement))
    return found[0]


BOOKED = (
    "transfers",
    "usage",
    "sealed_choices",
    "accounts",
    "allowance_entries",
    "versions",
    "wallets",
    "payments",
    "subscriptions",
)
"""Covered tables that these charges, sales and choices fill; the rest is written by a unit of the test's own."""
WRITTEN = {
    "reratings": (1, 7, 0, 1, 2, 3, "a"),
    "releases": (1, "unproved", 1, 9),
    "bill_limits": (7, 1, "bill", "set", 9, "", "api", "2026-1", "a"),
    "families": (7, 8, None, 1, None),
    "erasures": (1, 7, "a", "r"),
    "bills": ("bill", 1, 1, "2026-10", 7, 1, "GBP", 0, 0, 0, None, 0, b"{}", None),
    "bill_closes": ("2026-10", 1, "closed", 1, 1, "{}", 0, 1, 0, "{}", 1, "a", 2, "", "", ""),
    "bill_events": (1, 7, "paid", 9, "GBP", "r", "p", "a"),
    "payouts": ("2026-10", "GBP", 1, "a", "nacha", "0" * 64, b"f", "made", None, None),
    "cause_payments": (1, "tenth", "wwf", "GBP", 9, 1, "instructed", 1, ""),
    "bank_details": ("wwf", "GBP", b"s", 1, "a", None, None, None),
    "gifts": (7, b"c", 9, "GBP", "app", "r", "held", 1, 2, None),
    "gift_aid_declarations": (7, 1, 1, b"d", "form", "1", "a", None),
    "tax_areas": (7, "NY", "10001", 1, "a"),
    "tax_days": (1, 1, "2023-11-14", 0, 5, "{}", "[]"),
    "added_taxes": (1, 1, "2023-11", 7, "GBP", 9, "p", "NY", "10001", "{}", "[]"),
}
"""A row of each, behind its identifier."""
TABLES = (*BOOKED, *WRITTEN)
OF_OTHER_ROWS = {"balance", "reserved", "given", "spending", "due_at"}
"""What of a wallet is no part of its digest: sums of other rows, and what follows from the line's rules."""
KEYS = {"wallets": "subscriber_id"}
CHOSEN = {"wallets": "bundle IS NOT NULL"}


class Write(Unit):
    """Write the rows of WRITTEN, as units write theirs."""

    touches: ClassVar[tuple[type, ...]] = ()

    def decide(self, batch):
        """Add them."""
        for table, row in WRITTEN.items():
            batch.add(metadata.tables[table], (batch.take_id(), *row))


@pytest.fixture(scope="module")
def written(place):
    """The same store with a row in each further table: other checks have something to say about these."""
    place.lane.run(Write())
    return place


def key_of(table):
    return KEYS.get(table, "id")


def row_of(place, table):
    key = key_of(table)
    return key, one(place, f"SELECT max({key}) FROM {table} WHERE {CHOSEN.get(table, '1 = 1')}")


def columns_of(table):
    """The columns of a table but for its identifier."""
    return [column.name for column in metadata.tables[table].columns if column.name != key_of(table)]


def edits(table):
    """A change of each proved column, to what no row has there."""
    for column in COVERED[table].columns[1:]:
        of_text = isinstance(column.type, String)
        if isinstance(column.type, LargeBinary):
            other = "bundle" if table == "wallets" else "(SELECT rows FROM evidence ORDER BY id LIMIT 1)"
            yield f'"{column.name}" = ' + ("NULL" if column.name == "bundle" else other)
        else:
            yield f'"{column.name}" = ' + ("'x'" if of_text else f'coalesce("{column.name}", 40) + 1')


def edits_of_a_server(table):
    """One for each type that its driver reads: a row's digest is made by the same code for both stores."""
    kinds = (type(column.type) for column in COVERED[table].columns[1:])
    return dict(zip(kinds, edits(table), strict=True)).values()


def test_a_store_that_nobody_touched_is_proved_row_by_row(place):
    assert findings(place) == set()


def test_the_tables_that_are_covered_are_these_and_all_columns_of_them_but_for_sums():
    assert set(TABLES) == set(COVERED)
    for table, covered in COVERED.items():
        left = {column.name for column in covered.table.columns} - {column.name for column in covered.columns}
        assert left == (OF_OTHER_ROWS if table == "wallets" else set())


@pytest.mark.parametrize("table", TABLES)
def test_every_column_of_every_covered_table_is_proved(written, table):
    place = written
    key, number = row_of(place, table)
    for edit in edits(table) if place.writer.dialect.name == "sqlite" else edits_of_a_server(table):
        found = findings(place, f"UPDATE {table} SET {edit} WHERE {key} = {number}", look=check_evidence)
        assert ("evidence", f"{WORDS[table]} {number} was changed since it was booked") in found, edit


@pytest.mark.parametrize("table", TABLES)
def test_a_deleted_row_is_named(written, table):
    place = written
    key, number = row_of(place, table)
    look = check_all if place.writer.dialect.name == "sqlite" else check_evidence
    found = findings(place, f"DELETE FROM {table} WHERE {key} = {number}", look=look)
    assert ("evidence", f"{WORDS[table]} {number} is missing: it was booked, and is gone") in found


UNLIKE = {
    "bills": {"number": "number + 1"},
    "bill_closes": {"revision": "revision + 1"},
    "accounts": {"name": "'cause:more'"},
    "payments": {"reference": "'more'"},
    "gifts": {"reference": "'more'"},
    "reratings": {"replaces": "replaces + 1"},
    "added_taxes": {"period": "'2023-12'"},
    "tax_days": {"after": '"after" + 1', "day": "'2023-11-15'"},
}
"""What a doubled row has otherwise, where the table itself allows none alike."""


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("to", ["max({key}) + 1", "7 + 0 * max({key})", "max({key}) + 1099511627776"])
def test_a_doubled_row_is_named_wherever_it_is_put(written, table, to):
    place = written
    key, number = row_of(place, table)
    target = one(place, f"SELECT {to.format(key=key)} FROM {table}")
    if table == "accounts" and target == 7:
        target = 77
    if table == "versions" and target > 1 << 40:
        target -= (1 << 40) - (1 << 20)
    columns = columns_of(table)
    values = ", ".join(UNLIKE.get(table, {}).get(column, f'"{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    row = f"SELECT {target}, {values} FROM {table} WHERE {key} = {number}"
    found = findings(place, f"INSERT INTO {table} ({key}, {names}) {row}", look=check_evidence)
    assert ("evidence", f"{WORDS[table]} {target} was not booked by a gateway: nothing proves it") in found


@pytest.mark.parametrize("table", [table for table in TABLES if table not in ("versions", "releases")])
def test_a_row_that_is_moved_to_another_number_is_named_by_both(written, table):
    place = written
    key, number = row_of(place, table)
    moved = f"UPDATE {table} SET {key} = {number} + 1000 WHERE {key} = {number}"
    found = findings(place, moved, look=check_evidence)
    named = {word for check_name, detail in found if check_name == "evidence" for word in detail.split()}
    assert {str(number), str(number + 1000)} <= named


def test_two_rows_that_change_places_are_both_named(place):
    first, second = (row[0] for row in place.read(text("SELECT id FROM sealed_choices ORDER BY id DESC LIMIT 2")))
    steps = ((first, 5), (second, first), (5, second))
    found = findings(place, *(f"UPDATE sealed_choices SET id = {to} WHERE id = {number}" for number, to in steps))
    named = {detail for check_name, detail in found if check_name == "evidence"}
    assert named == {f"choice {number} was changed since it was booked" for number in (first, second)}


@pytest.mark.parametrize("table", ["subscriptions", "transfers", "wallets"])
@pytest.mark.parametrize("to", [(1 << 63) - 1, -(1 << 63) + 1, -(1 << 63), -7])
def test_a_row_invented_at_the_end_of_all_numbers_is_named(place, table, to):
    key, number = row_of(place, table)
    names = ", ".join(f'"{column}"' for column in columns_of(table))
    row = f"INSERT INTO {table} ({key}, {names}) SELECT {to}, {names} FROM {table} WHERE {key} = {number}"
    found = findings(place, row, look=check_evidence)
    assert ("evidence", f"{WORDS[table]} {to} was not booked by a gateway: nothing proves it") in found


DOUBLE = (
    "INSERT INTO payments SELECT channel, 'more', subscriber_id, amount, currency, at, {} FROM payments WHERE id = {}"
)


def test_a_payment_whose_number_is_none_is_named(place):
    if place.writer.dialect.name != "sqlite":
        return  # a server takes nothing but numbers, SQLite anything for one that is no key of its table
    number = one(place, "SELECT max(id) FROM payments")
    for value, said in (("'abc'", "abc"), ("x'00ff'", r"b'\x00\xff'"), ("1.5", "1.5")):
        found = findings(place, DOUBLE.format(value, number), look=check_evidence)
        assert ("evidence", f"payment {said} was not booked by a gateway: nothing proves it") in found


@pytest.mark.parametrize("table", ["accounts", "versions"])
def test_an_account_or_version_that_a_start_makes_again_was_taken_away_before_and_is_named(place, table):
    number = one(place, f"SELECT max(id) FROM {table}")
    changed = "" if table == "accounts" else ", valid_from = valid_from + 1"
    with place.writer.connect() as connection:
        connection.execute(text(f"UPDATE {table} SET id = id{changed} WHERE id = {number}"))
        row = tuple(connection.execute(text(f"SELECT * FROM {table} WHERE id = {number}")).one())
        Evidence(EVIDENCE_KEY, place.node.id).append(connection, {table: [row]}, 1)
        found = [each.detail for each in check_evidence(connection, EVIDENCE_KEY)]
        connection.rollback()
    assert found == [f"{WORDS[table]} {number} was booked anew: the one that had its number before was taken away"]


CONTENT = "UPDATE contents SET content = '{' WHERE hash = (SELECT hash FROM versions WHERE id = {plan})"
UNREADABLE = [
    (CONTENT, "version {plan} of plan"),
    ("UPDATE wallets SET bundle = {octets} WHERE subscriber_id = {wallet}", "wallet {wallet} was changed"),
    (
        "UPDATE transfers SET amount = 9223372036854775807 WHERE id IN ({topup}, {topup} + 1)",
        "entry {topup} was changed",
    ),
]
OF_A_FILE = [
    ("UPDATE transfers SET amount = 'abc' WHERE id = {topup}", "entry {topup} was changed"),
    ("UPDATE transfers SET amount = 9e999 WHERE id = {topup}", "entry {topup} was changed"),
    ("UPDATE transfers SET reference = CAST(x'ff41' AS TEXT) WHERE id = {topup}", "entry {topup} was changed"),
    ("UPDATE usage SET plan = CAST(x'ff41' AS TEXT) WHERE id = {usage}", "record {usage} was changed"),
    ("UPDATE evidence SET rows = CAST(x'ff41' AS TEXT) WHERE id = {link}", "link 2 was changed"),
]


@pytest.mark.parametrize(("damage", "words"), [*UNREADABLE, *OF_A_FILE])
def test_a_row_of_what_cannot_be_read_or_summed_is_named_as_any_other(place, damage, words):
    on_disk = place.writer.dialect.name == "sqlite"
    if (damage, words) in OF_A_FILE and not on_disk:
        return  # a server takes none of these
    asked = {"plan": "max(id) FROM versions WHERE kind = 'plan'",
             "wallet": "max(subscriber_id) FROM wallets", "topup": "max(id) FROM transfers WHERE kind = 'topup'",
             "usage": "max(id) FROM usage", "link": "min(id) + 1 FROM evidence"}  # fmt: skip
    numbers = {name: one(place, f"SELECT {what}") for name, what in asked.items()}
    for name, number in (numbers | {"octets": "x'ff'" if on_disk else r"'\xff'"}).items():
        damage, words = damage.replace(f"{{{name}}}", str(number)), words.replace(f"{{{name}}}", str(number))
    assert any(words in detail for _, detail in findings(place, damage))


def test_rows_that_an_invented_release_would_excuse_are_named_as_well(place):
    record, choice = (one(place, f"SELECT max(id) FROM {table}") for table in ("usage", "sealed_choices"))
    release = "INSERT INTO releases SELECT {}, 1, '{}', node, {} FROM chains"
    found = findings(place, release.format(5, "usage", 60_000), release.format(6, "choice", choice),
                     f"DELETE FROM usage WHERE id = {record}", f"DELETE FROM sealed_choices WHERE id = {choice}",
                     look=check_evidence)  # fmt: skip
    invented = {f"release {number} was not booked by a gateway: nothing proves it" for number in (5, 6)}
    missing = {f"{what} is missing: it was booked, and is gone" for what in (f"record {record}", f"choice {choice}")}
    assert {detail for _, detail in found} == invented | missing


WHOLE_CHARGE = "usage_id = (SELECT max(usage_id) FROM transfers WHERE kind = 'charge')"


def test_a_charge_taken_away_with_all_that_speaks_of_it_is_named_by_its_rows(place):
    usage = one(place, "SELECT max(usage_id) FROM transfers WHERE kind = 'charge'")
    entries = [row[0] for row in place.read(text(f"SELECT id FROM transfers WHERE {WHOLE_CHARGE}"))]
    sums = f"SELECT sum(amount) FROM transfers WHERE kind = '{{}}' AND {WHOLE_CHARGE}"
    price, given = (one(place, sums.format(kind)) for kind in ("charge", "accrual"))
    found = findings(place, f"UPDATE wallets SET balance = balance + {price}, given = given - {given} WHERE bundle IS NULL",
                     f"DELETE FROM transfers WHERE usage_id = {usage}", f"DELETE FROM usage WHERE id = {usage}")  # fmt: skip
    missing = {detail.split()[1] for name, detail in found if name == "evidence"}
    assert missing == {str(number) for number in (usage, *entries)}


def test_causes_that_change_their_names_are_named(place):
    water, wild = (one(place, f"SELECT id FROM accounts WHERE name = 'cause:{cause}'") for cause in ("wateraid", "wwf"))
    steps = ((water, "x"), (wild, "cause:wateraid"), (water, "cause:wwf"))
    found = findings(place, *(f"UPDATE accounts SET name = '{name}' WHERE id = {number}" for number, name in steps))
    named = {detail for check_name, detail in found if check_name == "evidence"}
    assert named == {f"account {number} was changed since it was booked" for number in (water, wild)}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DELETE FROM evidence WHERE id = {first} + 2", "link 3 is missing"),
        ("DELETE FROM evidence WHERE id = {last}", "its end was cut off"),
        ("UPDATE evidence SET at = at + 1 WHERE id = {first} + 1", "link 2 was changed"),
        ("UPDATE evidence SET rows = (SELECT rows FROM evidence WHERE id = {first}) WHERE id = {first} + 1",
         "link 2 was changed"),
        ("UPDATE chains SET sequence = sequence - 1", "its end was changed"),
        ("DELETE FROM chains", "it has links and no end"),
    ],
)  # fmt: skip
def test_a_chain_that_was_tampered_with_is_told(place, damage, words):
    first, last = (one(place, f"SELECT {which}(id) FROM evidence") for which in ("min", "max"))
    found = findings(place, damage.format(first=first, last=last))
    assert any(name == "chain" and words in detail for name, detail in found)


def test_a_cut_tail_shows_although_its_end_is_put_right_as_far_as_the_store_says(place):
    last = one(place, "SELECT max(id) FROM evidence")
    before = f"SELECT head FROM evidence WHERE id = {last} - 1"
    tip = f"UPDATE chains SET sequence = sequence - 1, head = ({before})"
    found = findings(place, tip, f"DELETE FROM evidence WHERE id = {last}")
    assert any("its end was changed" in detail for name, detail in found if name == "chain")


def test_with_another_key_it_is_said_once_that_it_is_another(place):
    found = [detail for name, detail in findings(place, key=b"another key") if name in ("chain", "evidence", "seal")]
    assert len(found) == 1
    assert "privacy.key" in found[0]


def test_two_processes_tell_the_same_as_one_of_both_stores(place, monkeypatch):
    monkeypatch.setattr("gateway.ledger.check.LARGE", 1)
    url, asked = place.writer.url.render_as_string(hide_password=False), []
    start = CheckProcess.start
    monkeypatch.setattr(CheckProcess, "start", lambda *words: asked.append(words) or start(*words))
    with place.reader.connect() as connection:
        for key in (EVIDENCE_KEY, b"another key"):
            two = check(connection, recompute, key, beside=CheckProcess(url, key, []))
            assert two == check(connection, recompute, key)
    assert len(asked) == 2
    assert "chain" in {each.check for each in two.findings}


def test_usage_past_its_retention_is_not_missed_and_other_usage_is(place):
    kept = dict.fromkeys(("answers", "outbox", "sessions", "orders", "access_log"), 1 << 40)
    place.ticks = itertools.count(next(place.ticks) + 3 * DAY_US, 1_000)
    count = one(place, "SELECT count(*) FROM usage")
    seal_day(place, next(place.ticks))
    assert place.lane.run(Sweep(Retention(usage=2 * 86_400, **kept), published_only=False)) == count
    assert not [each for each in findings(place) if each[0] in ("evidence", "chain")]
    place.ask(ccr(INITIAL, 0, service(ask=0), session="pgw;9"))
    place.ask(ccr(TERMINATION, 1, service(used=[8 * MEGABYTE]), session="pgw;9"))
    assert {name for name, _ in findings(place, "DELETE FROM usage")} >= {"evidence"}
