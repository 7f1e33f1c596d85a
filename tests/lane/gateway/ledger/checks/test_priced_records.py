"""Prices are computed again from the version that each record carries: what is changed in a record or a version is named."""

import msgspec
import pytest
from sqlalchemy import select, text
from support.books import check
from support.charging_fixture import (
    INITIAL,
    PENNY,
    PLANS,
    TERMINATION,
    UPDATE,
    ccr,
    charging_place,
    service,
)

from gateway.charity.policies import recompute
from gateway.rating.plans import Rate
from gateway.store import tables

MEGABYTE, POUND = 1_000_000, 1_000_000
CHEAP = PLANS["payg-gb"]
DEAR = msgspec.structs.replace(CHEAP, data=Rate(2 * PENNY, MEGABYTE))
OTHER = {"imsi": "234150000000002", "msisdn": "447700900002"}


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/t.db") as opened:
        opened.enrol(9 * POUND)
        opened.enrol(9 * POUND, **OTHER, plan="bundle-gb")
        opened.ask(ccr(INITIAL, 0, service(ask=0)))
        opened.ask(ccr(UPDATE, 1, service(used=[3 * MEGABYTE], ask=0)))
        opened.price_by({**PLANS, "payg-gb": DEAR})
        opened.ask(ccr(UPDATE, 2, service(used=[2 * MEGABYTE], ask=0)))
        opened.ask(ccr(INITIAL, 0, service(ask=0), imsi=OTHER["imsi"], session="pgw;2"))
        for number in (1, 2):
            opened.ask(ccr(UPDATE, number, service(used=[12 * MEGABYTE], ask=0), imsi=OTHER["imsi"], session="pgw;2"))
        opened.ask(ccr(TERMINATION, 3, service(used=[MEGABYTE])))
        opened.unguard()
        yield opened


def found(place, *statements):
    with place.writer.begin() as connection:
        for statement in statements:
            assert connection.execute(text(statement)).rowcount > 0, statement
    with place.reader.connect() as connection:
        return [(each.check, each.detail) for each in check(connection, recompute).findings]


def records(place):
    u = tables.usage.c
    return place.read(select(u.id, u.price, u.version, u.rated_before, u.covered).order_by(u.id))


def test_each_record_says_what_it_was_priced_by_over_a_change_of_prices_and_a_bundle(place):
    assert found(place) == []
    (_, *first), (_, *second), (_, *covered), (_, *partly), (_, *last) = records(place)
    latest = dict(
        map(tuple, place.read(select(tables.usage.c.plan, tables.usage.c.version).order_by(tables.usage.c.id)))
    )
    assert first == [3 * PENNY, 1, 0, 0]
    assert second == [4 * PENNY, latest["payg-gb"], 3 * MEGABYTE, 0]
    assert covered == [0, latest["bundle-gb"], 0, 12 * MEGABYTE]
    assert partly == [4 * PENNY, latest["bundle-gb"], 0, 8 * MEGABYTE]
    assert last == [2 * PENNY, latest["payg-gb"], 5 * MEGABYTE, 0]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE usage SET octets = octets - 1000000 WHERE id = {record}", "was priced 40000 micro-units, by version"),
        ("UPDATE usage SET version = 1 WHERE id = {record}", "was priced 40000 micro-units, by version 1"),
        ("UPDATE usage SET version = 2 WHERE id = {record}", "by version 2, which is none of payg-gb for its line then"),
        ("UPDATE usage SET rate_key = '/eu//' WHERE id = {record}", "by a rate that version"),
        ("UPDATE usage SET rate_key = 'nonsense' WHERE id = {record}", "by a rate that version"),
        ("UPDATE usage SET rate_key = 'sos///' WHERE id = {record}", "it is 0"),
        ("UPDATE usage SET rated_before = 9000000 WHERE id = {record}", "of its session, which stood at"),
        ("UPDATE usage SET covered = 1000000 WHERE id = {record}", "it is 20000"),
        ("UPDATE usage SET covered = -1 WHERE id = {record}", "was priced 40000"),
        ("DELETE FROM usage WHERE id = {record}", "of its session, which stood at 3000000"),
        ("UPDATE transfers SET amount = 7000000 WHERE kind = 'sale'", "which no plan of the customer asked"),
    ],
)  # fmt: skip
def test_a_record_that_was_changed_is_named_with_what_it_should_cost(place, damage, words):
    record = records(place)[1].id
    details = [detail for name, detail in found(place, damage.format(record=record)) if name == "price"]
    assert any(words in detail for detail in details), details
    if "DELETE" not in damage and "sale" not in damage and "rated_before" not in damage:
        assert any(f"record {record} " in detail for detail in details)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE contents SET content = replace(content, '20000', '10000')", "has a content that is not the one"),
        ("DELETE FROM contents", "has lost its content"),
        ("INSERT INTO contents VALUES ('aa', 'null')", "content aa... is of no version"),
        ("DELETE FROM versions WHERE id = 3", "version 3, by which record"),
        ("DELETE FROM versions WHERE id = 1", "versions 1 to 1 are missing"),
        ("UPDATE versions SET valid_from = NULL WHERE id = 3", "is no plan that was in force"),
        ("UPDATE versions SET kind = 'cause' WHERE id = 3", "is no plan that was in force"),
        ("UPDATE versions SET valid_from = 1 WHERE id = 3", "is in force from before"),
    ],
)
def test_a_version_that_was_changed_or_taken_away_is_named(place, damage, words):
    assert any(name == "version" and words in detail for name, detail in found(place, damage))


def test_a_price_lowered_everywhere_it_stands_is_found_by_its_version(place):
    damages = (
        "UPDATE usage SET price = 20000 WHERE id = {record}",
        "UPDATE transfers SET amount = amount / 2 WHERE usage_id = {record}",
        "UPDATE transfers SET base = base / 2 WHERE usage_id = {record} AND kind = 'accrual'",
        "UPDATE wallets SET balance = balance + 20000, given = given - 2000 WHERE given = 9000",
    )
    record = records(place)[1].id
    assert [name for name, _ in found(place, *(each.format(record=record) for each in damages))] == ["price"]


def test_records_of_before_versions_were_kept_are_counted_by_plan_and_are_no_fault(place):
    old = "UPDATE usage SET version = NULL, rate_key = NULL, rated_before = NULL, covered = NULL WHERE plan = 'payg-gb'"
    assert found(place, old) == []
    with place.reader.connect() as connection:
        assert check(connection, recompute).unknown == {"payg-gb": 3}
