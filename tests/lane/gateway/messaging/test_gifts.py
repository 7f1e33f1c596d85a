"""Gifts by text: what a YES takes, what a NO drops, and what has changed between the question and the answer."""

import msgspec
import pytest
from sqlalchemy import event, select, update
from support.charging_fixture import MSISDN, PENNY, ccr, service
from support.lane_fixture import chosen, unguard
from support.messaging_fixture import FRIEND, text_place

from gateway.messaging.queue.mt_status import INACTIVE
from gateway.messaging.submit import Refusal
from gateway.store import tables
from gateway.subscribers.status import ACTIVE, CLOSING, SUSPENDED, TERMINATED

POUND = 100 * PENNY
PRICE = 2 * PENNY


@pytest.fixture
def place(tmp_path):
    with text_place(f"sqlite:///{tmp_path}/texts.db") as opened:
        yield opened
        assert opened.books_are_right()


@pytest.fixture
def giver(place):
    return place.enrol(50 * POUND)


def gifts(place):
    return [amount for amount, _ in place.booked("gift")]


def questions(place):
    return place.read(select(tables.questions))


@pytest.mark.parametrize(
    "no", ["NO", "No thanks", "n", "nope", "never mind", "NON", "non merci", "mejor no", "No, I changed my mind"]
)
def test_a_no_drops_the_question_and_a_yes_after_it_takes_nothing(place, giver, no):
    place.says("GIVE WATERAID 5")
    answer = place.says(no)
    assert answer.startswith(("All right", "C'est entendu", "De acuerdo"))
    assert questions(place) == []
    assert "nothing was taken" in place.says("YES")
    assert gifts(place) == []


def test_a_no_to_no_question_is_a_text_that_is_not_understood(place, giver):
    assert place.says("NO").startswith("Sorry, we didn't understand")


def test_a_second_give_asks_the_same_question_again_and_one_gift_is_taken(place, giver):
    first = place.says("GIVE WATERAID 5")
    (before,) = questions(place)
    place.pass_by(300)
    assert place.says("give 5 to wateraid") == first
    (after,) = questions(place)
    assert after.id == before.id
    assert after.expires_at > before.expires_at
    place.says("YES")
    place.pass_by(11)
    place.says("YES")
    assert gifts(place) == [5 * POUND]


def test_a_give_of_another_cause_or_amount_replaces_the_question(place, giver):
    place.says("GIVE WATERAID 5")
    assert "£7.00 to WWF" in place.says("GIVE WWF 7")
    assert len(questions(place)) == 1
    place.says("YES")
    place.pass_by(11)
    place.says("YES")
    assert gifts(place) == [7 * POUND]


def asked(place):
    place.says("GIVE WWF 5")
    assert len(questions(place)) == 1


def close_cause(place, _giver):
    place.decide_by(msgspec.structs.replace(place.messaging_policy, causes={"wateraid": "WaterAid"}))


def suspend(place, giver):
    place.status(giver, SUSPENDED)


def leave(place, giver):
    place.status(giver, CLOSING)


def lower_the_limit(place, _giver):
    books = {
        code: msgspec.structs.replace(book, maximum=4 * POUND) for code, book in place.messaging_policy.books.items()
    }
    place.decide_by(msgspec.structs.replace(place.messaging_policy, books=books))


def raise_the_limit(place, _giver):
    books = {
        code: msgspec.structs.replace(book, minimum=6 * POUND) for code, book in place.messaging_policy.books.items()
    }
    place.decide_by(msgspec.structs.replace(place.messaging_policy, books=books))


def spend(place, _giver):
    place.accept(*(place.draft(f"text {n}") for n in range(2300)))


def change_currency(place, giver):
    rows = tables.wallets
    with place.writer.begin() as connection:
        connection.execute(update(rows).where(rows.c.subscriber_id == giver).values(currency="EUR"))


CHANGES = {
    "the cause closed": (close_cause, "takes no new gifts"),
    "the line was suspended": (suspend, "Your line is suspended"),
    "the customer leaves": (leave, "Your line is suspended"),
    "the maximum was lowered": (lower_the_limit, "between £1.00 and £4.00"),
    "the minimum was raised": (raise_the_limit, "between £6.00 and £40.00"),
    "the money is gone": (spend, "doesn't cover"),
    "the wallet has another currency": (change_currency, "Your balance is in EUR"),
}


