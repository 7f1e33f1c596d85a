"""A giver who is erased: what Gift Aid is claimed on is kept as long as tax law asks; all else goes, and is proved as gone."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select
from support.charging_fixture import MSISDN, PENNY
from support.lane_fixture import CAUSE_SEALS
from support.messaging_fixture import text_place
from support.notice_fixture import POUND

from gateway.balance.gift_aid import DeclareGiftAid, covered, declarations_of
from gateway.balance.gift_erasure import ForgetGifts, erased_givers, kept_until
from gateway.balance.gift_units import MakeGift, WithdrawGift
from gateway.charity.gift_aid import Person
from gateway.store import tables

ADA = Person("Ms", "Ada", "King", "12", "S19 2BD")
EIGHT_YEARS = 8 * 366 * 86_400


@pytest.fixture
def place(tmp_path):
    with text_place(f"sqlite:///{tmp_path}/erased.db") as opened:
        opened.giver = opened.enrol(200 * PENNY * 100)
        yield opened
        assert opened.books_are_right()


def give(place, pounds, reference, cause="wateraid"):
    return place.lane.run(MakeGift("msisdn", MSISDN, cause, pounds * POUND, "GBP", "app", reference)).gift


def declare(place, cause):
    place.lane.run(DeclareGiftAid("msisdn", MSISDN, cause, ADA, 0, "form", "hmrc-2026", "clerk"))


def kept(place):
    rows = place.read(select(tables.gifts.c.amount, tables.gifts.c.channel).order_by(tables.gifts.c.id))
    with place.reader.connect() as connection:
        declared = declarations_of(connection, place.giver, CAUSE_SEALS)
        claims = [each.amount for each in covered(connection, "wateraid", "2023-11", UTC, CAUSE_SEALS)]
    return [(row.amount // POUND, row.channel) for row in rows], [each.details.cause for each in declared], claims


def test_of_a_giver_who_is_erased_only_what_a_charity_claims_on_is_kept_and_that_until_its_time_is_over(place):
    give(place, 1, "447700900001")
    for cause in ("wateraid", "wwf"):
        declare(place, cause)
    give(place, 2, "of 447700900001")
    place.gifts_by(window=3_600_000_000)
    place.lane.run(WithdrawGift("msisdn", MSISDN, give(place, 3, "taken back").id))
    assert len(kept(place)[0]) == 3
    told = place.lane.run(ForgetGifts(place.giver))
    assert (told.gone, told.kept) == (
        {"gifts": 2, "gift_aid_declarations": 1},
        {"gifts": 1, "gift_aid_declarations": 1},
    )
    assert kept(place) == ([(2, "erased")], ["wateraid"], ["2.00"])
    assert place.read(select(tables.gifts.c.reference)) != [("of 447700900001",)]
    assert place.lane.run(ForgetGifts(place.giver)).kept == told.kept
    place.pass_by(EIGHT_YEARS)
    assert place.lane.run(ForgetGifts(place.giver)).kept == {"gifts": 0, "gift_aid_declarations": 0}
    assert kept(place) == ([], [], [])
    assert place.read(select(tables.transfers.c.amount).where(tables.transfers.c.kind == "gift")) == [
        (1 * POUND,),
        (2 * POUND,),
    ]


def test_only_customers_who_were_erased_are_looked_at(place):
    declare(place, "wateraid")
    with place.reader.connect() as connection:
        assert erased_givers(connection) == []


@pytest.mark.parametrize(
    ("made", "until"),
    [
        (datetime(2026, 4, 5, 12, tzinfo=UTC), date(2033, 4, 5)),
        (datetime(2026, 4, 5, 23, 30, tzinfo=UTC), date(2034, 4, 5)),  # by British Summer Time the 6th
        (datetime(2026, 4, 6, 12, tzinfo=UTC), date(2034, 4, 5)),
    ],
)
def test_a_gift_is_kept_for_seven_years_from_the_end_of_its_tax_year(made, until):
    assert kept_until(int(made.timestamp()) * 1_000_000) == until
