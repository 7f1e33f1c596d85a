"""A report of a month's giving as PDF, with bars by cause and by month; the same report gives the same octets."""

from collections.abc import Mapping
from typing import Final

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from gateway.billing.giving_text import (
    by_cause,
    by_month,
    currencies,
    figures_of_line,
    heading_of,
    heading_of_year,
    name_of,
    notice,
    title,
)
from gateway.billing.pdf import FAMILY, FONTS, GIVEN, MARGIN, ROW, WIDTH
from gateway.billing.writer import Writer
from gateway.charity.giving_report import GivingReport

NAMES, AMOUNTS = 60.0, 35.0
"""Millimetres for the names of causes, and for amounts, beside their bars."""
INSET: Final = 0.8
"""Millimetres of a row above and below its bar."""
MOST: Final = 50
"""Bars of a plot; causes with less stand in the lines alone."""


class _Page(FPDF):
    def __init__(self, report: GivingReport, writer: Writer, operator: str, until: int) -> None:
        super().__init__(format="A4")
        self.add_font(FAMILY, "", FONTS / "DejaVuSans.ttf")
        self.add_font(FAMILY, "B", FONTS / "DejaVuSans-Bold.ttf")
        self.set_margins(MARGIN, MARGIN)
        self.set_auto_page_break(auto=True, margin=MARGIN)
        self.set_title(title(report, writer))
        self.set_author(operator)
        self.set_lang(writer.language)
        self.set_creation_date(writer.moment(until))
        self.add_page()

    def line_of(self, left: str, right: str = "", *, bold: bool = False, size: float = 9) -> None:
        """Write a row of two cells."""
        self.set_font(FAMILY, "B" if bold else "", size)
        self.cell(WIDTH - AMOUNTS, ROW, left)
        self.cell(AMOUNTS, ROW, right, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def heading(self, words: str) -> None:
        """Write a heading over what follows, on the same page as its first rows."""
        if self.will_page_break(3 * ROW):
            self.add_page()
        self.ln(2)
        self.line_of(words, bold=True, size=10)


def write_pdf(report: GivingReport, writer: Writer, operator: str, names: Mapping[str, str], until: int) -> bytes:
    """Make the PDF of a report; `until` is the end of its month (microseconds)."""
    page = _Page(report, writer, operator, until)
    page.line_of(operator, bold=True, size=14)
    page.line_of(title(report, writer), bold=True, size=12)
    page.line_of(notice(report, writer, names), size=8)
    for line in report.lines:
        page.heading(heading_of(line, writer, names))
        for words, amount in figures_of_line(line, writer):
            page.line_of(words, writer.money(amount, line.currency))
    for currency in currencies(report):
        causes = {name_of(cause, writer, names): amount for cause, amount in by_cause(report, currency).items()}
        _draw(page, writer.word("by_cause", year=report.period[:4]), causes, currency, writer)
        months = {writer.month(month): amount for month, amount in by_month(report, currency).items()}
        _draw(page, heading_of_year(report, writer), months, currency, writer)
    return bytes(page.output())


def _draw(page: _Page, heading: str, found: Mapping[str, int], currency: str, writer: Writer) -> None:
    """Draw a bar for each sum, as long as it is large, with its amount behind it."""
    highest = max(found.values(), default=0)
    if not found:
        return
    page.heading(heading)
    page.set_fill_color(*GIVEN)
    for name, amount in list(found.items())[:MOST]:
        page.set_font(FAMILY, "", 8)
        page.cell(NAMES, ROW, name[:36])
        x, room = page.get_x(), WIDTH - NAMES - AMOUNTS
        if amount > 0:
            page.rect(x, page.get_y() + INSET, room * amount / highest, ROW - 2 * INSET, style="F")
        page.set_x(x + room)
        page.cell(AMOUNTS, ROW, writer.money(amount, currency), align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
