"""Tamper with each covered table in every way, and see the row named by its identifier."""

import itertools
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from support.books import check
from support.charging_fixture import INITIAL, MSISDN, TERMINATION, UPDATE, ccr, charging_place, service
from support.lane_fixture import EVIDENCE_KEY

from gateway.balance.changes import ChooseCauses
from gateway.balance.gift_aid import DeclareGiftAid
from gateway.balance.gift_units import MakeGift
from gateway.balance.gifts import GiftPolicy
from gateway.charity.choices import Share
from gateway.charity.gift_aid import Person
from gateway.charity.policies import recompute
from gateway.ledger.accounts import ensure, gifts_account
from gateway.store.evidence import DAY_US, Evidence
from gateway.store.sweeper import Retention, Sweep

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
        with opened.writer.begin() as connection:
            made = ensure(connection, [gifts_account("wwf")]).made
            Evidence(EVIDENCE_KEY, opened.node.id).append(connection, {"accounts": made}, next(opened.ticks))
        opened.lane._evidence.drop()
        opened.decide_by(GiftPolicy({"wwf": "WWF"}, "GB", ZoneInfo("Europe/London")))
        assert opened.lane.run(MakeGift("msisdn", MSISDN, "wwf", 1_000_000, "GBP", "app", "r")).gift.state == "given"
        opened.lane.run(
            DeclareGiftAid("msisdn", MSISDN, "wwf", Person("", "Ada", "King", "1", "X"), 0, "form", "1", "clerk")
        )
        opened.unguard()
        yield opened


def findings(place, *damage, key=EVIDENCE_KEY):
    """What is found after some statements, in a transaction that is taken back."""
    with place.writer.connect() as connection:
        for statement in damage:
            assert connection.execute(text(statement)).rowcount > 0, statement
        found = {(found.check, found.detail) for found in check(connection, recompute, key).findings}
        found = {each for each in found if each[0] != "guard"}
        connection.rollback()
    return found


def one(place, statement):
    (found,) = place.read(text(statement))
    return found[0]


COLUMNS = {
    "transfers": "at, kind, debit, credit, amount, currency, event_at, usage_id, base, policy, share, reference",
    "usage": "event_at, subscriber_id, session, service, rating_group, octets, seconds, units, price, currency, plan, version, "
    "rate_key, rated_before, covered",
    "sealed_choices": "subscriber_id, cause, share, valid_from, consent_at, consent_channel, consent_wording",
    "gifts": "subscriber_id, cause, amount, currency, channel, reference, state, made_at, due_at, done_at",
    "gift_aid_declarations": "subscriber_id, declared_at, covers_from, details, channel, wording, actor, cancelled_at",
    "accounts": "name",
    "allowance_entries": "at, subscriber_id, allowance_id, kind, service, units, event_at, usage_id, reference, plan, ends_at",
    "versions": "kind, name, hash, valid_from",
    "wallets": "currency, balance, reserved, bundle, given",
}
EDITS = {
    "transfers": ("at = at + 1", "event_at = event_at + 1", "amount = amount + 1", "debit = debit + 1", "credit = credit + 1",
                  "kind = 'topup'", "currency = 'EUR'", "usage_id = 7", "base = 7", "policy = 'x'", "share = 7",
                  "reference = 'x'"),
    "usage": ("event_at = event_at - 1", "subscriber_id = 7", "session = 7", "service = 'sms'", "rating_group = 7",
              "octets = 1", "seconds = 1", "units = 1", "price = price - 1", "currency = 'EUR'", "plan = 'x'",
              "version = 7", "rate_key = 'x'", "rated_before = 7", "covered = 7"),
    "versions": ("name = 'x'", "hash = 'x'", "valid_from = valid_from + 1"),
    "sealed_choices": ("subscriber_id = 7", "cause = (SELECT cause FROM sealed_choices ORDER BY id LIMIT 1)", "share = 7",
                       "valid_from = valid_from - 1", "consent_at = 7", "consent_channel = 'x'", "consent_wording = 'x'"),
    "gifts": ("subscriber_id = 7", "cause = (SELECT cause FROM sealed_choices ORDER BY id LIMIT 1)", "amount = 7",
              "currency = 'EUR'", "channel = 'x'", "reference = 'x'", "state = 'refused'", "made_at = 7", "due_at = 7",
              "done_at = 7"),
    "gift_aid_declarations": ("subscriber_id = 7", "declared_at = 7", "covers_from = 7", "channel = 'x'", "wording = 'x'",
                              "details = (SELECT cause FROM sealed_choices ORDER BY id LIMIT 1)", "actor = 'x'",
                              "cancelled_at = 7"),
    "accounts": ("name = 'cause:other'",),
    "allowance_entries": ("at = at + 1", "subscriber_id = 7", "allowance_id = 7", "kind = 'refund'", "service = 'voice'",
                          "units = 7", "event_at = 7", "usage_id = 7", "reference = 'x'", "plan = 'x'", "ends_at = 7"),
    "wallets": ("currency = 'EUR'", "bundle = NULL", "counters = bundle"),
}  # fmt: skip
KEYS = {"wallets": "subscriber_id"}
WORDS = {
    "transfers": "entry",
    "usage": "record",
    "sealed_choices": "choice",
    "gifts": "gift",
    "gift_aid_declarations": "Gift Aid declaration",
    "accounts": "account",
    "wallets": "wallet",
    "allowance_entries": "entry of an allowance",
    "versions": "version",
}
CHOSEN = {"wallets": "bundle IS NOT NULL"}


