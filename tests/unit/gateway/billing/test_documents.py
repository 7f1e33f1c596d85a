"""A bill as it is read: it adds up to the penny, in three languages, and says the same in its PDF."""

import io
from zoneinfo import ZoneInfo

import msgspec
import pytest
from pypdf import PdfReader

from gateway.billing.content import PAID_BY_PROMOTION, SECTIONS, Section
from gateway.billing.pdf import write_pdf
from gateway.billing.statement import Bill, BillItem, BillLine, MonthOfYear, TaxTotal
from gateway.billing.text import write_text
from gateway.billing.writer import Writer
from gateway.charity.choices import Share
from gateway.languages.bills import WORDS
from gateway.ledger.postings import POSTINGS, AccountClass

LONDON = ZoneInfo("Europe/London")
AT = 1_793_491_200_000_000
"""2026-11-01."""
BILL = Bill(
    series="bill",
    number=71,
    period="2026-10",
    subscriber_id=7,
    issued_at=AT,
    currency="EUR",
    plan="payg-gb",
    opening=-1_234_560_000,
    closing=-1_240_110_000,
    due=1_240_110_000,
    due_at=AT + 14 * 86_400_000_000,
    lines=[
        BillLine("usage", "data", -5_000_000, 3, octets=1_500_000_000),
        BillLine("usage", "voice", -500_000, 1, "in", seconds=3_725),
        BillLine("payments", "payment", -50_000, 1),
    ],
    taxes=[TaxTotal("GB", "20", 5_500_000, 4_580_000, 920_000)],
    given=550_000,
    given_in_year=1_100_000,
    gifts_in_year=5_000_000,
    year=[MonthOfYear("2026-09", 5_500_000, 550_000), MonthOfYear("2026-10", 5_500_000, 550_000)],
    final=False,
    items=[BillItem(AT - 1_000_000, "usage", "data", -5_000_000, octets=1_500_000_000)],
)


def text_of(octets):
    """What a reader that is not ours finds in a PDF."""
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(octets)).pages)


@pytest.mark.parametrize(
    ("language", "amount", "said"),
    [
        ("en", "-€1,240.11", ["Bill 71 for October 2026", "To be paid by 15 November 2026", "1.50\u00a0GB"]),
        ("fr", "-1\u202f240,11\u00a0€", ["Facture 71 pour octobre 2026", "À payer avant le 15 novembre 2026", "reçus"]),
        ("es", "-1240,11\u00a0€", ["Factura 71 de octubre 2026", "A pagar hasta el 15 de noviembre de 2026", "Donado"]),
    ],
)
def test_text_and_pdf_say_the_same_in_each_language_with_narrow_spaces_and_euros(language, amount, said):
    writer = Writer(language, LONDON)
    text = write_text(BILL, "447700900123", writer, "TPO", {})
    pdf = text_of(write_pdf(BILL, "447700900123", writer, "TPO", ["1 High Street"], {}))
    for words in (amount, "447700900123", "71", *said):
        assert words in text
        assert plain(words) in plain(pdf)
    assert "1 High Street" in pdf


def plain(words):
    """As readers of PDFs write spaces."""
    return words.replace("\u202f", " ").replace("\u00a0", " ")


def test_no_cause_is_on_a_bill_unless_it_was_asked_for():
    writer = Writer("en", LONDON)
    chosen = msgspec.structs.replace(BILL, causes=[Share("wwf", 2_500)])
    names = {"wwf": "WWF-UK"}
    assert "WWF-UK" not in text_of(write_pdf(BILL, "1", writer, "TPO", [], names))
    assert "25%" in text_of(write_pdf(chosen, "1", writer, "TPO", [], names))
    assert "WWF-UK" in write_text(chosen, "1", writer, "TPO", names)


def test_the_same_bill_gives_the_same_octets():
    writer = Writer("en", LONDON)
    assert write_pdf(BILL, "1", writer, "TPO", [], {}) == write_pdf(BILL, "1", writer, "TPO", [], {})


def test_every_kind_of_entry_that_moves_a_wallet_has_a_place_on_bills_and_words_in_each_language():
    kinds = {posting.kind for posting in POSTINGS if AccountClass.WALLET in (posting.debit, posting.credit)} - {
        PAID_BY_PROMOTION
    }
    assert kinds - set(SECTIONS) == set()
    for language in WORDS.values():
        of_usage = {kind for kind, section in SECTIONS.items() if section is Section.USAGE}
        assert {kind for kind in kinds - of_usage if kind not in language} == set()
        assert set(language) == set(WORDS["en"])
