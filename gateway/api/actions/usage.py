"""Actions about usage: records exported, and held reports listed, booked and dropped."""

from gateway.api.answers.rows import HeldReportPage, UsagePage
from gateway.api.answers.usage import HeldReportDecided
from gateway.api.callers import Caller
from gateway.api.line_numbers import named, owners_of
from gateway.api.problems import bad_request, conflict, not_found
from gateway.api.requests.fields import MAX_ROWS, identifier, page_size
from gateway.api.requests.usage import DecideHeldReport, ExportUsage, ListHeldReports
from gateway.charging import review, usage_export
from gateway.context import GatewayContext
from gateway.ledger.money import format_amount


def export_usage(context: GatewayContext, request: ExportUsage) -> UsagePage:
    """Return a page of usage records."""
    limit, country = page_size(request.limit, MAX_ROWS, MAX_ROWS), context.settings.operator.country
    with context.reading() as connection:
        if request.number:
            owners_of(connection, request.number, country)
        rows = usage_export.read(
            connection,
            after=request.after,
            limit=limit,
            start=request.start,
            end=request.end,
            number=named(request.number, country),
        )
    last = int(rows[-1].record_id) if len(rows) == limit else None
    return UsagePage(usage_export.COLUMNS, rows, last)


def list_held_reports(context: GatewayContext, request: ListHeldReports) -> HeldReportPage:
    """Return a page of the usage reports that wait for a decision, or of all that were held."""
    with context.reading() as connection:
        rows = review.read(connection, after=request.after, limit=MAX_ROWS, decided=request.all)
    last = int(rows[-1].id) if len(rows) == MAX_ROWS else None
    return HeldReportPage(review.COLUMNS, rows, last)


def book_held_report(context: GatewayContext, request: DecideHeldReport, caller: Caller) -> HeldReportDecided:
    """Charge a held report as what it says."""
    report, note = _report_id(request.id), request.reason
    return _decided(report, context.lane.run(review.BookReport(report, caller.name, note)))


def drop_held_report(context: GatewayContext, request: DecideHeldReport, caller: Caller) -> HeldReportDecided:
    """Book a held report nowhere."""
    report = _report_id(request.id)
    return _decided(report, context.lane.run(review.DropReport(report, caller.name, request.reason)))


def _report_id(text: str) -> int:
    report = identifier(text)
    if report is None:
        raise bad_request("review.id", "id: give the number that `tpo usage review list` shows")
    return report


def _decided(report: int, result: review.Decided | review.ReviewRefused) -> HeldReportDecided:
    if isinstance(result, review.ReviewRefused):
        raise (not_found if result.code == "review.unknown" else conflict)(result.code, str(result))
    booked = result.record_id is not None
    return HeldReportDecided(
        id=str(report),
        state=result.state,
        record_id=str(result.record_id) if booked else None,
        price=format_amount(result.price, result.currency) if booked else None,
        currency=result.currency or None,
    )
