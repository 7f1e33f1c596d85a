"""Texts on a real PostgreSQL: two gateways of one store know what the other one was told, and answer no more together."""

import threading

import pytest
from sqlalchemy import select
from support import postgres
from support.charging_fixture import MSISDN, PENNY
from support.messaging_fixture import FRIEND, LINK, text_place
from support.patience import PATIENCE

from gateway.messaging.inbound.lost_parts import overdue_parts
from gateway.messaging.inbound.unfinished import EndUnfinished
from gateway.messaging.queue.mt_status import RecordOutcomes, SubmitOutcome
from gateway.messaging.receipts import reference_id
from gateway.messaging.texts import Step
from gateway.store import tables

pytestmark = [
    pytest.mark.skipif(not postgres.BINARIES, reason="PostgreSQL is not installed"),
]
POUND = 100 * PENNY


@pytest.fixture
def url():
    with postgres.server() as make:
        yield make("texts")


def test_two_gateways_remember_one_number_together(url):
    with (
        text_place(url, answers_per_hour=5) as one,
        text_place(url, node="other.test.example", answers_per_hour=5) as two,
    ):
        one.enrol(50 * POUND)
        assert "Reply YES" in one.says("GIVE WATERAID 5")
        assert "Thank you" in two.says("YES")
        assert one.come("YES").repeated
        assert [place.come("I am driving").silent for place in (two, one)] == ["", ""]
        assert one.says("STOP") is not None
        assert two.says("BALANCE") is not None
        assert [place.come("sixth").silent for place in (one, two)] == ["opted_out", ""]
        assert two.come("TENTH").silent == "limit"
        assert two.out()
        assert [amount for amount, _ in one.booked("gift")] == [5 * POUND]
        assert one.books_are_right()


def test_texts_of_one_number_by_two_gateways_at_once_take_one_gift_and_none_is_lost(url):
    with text_place(url) as one, text_place(url, node="other.test.example") as two:
        one.enrol(50 * POUND)
        one.says("GIVE WATERAID 5")
        came, together = [], threading.Barrier(2, timeout=PATIENCE)

        def talk(place):
            together.wait()
            came.append(place.come("YES", MSISDN))
            together.wait()  # a word between both would make the second YES one of its own
            came.extend(place.come(f"word {n}", MSISDN) for n in range(30))

        threads = [threading.Thread(target=talk, args=(place,)) for place in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(came) == 62
        assert sum(arrived.repeated for arrived in came) >= 1
        assert [amount for amount, _ in one.booked("gift")] == [5 * POUND]
        assert one.alarms == two.alarms == []
        assert one.books_are_right()


def test_a_stop_of_which_a_part_is_lost_is_heard_by_one_of_two_gateways_that_wait_no_longer(url):
    with text_place(url) as one, text_place(url, node="other.test.example") as two:
        one.enrol(50 * POUND)
        assert not one.come(b"\5\0\3\x09\2\1STOP texting me", esm_class=0x40).whole
        for place in (one, two):
            place.pass_by(1801)
        with one.reader.connect() as connection:
            found = overdue_parts(connection, next(one.ticks) - one.messaging_policy.reassembly)
        together, answers = threading.Barrier(2, timeout=PATIENCE), []

        def end(place):
            together.wait()
            answers.extend(place.lane.run(EndUnfinished(found)))

        threads = [threading.Thread(target=end, args=(place,)) for place in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ["no more texts" in answer.body for answer in answers] == [True]
        assert one.out()
        assert one.alarms == two.alarms == []


def test_early_receipts_of_parts_that_share_an_id_settle_a_part_each(url):
    with text_place(url) as place:
        place.enrol(50 * POUND)
        (text_id,) = place.accept(place.draft("many words " * 20)).ids
        place.take(text_id, 0, 1)
        assert [place.receipt("a" * 64, step) for step in (Step.FAILED, Step.DELIVERED)] == [0, 0]
        for part in (0, 1):
            place.answer(text_id, message_id="a" * 64, part=part)
        assert [part.step for part in place.text(text_id).parts] == ["failed", "delivered"]
        assert place.read(select(tables.early_receipts)) == []


def test_a_part_without_a_message_id_is_settled_by_our_reference(url):
    with text_place(url) as place:
        place.enrol(50 * POUND)
        (text_id,) = place.accept(place.draft()).ids
        place.take(text_id)
        reference = place.text(text_id).reference_number
        place.lane.run(
            RecordOutcomes([SubmitOutcome(text_id, 0, LINK, Step.ACCEPTED, reference_id(FRIEND, reference))])
        )
        assert place.receipt("", reference=reference) == 1
        assert place.state(text_id) == "delivered"
