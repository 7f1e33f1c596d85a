"""Texts in on a real PostgreSQL: two gateways of one store know what the other one was told, and answer no more together."""

import threading

import pytest
from support import postgres
from support.charging_fixture import MSISDN, PENNY
from support.messaging_fixture import text_place
from support.patience import PATIENCE

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
