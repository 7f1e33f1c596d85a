"""Gifts: held, made once and whole, taken back before that and never after, within the law's limits, matched up to a cap."""

from datetime import date

import pytest
from sqlalchemy import select, text
from support.books import check
from support.charging_fixture import MSISDN, PENNY, TERMINATION, ccr, service
from support.lane_fixture import unguard
from support.messaging_fixture import text_place

from gateway.balance.changes import SubscriberUnknown
from gateway.balance.gift_units import CompleteGift, MakeGift, WithdrawGift, due_gifts
from gateway.balance.gifts import GiftState, gifts_of
from gateway.charity.campaigns import Campaign
from gateway.charity.policies import recompute
from gateway.store import tables
from gateway.store.idempotency import KeyConflict
from gateway.subscribers.status import TERMINATED

POUND = 100 * PENNY
HOUR = 3_600_000_000
DAY = (date(2023, 11, 14), date(2023, 11, 20))


@pytest.fixture
def place(tmp_path):
    with text_place(f"sqlite:///{tmp_path}/gifts.db") as opened:
        opened.gifts_by(window=24 * HOUR)
        opened.giver = opened.enrol(300 * POUND)
        yield opened
        assert opened.books_are_right()


def give(place, pounds=5, cause="wateraid", reference="r-1", number=MSISDN, channel="app", currency="GBP"):
    return place.lane.run(MakeGift("msisdn", number, cause, pounds * POUND, currency, channel, reference))


def withdraw(place, number, line=MSISDN):
    return place.lane.run(WithdrawGift("msisdn", line, number))


def sweep(place):
    """Make what is due; gives the states."""
    with place.reader.connect() as connection:
        due = due_gifts(connection, next(place.ticks), [1])
    return [place.lane.run(CompleteGift(each.id, each.subscriber_id)).gift.state for each in due]


def wallet(place):
    return place.read(select(tables.wallets.c.balance, tables.wallets.c.reserved))[0]


def booked(place, kind="gift"):
    return [amount for amount, _ in place.booked(kind)]


def test_a_gift_is_held_first_and_made_whole_when_its_time_to_be_taken_back_is_over(place):
    gift = give(place).gift
    assert (gift.state, wallet(place), booked(place)) == (GiftState.HELD, (300 * POUND, 5 * POUND), [])
    assert sweep(place) == []
    place.pass_by(86_401)
    assert sweep(place) == [GiftState.GIVEN]
    assert (wallet(place), booked(place)) == ((295 * POUND, 0), [5 * POUND])
    assert place.lane.run(CompleteGift(gift.id, place.giver)) is None, "a second sweep makes nothing"
    assert booked(place) == [5 * POUND]


def test_a_gift_is_taken_back_while_it_is_held_and_never_after(place):
    first, second = give(place).gift, give(place, reference="r-2").gift
    assert withdraw(place, first.id).gift.state is GiftState.WITHDRAWN
    assert withdraw(place, first.id).repeated
    assert wallet(place) == (300 * POUND, 5 * POUND)
    place.pass_by(86_401)
    assert withdraw(place, second.id).code == "gift.made", "its time is over, also before the sweep"
    assert sweep(place) == [GiftState.GIVEN]
    assert withdraw(place, second.id).code == "gift.made"
    assert booked(place) == [5 * POUND]


def test_a_reference_gives_once_for_its_channel_and_another_gift_under_it_is_refused(place):
    first = give(place)
    again = give(place)
    assert (first.repeated, again.repeated, again.gift.id) == (False, True, first.gift.id)
    for other in ({"pounds": 6}, {"cause": "wwf"}):
        assert isinstance(give(place, **other), KeyConflict)
    assert not give(place, channel="shop").repeated
    assert wallet(place).reserved == 10 * POUND


@pytest.mark.parametrize(
    ("asked", "code"),
    [({"cause": "nobody"}, "gift.cause"), ({"pounds": 41}, "gift.limit"), ({"pounds": 0}, "gift.amount"),
     ({"currency": "USD"}, "gift.currency"), ({"pounds": -5}, "gift.amount")],
)  # fmt: skip
def test_a_gift_that_cannot_be_moves_nothing(place, asked, code):
    assert give(place, **asked).code == code
    assert wallet(place) == (300 * POUND, 0)


def test_gifts_of_a_month_stay_within_the_laws_limit_and_one_that_was_taken_back_does_not_count(place):
    held = [give(place, 40, reference=f"r-{n}").gift for n in range(6)]
    assert give(place, 1, reference="more").code == "gift.month"
    withdraw(place, held[0].id)
    assert give(place, 40, reference="again").gift.state is GiftState.HELD


def test_money_that_is_held_is_not_given_twice_nor_used(place):
    place.enrol(8 * POUND, imsi="234150000000002", msisdn="447700900002", cause="")
    give(place, 5, reference="a", number="447700900002")
    assert give(place, 5, reference="b", number="447700900002").code == "gift.balance"
    assert isinstance(give(place, number="447700900999"), SubscriberUnknown)


