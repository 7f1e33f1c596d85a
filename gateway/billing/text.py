"""A bill as plain text, for a terminal, and the lines of it that the PDF has, too."""

from collections.abc import Iterator
from typing import Final

from gateway.billing.content import Section
from gateway.billing.references import reference_of
from gateway.billing.series import CREDIT_NOTE
from gateway.billing.statement import Bill, BillItem, BillLine
from gateway.billing.writer import Writer

WIDTH: Final = 78
_SECTION_WORDS: Final = {Section.CREDIT: "credit_section"}


def write_text(bill: Bill, number: str, writer: Writer, operator: str, names: dict[str, str]) -> str:
    """Write a bill; `number` is the line's, `names` what causes are called."""
    return "\n".join(_lines(bill, number, writer, operator, names)) + "\n"


def title(bill: Bill, writer: Writer) -> str:
    """Name a bill: what it is, its number and its month."""
    what = writer.word(bill.series)
    return f"{what} {bill.number} {writer.word('for')} {writer.month(bill.period)}"


def section_word(section: str, writer: Writer) -> str:
    """Name a section."""
    return writer.word(_SECTION_WORDS.get(Section(section), section))


def what_of(line: BillLine | BillItem, writer: Writer) -> str:
    """Name what a line or an item is."""
    if isinstance(line, BillLine) and line.name:
        rate = f" {line.rate}{percent_sign(writer)}" if line.rate else ""
        return f"{line.state} {line.name}{rate}".lstrip()
    word = writer.word(line.what)
    if isinstance(line, BillLine) and line.note:
        return f"{word} {line.note}"
    return f"{word} ({writer.word(line.traffic)})" if line.traffic else word


def quantity_of(line: BillLine | BillItem, writer: Writer) -> str:
    """Write how much it is of."""
    if line.octets:
        return writer.octets(line.octets)
    if line.seconds:
        return writer.seconds(line.seconds)
    return writer.whole(line.units) if line.units else ""


def what_is_due(bill: Bill, writer: Writer) -> tuple[str, str]:
    """Say what is to be paid, and until when."""
    if not bill.due or bill.due_at is None:
        return writer.word("nothing_due"), ""
    words = f"{writer.word('due', date=writer.date(bill.due_at))} ({reference_of(bill.number)})"
    return words, writer.money(bill.due, bill.currency)


def given_lines(bill: Bill, writer: Writer) -> Iterator[tuple[str, str]]:
    """Say what was given."""
    yield writer.word("given"), writer.money(bill.given, bill.currency)
    yield writer.word("given_in_year", year=bill.period[:4]), writer.money(bill.given_in_year, bill.currency)
    if bill.gifts_in_year:
        yield writer.word("gifts_in_year"), writer.money(bill.gifts_in_year, bill.currency)


def tax_lines(bill: Bill, writer: Writer) -> Iterator[tuple[str, str]]:
    """Say which taxes the prices have in them."""
    for tax in bill.taxes:
        net = f"{writer.word('net')} {writer.money(tax.net, bill.currency)}"
        label = f"{writer.word('included')} ({tax.jurisdiction} {tax.rate}{percent_sign(writer)}; {net})"
        yield label, writer.money(tax.tax, bill.currency)


def percent_sign(writer: Writer) -> str:
    """Return the sign behind a percentage, with the space that the language puts before it."""
    return "%" if writer.language == "en" else "\u00a0%"


def _lines(bill: Bill, number: str, writer: Writer, operator: str, names: dict[str, str]) -> Iterator[str]:
    yield _row(operator, title(bill, writer))
    yield f"{writer.word('number')} {number}   {writer.word('plan')} {bill.plan}"
    yield f"{writer.word('issued')} {writer.date(bill.issued_at)}"
    if bill.replaces is not None:
        yield f"{writer.word('takes_back' if bill.series == CREDIT_NOTE else 'replaces')} {bill.replaces}"
    if bill.final:
        yield writer.word("final")
    yield ""
    yield _row(writer.word("opening_balance"), writer.money(bill.opening, bill.currency))
    for section in Section:
        lines = bill.of(section)
        if lines:
            yield section_word(section, writer)
        for line in lines:
            yield _row(
                f"  {what_of(line, writer)}", writer.money(line.amount, bill.currency), quantity_of(line, writer)
            )
    yield _row(writer.word("closing_balance"), writer.money(bill.closing, bill.currency))
    yield _row(*what_is_due(bill, writer))
    yield ""
    for label, amount in (*tax_lines(bill, writer), *given_lines(bill, writer)):
        yield _row(label, amount)
    for share in bill.causes or ():
        yield _row(f"  {names.get(share.cause, share.cause)}", f"{share.share / 100:g}{percent_sign(writer)}")
    if bill.items:
        yield ""
        yield writer.word("items")
        for item in bill.items:
            yield _item(item, bill.currency, writer)


def _item(item: BillItem, currency: str, writer: Writer) -> str:
    what = f"{writer.moment(item.at):%Y-%m-%d %H:%M:%S}  {what_of(item, writer)} {item.destination}".rstrip()
    return _row(what, writer.money(item.amount, currency), quantity_of(item, writer))


def _row(left: str, right: str, middle: str = "") -> str:
    if middle:
        left = f"{left:<40} {middle:>14}"
    return f"{left:<{WIDTH - len(right) - 1}} {right}".rstrip()
