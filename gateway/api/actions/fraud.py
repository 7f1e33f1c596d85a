"""Actions about cases of suspected fraud: listed and cleared."""

from gateway.api.answers.rows import CaseClearedView, FraudCasePage
from gateway.api.callers import Caller
from gateway.api.problems import bad_request, conflict, not_found
from gateway.api.requests.fields import MAX_PAGE, identifier
from gateway.api.requests.fraud import DecideCase, ListCases
from gateway.context import GatewayContext
from gateway.fraud import cases


def list_cases(context: GatewayContext, request: ListCases) -> FraudCasePage:
    """Return a page of the cases that wait for somebody, or of all."""
    with context.reading() as connection:
        rows = cases.read(connection, after=request.after, limit=MAX_PAGE, cleared=request.all)
    return FraudCasePage(rows, int(rows[-1].id) if len(rows) == MAX_PAGE else None)


def clear_case(context: GatewayContext, request: DecideCase, caller: Caller) -> CaseClearedView:
    """Clear a case; the line is served again, unless another case bars it."""
    case = identifier(request.id)
    if case is None:
        raise bad_request("fraud.id", "id: give the number that `tpo fraud list` shows")
    result = context.lane.run(cases.ClearCase(case, caller.name, request.reason))
    if isinstance(result, cases.CaseRefused):
        raise (not_found if result.code == "fraud.unknown" else conflict)(result.code, str(result))
    return CaseClearedView(request.id, str(result.subscriber_id), result.still_barred)
