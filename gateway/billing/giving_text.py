"""A report of a month's giving, and a cause's remittance advice, as text: what a person reads, in three languages."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from gateway.billing.writer import Writer
from gateway.charity.giving_report import AMOUNTS, CAUSE, COMPANY, PUBLIC, PUBLISHED, GivingReport, ReportLine
from gateway.charity.public_sums import SMALLER
from gateway.charity.remittance import Remittance
from gateway.charity.tenth_states import State
from gateway.ledger.account_names import UNASSIGNED

STATES: Final = (State.ACCRUED, State.CONFIRMED, State.PAYABLE, State.INSTRUCTED)
BAR: Final = 40
"""Characters of the longest bar."""


def title(report: GivingReport, writer: Writer) -> str:
    """Name a report."""
    return writer.word("giving_title", month=span_of(report.first, report.period, writer))


def span_of(first: str, last: str, writer: Writer) -> str:
    """Name a month, or the months that it is of."""
    return f"{writer.month(first)} \u2013 {writer.month(last)}" if first not in ("", last) else writer.month(last)


def heading_of_year(report: GivingReport, writer: Writer) -> str:
    """Name the sums of a year, which are by months or quarters."""
    return writer.word("by_quarter" if report.first else "by_month", year=report.period[:4])


def notice(report: GivingReport, writer: Writer, names: Mapping[str, str]) -> str:
    """Say whom a report is for, and what it is allowed to say."""
    if report.reader == COMPANY:
        return writer.word("for_company")
    if report.reader.startswith(CAUSE):
        return writer.word("for_cause", name=name_of(report.reader.removeprefix(CAUSE), writer, names))
    return writer.word("for_public")


def name_of(cause: str, writer: Writer, names: Mapping[str, str]) -> str:
    """Name a cause."""
    if cause in (UNASSIGNED, SMALLER):
        return writer.word("no_cause" if cause == UNASSIGNED else "smaller_causes")
    return names.get(cause, cause)


def heading_of(line: ReportLine, writer: Writer, names: Mapping[str, str]) -> str:
    """Name what a line is of."""
    stream = writer.word(f"stream_{line.stream}") if line.stream else ""
    return ": ".join(words for words in (name_of(line.cause, writer, names), stream) if words)


def figures_of_line(line: ReportLine, writer: Writer) -> list[tuple[str, int]]:
    """Return the figures of a line with their words; those that are 0 in the middle are left out."""
    kept = [name for name in (*AMOUNTS, PUBLISHED) if name in line.amounts]
    shown = [name for name in kept if line.amounts[name] or name in ("closing", PUBLISHED)]
    return [(writer.word(f"giving_{name}"), line.amounts[name]) for name in shown]


def by_cause(report: GivingReport, currency: str) -> dict[str, int]:
    """Add up the year by cause, the largest first."""
    return _added(report, currency, "cause")


def by_month(report: GivingReport, currency: str) -> dict[str, int]:
    """Add up the year by month."""
    return dict(sorted(_added(report, currency, "period").items()))


def currencies(report: GivingReport) -> list[str]:
    """Return the currencies of a report."""
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
    yield from (operator, title(report, writer), notice(report, writer, names))
    if not report.lines:
        yield from ("", writer.word("nothing_published" if report.reader == PUBLIC else "nothing_given"))
    for line in report.lines:
        yield from ("", heading_of(line, writer, names))
        yield from (_figure(words, amount, line.currency, writer) for words, amount in figures_of_line(line, writer))
    for currency in currencies(report):
        for heading, found in (
            (writer.word("by_cause", year=report.period[:4]), by_cause(report, currency)),
            (heading_of_year(report, writer), by_month(report, currency)),
        ):
            yield from ("", f"{heading}, {currency}")
            highest = max(found.values(), default=0)
            for key, amount in found.items():
                bar = "#" * (max(amount, 0) * BAR // highest if highest > 0 else 0)
                yield f"  {name_of(key, writer, names)[:24]:<26}{writer.money(amount, currency):>16}  {bar}".rstrip()


def _figure(words: str, amount: int, currency: str, writer: Writer) -> str:
    return f"  {words:<40}{writer.money(amount, currency):>20}"


def write_advice(
    span: tuple[str, str],
    cause: str,
    found: Sequence[Remittance],
    writer: Writer,
    operator: str,
    names: Mapping[str, str],
) -> str:
    """Write what a cause is told of a month, or months: lines that lead from opening to closing, and the states of that."""
    name = name_of(cause, writer, names)
    title_of = writer.word("advice_title", month=span_of(*span, writer))
    said = [operator, title_of, writer.word("for_cause", name=name)]
    for each in found:
        amounts = {amount: getattr(each, amount) for amount in AMOUNTS}
        line = ReportLine(each.account.cause, each.account.stream, each.account.currency, amounts)
        figures = figures_of_line(line, writer)
        figures += [(writer.word(f"state_{state}"), each.states[state]) for state in STATES if each.states[state]]
        said += ["", heading_of(line, writer, names)]
        said += [_figure(words, amount, line.currency, writer) for words, amount in figures]
    return "\n".join([*said, *([] if found else ["", writer.word("nothing_given")])]) + "\n"