@pytest.mark.parametrize(("change", "reason"), CHANGES.values(), ids=CHANGES)
def test_a_yes_to_what_is_no_longer_so_is_refused_with_a_reason_and_the_question_is_gone(tmp_path, change, reason):
    with text_place(f"sqlite:///{tmp_path}/texts.db") as place:
        giver = place.enrol(50 * POUND)
        asked(place)
        change(place, giver)
        assert reason in place.says("YES")
        assert (questions(place), gifts(place)) == ([], [])
        place.status(giver, ACTIVE)
        place.pass_by(11)
        assert "nothing was taken" in place.says("YES")
        assert gifts(place) == []


def test_a_question_to_the_last_owner_of_a_number_is_not_the_next_ones(place, giver):
    asked(place)
    rows = tables.lines
    with place.writer.begin() as connection:
        connection.execute(update(rows).where(rows.c.subscriber_id == giver).values(valid_to=next(place.ticks)))
    place.enrol(50 * POUND, imsi="234150000000009")
    assert "nothing was taken" in place.says("YES")
    assert gifts(place) == []


def test_a_number_that_has_no_owner_any_more_gives_nothing(place, giver):
    asked(place)
    rows = tables.lines
    with place.writer.begin() as connection:
        connection.execute(update(rows).where(rows.c.subscriber_id == giver).values(valid_to=next(place.ticks)))
    assert place.says("YES").startswith("This service is for customers")
    assert gifts(place) == []


# Lines that are not active


@pytest.mark.parametrize("status", [SUSPENDED, CLOSING])
@pytest.mark.parametrize("words", ["GIVE WATERAID 5", "CAUSE WWF", "CAUSE", "GIVE 5"])
def test_a_line_that_is_not_active_gives_and_chooses_nothing(place, giver, status, words):
    place.status(giver, status)
    assert place.says(words).startswith("Your line is suspended")
    assert questions(place) == []
    assert chosen(place) == [(giver, "wateraid", 10_000)]


@pytest.mark.parametrize(
    ("words", "answer"), [("BALANCE", "Your balance"), ("HELP", "Test operator"), ("STOP", "Test operator")]
)
def test_a_line_that_is_suspended_is_told_what_moves_nothing(place, giver, words, answer):
    place.status(giver, SUSPENDED)
    assert place.says(words).startswith(answer)


@pytest.mark.parametrize("status", [SUSPENDED, CLOSING, TERMINATED])
def test_a_line_that_is_not_active_sends_nothing(place, giver, status):
    place.status(giver, status)
    refused = place.accept(place.draft("one"))
    assert isinstance(refused, Refusal)
    assert (refused.code, status in refused.detail) == ("sms.line", True)
    assert place.wallet(giver) == (50 * POUND, 0)
    assert place.read(select(tables.texts)) == []


def test_a_batch_with_a_text_of_a_suspended_line_is_refused_whole(place, giver):
    other = place.enrol(POUND, imsi="234150000000002", msisdn=FRIEND)
    place.status(giver, SUSPENDED)
    refused = place.accept(place.draft("fine", source=FRIEND, destination=MSISDN), place.draft("not"))
    assert (refused.place, refused.code) == (1, "sms.line")
    assert place.wallet(other) == (POUND, 0)


def test_a_text_of_a_line_that_was_suspended_before_it_went_out_is_cancelled_and_given_back(place, giver):
    (text_id,) = place.accept(place.draft()).ids
    place.status(giver, SUSPENDED)
    assert place.take(text_id) == []
    (part,) = place.text(text_id).parts
    assert (place.state(text_id), part.error) == ("cancelled", INACTIVE)
    assert place.wallet(giver) == (50 * POUND, 0)


def test_a_text_that_went_out_before_the_line_was_suspended_is_paid_when_it_arrives(place, giver):
    (text_id,) = place.accept(place.draft()).ids
    place.take(text_id)
    place.answer(text_id, message_id="a1")
    place.status(giver, SUSPENDED)
    assert place.receipt("a1") == 1
    assert place.wallet(giver) == (50 * POUND - PRICE, 0)


