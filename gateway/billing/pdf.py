"""A bill as PDF (ISO 32000-1), made when it is asked for: what the text has, with a small picture of the year.

fpdf2 embeds of the fonts beside this module what a bill uses. What a bill says of itself (date, title) is that of the bill, so
that the same bill gives the same octets.
"""

from pathlib import Path
from typing import Final

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from gateway.billing.content import Section
from gateway.billing.series import CREDIT_NOTE
from gateway.billing.statement import Bill
from gateway.billing.text import (
    given_lines,
    percent_sign,
    quantity_of,
    section_word,
    tax_lines,
    title,
    what_is_due,
    what_of,
)
from gateway.billing.writer import Writer

FONTS: Final = Path(__file__).parent / "fonts"
FAMILY: Final = "DejaVu"
MARGIN, WIDTH, ROW = 18.0, 174.0, 5.2
"""Millimetres of an A4 page."""
BARS_HEIGHT, BAR, GAP = 22.0, 9.0, 4.0
CHARGED, GIVEN = (200, 210, 222), (0, 122, 135)
"""Colours (RGB) of what was charged and of its tenth."""
MONTHS: Final = 12


class _Page(FPDF):
    """A page with the operator's name, and its number at the foot."""

    def __init__(self, bill: Bill, writer: Writer, operator: str, head: list[str]) -> None:
        super().__init__(format="A4")
        self._bill, self._writer, self._operator, self._head = bill, writer, operator, head
        self.add_font(FAMILY, "", FONTS / "DejaVuSans.ttf")
        self.add_font(FAMILY, "B", FONTS / "DejaVuSans-Bold.ttf")
        self.set_margins(MARGIN, MARGIN)
        self.set_auto_page_break(auto=True, margin=MARGIN)
        self.set_title(title(bill, writer))
        self.set_author(operator)
        self.set_lang(writer.language)
        self.set_creation_date(writer.moment(bill.issued_at))
        self.add_page()

    def footer(self) -> None:
        """Number the pages."""
        self.set_y(-MARGIN + 4)
        self.set_font(FAMILY, "", 7)
        self.cell(
            WIDTH, 4, f"{title(self._bill, self._writer)}, {self._writer.word('page')} {self.page_no()}", align="R"
        )

    def line_of(self, left: str, right: str = "", middle: str = "", *, bold: bool = False, size: float = 9) -> None:
        """Write a row of up to three cells."""
        self.set_font(FAMILY, "B" if bold else "", size)
        self.cell(WIDTH - 75, ROW, left)
        self.cell(40, ROW, middle, align="R")
        self.cell(35, ROW, right, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def heading(self, words: str) -> None:
        """Write a heading over what follows, on the same page as its first rows."""
        if self.will_page_break(3 * ROW):
            self.add_page()
        self.ln(2)
        self.line_of(words, bold=True, size=10)


def write_pdf(bill: Bill, number: str, writer: Writer, operator: str, head: list[str], names: dict[str, str]) -> bytes:
    """Make the PDF of a bill; `number` is the line's, `head` what stands under the operator's name, `names` those of causes."""
    page = _Page(bill, writer, operator, head)
    _write_head(page, bill, number, writer, operator, head)
    _write_lines(page, bill, writer)
    _write_given(page, bill, writer, names)
    if bill.items:
        page.heading(writer.word("items"))
        for item in bill.items:
            what = f"{writer.moment(item.at):%Y-%m-%d %H:%M:%S}  {what_of(item, writer)} {item.destination}".rstrip()
            page.line_of(what, writer.money(item.amount, bill.currency), quantity_of(item, writer), size=7.5)
    return bytes(page.output())


def _write_head(page: _Page, bill: Bill, number: str, writer: Writer, operator: str, head: list[str]) -> None:
    page.line_of(operator, bold=True, size=14)
    for words in head:
        page.line_of(words, size=8)
    page.ln(4)
    page.line_of(title(bill, writer), bold=True, size=12)
    page.line_of(f"{writer.word('number')} {number}   {writer.word('plan')} {bill.plan}")
    page.line_of(f"{writer.word('issued')} {writer.date(bill.issued_at)}")
    if bill.replaces is not None:
        page.line_of(f"{writer.word('takes_back' if bill.series == CREDIT_NOTE else 'replaces')} {bill.replaces}")
    if bill.final:
        page.line_of(writer.word("final"), bold=True)
    page.ln(3)


def _write_lines(page: _Page, bill: Bill, writer: Writer) -> None:
    page.line_of(writer.word("opening_balance"), writer.money(bill.opening, bill.currency))
    for section in Section:
        lines = bill.of(section)
        if lines:
            page.heading(section_word(section, writer))
        for line in lines:
            page.line_of(what_of(line, writer), writer.money(line.amount, bill.currency), quantity_of(line, writer))
    page.ln(2)
    page.line_of(writer.word("closing_balance"), writer.money(bill.closing, bill.currency), bold=True)
    label, amount = what_is_due(bill, writer)
    page.line_of(label, amount, bold=bool(amount))
    page.ln(2)
    for words, tax in tax_lines(bill, writer):
        page.line_of(words, tax, size=8)


def _write_given(page: _Page, bill: Bill, writer: Writer, names: dict[str, str]) -> None:
    if page.will_page_break(BARS_HEIGHT + 8 * ROW):
        page.add_page()
    page.ln(3)
    for words, amount in given_lines(bill, writer):
        page.line_of(words, amount, bold=True)
    if bill.causes:
        page.line_of(writer.word("causes"))
        for share in bill.causes:
            page.line_of(f"   {names.get(share.cause, share.cause)}", f"{share.share / 100:g}{percent_sign(writer)}")
    _draw_year(page, bill, writer)


def _draw_year(page: _Page, bill: Bill, writer: Writer) -> None:
    """Draw a bar a month: what was charged, and in front of it what was given."""
    highest = max((month.charged for month in bill.year), default=0)
    if highest <= 0:
        return
    page.heading(writer.word("year"))
    floor, months = page.get_y() + BARS_HEIGHT, {month.period: month for month in bill.year}
    page.set_font(FAMILY, "", 6)
    for place in range(MONTHS):
        x = MARGIN + place * (BAR + GAP)
        month = months.get(f"{bill.period[:4]}-{place + 1:02d}")
        for value, colour in ((0, CHARGED),) if month is None else ((month.charged, CHARGED), (month.given, GIVEN)):
            height = max(0.0, BARS_HEIGHT * value / highest)
            page.set_fill_color(*colour)
            if height:
                page.rect(x, floor - height, BAR, height, style="F")
        page.set_xy(x, floor + 0.5)
        page.cell(BAR, 3, writer.short_month(place), align="C")
    page.set_xy(MARGIN, floor + 5)
