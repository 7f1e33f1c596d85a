"""Break the books in every way that `ledger check` is there for, and see it found."""

import itertools

import msgspec
import pytest
from sqlalchemy import text
from support.books import check
from support.charging_fixture import INITIAL, MSISDN, TERMINATION, UPDATE, ccr, charging_place, service

from gateway.balance.changes import ChooseCauses
from gateway.balance.topups import Payment, TopUp
from gateway.charging.check_sessions import wrong_sessions
from gateway.charity.choices import Share
from gateway.charity.policies import recompute
from gateway.ledger.journal import read
from gateway.store import nodes
from gateway.store.leases import adopt

MEGABYTE = 1_000_000
COLUMNS = "at, kind, debit, credit, amount, currency, event_at, usage_id, base, policy, share, reference"
DOUBLED = f"INSERT INTO transfers SELECT id + 1000000, {COLUMNS} FROM transfers WHERE kind = 'charge'"


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/books.db") as opened:
        opened.enrol(5_000_000)
        opened.ask(ccr(INITIAL, 0, service(ask=0)))
        opened.ask(ccr(UPDATE, 1, service(used=[8 * MEGABYTE], ask=0)))
        opened.enrol(9_000_000, imsi="234150000000002", msisdn="447700900002", plan="bundle-gb", cause="")
        opened.ask(ccr(INITIAL, 0, service(ask=0), imsi="234150000000002", session="pgw;2"))
        opened.ask(ccr(TERMINATION, 1, imsi="234150000000002", session="pgw;2"))
        assert opened.lane.run(TopUp("msisdn", MSISDN, Payment("tpo", "shop-1", 2_000_000, "GBP"), 1 << 40)).balance
        opened.unguard()
        yield opened


def findings(place):
    with place.reader.connect() as connection:
        return check(connection, recompute).findings


def test_books_that_nobody_touched_are_right_and_counted(place):
    with place.reader.connect() as connection:
        report = check(connection, recompute)
    assert (report.findings, report.entries, report.wallets, report.accruals) == ([], 7, 2, 2)


@pytest.mark.parametrize(
    ("damage", "check_name", "words"),
    [
        ("UPDATE transfers SET kind = 'rebate' WHERE kind = 'opening'", "posting", "there is no kind 'rebate'"),
        ("UPDATE transfers SET kind = 'gift' WHERE kind = 'sale'", "posting", "no gift debits wallet:<subscriber>"),
        ("UPDATE transfers SET credit = 999 WHERE kind = 'accrual'", "posting", "credits an account without a name"),
        ("UPDATE transfers SET reference = NULL WHERE kind = 'opening'", "posting", "every opening carries reference"),
        ("UPDATE transfers SET share = NULL WHERE kind = 'accrual'", "posting", "every accrual carries share"),
        ("UPDATE transfers SET usage_id = NULL WHERE kind = 'accrual'", "posting", "carries usage_id or reference"),
        ("UPDATE transfers SET reference = 'import:1' WHERE kind = 'opening'", "posting", "booked more than once as opening"),
        ("UPDATE wallets SET balance = balance + 1", "wallet", "micro-units, its journal"),
        ("DELETE FROM wallets WHERE balance > 2000000", "wallet", "says nothing"),
        ("UPDATE transfers SET amount = amount + 1 WHERE kind = 'opening'", "wallet", "its journal"),
        ("UPDATE wallets SET reserved = reserved + 1", "hold", "do not add up"),
        ("UPDATE sessions SET closed_at = 1 WHERE reserved > 0", "hold", "is closed and holds"),
        ("UPDATE transfers SET amount = amount + 1 WHERE kind = 'accrual'", "accrual", "booked"),
        ("UPDATE transfers SET policy = '2031-9' WHERE kind = 'accrual'", "accrual", "policy 2031-9"),
        ("UPDATE transfers SET base = base * 2, amount = amount * 2 WHERE kind = 'accrual'", "accrual", "accrues on a base"),
        ("UPDATE transfers SET reference = 'sale:0' WHERE kind = 'sale'", "accrual", "no sale of that amount"),
        ("UPDATE wallets SET given = given + 1", "given", "micro-units were given of it"),
        ("DELETE FROM transfers WHERE kind = 'accrual' AND usage_id IS NOT NULL", "accrual", "no tenth was booked"),
        ("DELETE FROM transfers WHERE kind = 'accrual' AND usage_id IS NULL", "accrual", "no tenth was booked"),
        ("UPDATE usage SET price = price + 1", "usage", "was priced"),
        (DOUBLED, "usage", "more than once"),
        ("UPDATE transfers SET amount = -amount, debit = credit, credit = debit WHERE kind = 'opening'", "entry", "negative"),
        ("UPDATE transfers SET credit = debit WHERE kind = 'opening'", "entry", "from an account to itself"),
    ],
)  # fmt: skip
def test_damage_is_found_and_named(place, damage, check_name, words):
    with place.writer.begin() as connection:
        assert connection.execute(text(damage)).rowcount > 0
    found = [finding.detail for finding in findings(place) if finding.check == check_name]
    assert any(words in detail for detail in found), findings(place)


INVENTED = """INSERT INTO transfers SELECT id + 1000000, at, kind, debit, credit, amount, currency, event_at, usage_id, base,
policy, share, '{}' FROM transfers WHERE kind = '{}' AND amount IN (2000000, 9000000)"""
MOVED = "UPDATE transfers SET credit = (SELECT id FROM accounts WHERE name = 'cause:wwf') WHERE kind = 'accrual' AND "
PAYER = "subscriber_id = (SELECT debit FROM transfers WHERE kind = 'charge')"


