"""A report of a month's giving as text: what a person reads, of the company, of a cause, or of the public."""

from collections.abc import Iterator, Mapping
from typing import Final

from gateway.billing.words import Writer
from gateway.charity.giving_report import AMOUNTS, CAUSE, COMPANY, PUBLISHED, GivingReport, ReportLine
from gateway.charity.public_sums import SMALLER
from gateway.ledger.accounts import UNASSIGNED

WORDS: Final[Mapping[str, str]] = {
    "opening": "owed at the beginning",
    "accrued": "given in the month",
    "reversed": "taken back",
    "paid": "paid",
    "carried": "carried over, and shares of profit",
    "closing": "owed at the end",
    PUBLISHED: "given",
}
STREAMS: Final[Mapping[str, str]] = {"tenth": "a tenth of customers' bills", "gift": "customers' own gifts", "": ""}
BAR: Final = 40
"""Characters of the longest bar."""


def title(report: GivingReport, writer: Writer) -> str:
    """Name a report."""
    return f"What was given in {writer.month(report.period)}"


def notice(report: GivingReport, names: Mapping[str, str]) -> str:
    """Say whom a report is for, and what it is allowed to say."""
    if report.reader == COMPANY:
        return "Confidential: for the company. Sums of single causes are not for the public."
    if report.reader.startswith(CAUSE):
        cause = report.reader.removeprefix(CAUSE)
        return f"Confidential to {name_of(cause, names)}. Nothing was kept: the fee is 0."
    return "For everybody: whole units, at least 50 customers behind each figure, tenths and gifts together."


def name_of(cause: str, names: Mapping[str, str]) -> str:
    """Name a cause."""
    return {UNASSIGNED: "no cause chosen", SMALLER: "smaller causes together"}.get(cause, names.get(cause, cause))


def heading_of(line: ReportLine, names: Mapping[str, str]) -> str:
    """Name what a line is of."""
    return ": ".join(words for words in (name_of(line.cause, names), STREAMS[line.stream]) if words)


def figures_of_line(line: ReportLine) -> list[tuple[str, int]]:
    """Give the figures of a line with their words; those that are 0 in the middle are left out."""
    kept = [name for name in (*AMOUNTS, PUBLISHED) if name in line.amounts]
    return [(WORDS[name], line.amounts[name]) for name in kept if line.amounts[name] or name in ("closing", PUBLISHED)]


def by_cause(report: GivingReport, currency: str) -> dict[str, int]:
    """Add up the year by cause, the largest first."""
    return _added(report, currency, "cause")


def by_month(report: GivingReport, currency: str) -> dict[str, int]:
    """Add up the year by month."""
    return dict(sorted(_added(report, currency, "period").items()))


def currencies(report: GivingReport) -> list[str]:
    """Give the currencies of a report."""
    return sorted({line.currency for line in report.lines} | {month.currency for month in report.year})


def _added(report: GivingReport, currency: str, name: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in report.year:
        if each.currency == currency:
            key = str(getattr(each, name))
            found[key] = found.get(key, 0) + each.amount
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def write_text(report: GivingReport, writer: Writer, operator: str, names: Mapping[str, str]) -> str:
    """Write a report."""
    return "\n".join(_lines(report, writer, operator, names)) + "\n"


def _lines(report: GivingReport, writer: Writer, operator: str, names: Mapping[str, str]) -> Iterator[str]:
    yield from (operator, title(report, writer), notice(report, names))
    if not report.lines:
        yield from ("", "Nothing was published of this month." if report.reader == "public" else "There was nothing.")
    for line in report.lines:
        yield from ("", heading_of(line, names))
        for words, amount in figures_of_line(line):
            yield f"  {words:<34}{writer.money(amount, line.currency):>20}"
    for currency in currencies(report):
        for heading, found in (("by cause", by_cause(report, currency)), ("by month", by_month(report, currency))):
            yield from ("", f"{report.period[:4]} {heading}, {currency}")
            highest = max(found.values(), default=0)
            for key, amount in found.items():
                bar = "#" * (max(amount, 0) * BAR // highest if highest > 0 else 0)
                yield f"  {name_of(key, names)[:24]:<26}{writer.money(amount, currency):>16}  {bar}".rstrip()
