"""Orders, top-ups and customers over HTTP, and the callbacks of hosts."""

import hmac
from http import HTTPStatus

from aiohttp import web

from gateway.api.actions import gifts
from gateway.api.actions.bill_payments import pay_bill
from gateway.api.actions.limits import show_limit
from gateway.api.actions.order_fields import read_key, read_kind
from gateway.api.actions.orders import OrderActions
from gateway.api.actions.preferences import set_preferences, show_preferences
from gateway.api.actions.spending import SpendingActions
from gateway.api.actions.subscribers import show_subscriber
from gateway.api.answers.charity import Cause, Causes
from gateway.api.answers.orders import OrderTakenOverHttp
from gateway.api.callers import OPERATOR, VIEWER
from gateway.api.conversion import to_request
from gateway.api.problems import bad_request, not_found
from gateway.api.requests.bills import PayBillOnce
from gateway.api.requests.gifts import GiveGift, NamedGift
from gateway.api.requests.lines import DecideLimit, SetPreferences
from gateway.api.requests.orders import SimOrder
from gateway.api.requests.subscribers import ShowSubscriber, TopUpSubscriber
from gateway.api.web_requests import caller_of, json_response, read_body, read_object
from gateway.context import GatewayContext
from gateway.sims.host_runtime import callback_secret
from gateway.sims.order_executor import OrderExecutor
from provisioning.errors import IdentifierInvalid
from provisioning.identifiers import msisdn

MAX_CALLBACK = 64 * 1024
"""Octets of a host's callback."""
MAX_DIGITS = 18
"""Of a bill's number."""
LISTENER = "/v1/hosts/"
"""Where hosts call back: a secret in the path stands for a token."""


