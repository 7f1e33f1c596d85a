"""What comes into the charity account: booked once, by the bank's lines or by hand, and the books agree with the bank."""

import pytest
from sqlalchemy import select
from support.bank_files import balance, entry, payment, statement
from support.lane_fixture import EVIDENCE_KEY
from support.payout_fixture import ANN, DAY, DECEMBER, JANUARY, LONDON, NOVEMBER, POUND, Place, paid

from gateway.bank import camt
from gateway.charity.bank_matching import said_by_statements
from gateway.charity.policies import recompute
from gateway.charity.receipts import (
    BookReceipt,
    CampaignSums,
    Receipt,
    Senders,
    booked_balance,
    campaign_sums,
    identity_of,
)
from gateway.ledger import accounts
from gateway.ledger.check import check
from gateway.store.engine import reading
from gateway.store.evidence import Evidence
from gateway.store.idempotency import KeyConflict
from gateway.store.tables import matched_sums, transfers

SENDERS = Senders({"winter-2026": "GBP"}, "charity-account", frozenset({"GBP", "EUR"}))


@pytest.fixture
def place(tmp_path):
    place = Place(f"sqlite:///{tmp_path}/t.db")
    yield place
    place.close()


def line(amount, words, *, returned="", **said):
    details = payment("NOTPROVIDED", remittance=words, returned=returned)
    return entry(amount, **{"reference": "B-1", **said}, details=details)


def receipts(*lines):
    found = said_by_statements(camt.read(statement(*lines)), SENDERS, LONDON)
    return [(each.campaign, each.amount // 10_000, each.back) for each in found.receipts], found.others


def sums(place):
    with reading(place.reader) as connection:
        return campaign_sums(connection), booked_balance(connection, 1 << 60)


def by_hand(place, amount, reference="FT-1", campaign="", **parts):
    receipt = Receipt(identity_of(campaign, reference), reference, campaign, amount, "GBP", DECEMBER, **parts)
    return place.lane.run(BookReceipt(receipt))


def matched(place, amount):
    """A gift that the campaign matched."""
    name = accounts.matcher_account("winter-2026")
    with place.writer.begin() as connection:
        made = accounts.ensure(connection, [name])
        Evidence(EVIDENCE_KEY, place.node.id).append(connection, {"accounts": made.made}, next(place.ticks))
        place.accounts = made.numbers
        connection.execute(matched_sums.insert().values(campaign="winter-2026", currency="GBP", amount=amount))
    place.book(NOVEMBER, "match", name, "gifts:wateraid", amount, reference="match:1:winter-2026")


def test_a_line_is_a_matchers_or_the_companys_by_its_words_and_what_says_neither_or_both_is_left_to_a_person():
    lines = [
        line("250.00", "WINTER-2026 thanks", reference="B-1"),
        line("80.00", "Charity-Account November", reference="B-2"),
        line("5.00", "charity-account", credit=False, reference="B-3"),
        line("1.00", "winter-2026 charity-account", reference="B-4"),
        line("2.00", "interest", reference="B-5"),
        line("3.00", "winter-2026", reference="B-6", returned="AC04"),
        line("0.00", "charity-account", reference="B-7"),
        line("1000000000.01", "charity-account", reference="B-8"),
    ]
    found, others = receipts(*lines)
    assert found == [("winter-2026", 25_000, False), ("", 8_000, False), ("", 500, True)]
    assert [why.partition(":")[0] for why in others] == [f"line {place} of statement S-1" for place in (4, 5, 6, 7, 8)]
    (why,) = receipts(line("9.00", "winter-2026", currency="EUR"))[1]
    assert why == "line 1 of statement S-1: campaign winter-2026 is in GBP"
    (why,) = receipts(line("9.00", "charity-account", currency="USD"))[1]
    assert why == "line 1 of statement S-1: charity.accounts has none in USD"


def test_what_a_matcher_paid_is_booked_once_and_what_it_owes_still_is_shown(place):
    matched(place, 300 * POUND)
    data = statement(line("250.00", "winter-2026"))
    assert (place.settle(data).received, place.settle(data).repeated) == (1, 1)
    assert by_hand(place, 10 * POUND, campaign="winter-2026") is True
    assert by_hand(place, 10 * POUND, campaign="winter-2026") is False
    assert isinstance(by_hand(place, 11 * POUND, campaign="winter-2026"), KeyConflict)
    assert by_hand(place, 10 * POUND, reference="FT-2", campaign="winter-2026", back=True) is True
    found, booked = sums(place)
    assert found == {"winter-2026": [CampaignSums("GBP", 300 * POUND, 250 * POUND)]}
    assert (found["winter-2026"][0].owed, booked) == (50 * POUND, {"GBP": 250 * POUND})
    with place.reader.connect() as connection:
        wrong = check(connection, recompute, EVIDENCE_KEY).findings
    assert [each for each in wrong if each.check == "gift" or "match_paid" in each.detail] == []


def test_a_line_that_was_booked_on_no_day_counts_from_its_value_day_or_from_now(place):
    place.ticks.now = JANUARY
    for reference, value_day in (("B-1", "2026-12-03"), ("B-2", "")):
        place.settle(statement(line("1.00", "charity-account", reference=reference, day="", value_day=value_day)))
    with reading(place.reader) as connection:
        rows = connection.execute(select(transfers.c.event_at, transfers.c.at).order_by(transfers.c.id)).all()
    noon_of_the_third = 1_796_299_200_000_000
    assert [row.event_at for row in rows] == [noon_of_the_third, rows[1].at]


def test_the_books_of_the_charity_account_are_what_its_bank_says_at_the_end_of_each_day(place):
    place.ticks.now = JANUARY
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER + DAY, ANN, 7_500_000, wateraid=750_000)
    place.confirm("2026-11", JANUARY)
    place.details()
    number = place.pay().payments[0].id
    assert by_hand(place, 5 * POUND, "opening") is True
    data = statement(
        balance("OPBD", "5.00"),
        line("1.00", "charity-account", reference="B-9"),
        balance("CLBD", "6.00", day="2026-12-04"),
    )
    assert place.settle(data).received == 1
    place.settle(paid(number, "0.75"))
    fifth = 1_796_428_800_000_000
    with reading(place.reader) as connection:
        assert booked_balance(connection, fifth) == {"GBP": 5_250_000}, "both lines are of 4 December"
        assert booked_balance(connection, fifth - 86_400_000_000) == {"GBP": 5_000_000}
    assert place.findings() == []