def row_of(place, table):
    key = KEYS.get(table, "id")
    return key, one(place, f"SELECT max({key}) FROM {table} WHERE {CHOSEN.get(table, '1 = 1')}")


def test_a_store_that_nobody_touched_is_proved_row_by_row(place):
    assert findings(place) == set()


@pytest.mark.parametrize(("table", "edit"), [(table, edit) for table, edits in EDITS.items() for edit in edits])
def test_every_column_of_every_covered_table_is_proved(place, table, edit):
    key, number = row_of(place, table)
    found = findings(place, f"UPDATE {table} SET {edit} WHERE {key} = {number}")
    assert ("evidence", f"{WORDS[table]} {number} was changed since it was booked") in found


@pytest.mark.parametrize("table", COLUMNS)
def test_a_deleted_row_is_named(place, table):
    key, number = row_of(place, table)
    found = findings(place, f"DELETE FROM {table} WHERE {key} = {number}")
    assert ("evidence", f"{WORDS[table]} {number} is missing: it was booked, and is gone") in found


@pytest.mark.parametrize("table", COLUMNS)
@pytest.mark.parametrize("to", ["max({key}) + 1", "7 + 0 * max({key})", "max({key}) + 1099511627776"])
def test_a_doubled_row_is_named_wherever_it_is_put(place, table, to):
    key, number = row_of(place, table)
    target = one(place, f"SELECT {to.format(key=key)} FROM {table}")
    if table == "accounts" and target == 7:
        target = 77
    if table == "versions" and target > 1 << 40:
        target -= (1 << 40) - (1 << 20)
    name = "'cause:more'" if table == "accounts" else COLUMNS[table]
    name = name.replace("reference", "'another'") if table == "gifts" else name
    row = f"SELECT {target}, {name} FROM {table} WHERE {key} = {number}"
    found = findings(place, f"INSERT INTO {table} ({key}, {COLUMNS[table]}) {row}")
    assert ("evidence", f"{WORDS[table]} {target} was not booked by a gateway: nothing proves it") in found


@pytest.mark.parametrize("table", ["transfers", "usage", "sealed_choices", "wallets"])
def test_a_row_that_is_moved_to_another_number_is_named_by_both(place, table):
    key, number = row_of(place, table)
    found = findings(place, f"UPDATE {table} SET {key} = {number} + 1000 WHERE {key} = {number}")
    named = {detail.split()[1] for check_name, detail in found if check_name == "evidence"}
    assert {str(number), str(number + 1000)} <= named


def test_two_rows_that_change_places_are_both_named(place):
    first, second = (row[0] for row in place.read(text("SELECT id FROM sealed_choices ORDER BY id DESC LIMIT 2")))
    steps = ((first, 5), (second, first), (5, second))
    found = findings(place, *(f"UPDATE sealed_choices SET id = {to} WHERE id = {number}" for number, to in steps))
    named = {detail for check_name, detail in found if check_name == "evidence"}
    assert named == {f"choice {number} was changed since it was booked" for number in (first, second)}


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
    found = findings(place, key=b"another key")
    assert [name for name, _ in found] == ["chain"]
    assert "privacy.key" in next(iter(found))[1]


def test_usage_past_its_retention_is_not_missed_and_other_usage_is(place):
    kept = dict.fromkeys(("answers", "outbox", "sessions", "orders", "access_log"), 1 << 40)
    place.ticks = itertools.count(next(place.ticks) + 3 * DAY_US, 1_000)
    count = one(place, "SELECT count(*) FROM usage")
    assert place.lane.run(Sweep(Retention(usage=2 * 86_400, **kept), published_only=False)) == count
    assert not [each for each in findings(place) if each[0] in ("evidence", "chain")]
    place.ask(ccr(INITIAL, 0, service(ask=0), session="pgw;9"))
    place.ask(ccr(TERMINATION, 1, service(used=[8 * MEGABYTE]), session="pgw;9"))
    assert {name for name, _ in findings(place, "DELETE FROM usage")} >= {"evidence"}
