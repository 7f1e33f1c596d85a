"""The action that gives a report of a month's giving to whoever may have it, as text, JSON or PDF."""

from zoneinfo import ZoneInfo

from gateway.api.actions.charity_payments import record_look
from gateway.api.answers.charity import ReportFigures, ReportMade, ReportMonth
from gateway.api.callers import Caller
from gateway.api.problems import conflict, not_found
from gateway.api.requests.charity import ReportDocument
from gateway.billing.giving_text import write_text
from gateway.billing.writer import Writer
from gateway.charity.giving_report import CAUSE, PUBLIC, GivingReport, giving_report
from gateway.charity.months import begin_of, end_of
from gateway.context import GatewayContext
from gateway.ledger.money import format_amount


def report_document(context: GatewayContext, request: ReportDocument, caller: Caller) -> ReportMade:
    """Make a report; all but the public's needs the right to see causes, and is noted."""
    if request.reader != PUBLIC:
        record_look(context, caller, "charity.report")
    need_begun(context, request.period)
    names = {cause.id: cause.name for cause in context.settings.causes.values()}
    zone, span = ZoneInfo(context.settings.operator.timezone), None
    if request.reader.startswith(CAUSE):
        if request.reader.removeprefix(CAUSE) not in names:
            raise not_found("cause.unknown", f"there is no {request.reader}: see tpo charity causes")
        span = told_span(context, request.reader.removeprefix(CAUSE), request.period)
    found = context.read(lambda connection: giving_report(connection, request.period, request.reader, zone, span))
    return _shown(context, found, request.format, names, Writer(request.language, zone))


def need_begun(context: GatewayContext, period: str) -> None:
    """Refuse a month that is to come: what is owed today is no sum of it."""
    if begin_of(period, ZoneInfo(context.settings.operator.timezone)) > context.clock():
        raise conflict("charity.runs", f"{period} has not begun")


def told_span(context: GatewayContext, cause: str, period: str) -> tuple[str, str]:
    """Return the months that a cause is told of together, for the one that is asked for; Problem while they are not over.

    Sums of a month that runs, from day to day, would be sums by day (decision 060).
    """
    known = context.settings.causes.get(cause)
    agreement = known.agreement if known else None
    first, last = agreement.span_of(period) if agreement else (period, period)
    if end_of(last, ZoneInfo(context.settings.operator.timezone)) > context.clock():
        raise conflict("charity.runs", f"a cause is told of {last} when that is over")
    return first, last


def _shown(
    context: GatewayContext, found: GivingReport, form: str, names: dict[str, str], writer: Writer
) -> ReportMade:
    operator, text, pdf = context.settings.operator.name, "", b""
    if form == "text":
        text = write_text(found, writer, operator, names)
    elif form == "pdf":
        from gateway.billing.giving_pdf import write_pdf  # noqa: PLC0415  (fonts, which a gateway without reports needs not)

        pdf = write_pdf(found, writer, operator, names, end_of(found.period, writer.zone))
    rows = [
        ReportFigures(
            line.cause,
            line.stream,
            line.currency,
            {name: format_amount(amount, line.currency) for name, amount in line.amounts.items()},
        )
        for line in found.lines
    ]
    year = [
        ReportMonth(each.period, each.cause, each.currency, format_amount(each.amount, each.currency))
        for each in found.year
    ]
    return ReportMade(found.period, found.reader, rows, year, text, pdf)
