"""A wallet whose limit or sum was written over is named by the check of the books."""

import msgspec
import pytest
from sqlalchemy import insert, select, update
from support.billing_fixture import billing_place
from support.charging_fixture import INITIAL, PENNY, UPDATE, ccr, service
from support.gy_samples import avp
from support.notice_fixture import ABROAD, HOME, POUND, watched_place
from support.sealing import seal_all

from gateway.balance.check_due_times import wrong_due_times
from gateway.balance.check_spending import wrong_spending
from gateway.balance.spending import decode, encode
from gateway.store.evidence import DAY_US
from gateway.store.releases import USAGE
from gateway.store.tables import releases, sealed_files, wallets

MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"limit": 50 * POUND}, "limit"),
        ({"limit": -1}, "limit"),
        ({"agreed": 2023 * 12 + 10}, "limit"),
        ({"months": {}}, "limit"),
        ({"months": {2023 * 12 + 11: 90 * POUND}}, "limit"),
        ({"cap_agreed": 2023 * 12 + 10}, "limit"),
        ({"barred": True}, "limit"),
        ({"charged": 0}, "spending"),
        ({"charged": 9 * POUND}, "spending"),
        ({"before": 1}, "spending"),
        ({}, None),
    ],
)
def test_what_a_wallet_says_of_its_line_is_held_against_decisions_and_usage(tmp_path, change, check):
    with watched_place(f"sqlite:///{tmp_path}/lines.db") as place:
        sub = place.enrol(5 * POUND)
        place.limit(20 * PENNY)
        place.limit(30 * PENNY, period="2023-12")
        place.ask(ccr(INITIAL, 0, service(ask=0)))
        place.ask(ccr(UPDATE, 1, service(used=(5 * MEGABYTE,), ask=0)))
        ((kept,),) = place.read(select(wallets.c.spending))
        changed = msgspec.structs.replace(decode(kept), **change)
        with place.writer.begin() as connection:
            connection.execute(update(wallets).values(spending=encode(changed)))
        with place.reader.connect() as connection:
            found = list(wrong_spending(connection, place.policy.tariff.months))
    assert [each.check for each in found] == ([] if check is None else [check])
    assert all(f"wallet:{sub}" in each.detail for each in found)


@pytest.mark.parametrize("change", [{"abroad": 0}, {"abroad": 9 * POUND}, {"abroad_before": 1}, {}])
def test_what_a_wallet_says_of_use_abroad_is_held_against_the_rates_of_its_usage(tmp_path, change):
    with watched_place(f"sqlite:///{tmp_path}/lines.db") as place:
        sub = place.enrol(5 * POUND)
        for number, network in enumerate((HOME, ABROAD)):
            there = avp("PS-Information", avp("3GPP-SGSN-MCC-MNC", network.encode()))
            where = {"session": f"pgw;{number}", "service_information": there}
            place.ask(ccr(INITIAL, 0, service(ask=0), **where))
            place.ask(ccr(UPDATE, 1, service(used=(5 * MEGABYTE,), ask=0), **where))
        ((kept,),) = place.read(select(wallets.c.spending))
        spending = decode(kept)
        assert 0 < spending.abroad < spending.charged
        with place.writer.begin() as connection:
            connection.execute(update(wallets).values(spending=encode(msgspec.structs.replace(spending, **change))))
        with place.reader.connect() as connection:
            found = [each.detail for each in wrong_spending(connection, place.policy.tariff.months)]
    assert len(found) == len(change)
    assert all(f"wallet:{sub} says {amount} were charged abroad in " in each
               for each, amount in zip(found, change.values(), strict=True))  # fmt: skip


def test_use_that_stands_in_a_sealed_file_or_was_swept_is_not_missed(tmp_path):
    with billing_place(f"sqlite:///{tmp_path}/lines.db") as place:
        place.enrol(5 * POUND)
        place.use(MEGABYTE, "s;1")
        place.pass_month()
        place.use(MEGABYTE, "s;2")
        place.pass_month()
        assert len(seal_all(place, place.ticks.now)) == 2

        def found():
            with place.reading() as connection:
                return list(wrong_spending(connection, place.policy.tariff.months))

        assert found() == []
        ((kept,),) = place.read(select(wallets.c.spending))
        with place.writer.begin() as connection:
            connection.execute(
                update(wallets).values(spending=encode(msgspec.structs.replace(decode(kept), charged=7)))
            )
        assert [each.check for each in found()] == ["spending"]
        with place.writer.begin() as connection:
            connection.execute(update(wallets).values(spending=kept))
            connection.execute(update(sealed_files).where(sealed_files.c.content == "usage").values(dropped_at=1))
            connection.execute(insert(releases).values((7, 1, USAGE, place.node.id, place.ticks.now // DAY_US)))
        assert found() == []


@pytest.mark.parametrize("spent", [None, b"\xff"])
def test_a_wallet_that_says_nothing_of_its_spending_any_more_is_named(tmp_path, spent):
    with watched_place(f"sqlite:///{tmp_path}/lines.db") as place:
        sub = place.enrol(5 * POUND)
        place.ask(ccr(INITIAL, 0, service(ask=0)))
        place.ask(ccr(UPDATE, 1, service(used=(5 * MEGABYTE,), ask=0)))
        with place.writer.begin() as connection:
            connection.execute(update(wallets).values(spending=spent))
        with place.reader.connect() as connection:
            found = [each.detail for each in wrong_spending(connection, place.policy.tariff.months)]
    assert len(found) == 1
    assert f"wallet:{sub}" in found[0]


def test_a_wallet_that_is_due_at_another_time_than_its_bundle_ends_is_named(tmp_path):
    with watched_place(f"sqlite:///{tmp_path}/lines.db") as place:
        sub = place.enrol(9 * POUND, plan="bundle-gb")
        place.ask(ccr(INITIAL, 0, service(ask=0)))
        place.ask(ccr(UPDATE, 1, service(used=(5 * MEGABYTE,), ask=0)))
        for due_at, said in ((wallets.c.due_at, []), (wallets.c.due_at + 1, [sub]), (None, [sub])):
            with place.writer.begin() as connection:
                connection.execute(update(wallets).values(due_at=due_at))
            with place.reader.connect() as connection:
                found = [each.detail.split()[0] for each in wrong_due_times(connection)]
            assert found == [f"wallet:{number}" for number in said]