class SubscriberRoutes:
    """The part of the HTTP interface that is about SIMs and their customers."""

    def __init__(
        self,
        context: GatewayContext,
        sims: OrderActions,
        spending: SpendingActions,
        executor: OrderExecutor,
    ) -> None:
        """Take the open gateway, where orders, money and decisions are accepted, and whom a callback concerns."""
        self._context, self._sims, self._spending, self._executor = context, sims, spending, executor

    def routes(self) -> list[web.RouteDef]:
        """Return every route."""
        return [
            web.post("/v1/orders", self._post_order),
            web.get("/v1/orders/{id}", self._get_order),
            web.post("/v1/subscribers/{msisdn}/topups", self._post_topup),
            web.post("/v1/subscribers/{msisdn}/gifts", self._post_gift),
            web.get("/v1/subscribers/{msisdn}/gifts", self._get_gifts),
            web.delete("/v1/subscribers/{msisdn}/gifts/{id}", self._delete_gift),
            web.get("/v1/subscribers/{msisdn}", self._get_subscriber),
            web.get("/v1/subscribers/{msisdn}/limits", self._get_limits),
            web.post("/v1/subscribers/{msisdn}/limits", self._post_limit),
            web.get("/v1/subscribers/{msisdn}/preferences", self._get_preferences),
            web.post("/v1/subscribers/{msisdn}/preferences", self._post_preferences),
            web.get("/v1/charity/causes", self._get_causes),
            web.post("/v1/bills/{bill}/payments", self._post_payment),
            web.post(LISTENER + "{name}/listener/{secret}", self._post_callback),
            web.post(LISTENER + "{name}/listener/{secret}/{event:.+}", self._post_callback),
        ]

    async def _post_order(self, request: web.Request) -> web.Response:
        caller = caller_of(request, OPERATOR)
        key, given = _idempotency_key(request), await read_object(request)
        kind = read_kind(given.pop("kind", None))
        taken = await self._sims.order(caller.name, key, kind, to_request(given, SimOrder), caller)
        told = OrderTakenOverHttp(taken.order, taken.state, kind, taken.iccid)
        return json_response(told, HTTPStatus.ACCEPTED)

    async def _get_order(self, request: web.Request) -> web.Response:
        caller_of(request, VIEWER)
        return json_response(await self._sims.show_order(request.match_info["id"]))

    async def _post_topup(self, request: web.Request) -> web.Response:
        caller = caller_of(request, OPERATOR)
        key, given = _idempotency_key(request), await read_object(request)
        if not {"amount", "currency"} <= set(given) <= {"amount", "currency", "reference"}:
            detail = "give an object with amount, currency and, unless the key is the payment's reference, reference"
            raise bad_request("topup.invalid", detail)
        params = {"reference": key, **given, "number": request.match_info["msisdn"], "key": key}
        wanted = to_request(params, TopUpSubscriber)
        return json_response(await self._spending.top_up(wanted, caller))

    async def _post_payment(self, request: web.Request) -> web.Response:
        caller = caller_of(request, OPERATOR)
        key, given = _idempotency_key(request), await read_object(request)
        bill = request.match_info["bill"]
        if not (bill.isascii() and bill.isdigit() and len(bill) <= MAX_DIGITS):
            raise not_found("bill.unknown", "there is no bill of this number")
        if set(given) != {"amount", "currency"}:
            raise bad_request("payment.invalid", "give an object with amount and currency; the key is its reference")
        wanted = to_request({**given, "reference": key, "bill": int(bill)}, PayBillOnce)
        return json_response(await self._context.in_thread(pay_bill, self._context, wanted, caller))

    async def _post_gift(self, request: web.Request) -> web.Response:
        caller = caller_of(request, OPERATOR)
        key, given = _idempotency_key(request), await read_object(request)
        if set(given) != {"cause", "amount", "currency"}:
            raise bad_request("gift.invalid", "give an object with cause, amount and currency")
        wanted = to_request({**given, "number": self._number(request), "reference": key}, GiveGift)
        told = await self._context.in_thread(gifts.give, self._context, wanted, caller)
        return json_response(told, HTTPStatus.ACCEPTED)

    async def _get_gifts(self, request: web.Request) -> web.Response:
        caller = caller_of(request, VIEWER)
        named = ShowSubscriber(self._number(request))
        return json_response(await self._context.in_thread(gifts.gifts, self._context, named, caller))

    async def _delete_gift(self, request: web.Request) -> web.Response:
        caller_of(request, OPERATOR)
        named = NamedGift(self._number(request), request.match_info["id"])
        return json_response(await self._context.in_thread(gifts.withdraw, self._context, named))

    async def _get_subscriber(self, request: web.Request) -> web.Response:
        caller = caller_of(request, VIEWER)
        named = ShowSubscriber(self._number(request))
        return json_response(await self._context.in_thread(show_subscriber, self._context, named, caller))

    def _number(self, request: web.Request) -> str:
        try:
            return msisdn(request.match_info["msisdn"], self._context.settings.operator.country)
        except IdentifierInvalid as error:
            raise bad_request(error.code, str(error)) from None

    def _with_number(self, given: dict[str, object], request: web.Request, code: str) -> dict[str, object]:
        """Return what is given with the path's number; Problem (`code`) where the body names one, too."""
        if "number" in given:
            raise bad_request(code, "number: the path names the line; leave it out of the body")
        return {**given, "number": self._number(request)}

    async def _get_limits(self, request: web.Request) -> web.Response:
        caller_of(request, VIEWER)
        named = ShowSubscriber(self._number(request))
        return json_response(await self._context.in_thread(show_limit, self._context, named))

    async def _post_limit(self, request: web.Request) -> web.Response:
        caller = caller_of(request, OPERATOR)
        given = await read_object(request)
        wanted = to_request(self._with_number(given, request, "limit.invalid"), DecideLimit)
        return json_response(await self._spending.decide_limit(wanted, caller))

    async def _get_preferences(self, request: web.Request) -> web.Response:
        caller_of(request, VIEWER)
        named = ShowSubscriber(self._number(request))
        return json_response(await self._context.in_thread(show_preferences, self._context, named))

    async def _post_preferences(self, request: web.Request) -> web.Response:
        caller = caller_of(request, OPERATOR)
        given = await read_object(request)
        wanted = to_request(self._with_number(given, request, "preferences.invalid"), SetPreferences)
        return json_response(await self._context.in_thread(set_preferences, self._context, wanted, caller))

    async def _get_causes(self, request: web.Request) -> web.Response:
        caller_of(request, VIEWER)
        known = self._context.settings.causes.values()
        causes = [
            Cause(
                id=each.id,
                name=each.name,
                country=each.country,
                regulator=each.regulator or None,
                number=each.number or None,
                open=each.open,
                statement=each.statement or None,
            )
            for each in known
        ]
        return json_response(Causes(causes))

    async def _post_callback(self, request: web.Request) -> web.Response:
        """Take a hint of a host; nothing of it is read before its secret is seen to be right (TMF640 listener: 201)."""
        name, secret = request.match_info["name"], request.match_info["secret"]
        known = any(host.name == name and host.calls_back for host in self._context.settings.provisioning.hosts)
        right = callback_secret(self._context, name).encode()
        if not hmac.compare_digest(secret.encode(errors="surrogatepass"), right) or not known:
            raise not_found("http.404", HTTPStatus.NOT_FOUND.phrase)
        self._executor.hint(name, await read_body(request, MAX_CALLBACK, "callback.size"))
        return web.Response(status=HTTPStatus.CREATED)


def _idempotency_key(request: web.Request) -> str:
    key = read_key(request.headers.get("Idempotency-Key"))
    if key is None:
        raise bad_request("order.key", "give a header Idempotency-Key: the same request again has the same one")
    return key
