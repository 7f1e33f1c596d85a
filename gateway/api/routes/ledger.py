"""The books over HTTP, for an auditor who has a token and no account on this machine: proofs, sums and exports, read alone."""

from aiohttp import web

from gateway.api.actions.ledger import check_ledger, export_journal, list_seals, show_totals
from gateway.api.callers import BOOKS, JOURNAL
from gateway.api.conversion import to_request
from gateway.api.requests.fields import Nothing
from gateway.api.requests.ledger import CheckLedger, ExportJournal, ShowTotals
from gateway.api.web_requests import caller_of, json_response
from gateway.context import GatewayContext


class LedgerRoutes:
    """The part of the HTTP interface that is about the books."""

    def __init__(self, context: GatewayContext) -> None:
        """Take the open gateway."""
        self._context = context

    def routes(self) -> list[web.RouteDef]:
        """Return every route."""
        return [
            web.get("/v1/ledger/check", self._check),
            web.get("/v1/ledger/seals", self._seals),
            web.get("/v1/ledger/totals/{period}", self._totals),
            web.get("/v1/ledger/export/{format}/{after}", self._export),
        ]

    async def _check(self, request: web.Request) -> web.Response:
        caller_of(request, BOOKS)
        found = await self._context.in_thread(check_ledger, self._context, CheckLedger(full=True))
        return json_response(found)

    async def _seals(self, request: web.Request) -> web.Response:
        caller_of(request, BOOKS)
        return json_response(await self._context.in_thread(list_seals, self._context, Nothing()))

    async def _totals(self, request: web.Request) -> web.Response:
        caller_of(request, BOOKS)
        wanted = to_request({"period": request.match_info["period"]}, ShowTotals)
        return json_response(await self._context.in_thread(show_totals, self._context, wanted))

    async def _export(self, request: web.Request) -> web.Response:
        """Return a page: the first is `after` 0; the journal as of the first page goes on with its `until` (a query)."""
        caller = caller_of(request, JOURNAL)
        params: dict[str, object] = {"format": request.match_info["format"]}
        numbers = {"after": request.match_info["after"], "until": request.query.get("until")}
        params |= {name: _number(text) for name, text in numbers.items() if text is not None}
        wanted = to_request(params, ExportJournal)
        return json_response(await self._context.in_thread(export_journal, self._context, wanted, caller))


def _number(text: str) -> object:
    """Read a number; what is none is left to the request's own bounds."""
    return int(text) if text.isascii() and text.isdigit() else text
