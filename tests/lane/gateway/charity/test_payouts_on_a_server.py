"""The same on PostgreSQL: confirmed, paid, returned, shared and checked, in one story."""

from support.payout_fixture import ANN, DECEMBER, JANUARY, NOVEMBER, POUND, Place, paid, returned

from gateway.charity.profit_share import BookProfitShare, divide, weights
from gateway.store.engine import reading


def test_a_months_giving_is_confirmed_paid_returned_shared_and_proved_on_a_server(database):
    place = Place(database("payouts"))
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 12 * POUND, wateraid=1_200_000)
    place.book(NOVEMBER, "gift", ANN, "gifts:wateraid", POUND // 2, reference="gift:1")
    place.confirm("2026-11", JANUARY)
    assert place.standing().payable == POUND
    place.details()
    number = place.pay().payments[0].id
    assert place.settle(paid(number, "1.00"), returned(number, "1.00")).returned == 1
    with reading(place.reader) as connection:
        parts = divide(400, weights(connection, "2026-11", "2026-11", "GBP"))
    place.lane.run(BookProfitShare("2026-11", "profit", 1_600, 400, "GBP", parts, "ann"))
    assert (place.standing().payable, place.standing().confirmed) == (POUND, 400)
    assert place.remittance(NOVEMBER, DECEMBER).is_exact
    assert place.findings() == []
    place.close()
