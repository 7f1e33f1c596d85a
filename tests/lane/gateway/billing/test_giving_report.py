"""Reports of a month's giving: three truths by who may know what, as text and as PDF."""

import re
from datetime import UTC
from io import BytesIO

import pytest
from pypdf import PdfReader
from sqlalchemy import insert
from support.payout_fixture import ANN, BEN, DAY, DECEMBER, NOVEMBER, POUND, Place

from gateway.billing.giving_pdf import write_pdf
from gateway.billing.giving_text import write_advice, write_text
from gateway.billing.writer import Writer
from gateway.charity.causes import Agreement
from gateway.charity.giving_report import giving_report
from gateway.charity.months import begin_of, end_of
from gateway.charity.remittance import remittances
from gateway.languages.bills import WORDS
from gateway.store.engine import reading
from gateway.store.tables import public_sums

NAMES = {"wateraid": "WaterAid", "wwf": "WWF"}
WRITER = Writer("en", UTC)


@pytest.fixture
def place(tmp_path):
    place = Place(f"sqlite:///{tmp_path}/t.db")
    place.book(NOVEMBER, "topup", "cash", ANN, 100 * POUND, reference="shop-1")
    place.charge(NOVEMBER + DAY, ANN, 7_500_000, wateraid=750_000)
    place.charge(NOVEMBER + DAY, BEN, 2_345_670, wwf=234_567)
    place.charge(DECEMBER + DAY, ANN, 1_000_000, wateraid=60_000, wwf=40_000)
    with place.writer.begin() as connection:
        rows = [("2026-11", "wateraid", "GBP", 41 * POUND), ("2026-12", "smaller causes", "GBP", 7 * POUND)]
        connection.execute(insert(public_sums).values(rows))
    yield place
    place.close()


def report(place, reader, period="2026-12"):
    with reading(place.reader) as connection:
        return giving_report(connection, period, reader, UTC)


def words(found):
    return write_text(found, WRITER, "TPO", NAMES)


def test_the_company_sees_every_cause_exactly_with_the_year_by_cause_and_by_month(place):
    text = words(report(place, "company"))
    assert "Confidential: for the company" in text
    assert "£0.81" in text  # WaterAid, this year
    assert "£0.274567" in text  # WWF, to the last micro-unit
    assert re.search(r"2026-11 +£0\.984567  #{40}\n  2026-12 +£0\.10  ####\n", text)
    assert re.search(
        r"WaterAid: a tenth of customers' bills\n  owed at the beginning +£0\.75\n  given in the month +£0\.06\n", text
    )


