"""Money in: a line of a bank's file pays its bill once, what a bank takes back is taken back once, and the rest is listed."""

import pytest
from support.bank_files import entry, payment, statement
from support.billing_fixture import DAY, billing_place

from gateway.balance.topups import Payment
from gateway.bank import camt
from gateway.bank.xml import BankFileInvalid
from gateway.billing.bank_lines import BankPayment, matches
from gateway.billing.payments import PayBill, PaymentRefused, TakeBack
from gateway.billing.references import bill_numbers, reference_of
from gateway.cli.bank_files import lines_of
from gateway.cli.errors import CommandFailed
from gateway.store.idempotency import KeyConflict

POUND = 1_000_000


@pytest.fixture
def place(tmp_path):
    with billing_place(f"sqlite:///{tmp_path}/tpo.db") as place:
        place.line = place.enrol(5 * POUND)
        place.close_month()
        yield place


def pay(place, reference="b1", amount=2 * POUND, currency="GBP", payer="E2E-1"):
    unit = PayBill(Payment("bank", reference, amount, currency), place.ticks.now, payer, "ann", place.line)
    return place.lane.run(unit)


def take_back(place, reference="r1", amount=2 * POUND, original="b1"):
    return place.lane.run(
        TakeBack(Payment("bank", reference, amount, "GBP"), place.ticks.now, "E2E-1", "ann", original)
    )


def kinds(place):
    with place.reading() as connection:
        from gateway.store.tables import transfers

        return [row.kind for row in connection.execute(transfers.select().order_by(transfers.c.id))]


def test_a_payment_is_booked_once_and_its_reference_is_nobody_elses(place):
    assert pay(place).balance == 7 * POUND
    again = pay(place)
    assert (again.repeated, again.balance) == (True, 7 * POUND)
    assert isinstance(pay(place, amount=POUND), KeyConflict)
    assert pay(place, "b2", currency="EUR").code == "payment.currency"
    assert kinds(place).count("payment") == 1


def test_payments_of_as_much_are_alike_for_a_few_days_by_another_channel_alone(place):
    def by_shop(reference):
        unit = PayBill(Payment("shop", reference, 2 * POUND, "GBP"), place.ticks.now, reference, "ann", place.line)
        return place.lane.run(unit).alike

    assert pay(place).alike == ""
    place.ticks.skip(4 * DAY)
    assert [by_shop("s1"), pay(place, "b2").alike] == ["b1", "s1"]
    place.ticks.skip(6 * DAY)
    assert [by_shop("s2"), pay(place, "b3", amount=POUND).alike] == ["", ""], (
        "a month's bill is often as much as the last"
    )
    other = place.enrol(5 * POUND, imsi="234150000000009", msisdn="447700900009")
    unit = PayBill(Payment("bank", "b4", 2 * POUND, "GBP"), place.ticks.now, "", "ann", other)
    assert place.lane.run(unit).alike == ""


def test_what_a_bank_takes_back_is_booked_once_and_never_more_than_was_paid(place):
    pay(place)
    assert take_back(place, amount=3 * POUND).code == "payment.amount"
    assert isinstance(take_back(place, original="unknown"), PaymentRefused)
    assert take_back(place).balance == 5 * POUND
    assert take_back(place).repeated
    assert kinds(place).count("chargeback") == 1


def test_a_return_that_a_bank_tells_of_by_two_references_is_booked_once_and_a_debit_that_is_collected_again_may_return(
    place,
):
    pay(place)
    assert take_back(place, amount=POUND).balance == 6 * POUND
    assert take_back(place, "r2").code == "payment.amount"
    assert take_back(place, "r3", amount=POUND).balance == 5 * POUND
    assert take_back(place, "r4", amount=1).code == "payment.amount"
    assert pay(place, "b2").balance == 7 * POUND
    line = BankPayment("x", 2 * POUND, "GBP", 1, credit=False, returned="MD06", payer_reference="E2E-1")
    with place.reading() as connection:
        (found,) = matches(connection, [line])
    assert take_back(place, "r5", original=found.original).balance == 5 * POUND
    assert kinds(place).count("chargeback") == 3


def test_lines_are_matched_by_the_reference_of_a_bill_and_returns_by_the_payers_own(place):
    pay(place)
    reference = reference_of(1)
    grouped = f"thank you {reference[:4]} {reference[4:]}"

    def line(**more):
        given = {"reference": "x", "amount": 1, "currency": "GBP", "event_at": 1, "credit": True} | more
        return BankPayment(**given)

    lines = [
        line(texts=(f"for {reference}",)),
        line(texts=(grouped,)),
        line(texts=("bill 1",)),
        line(texts=(reference_of(99),)),
        line(credit=False, returned="MD06", payer_reference="E2E-1"),
        line(credit=False, returned="MD06", payer_reference="other"),
        line(returned="AC04", texts=(reference,)),
    ]
    with place.reading() as connection:
        found = matches(connection, lines)
    assert [(each.bill, each.original, bool(each.why)) for each in found] == [
        (1, "", False),
        (1, "", False),
        (0, "", True),
        (0, "", True),
        (0, "b1", False),
        (0, "", True),
        (0, "", True),
    ]


def test_a_mistyped_reference_names_no_bill():
    right = reference_of(1234567)
    assert bill_numbers(right) == {1234567}
    for place in range(2, len(right)):
        wrong = f"{right[:place]}{(int(right[place]) + 1) % 10}{right[place + 1 :]}"
        assert bill_numbers(wrong) == set(), wrong


