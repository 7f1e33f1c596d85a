"""The tenth from a charge to the cause's bank account and back: each trap of a month's giving, on a store."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert
from support.bank_files import entry, payment, statement
from support.payout_fixture import AID, ANN, BEN, DAY, DECEMBER, JANUARY, NOVEMBER, PAYER, POUND, Place, paid, returned

from gateway.bank import camt
from gateway.bank.accounts import BankAccount
from gateway.charity import bank_details
from gateway.charity.bank_details import ApproveDetails, DetailsRefused
from gateway.charity.bank_matching import Said, SettleFile, said_by_statements
from gateway.charity.causes import Agreement, Cause, Registration, obstacle
from gateway.charity.closed_causes import gone_unassigned
from gateway.charity.confirmation import MonthRefused, ReleaseConfirmed
from gateway.charity.payouts import ApprovePayout, MakePayout, Payee, PayoutRefused, end_to_end_id, file_of
from gateway.charity.policies import CHARGED, GROSS, Policy
from gateway.charity.policy_comparison import compare
from gateway.charity.profit_share import BookProfitShare, NotConfirmed, divide, share_of, weights
from gateway.charity.remittance import Needed, needed, remittances
from gateway.charity.standings import Roads, Standing
from gateway.charity.tenth_states import PAGE, TABLE, State, Stream, Way, page
from gateway.ledger.balances import journal_totals
from gateway.ledger.journal import read
from gateway.store.engine import reading
from gateway.store.tables import transfers

US = BankAccount("Example Mobile US", routing="021000021", account="1234567")
ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def place(tmp_path):
    place = Place(f"sqlite:///{tmp_path}/t.db")
    yield place
    place.close()


def test_a_tenth_goes_from_its_charge_to_the_cause_and_the_books_are_right(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER + DAY, ANN, 7_500_000, wateraid=750_000)
    assert place.confirm("2026-11", JANUARY).moves == 2
    assert place.confirm("2026-11", JANUARY) is None
    assert (place.standing().payable, place.standing().moved) == (750_000, 750_000)
    place.details()
    payout = place.pay()
    assert [each.amount for each in payout.payments] == [750_000]
    with reading(place.reader) as connection:
        state, octets = file_of(connection, place.sealer, payout.sha256)
    assert state == "approved"
    assert b"12345678" in octets
    number = payout.payments[0].id
    settled = place.settle(paid(number, "0.75"))
    assert (settled.paid, settled.unmatched) == (1, [])
    assert place.settle(paid(number, "0.75")).repeated == 1
    assert place.standing() == Standing(moved=750_000, paid=750_000)
    assert place.findings() == []


def test_a_rule_whose_trigger_is_the_charge_confirms_what_is_never_paid_and_any_other_rule_waits(place):
    rule = Policy("2028-1", base=GROSS, rate=1_000, trigger=CHARGED)
    place.charge(NOVEMBER, ANN, 7_500_000, policy=rule.id, wateraid=750_000)
    place.charge(NOVEMBER, BEN, 2_500_000, wwf=250_000)
    place.confirm("2026-11", JANUARY, policies=[rule])
    assert (place.standing().payable, place.standing("wwf").payable) == (750_000, 0)
    assert place.findings() == []


@pytest.mark.parametrize(("form", "account"), [("pain.001.001.03", AID), ("pain.001.001.09", AID), ("nacha", US)])
def test_a_file_whose_day_is_over_is_not_approved_and_says_what_to_do(place, form, account):
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 10 * POUND, wateraid=POUND)
    place.confirm("2026-11", JANUARY)
    place.details(account=account)
    payee = Payee("wateraid", 0, due=False)
    payer = US if form == "nacha" else PAYER
    made = place.lane.run(MakePayout("2026-11", "GBP", form, "TPO", payer, "2026-12-07", "ann", [payee]))
    refused = place.lane.run(ApprovePayout(made.sha256, "ben", "2026-12-08"))
    assert (refused.code, refused.why) == (
        "payout.day",
        "the day on which it has the bank pay, 2026-12-07, is over: make it anew, for today or later",
    )
    assert place.standing().payable == POUND, "nothing moved"
    assert place.lane.run(ApprovePayout(made.sha256, "ben", "2026-12-07")).id == made.id


def test_only_another_person_approves_exactly_the_file_that_was_made_and_once(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 10 * POUND, wateraid=POUND)
    place.confirm("2026-11", JANUARY)
    place.details()
    old, made = place.make(), place.make()
    codes = [
        place.lane.run(ApprovePayout(sha256, actor, "2026-12-05"))
        for sha256, actor in ((made.sha256, "ann"), (old.sha256, "ben"), ("0" * 64, "ben"))
    ]
    assert [each.code for each in codes] == ["payout.same_person", "payout.unknown", "payout.unknown"]
    assert place.lane.run(ApprovePayout(made.sha256, "ben", "2026-12-05")).id == made.id
    assert place.lane.run(ApprovePayout(made.sha256, "cat", "2026-12-05")).code == "payout.approved"
    assert place.standing().instructed == POUND


def test_a_file_that_pays_more_than_is_payable_by_now_is_not_approved(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    usage = place.charge(NOVEMBER, ANN, 10 * POUND, wateraid=POUND)
    place.confirm("2026-11", JANUARY)
    place.details()
    made = place.make()
    place.book(DECEMBER + DAY, "refund", "revenue", ANN, 10 * POUND, usage=usage, reference="refund:1")
    place.book(DECEMBER + DAY, "accrual_reversal", "cause:wateraid", "giving", POUND, usage=usage, reference="refund:1")
    place.confirm("2026-12", JANUARY + 2 * DAY)
    refused = place.lane.run(ApprovePayout(made.sha256, "ben", "2026-12-05"))
    assert isinstance(refused, PayoutRefused)
    assert refused.code == "payout.outdated"


def test_a_chargeback_after_payment_is_a_receivable_against_the_next_payment(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 10 * POUND, wateraid=POUND)
    place.confirm("2026-11", JANUARY)
    place.details()
    place.settle(paid(place.pay().payments[0].id, "1.00"))
    place.book(DECEMBER + DAY, "chargeback", ANN, "cash", 10 * POUND, reference="shop-1")
    place.book(DECEMBER + DAY, "topup", "cash", BEN, 10 * POUND, reference="shop-2")
    place.charge(DECEMBER + DAY, BEN, 4 * POUND, wateraid=400_000)
    place.confirm("2026-12", JANUARY + 2 * DAY)
    assert place.standing().payable == -600_000
    skipped = place.make().skipped
    assert [(each.amount, each.why) for each in skipped] == [(-600_000, "a receivable, against the next payment")]
    assert place.remittance(DECEMBER, JANUARY).is_exact
    assert [each for each in place.findings() if each.check == "tenth_state"] == []


def test_a_returned_payment_is_payable_again_and_a_rejected_one_too(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 10 * POUND, wateraid=POUND)
    place.confirm("2026-11", JANUARY)
    place.details()
    number = place.pay().payments[0].id
    both = place.settle(paid(number, "1.00"), returned(number, "1.00"))
    assert (both.paid, both.returned) == (1, 1)
    assert place.standing().payable == POUND
    again = place.pay().payments[0].id
    rejected = [Said(f"rejected:{again}", "rejected", again, 0, "", "AC04")]
    assert place.lane.run(SettleFile(rejected, [], [])).rejected == 1
    assert place.lane.run(SettleFile(rejected, [], [])).repeated == 1
    assert place.standing().payable == POUND
    assert place.findings() == []


def test_a_report_that_rejects_a_file_and_each_of_its_payments_rejects_each_once(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 10 * POUND, wateraid=POUND)
    place.confirm("2026-11", JANUARY)
    place.details()
    made = place.pay()
    said = [Said(f"rejected:{each}", "rejected", each, 0, "", "AC04") for each in (made.id, made.payments[0].id)]
    found = place.lane.run(SettleFile(said, [], []))
    assert (found.rejected, found.repeated, found.unmatched) == (1, 1, [])
    assert (place.standing().payable, place.standing().instructed) == (POUND, 0)
    assert place.findings() == []


def test_what_the_bank_says_otherwise_moves_nothing_and_is_told_of(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 10 * POUND, wateraid=POUND)
    place.confirm("2026-11", JANUARY)
    place.details()
    number = place.pay().payments[0].id
    settled = place.settle(paid(number, "1.01"), returned(number, "1.00"), paid(99, "1.00"))
    assert [why.partition(": ")[2] for why in settled.unmatched] == [
        "the bank says another amount",
        "it is instructed, not paid",
        "it is none of ours",
    ]
    assert place.standing().instructed == POUND


def test_what_a_bank_takes_back_of_a_return_and_money_from_elsewhere_are_left_to_a_person(place):
    reversed_return = entry("1.00", credit=False, reference="R-3", details=payment("T1", returned="AC04"))
    elsewhere = entry("5.00", reference="R-4", details=payment("T1"))
    found = said_by_statements(camt.read(statement(reversed_return, elsewhere)))
    assert (found.said, found.receipts, len(found.others)) == ([], [], 2)


def test_a_whole_file_that_the_bank_books_as_one_line_pays_all_of_it(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 10 * POUND, wateraid=POUND)
    place.book(NOVEMBER, "gift", ANN, "gifts:wateraid", 0 + POUND // 2, reference="gift:1")
    place.book(NOVEMBER, "topup", "cash", ANN, POUND, reference="shop-2")
    place.confirm("2026-11", JANUARY)
    place.details()
    payout = place.pay()
    assert [(each.stream, each.amount) for each in payout.payments] == [("tenth", POUND), ("gift", POUND // 2)]
    one = entry(
        "1.50",
        credit=False,
        reference="B",
        details=payment("NOTPROVIDED", more=f"<PmtInfId>{end_to_end_id(payout.id)}</PmtInfId>"),
    )
    assert place.settle(statement(one)).paid == 2
    assert place.findings() == []


def test_below_the_threshold_it_is_carried_until_it_has_waited_as_long_as_it_may(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 10 * POUND, wateraid=1_005_000)
    place.confirm("2026-11", JANUARY)
    place.details()
    carried = place.make(threshold=5 * POUND)
    assert (carried.id, carried.skipped[0].why) == (0, "less than the threshold: carried")
    assert place.pay(threshold=5 * POUND, due=True).payments[0].amount == POUND
    assert place.standing().payable == 5_000


def test_what_a_wallet_owes_waits_and_a_paid_bill_confirms_it(place):
    place.charge(NOVEMBER, ANN, 5 * POUND, wateraid=500_000)
    place.book(NOVEMBER, "topup", "cash", ANN, POUND, reference="shop-1")
    place.confirm("2026-11", JANUARY)
    assert place.standing().payable == 100_000
    place.book(DECEMBER + DAY, "payment", "cash", ANN, 4 * POUND, reference="bill-1")
    place.confirm("2026-12", JANUARY + 2 * DAY)
    assert place.standing().payable == 500_000


def test_what_a_payer_lent_and_owes_makes_the_members_tenth_wait(place):
    place.book(NOVEMBER, "family", ANN, BEN, 4 * POUND, reference=f"family:{BEN}")
    place.charge(NOVEMBER, BEN, 4 * POUND, wateraid=400_000)
    place.book(NOVEMBER, "topup", "cash", ANN, POUND, reference="shop-1")
    place.confirm("2026-11", JANUARY)
    assert place.standing().payable == 100_000


def test_wallets_in_debt_are_read_group_by_group_and_back_to_where_their_debt_began(place, monkeypatch):
    monkeypatch.setattr("gateway.charity.unpaid_reading.GROUP", 2)
    for wallet in range(ANN, ANN + 5):
        place.charge(NOVEMBER - 70 * DAY, wallet, POUND, wateraid=100_000)
        place.charge(NOVEMBER, wallet, POUND, wwf=100_000)
        place.book(NOVEMBER, "topup", "cash", wallet, POUND // 2, reference=f"shop-{wallet}")
    place.confirm("2026-11", JANUARY)
    assert (place.standing().payable, place.standing("wwf").payable) == (5 * 50_000, 0)


def test_what_is_written_off_was_never_paid(place):
    place.charge(NOVEMBER, ANN, 5 * POUND, wateraid=500_000)
    place.book(NOVEMBER + DAY, "settlement", "write-offs", ANN, 5 * POUND, reference="order:1")
    place.confirm("2026-11", JANUARY)
    assert place.standing() == Standing()


def test_late_usage_after_the_month_belongs_to_the_next_and_months_go_in_order(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 2 * POUND, wateraid=200_000)
    place.confirm("2026-11", JANUARY)
    usage = next(place.numbers)
    place.book(DECEMBER + DAY, "charge", ANN, "revenue", POUND, usage=usage, event_at=NOVEMBER)
    place.book(DECEMBER + DAY, "accrual", "giving", "cause:wateraid", 100_000, usage=usage, event_at=NOVEMBER)
    with pytest.raises(MonthRefused, match="2026-12 is the next"):
        place.confirm("2027-01", JANUARY + 90 * DAY)
    with pytest.raises(MonthRefused, match="an hour after its end"):
        place.confirm("2026-12", JANUARY - DAY)
    place.confirm("2026-12", JANUARY + 2 * DAY)
    assert place.standing().payable == 300_000
    line = place.remittance(DECEMBER, JANUARY)
    assert (line.opening, line.accrued, line.closing, line.is_exact) == (200_000, 100_000, 300_000, True)


def test_a_cause_that_may_not_be_paid_keeps_its_money_where_it_shows(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 10 * POUND, wateraid=POUND)
    place.confirm("2026-11", JANUARY, payable=())
    assert (place.standing().confirmed, place.standing().payable) == (POUND, 0)
    place.confirm("2026-12", JANUARY + 2 * DAY)
    assert (place.standing().confirmed, place.standing().payable) == (0, POUND)


def test_a_cause_that_closed_hands_on_what_it_has_to_its_named_successor_and_nothing_twice(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 20 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 10 * POUND, wateraid=POUND)
    place.confirm("2026-11", JANUARY)
    place.charge(DECEMBER + DAY, ANN, 2 * POUND, wateraid=200_000)
    place.confirm("2026-12", JANUARY + 2 * DAY, payable=[("wwf", "GBP")], successors={"wateraid": "wwf"})
    assert place.standing("wwf").payable == 1_200_000
    assert place.standing() == Standing(moved=1_200_000, handed=1_200_000)
    place.confirm("2027-01", JANUARY + 60 * DAY, payable=[("wwf", "GBP")], successors={"wateraid": "wwf"})
    assert place.standing("wwf").payable == 1_200_000
    assert place.findings() == []


def test_a_file_to_an_account_that_was_changed_since_it_was_made_is_not_approved(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 10 * POUND, wateraid=POUND)
    place.confirm("2026-11", JANUARY)
    place.details()
    made = place.make()
    place.details(account=msgspec.structs.replace(AID, account="87654321"))
    place.ticks.now += 8 * DAY
    refused = place.lane.run(ApprovePayout(made.sha256, "ben", "2026-12-05"))
    assert (refused.code, place.standing().instructed) == ("payout.outdated", 0)
    again = place.make()
    assert place.lane.run(ApprovePayout(again.sha256, "ben", "2026-12-05")).id == again.id
    with reading(place.reader) as connection:
        assert b"87654321" in file_of(connection, place.sealer, again.sha256)[1]


def test_an_account_that_the_file_of_the_bank_cannot_name_is_left_out_and_said_to_be(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 10 * POUND, wateraid=POUND)
    place.confirm("2026-11", JANUARY)
    place.details(account=BankAccount("WaterAid America", routing="021000021", account="12345"))
    made = place.make()
    assert (made.id, [each.why for each in made.skipped]) == (0, ["its account is none of pain.001.001.09"])


def test_bank_details_need_two_people_and_a_change_seven_days(place):
    refused = place.details(approver="ann")
    assert isinstance(refused, DetailsRefused)
    first, second = place.details(), place.details(account=msgspec.structs.replace(AID, account="87654321"))
    with reading(place.reader) as connection:
        now = place.ticks.now
        assert bank_details.in_force(connection, "wateraid", "GBP", now)[0] == first.id
        assert bank_details.in_force(connection, "wateraid", "GBP", now + 8 * DAY)[0] == second.id
        sealed = bank_details.in_force(connection, "wateraid", "GBP", now)[1]
    assert bank_details.opened(place.sealer, "wateraid", "GBP", sealed) == AID
    assert b"12345678" not in sealed
    assert place.lane.run(ApproveDetails(first.id, "cat")).code == "bank.approved"


def test_the_charity_account_has_to_cover_what_is_payable_and_all_gifts(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 20 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 10 * POUND, wateraid=POUND)
    place.book(NOVEMBER, "gift", ANN, "gifts:wwf", 3 * POUND, reference="gift:1")
    place.confirm("2026-11", JANUARY, payable=[("wateraid", "GBP")])
    with reading(place.reader) as connection:
        assert needed(remittances(connection, 0, 1 << 60)) == {"GBP": Needed(POUND, 3 * POUND)}
    assert [Needed(POUND, 3 * POUND).without(owed) // POUND for owed in (-1, 0, 2 * POUND, 9 * POUND)] == [4, 4, 2, 1]


def test_a_profit_share_goes_by_confirmed_tenths_exactly_and_is_booked_once(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 40 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 20 * POUND, wateraid=POUND, wwf=POUND)
    usage = next(place.numbers)
    place.book(NOVEMBER, "charge", ANN, "revenue", 10 * POUND, usage=usage)
    place.book(NOVEMBER, "accrual", "giving", "unassigned", POUND, usage=usage)
    with reading(place.reader) as connection, pytest.raises(NotConfirmed):
        weights(connection, "2026-11", "2026-11", "GBP")
    place.confirm("2026-11", JANUARY)
    with reading(place.reader) as connection:
        found = weights(connection, "2026-11", "2026-11", "GBP")
    share = share_of(400)
    parts = divide(share, found)
    assert parts == {"unassigned": 34, "wateraid": 33, "wwf": 33}
    unit = BookProfitShare("2026-11", "profit", 400, share, "GBP", parts, "ann")
    assert [place.lane.run(unit).repeated for _ in range(2)] == [False, True]
    for period, amount in (("2026-11", 401), ("2026", 400)):  # a penny more, and the year around the month
        other = msgspec.structs.replace(unit, period=period, amount=amount)
        assert place.lane.run(other).code == "profit.booked"
    empty = msgspec.structs.replace(unit, period="2026-10", parts={})
    assert place.lane.run(empty).code == "profit.nothing"
    place.confirm("2026-12", JANUARY + 2 * DAY)
    assert place.standing().payable == POUND + 33
    assert place.remittance(JANUARY, JANUARY + 400 * DAY).is_exact
    assert place.findings() == []


def test_another_rule_is_compared_by_the_bases_that_accruals_are_stamped_with(place):
    usage = next(place.numbers)
    with place.writer.begin() as connection:
        row = (
            usage + 1,
            NOVEMBER,
            "accrual",
            place.accounts["giving"],
            place.accounts["cause:wwf"],
            375_000,
            "GBP",
            NOVEMBER,
        )
        row += (usage, 7_500_000, "2026-1", 5_000, None)
        connection.execute(insert(transfers).values(dict(zip(transfers.c.keys(), row, strict=True))))
    for policy, would_be in (
        (Policy("net", base="net", rate=1_000, tax=2_000), 312_500),
        (Policy("none", base="gross", rate=1_000, exclusions=("usage",)), 0),
        (Policy("same", base="gross", rate=1_000), 375_000),
    ):
        with reading(place.reader) as connection:
            (found,) = compare(connection, NOVEMBER, DECEMBER, policy)
        assert (found.accrued, found.would_be) == (375_000, would_be)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE cause_sums SET payable = payable + 1", "payable says"),
        ("UPDATE cause_sums SET paid = paid + 1", "its states add up to"),
        ("UPDATE cause_sums SET handed = handed + 1, moved = moved + 1", "what causes handed on"),
        ("UPDATE cause_payments SET amount = amount + 1", "its payments"),
        ("DELETE FROM cause_sums", "its payments"),
        ("UPDATE cause_payments SET cause = 'wwf'", "was changed since it was booked"),
        ("UPDATE payouts SET approver = 'mallory'", "was changed since it was booked"),
        ("UPDATE bank_details SET sealed = x'00'", "was changed since it was booked"),
    ],
)
def test_what_was_changed_of_states_payments_files_and_details_is_named(place, damage, words):
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 10 * POUND, wateraid=POUND)
    place.confirm("2026-11", JANUARY)
    place.details()
    place.settle(paid(place.pay().payments[0].id, "1.00"))
    assert place.findings() == []
    with place.writer.begin() as connection:
        assert connection.exec_driver_sql(damage).rowcount
    assert any(words in each.detail for each in place.findings()), place.findings()


def test_entries_of_what_single_causes_are_owed_stand_in_the_journal_with_the_right_alone(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 10 * POUND, wateraid=POUND)
    place.confirm("2026-11", JANUARY)
    with reading(place.reader) as connection:
        hidden = {each.kind for each in read(connection, after=0, limit=100)}
        shown = {each.kind for each in read(connection, after=0, limit=100, causes=True)}
    assert shown - hidden == {"confirm", "release"}


def test_what_a_closed_cause_has_after_its_customers_were_asked_goes_to_unassigned_but_its_gifts_stay(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 20 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 10 * POUND, wateraid=POUND)
    place.book(NOVEMBER, "gift", ANN, "gifts:wateraid", 3 * POUND, reference="gift:1")
    place.confirm("2026-11", JANUARY, payable=(), unassigned=["wateraid"])
    assert (place.standing().confirmed, place.standing().handed) == (0, POUND)
    assert place.standing(stream=Stream.GIFT).confirmed == 3 * POUND
    assert place.lane.run(ReleaseConfirmed(Roads(unassigned=frozenset({"wateraid"})))) == 0
    with reading(place.reader) as connection:
        totals = journal_totals(connection)
        assert sum(gone_unassigned(connection).values()) == POUND
    assert totals[place.accounts["unassigned"], "GBP"] == POUND
    assert place.remittance(0, 1 << 60).is_exact
    assert place.findings() == []
    place.confirm("2026-12", JANUARY + 40 * DAY, payable=(), unassigned=["wateraid"])
    assert place.standing().handed == POUND, "what went on is not confirmed again"


def test_a_closed_cause_that_may_be_paid_still_is_paid_also_after_its_customers_were_asked(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 20 * POUND, reference="shop-1")
    place.charge(NOVEMBER, ANN, 10 * POUND, wateraid=POUND)
    place.confirm("2026-11", JANUARY, unassigned=["wateraid"])
    assert (place.standing().payable, place.standing().handed) == (POUND, 0)


def test_of_a_loss_causes_are_given_nothing():
    assert [share_of(amount) for amount in (-400, 0, 400)] == [0, 0, 100]
    assert divide(100, {"wwf": -5}) == {}


@given(
    st.integers(0, 10**15), st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(-5, 10**12), max_size=8)
)
def test_a_share_is_divided_without_a_rest(whole, by):
    parts = divide(whole, by)
    assert sum(parts.values()) == (whole if any(weight > 0 for weight in by.values()) else 0)


@given(st.lists(st.tuples(st.sampled_from(list(Way)), st.integers(1, 10**9)), max_size=30))
def test_whatever_way_money_goes_the_states_sums_are_constant(steps):
    standing = Standing()
    for way, amount in steps:
        if way not in (Way.SUCCEED, Way.UNASSIGN):
            standing.move(way, amount)
        assert standing.is_whole


def test_the_page_of_states_is_current_and_every_state_can_be_left_and_reached():
    assert page() == (ROOT / PAGE).read_text()
    assert {step.after for step in TABLE.values()} >= set(State) - {State.ACCRUED}


AGREED = Agreement("2026-01-01", "2026-02-01", "GBP", "bacs", ends="2026-12-31", transmit_within=60)
GOOD = Cause(
    "wateraid", "WaterAid", "GB", "GB-CHC", "288701", vetting="approved", statement="a tenth", agreement=AGREED
)
REGISTER = {("GB-CHC", "288701"): Registration("GB-CHC", "288701", "WATERAID", "registered", "2026-11-01")}


@pytest.mark.parametrize(
    ("change", "register", "why"),
    [
        ({}, REGISTER, ""),
        ({"vetting": "applied"}, REGISTER, "vetting is applied"),
        ({"agreement": None}, REGISTER, "no agreement"),
        ({"agreement": msgspec.structs.replace(AGREED, ends="2026-11-30")}, REGISTER, "not in force"),
        ({"agreement": msgspec.structs.replace(AGREED, currency="USD")}, REGISTER, "in the currency that accrued"),
        ({}, {}, "no extract"),
        ({"number": "288702"}, REGISTER, "no extract"),
        ({}, {("GB-CHC", "288701"): msgspec.structs.replace(*REGISTER.values(), status="removed")}, "it is removed"),
    ],
)
def test_a_cause_is_paid_only_with_an_agreement_vetted_and_in_its_register(change, register, why):
    assert why in obstacle(msgspec.structs.replace(GOOD, **change), "GBP", "2026-12-05", register)
    assert bool(why) == bool(obstacle(msgspec.structs.replace(GOOD, **change), "GBP", "2026-12-05", register))


def test_a_cause_that_may_be_paid_only_after_a_month_was_confirmed_does_not_wait_for_the_next_one(place):
    place.book(NOVEMBER, "topup", "cash", ANN, 10 * POUND, reference="shop-1")
    place.charge(NOVEMBER + DAY, ANN, 7_500_000, wateraid=750_000)
    assert place.lane.run(ReleaseConfirmed(Roads(frozenset({("wateraid", "GBP")})))) == 0
    place.confirm("2026-11", JANUARY, payable=())
    assert place.standing() == Standing(moved=750_000, confirmed=750_000)
    assert place.lane.run(ReleaseConfirmed(Roads(frozenset({("wateraid", "GBP")})))) == 1
    assert place.lane.run(ReleaseConfirmed(Roads(frozenset({("wateraid", "GBP")})))) == 0
    assert place.standing() == Standing(moved=750_000, payable=750_000)
    assert place.lane.run(ReleaseConfirmed(Roads(successors={"wateraid": "wwf"}))) == 2
    assert (place.standing().handed, place.standing("wwf").confirmed) == (750_000, 750_000)
    assert place.findings() == []
