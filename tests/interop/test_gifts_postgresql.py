"""Gifts, matching and Gift Aid on a server: the same as on a file."""

from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import select
from support.books import check
from support.charging_fixture import MSISDN, PENNY
from support.lane_fixture import CAUSE_SEALS, EVIDENCE_KEY
from support.messaging_fixture import text_place

from gateway.balance.gift_aid import DeclareGiftAid, covered
from gateway.balance.gift_units import CompleteGift, MakeGift, WithdrawGift, due_gifts
from gateway.balance.gifts import GiftState
from gateway.charity.campaigns import Campaign
from gateway.charity.gift_aid import Person
from gateway.charity.policies import recompute
from gateway.store.tables import wallets

POUND = 100 * PENNY


def test_a_gift_is_held_made_once_matched_claimed_on_and_proved_and_another_is_taken_back(database):
    with text_place(database("gifts")) as place:
        place.enrol(50 * POUND)
        campaign = Campaign("winter", "F", 10_000, 3 * POUND, "GBP", date(2023, 11, 1), date(2023, 11, 30))
        place.gifts_by(window=60_000_000, campaigns=(campaign,))
        ada = Person("", "Ada", "King", "1", "X")
        place.lane.run(DeclareGiftAid("msisdn", MSISDN, "wateraid", ada, 0, "form", "1", "clerk"))
        first, second = (
            place.lane.run(MakeGift("msisdn", MSISDN, "wateraid", 5 * POUND, "GBP", "app", name)).gift for name in "ab"
        )
        place.lane.run(WithdrawGift("msisdn", MSISDN, second.id))
        place.pass_by(61)
        with place.reader.connect() as connection:
            (due,) = due_gifts(connection, next(place.ticks), [1])
        made = [place.lane.run(CompleteGift(due.id, due.subscriber_id)) for _ in range(2)]
        assert (due.id, made[0].gift.state, made[1]) == (first.id, GiftState.GIVEN, None)
        assert [amount for amount, _ in place.booked("gift") + place.booked("match")] == [5 * POUND, 3 * POUND]
        assert place.read(select(wallets.c.balance, wallets.c.reserved)) == [(45 * POUND, 0)]
        with place.reader.connect() as connection:
            (donation,) = covered(connection, "wateraid", "2023-11", ZoneInfo("Europe/London"), CAUSE_SEALS)
            findings = [each.detail for each in check(connection, recompute, EVIDENCE_KEY).findings]
            opened = {f"account {number} was" for name, number in place.accounts.items() if name.startswith("gifts:")}
        assert (donation.person, donation.amount) == (ada, "5.00")
        assert {" ".join(each.split()[:3]) for each in findings} == opened, "which the fixture opened without a proof"
