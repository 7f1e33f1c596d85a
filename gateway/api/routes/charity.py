"""The second person's part of a payout, over HTTP: what was made by one token, or at the socket, is approved by another's."""

from aiohttp import web

from gateway.api.actions.charity_payments import approve_bank, approve_payout, show_bank, show_payout
from gateway.api.callers import OPERATOR
from gateway.api.conversion import to_request
from gateway.api.problems import not_found
from gateway.api.requests.charity import ApproveBank, NamePayout
from gateway.api.requests.fields import MAX_ID
from gateway.api.web_requests import caller_of, json_response
from gateway.context import GatewayContext


class CharityRoutes:
    """Payment files and bank details, for whoever has a token with the right `causes`."""

    def __init__(self, context: GatewayContext) -> None:
        """Take the open gateway."""
        self._context = context

    def routes(self) -> list[web.RouteDef]:
        """Return every route."""
        return [
            web.get("/v1/charity/payouts/{sha256}", self._show),
            web.post("/v1/charity/payouts/{sha256}/approval", self._approve),
            web.get("/v1/charity/bank-details/{id}", self._show_bank),
            web.post("/v1/charity/bank-details/{id}/approval", self._approve_bank),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        caller = caller_of(request, OPERATOR)
        named = to_request(dict(request.match_info), NamePayout)
        return json_response(await self._context.in_thread(show_payout, self._context, named, caller))

    async def _approve(self, request: web.Request) -> web.Response:
        caller = caller_of(request, OPERATOR)
        named = to_request(dict(request.match_info), NamePayout)
        return json_response(await self._context.in_thread(approve_payout, self._context, named, caller))

    async def _approve_bank(self, request: web.Request) -> web.Response:
        caller = caller_of(request, OPERATOR)
        return json_response(await self._context.in_thread(approve_bank, self._context, _details(request), caller))

    async def _show_bank(self, request: web.Request) -> web.Response:
        caller = caller_of(request, OPERATOR)
        return json_response(await self._context.in_thread(show_bank, self._context, _details(request), caller))


def _details(request: web.Request) -> ApproveBank:
    number = request.match_info["id"]
    if not (number.isascii() and number.isdigit() and len(number) < 20 and int(number) <= MAX_ID):
        raise not_found("bank.unknown", "there are no bank details of this number")
    return ApproveBank(int(number))