@pytest.mark.parametrize(
    ("damage", "check_name", "words"),
    [
        ([INVENTED.format("shop-2", "topup"), "UPDATE wallets SET balance = balance + 2000000 WHERE " + PAYER],
         "payment", "no payment was taken"),
        (["UPDATE transfers SET amount = 3000000 WHERE kind = 'topup'",
          "UPDATE wallets SET balance = balance + 1000000 WHERE " + PAYER], "payment", "no payment was taken"),
        ([INVENTED.format("import:89440000", "opening"), "UPDATE wallets SET balance = balance + 9000000 WHERE NOT " + PAYER],
         "opening", "never imported"),
        ([MOVED + "usage_id IS NOT NULL"], "choice", "not chosen then"),
        ([MOVED + "usage_id IS NULL"], "choice", "not chosen then"),
        (["UPDATE sealed_choices SET cause = substr(cause, 1, 60)"], "choice", "does not open"),
        (["DELETE FROM sealed_choices"], "choice", "not chosen then"),
        (["UPDATE usage SET event_at = event_at - 1, plan = plan"], "usage", "another customer, time"),
        (["UPDATE usage SET plan = 'bundle-gb'"], "plan", "never had"),
        (["UPDATE transfers SET event_at = event_at - 1 WHERE kind = 'accrual' AND usage_id IS NULL"],
         "accrual", "than its sale"),
        (["UPDATE usage SET octets = 1"], "session", "its usage records say 1"),
        (["UPDATE usage SET rating_group = 200"], "session", "rating group"),
        (["UPDATE wallets SET balance = balance + 80000, given = 0 WHERE " + PAYER,
          "DELETE FROM transfers WHERE usage_id IS NOT NULL", "DELETE FROM usage"], "session", "its usage records say 0"),
        (["UPDATE wallets SET balance = balance + 40000, given = 4000 WHERE " + PAYER, "UPDATE usage SET price = 40000",
          "UPDATE transfers SET amount = amount / 2, base = base / 2 WHERE usage_id IS NOT NULL"],
         "session", "was charged 80000, its usage records say 40000"),
    ],
    ids=["an invented top-up", "a larger top-up", "an invented opening", "another cause for a charge", "for a sale",
         "a rewritten choice", "a deleted choice", "another time of use", "another plan", "another time of a tenth", "octets",
         "a rating group", "a charge gone without a trace in the journal", "a price lowered everywhere"],
)  # fmt: skip
def test_books_that_add_up_are_held_against_what_they_tell_of(place, damage, check_name, words):
    with place.writer.begin() as connection:
        for statement in damage:
            assert connection.execute(text(statement)).rowcount > 0
    with place.reader.connect() as connection:
        found = [*check(connection, recompute).findings, *wrong_sessions(connection)]
    assert {check_name} <= {finding.check for finding in found} <= {check_name, "price"}
    assert any(words in finding.detail for finding in found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tenth.running_since", "(SELECT max(at) + 1 FROM transfers) + 200000000000"),
        ("tenth.running_since", "(SELECT max(at) + 2 FROM transfers)"),
        ("spending.counted_since", "1 << 60"),
        ("usage.released", "86400000000"),
        ("sealed.numbers", "(SELECT min(id) FROM usage)"),
        ("erasing", "1"),
    ],
)
def test_a_mark_by_which_checks_or_triggers_leave_something_out_is_held_against_what_set_it(place, name, value):
    assert findings(place) == []
    with place.writer.begin() as connection:
        connection.execute(text(f"INSERT INTO marks (node, name, value) SELECT 0, '{name}', {value}"))
    found = [finding for finding in findings(place) if finding.check == "mark"]
    assert len(found) == 1
    assert found[0].detail.startswith(f"the mark {name} of node 0 says ")
    assert "put the row of marks back from a backup" in found[0].detail


def test_a_choice_is_not_held_against_what_was_booked_before_it_although_the_clock_was_set_back(place):
    place.ticks = itertools.count(next(place.ticks) - 3_600_000_000, 1_000)
    for number in (MSISDN, "447700900002"):
        assert place.lane.run(ChooseCauses("msisdn", number, (Share("wwf", 10_000),)))
    assert findings(place) == []


def test_nor_where_its_gateway_was_adopted_and_came_back_under_another_number_by_a_clock_that_is_slow(place):
    with place.writer.begin() as connection:
        adopter = nodes.enter(connection, "other.test.example", next(place.ticks))
        assert adopt(connection, place.node.id, place.node.epoch, None, adopter.id)
    with charging_place(place.url, now=next(place.ticks) - 3_600_000_000) as back:
        assert back.node.id > adopter.id
        for number in (MSISDN, "447700900002"):
            assert back.lane.run(ChooseCauses("msisdn", number, (Share("wwf", 10_000),)))
        assert [finding for finding in findings(back) if finding.check == "choice"] == []


@pytest.mark.parametrize(("causes", "account"), [(True, "cause:wateraid"), (False, "causes")])
def test_the_journal_reads_as_an_auditor_expects_and_names_causes_only_on_request(place, causes, account):
    with place.reader.connect() as connection:
        rows = msgspec.to_builtins(read(connection, after=0, limit=3, causes=causes))
    assert [(row["kind"], row["credit"], row["amount"]) for row in rows] == [
        ("opening", rows[0]["credit"], "5.00"),
        ("charge", "revenue", "0.08"),
        ("accrual", account, "0.008"),
    ]
    assert rows[1]["debit"] == rows[0]["credit"]
    assert (rows[2]["base"], rows[2]["policy"], rows[2]["share"]) == ("0.08", "2026-1", 10_000)
    assert rows[2]["record_id"] == rows[1]["record_id"]