def test_a_text_to_a_suspended_line_and_one_of_the_companys_go_out(place, giver):
    place.status(giver, SUSPENDED)
    ids = place.accept(place.draft("your bill", source="TPO", destination=MSISDN)).ids
    assert place.take(*ids) == [0]


def test_a_gift_of_a_part_that_the_currency_has_not_is_asked_for_again(place, giver):
    with place.writer.begin() as connection:
        unguard(connection)
        for table in (tables.wallets, tables.transfers):
            connection.execute(update(table).values(currency="JPY"))
    assert place.says("GIVE WATERAID 5.50") == place.says("GIVE WATERAID")
    assert questions(place) == []
    assert "5 JPY" in place.says("GIVE WATERAID 5")
    assert "50 JPY" in place.says("BALANCE")


def test_while_a_question_is_open_a_thumb_up_takes_the_gift_and_without_one_nothing_is_taken(place, giver):
    assert "Sorry" in place.says("ok")
    place.says("wateraid 5")
    assert "WaterAid" in place.says("👍")
    assert gifts(place) == [5 * POUND]
    place.pass_by(11)
    assert "Sorry" in place.says("yes wateraid")
    assert gifts(place) == [5 * POUND]


def test_a_yes_that_names_another_cause_takes_nothing_and_the_question_stays(place, giver):
    place.says("GIVE WATERAID 5 xx")
    place.says("yes wwf")
    assert gifts(place) == []
    place.says("yes wateraid")
    assert gifts(place) == [5 * POUND]


def test_the_tenth_of_a_customer_with_a_bundle_is_what_the_books_say(tmp_path):
    with text_place(f"sqlite:///{tmp_path}/bundles.db") as place:
        place.enrol(100 * POUND, plan="bundle-gb")
        place.ask(ccr(1, 0, service(ask=1_000_000)))
        accrued = sum(amount for amount, _ in place.booked("accrual"))
        assert [amount for amount, _ in place.booked("sale")] == [7_500_000]
        assert accrued == 750_000
        read = []
        event.listen(place.writer, "before_cursor_execute", lambda _c, _k, statement, *_: read.append(statement))
        assert "£0.75" in place.says("TENTH")
        assert not [statement for statement in read if "FROM transfers" in statement], "it is too large for the lane"
        assert place.books_are_right()


# What the law lets pass by the phone bill (Payment Services Regulations 2017)


def test_no_gift_is_more_than_40_pounds_and_no_month_more_than_240_whatever_the_book_allows(place):
    place.enrol(900 * POUND)
    books = {
        code: msgspec.structs.replace(book, maximum=99 * POUND) for code, book in place.messaging_policy.books.items()
    }
    place.decide_by(msgspec.structs.replace(place.messaging_policy, books=books))
    assert place.says("GIVE WATERAID 41") == "A gift by text is between £1.00 and £40.00. Nothing was taken."
    for _ in range(5):
        place.says("GIVE WATERAID 40")
        assert place.says("YES").startswith("Thank you!")
    place.says("GIVE WATERAID 39")
    place.says("YES")
    refused = place.says("GIVE WATERAID 2")
    assert "no more than £240.00 a month" in refused
    assert "£1.00 is left. Nothing was taken." in refused
    place.says("GIVE WATERAID 1")
    assert place.says("YES").startswith("Thank you!")
    assert sum(gifts(place)) == 240 * POUND
    place.pass_by(20 * 86_400)
    place.says("GIVE WATERAID 2")
    assert place.says("YES").startswith("Thank you!"), "in the next month there is room again"


def test_a_yes_is_refused_where_the_months_limit_was_reached_after_the_question(place, giver):
    asked(place)
    with place.writer.begin() as connection:
        spent = msgspec.json.encode({"paid:2023-11": 236 * POUND})
        connection.execute(update(tables.wallets).where(tables.wallets.c.subscriber_id == giver).values(counters=spent))
    assert "£4.00 is left. Nothing was taken." in place.says("YES")
    assert (questions(place), gifts(place)) == ([], [])
