"""The same on PostgreSQL: confirmed, paid, returned, shared and checked, in one story."""

from support.lane_fixture import CAUSE_SEALS, EVIDENCE_KEY
from support.payout_fixture import ANN, DECEMBER, JANUARY, NOVEMBER, POUND, Place, paid, returned

from gateway.charity.check_bank import wrong_bank_rows
from gateway.charity.closed_causes import KeepClosed, asked_out, asked_up_to, choosers, gone_unassigned, move_mark
from gateway.charity.confirmation import ReleaseConfirmed
from gateway.charity.policies import Policy, recompute
from gateway.charity.profit_share import BookProfitShare, divide, weights
from gateway.charity.receipts import BookReceipt, Receipt, booked_balance, campaign_sums, identity_of
from gateway.charity.standings import Roads
from gateway.ledger.check import check
from gateway.store import versions
from gateway.store.batch import Unit
from gateway.store.engine import reading
from gateway.store.versions import POLICY, Content, canonical


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
    receipt = Receipt(identity_of("", "FT-1"), "FT-1", "", 5 * POUND, "GBP", NOVEMBER)
    assert [place.lane.run(BookReceipt(receipt)) for _ in range(2)] == [True, False]
    assert place.lane.run(ReleaseConfirmed(Roads(unassigned=frozenset({"wateraid"})))) == 2
    with reading(place.reader) as connection:
        assert booked_balance(connection, DECEMBER) == {"GBP": 5 * POUND}
        assert campaign_sums(connection) == {}
        assert list(wrong_bank_rows(connection)) == []
        assert sum(gone_unassigned(connection).values()) == POUND + 400
    assert place.findings() == []
    place.close()


class Mark(Unit):
    """What a unit that asks customers does of the mark."""

    def decide(self, batch):
        """Move it to the end, twice."""
        return [move_mark(batch, "wwf", batch.node.id, 0, None, asks=False) for _ in range(2)]


def test_closed_causes_and_rules_that_leave_something_out_are_read_on_a_server(database):
    place = Place(database("closed"))
    place.lane.run(KeepClosed(["wwf"]))
    place.lane.run(KeepClosed(["wwf", "wateraid"]))
    place.lane.run(KeepClosed(["wwf"]))
    with reading(place.reader) as connection:
        assert asked_up_to(connection, "wwf", place.node.id) == 0
        assert choosers(connection, CAUSE_SEALS, "wwf", place.node.id, 0, JANUARY, 10).subscribers == []
        assert asked_out(connection, 30, 1 << 60) == frozenset()
    assert place.lane.run(Mark()) == [True, False]
    with reading(place.reader) as connection:
        assert asked_out(connection, 30, 1 << 60) == {"wwf"}
    with place.writer.begin() as connection:
        rule = Policy("2027-2", "gross", 1_000, exclusions=("sale", "voice"), effective_from=NOVEMBER)
        versions.record(connection, [Content(POLICY, rule.id, canonical(rule))], 1)
    place.book(NOVEMBER, "topup", "cash", ANN, 30 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 12 * POUND)
    place.book(NOVEMBER, "sale", ANN, "revenue", 5 * POUND, reference="sale:1")
    with place.reader.connect() as connection:
        found = [each.detail for each in check(connection, recompute, EVIDENCE_KEY).findings]
    assert not any("no tenth" in each for each in found), "what is swept may have been of a service that is left out"
    place.close()