def test_the_company_sees_what_nobody_chose_a_cause_for_and_no_cause_does(place):
    usage = next(place.numbers)
    place.book(DECEMBER + DAY, "charge", ANN, "revenue", 5 * POUND, usage=usage)
    place.book(DECEMBER + DAY, "accrual", "giving", "unassigned", POUND // 2, usage=usage)
    text = words(report(place, "company"))
    assert re.search(
        r"no cause chosen: a tenth of customers' bills\n  given in the month +£0\.50\n  owed at the end +£0\.50\n", text
    )
    assert re.search(r"2026-12 +£0\.60  ", text)
    assert "no cause chosen" not in words(report(place, "cause:wateraid"))


def test_an_advice_does_not_say_that_customers_have_not_paid_what_is_only_not_confirmed_yet(place):
    with reading(place.reader) as connection:
        every = remittances(connection, begin_of("2026-12", UTC), end_of("2026-12", UTC))
    own = [line for line in every if line.account.cause == "wateraid"]
    text = write_advice(("2026-12", "2026-12"), "wateraid", own, WRITER, "TPO", NAMES)
    assert re.search(r"of which is not confirmed as paid yet +£0\.81\n", text)


def test_a_cause_sees_its_own_money_and_nothing_of_any_other(place):
    text = words(report(place, "cause:wateraid"))
    assert "Confidential to WaterAid. Nothing was kept: the fee is 0." in text
    assert "£0.81" in text
    for untold in ("WWF", "wwf", "0.274567", "0.234567", "0.984567", "0.04", "41.00", "smaller"):
        assert untold not in text


def test_the_public_sees_the_published_figures_and_no_exact_sum(place):
    text = words(report(place, "public"))
    assert "smaller causes together" in text
    assert "£7.00" in text
    assert "£48.00" not in text  # each month has its own figures
    for untold in ("0.81", "0.274567", "0.75", "0.06", "WWF", "owed"):
        assert untold not in text
    assert "Nothing was published of this month." in words(report(place, "public", "2026-10"))


@pytest.mark.parametrize("reader", ["company", "cause:wwf", "public"])
def test_a_pdf_says_what_the_text_says_and_is_the_same_each_time(place, reader):
    found = report(place, reader)
    octets = write_pdf(found, WRITER, "TPO", NAMES, end_of(found.period, UTC))
    assert octets == write_pdf(found, WRITER, "TPO", NAMES, end_of(found.period, UTC))
    told = "".join(page.extract_text() for page in PdfReader(BytesIO(octets)).pages)
    assert "What was given in December 2026" in told
    for line in words(found).splitlines():
        for amount in (word for word in line.split() if word.startswith("£")):
            assert amount in told, line


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", ("What was given in December 2026", "£0.06", "2026 by month", "Nothing was kept")),
        ("fr", ("Ce qui a été donné en décembre 2026", "0,06\u00a0£", "2026 par mois", "Rien n\u2019a été retenu")),
        ("es", ("Lo que se donó en diciembre 2026", "0,06\u00a0£", "2026 por mes", "No se ha retenido nada")),
    ],
)
def test_a_report_is_written_in_the_language_of_its_cause_as_text_and_as_pdf(place, language, told):
    found, writer = report(place, "cause:wateraid"), Writer(language, UTC)
    text = write_text(found, writer, "TPO", NAMES)
    octets = write_pdf(found, writer, "TPO", NAMES, end_of(found.period, UTC))
    for words_ in told:
        assert words_ in text
        assert words_ in "".join(page.extract_text() for page in PdfReader(BytesIO(octets)).pages)
    assert (octets.count(b"/Lang"), f"/Lang ({language})".encode() in octets) == (1, True)


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", ("Remittance advice for December 2026", "WaterAid: a tenth of customers' bills", "owed at the end")),
        (
            "fr",
            ("Avis de versement pour décembre 2026", "WaterAid: un dixième des factures des clients", "dû à la fin"),
        ),
        ("es", ("Aviso de pago de diciembre 2026", "WaterAid: una décima parte de las facturas", "debido al final")),
    ],
)
def test_a_remittance_advice_leads_from_opening_to_closing_and_says_what_that_waits_for(place, language, told):
    with reading(place.reader) as connection:
        every = remittances(connection, begin_of("2026-12", UTC), end_of("2026-12", UTC))
    own = [line for line in every if line.account.cause == "wateraid"]
    writer = Writer(language, UTC)
    text = write_advice(("2026-12", "2026-12"), "wateraid", own, writer, "TPO", NAMES)
    for words_ in (*told, *(writer.money(amount, "GBP") for amount in (750_000, 60_000, 810_000))):
        assert words_ in text
    assert "wwf" not in text.lower()
    assert writer.word("state_accrued") in text
    assert writer.word("nothing_given") in write_advice(("2026-10", "2026-12"), "wwf", [], writer, "TPO", NAMES)


def test_a_cause_that_is_told_quarters_has_no_sum_of_a_month(place):
    with reading(place.reader) as connection:
        found = giving_report(connection, "2026-11", "cause:wateraid", UTC, ("2026-10", "2026-12"))
    assert (found.first, found.period) == ("2026-10", "2026-12")
    assert [(each.period, each.amount) for each in found.year] == [("2026-12", 810_000)]
    text = words(found)
    assert "What was given in October 2026 \u2013 December 2026" in text
    assert "2026 by quarter, named by its last month, GBP" in text
    assert "0.75" not in text
    assert "0.06" not in text
    assert Agreement("", "2026-01-01", "GBP", "bacs", period="quarter").span_of("2026-11") == ("2026-10", "2026-12")
    assert Agreement("", "2026-01-01", "GBP", "bacs").span_of("2026-11") == ("2026-11", "2026-11")


def test_each_language_has_the_same_words_with_the_same_places_for_names():
    def places(language):
        return {key: sorted(re.findall(r"{\w+}", word)) for key, word in WORDS[language].items()}

    assert places("en") == places("fr") == places("es")