def test_camt_and_csv_are_read_into_the_same_lines_whatever_version(tmp_path):
    for version in ("camt.053.001.02", "camt.053.001.08"):
        newer = version.endswith("08")
        inner = payment(reference_of(1), newer=newer)
        file = tmp_path / f"{version}.xml"
        file.write_bytes(statement(entry("2.00", details=inner, newer=newer), version=version))
        (line,) = lines_of(file)
        assert (line["amount"], line["currency"], line["credit"], line["payer_reference"]) == (
            "2.00",
            "GBP",
            True,
            reference_of(1),
        )
    csv = tmp_path / "paid.csv"
    csv.write_text(f"reference,amount,currency,date,bill\nb1,2.00,GBP,2026-12-01,{reference_of(1)}\n")
    (line,) = lines_of(csv)
    assert (line["reference"], line["amount"], line["texts"]) == ("b1", "2.00", [reference_of(1)])


def test_the_direction_of_a_reversal_is_that_of_its_own_entry_and_what_was_paid_out_is_left_out(tmp_path):
    inner = payment(reference_of(1))
    file = tmp_path / "reversals.xml"
    file.write_bytes(
        statement(
            entry("1.00", credit=False, details=inner, reversal=True),
            entry("2.00", credit=True, details=inner, reversal=True),
            entry("3.00", credit=False, details=payment(reference_of(1), returned="AC04"), reversal=True),
            entry("4.00", credit=False, details=inner, family="UPDD"),
            entry("5.00", credit=False, details=inner),
        )
    )
    found = [(line["amount"], line["credit"], line["returned"]) for line in lines_of(file)]
    assert found == [("1.00", False, ""), ("2.00", True, ""), ("3.00", False, "AC04"), ("4.00", False, "NARR")]


def test_an_entry_that_was_booked_on_no_day_counts_from_its_value_day_and_one_of_none_refuses_the_file(tmp_path):
    file = tmp_path / "days.xml"
    inner = payment(reference_of(1))
    file.write_bytes(
        statement(entry("1.00", day="", value_day="2026-12-05", details=inner), entry("2.00", details=inner))
    )
    assert [line["date"] for line in lines_of(file)] == ["2026-12-05", "2026-12-04"]
    file.write_bytes(statement(entry("1.00", details=inner), entry("2.00", day="", reference="R-2", details=inner)))
    with pytest.raises(CommandFailed, match=r"date: give a day of the calendar.*nothing was booked") as refused:
        lines_of(file)
    assert refused.value.where == f"{file}, R-2"


HEADER = "reference,amount,currency,date,bill"


def csv_lines(tmp_path, content):
    file = tmp_path / "paid.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(line["reference"], line["amount"], line["credit"]) for line in lines_of(file)]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("b1,2.00", "2 fields, the header 5"),
        ("b1,1,234.00,GBP,2026-12-01,RF", "6 fields, the header 5"),
        (",2.00,GBP,2026-12-01,", "reference: give"),
        ("b1,,GBP,2026-12-01,RF", "amount: give"),
        ("b1,-,GBP,2026-12-01,RF", "amount: give"),
        ("b1,2.00,GBP,,RF", "date: give a day"),
        ("b1,2.00,GBP,01/12/2026,RF", "date: give a day"),
        ("b1,2.00,pounds,2026-12-01,RF", "currency: give"),
        ("b\0,2.00,GBP,2026-12-01,RF", r"U\+0000"),
        ('"b1,2.00,GBP,2026-12-01,RF', "quotation mark"),
    ],
)
def test_a_row_of_csv_that_cannot_be_meant_is_named_by_its_line_before_any_is_booked(row, said, tmp_path):
    with pytest.raises(CommandFailed, match=said) as refused:
        csv_lines(tmp_path, f"{HEADER}\nb0,2.00,GBP,2026-12-01,\n{row}\n")
    assert refused.value.where == f"{tmp_path}/paid.csv:3"


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (HEADER.replace("amount", "amount,amount"), "two columns of the same name"),
        (HEADER.replace("bill", "bil"), "no column bill"),
        (f"{HEADER},curency", "there is no column `curency`; did you mean `currency`"),
    ],
)
def test_a_column_of_csv_that_is_not_known_or_there_twice_is_refused(header, said, tmp_path):
    with pytest.raises(CommandFailed, match=said):
        csv_lines(tmp_path, f"{header}\nb0,2.00,GBP,2026-12-01,RF,x\n")


def test_csv_is_read_as_spreadsheets_write_it_and_what_went_back_has_one_sign(tmp_path):
    row = "b0,-2.00,GBP,2026-12-01,RF"
    plain = f"{HEADER}\n{row}\n"
    for content in (
        plain,
        plain.replace(",", ";"),
        plain.replace(",", "\t"),
        f"sep=,\r\n{plain}",
        plain.encode("utf-16"),
        plain.encode("utf-8-sig"),
        plain.replace("\n", "\r"),
        f"{HEADER.upper()}\n\n{row}\n,,,,\n",
        plain.replace(",", ", "),
    ):
        assert csv_lines(tmp_path, content) == [("b0", "2.00", False)]
    assert csv_lines(tmp_path, plain.replace("-2", "--2")) == [("b0", "-2.00", False)]  # refused as it is booked


LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;">]>'
    b"<Document>&lol2;</Document>"
)
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Document>&x;</Document>"""


@pytest.mark.parametrize("data", [LAUGHS, OUTSIDE], ids=["billion laughs", "external entity"])
def test_a_file_with_entities_is_refused_with_a_clear_error(data, tmp_path):
    with pytest.raises(BankFileInvalid):
        camt.read(data)
    file = tmp_path / "bad.xml"
    file.write_bytes(data)
    with pytest.raises(CommandFailed, match="is not taken"):
        lines_of(file)