def test_a_gift_whose_money_was_used_beyond_the_balance_is_refused_and_nothing_is_owed(place):
    place.enrol(5 * POUND, imsi="234150000000002", msisdn="447700900002", cause="")
    give(place, 5, number="447700900002")
    used = ccr(TERMINATION, 0, service(used=[100_000_000]), imsi="234150000000002", session="late")
    place.ask(used)
    place.pass_by(86_401)
    assert sweep(place) == [GiftState.REFUSED]
    assert booked(place) == []


def test_a_gift_of_a_line_that_ended_meanwhile_is_made_all_the_same(place):
    give(place)
    place.status(place.giver, TERMINATED)
    assert give(place, reference="late").code == "gift.line"
    place.pass_by(86_401)
    assert sweep(place) == [GiftState.GIVEN]


def test_which_cause_a_gift_is_for_stands_in_no_row_of_gifts_and_is_opened_under_the_key_alone(place):
    give(place)
    with place.reader.connect() as connection:
        (row,) = connection.execute(select(tables.gifts)).all()
        assert b"wateraid" not in row.cause
        assert [each.cause for each in gifts_of(connection, place.giver, None)] == [""]


def campaign(**changes):
    return Campaign("winter", "A Foundation", **({"ratio": 10_000, "cap": 8 * POUND, "currency": "GBP", "begins": DAY[0],
                                                  "ends": DAY[1]} | changes))  # fmt: skip


def test_matching_stops_at_its_cap_to_the_micro_unit_also_within_one_batch(place):
    place.gifts_by(window=0, campaigns=(campaign(),))
    done = []
    for n in range(3):
        unit = MakeGift("msisdn", MSISDN, "wateraid", 5 * POUND, "GBP", "app", f"m-{n}")
        place.lane.post(unit, lambda answer, error: done.append((answer, error)))
    give(place, 1, reference="last")
    assert len(done) == 3
    assert booked(place, "match") == [5 * POUND, 3 * POUND]
    assert booked(place) == [5 * POUND] * 3 + [POUND]
    assert place.read(text("SELECT name FROM accounts WHERE name LIKE 'matcher:%'")) == [("matcher:winter",)]


@pytest.mark.parametrize(
    "changes",
    [{"causes": frozenset({"wwf"})}, {"ends": date(2023, 11, 13), "begins": date(2023, 11, 1)}, {"currency": "USD"}],
)
def test_what_a_campaign_is_not_for_it_does_not_match(place, changes):
    place.gifts_by(window=0, campaigns=(campaign(**changes),))
    give(place)
    assert booked(place, "match") == []


def test_a_ratio_is_rounded_down_so_that_no_gift_is_matched_by_more_than_was_promised():
    assert campaign(ratio=3_333).adds("wwf", 100, "GBP", DAY[0], 0) == 33
    assert campaign().adds("wwf", 9 * POUND, "GBP", DAY[1], 8 * POUND - 1) == 1


@pytest.mark.parametrize(("damage", "words"), [
    ("UPDATE gifts SET state = 'withdrawn'", "is booked otherwise than it stands"),
    ("UPDATE gifts SET amount = amount + 1", "is booked otherwise than it stands"),
    ("DELETE FROM transfers WHERE kind = 'gift'", "is given, and no entry says so"),
    ("UPDATE matched_sums SET amount = amount - 1", "campaign winter matched"),
])  # fmt: skip
def test_gifts_and_campaigns_are_held_against_their_entries(place, damage, words):
    place.gifts_by(window=0, campaigns=(campaign(),))
    give(place)
    with place.writer.connect() as connection:
        unguard(connection)
        connection.execute(text(damage))
        found = [each.detail for each in check(connection, recompute).findings if each.check == "gift"]
        connection.rollback()
    assert any(words in each for each in found)


# By text


def test_a_yes_holds_the_gift_and_cancel_takes_it_back_without_an_end_to_texts(place):
    place.says("GIVE WATERAID 5")
    assert "reply NO" in place.says("YES")
    assert wallet(place) == (300 * POUND, 5 * POUND)
    assert "was taken back" in place.says("Cancel")
    assert (wallet(place), booked(place)) == ((300 * POUND, 0), [])
    assert place.read(select(tables.opt_outs)) == []
    assert place.says("cancel").startswith("Test operator"), "nothing is held: it is a stop word"
    assert len(place.read(select(tables.opt_outs))) == 1


@pytest.mark.parametrize(("give_words", "yes", "no", "said"), [
    ("DON WATERAID 5", "OUI", "ANNULER", "est repris"), ("DONAR WATERAID 5", "SI", "no", "was taken back"),
])  # fmt: skip
def test_it_is_taken_back_in_each_language_and_by_no(place, give_words, yes, no, said):
    place.says(give_words)
    place.says(yes)
    assert said in place.says(no)
    assert wallet(place).reserved == 0


@pytest.mark.parametrize(
    ("word", "said"), [("CANCEL", "no more texts"), ("cancelar", "mensajes del 70070"), ("Annuler!", "plus de SMS")]
)
def test_cancel_of_an_american_takes_it_back_and_ends_the_texts(place, word, said):
    american = "12125550123"
    place.enrol(300 * POUND, "310410000000123", american)
    place.says("GIVE WATERAID 5", american)
    assert "reply CANCEL" not in place.says("YES", american)
    assert said in place.says(word, american)
    assert place.out(american)
    assert place.read(select(tables.gifts.c.state)) == [(GiftState.WITHDRAWN,)]
