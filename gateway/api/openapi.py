"""The description of the HTTP interface that `/openapi.json` gives (OpenAPI 3.1).

Whoever adds a route describes it in `ROUTES`; the tests compare that table with the router of a gateway that runs.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.api.actions import OPERATOR, VIEWER
from gateway.api.order_requests import FIELDS, MAX_REASON
from gateway.api.requests import NUMBER_FORM, SendText
from gateway.api.sms_actions import MAX_TEXTS
from gateway.messaging.texts import Step, TextState
from provisioning.orders import Kind, Mark, OrderState
from provisioning.sim_lifecycle import SuspendReason

PATH: Final = "/openapi.json"
Json = dict[str, Any]


def obj(properties: Json, optional: tuple[str, ...] = (), **more: Any) -> Json:  # noqa: ANN401  (JSON Schema)
    """Write the schema of an object: every property is there but the optional ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, **more}


def many(items: Json, **more: Any) -> Json:  # noqa: ANN401  (JSON Schema)
    """Write the schema of a list."""
    return {"type": "array", "items": items, **more}


def one_of(values: Any) -> Json:  # noqa: ANN401  (an enum or a list of words)
    """Write the schema of a word out of a few."""
    return {"type": "string", "enum": [str(value) for value in values]}


TEXT: Final[Json] = {"type": "string"}
MAYBE: Final[Json] = {"type": ["string", "null"]}
YES_NO: Final[Json] = {"type": "boolean"}
TIME: Final[Json] = {"type": "string", "format": "date-time"}
NUMBER: Final[Json] = {"type": "string", **NUMBER_FORM}
ICCID: Final[Json] = {"type": "string", "pattern": "^89[0-9]{16,18}[Ff]?$"}
KEY: Final[Json] = {"type": "string", "minLength": 1, "maxLength": 255}
SMS: Final[Json] = msgspec.json.schema_components([SendText])[1]["SendText"]
TAKEN: Final = obj({"id": TEXT, "reference": MAYBE, "state": one_of([TextState.QUEUED])})
PART: Final = obj({"state": one_of(Step), "message_id": MAYBE, "error": MAYBE})
SHOWN: Final = obj(
    {"id": TEXT, "state": one_of(TextState), "from": TEXT, "to": TEXT, "link": MAYBE}
    | {"accepted_at": TIME, "updated_at": TIME, "valid_until": TIME, "error": MAYBE}
    | {"maybe_double": YES_NO, "parts": many(PART)}
)
STEP: Final = obj(
    {"name": TEXT, "mark": one_of(Mark), "attempts": {"type": "integer"}, "error": MAYBE}
    | {"at": {"type": ["string", "null"], "format": "date-time"}}
    | {"found": {**MAYBE, "description": "what the host held of the card before this step; null: nothing, or not read"}}
)
ORDER: Final = obj(
    {"id": TEXT, "kind": one_of(Kind), "state": one_of(OrderState), "iccid": TEXT, "msisdn": MAYBE, "host": MAYBE}
    | {"actor": TEXT, "undoing": YES_NO, "error": MAYBE, "created_at": TIME, "updated_at": TIME, "due_at": MAYBE}
    | {"plan": MAYBE, "reason": MAYBE, "new_iccid": MAYBE, "adopt": YES_NO, "steps": many(STEP)}
)
ORDERED: Final = obj({"id": TEXT, "state": one_of(OrderState), "kind": one_of(FIELDS), "iccid": TEXT})
TOPPED: Final = obj({"subscriber_id": TEXT, "balance": TEXT, "currency": TEXT, "repeated": YES_NO})
SHARE: Final = obj({"cause": TEXT, "percent": {"type": "number"}})
CAUSES: Final = many(SHARE) | {
    "type": ["array", "null"],
    "description": "null for a token without the right `causes`; each look of one that has it is noted",
}
SUBSCRIBER: Final = obj(
    {"subscriber_id": TEXT, "msisdn": MAYBE, "imsi": MAYBE, "iccid": MAYBE, "plan": MAYBE, "status": TEXT}
    | {"balance": TEXT, "reserved": TEXT, "currency": TEXT, "causes": CAUSES, "open_sessions": {"type": "integer"}}
)
CAUSE: Final = obj({"id": TEXT, "name": TEXT, "country": TEXT, "regulator": MAYBE, "number": MAYBE, "open": YES_NO})
HEALTH: Final = obj({"ok": YES_NO, "checks": {"type": "object", "additionalProperties": YES_NO}})
AMOUNT: Final = obj(
    {
        "amount": {"type": "string", "pattern": r"^\d{1,12}(\.\d{1,6})?$"},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "reference": {"type": "string", "minLength": 1, "maxLength": 255},
    },
    required=["amount", "currency"],
    additionalProperties=False,
)


def _order_row(kind: Kind) -> Json:
    must, may = FIELDS[kind]
    free = {"type": "string", "maxLength": MAX_REASON}
    reason = one_of(SuspendReason) if kind in (Kind.SUSPEND, Kind.RESUME) else free
    read: dict[str, Json] = {"msisdn": NUMBER, "plan": TEXT, "cause": TEXT, "reason": reason, "new_iccid": ICCID}
    read["adopt"] = {
        "type": "boolean",
        "description": "take over what the host holds of the card already; needs the role admin",
    }
    fields = {"kind": {"const": str(kind)}, "iccid": ICCID} | {name: read[name] for name in (*must, *may)}
    return obj(fields, may)


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route. `problems`: its own codes by status; `role`: the least that its token has, None where none is asked."""

    method: str
    path: str
    summary: str
    role: str | None = None
    key: bool = False
    body: Json | None = None
    example: Any = None
    status: int = 200
    answer: Json | None = None
    media: str = "application/json"
    problems: Mapping[int, tuple[str, ...]] = {}


_SMS_CODES: Final = tuple(
    f"sms.{name}" for name in ("batch", "fields", "text", "address", "validity", "registered_delivery", "reference")
)
_SMS_PROBLEMS: Final = {400: ("body.json", *_SMS_CODES), 402: ("sms.credit",), 403: ("sms.line",),
                        409: ("sms.reference",)}  # fmt: skip
_ORDER_CODES: Final = (
    "body.json",
    "order.key",
    "order.kind",
    "order.field",
    "order.plan",
    "order.cause",
    "order.reason",
)
_ORDER_PROBLEMS: Final = {
    400: (*_ORDER_CODES, "identifier.iccid", "identifier.msisdn"),
    404: ("sim.unknown",),
    409: ("order.key", "order.busy", "order.msisdn", "order.quarantine", "sim.state", "sim.reason", "sim.same",
          "sim.quarantine"),
}  # fmt: skip
_TOPUP_PROBLEMS: Final = {
    400: ("body.json", "order.key", "topup.invalid", "params.text"),
    404: ("subscriber.unknown",),
    409: ("topup.reference", "topup.currency", "topup.limit"),
}
_STORE: Final = tuple(
    f"store.{name}" for name in ("unavailable", "outcome_unknown", "unit_poisoned", "overloaded", "expired", "closed")
)
_TEXT_EXAMPLE: Final = {"from": "TPO", "to": "447700900200", "text": "Thank you!", "reference": "shop-1"}
_ORDER_EXAMPLE: Final = {
    "kind": "activate", "iccid": "8944100000000002006", "msisdn": "447700900198", "plan": "payg-gb", "cause": "wateraid",
}  # fmt: skip
_CALLBACK: Final = "/v1/hosts/{name}/listener/{secret}"
_HINT: Final = "A host's callback (TMF640 listener); the secret in its path stands for a token"
_HINT_PROBLEMS: Final = {404: ("http.404",), 413: ("callback.size",)}

ROUTES: Final = (
    Route(method="get", path="/", summary="The status page", media="text/html", answer=TEXT),
    Route(method="get", path="/livez", summary="Whether the process lives; 503 if not", answer=HEALTH),
    Route(method="get", path="/readyz", summary="Whether it takes work; 503 if not", answer=HEALTH),
    Route(method="get", path="/metrics", summary="Metrics, as Prometheus reads them", media="text/plain", answer=TEXT),
    Route(method="get", path=PATH, summary="This description", answer={"type": "object"}),
    Route(method="post", path="/v1/sms", summary="Send a text", role=OPERATOR, body=SMS, example=_TEXT_EXAMPLE,
          status=202, answer=TAKEN, problems=_SMS_PROBLEMS),
    Route(method="post", path="/v1/sms/batch", summary="Send texts, all or none", role=OPERATOR, status=202,
          body=many(SMS, minItems=1, maxItems=MAX_TEXTS), example=[_TEXT_EXAMPLE],
          answer=obj({"messages": many(TAKEN)}), problems=_SMS_PROBLEMS),
    Route(method="get", path="/v1/sms/{id}", summary="How a text stands", role=VIEWER, answer=SHOWN,
          problems={404: ("sms.unknown",)}),
    Route(method="post", path="/v1/orders", summary="Order something of a SIM", role=OPERATOR, key=True, status=202,
          body={"oneOf": [_order_row(kind) for kind in FIELDS]}, example=_ORDER_EXAMPLE, answer=ORDERED,
          problems=_ORDER_PROBLEMS),
    Route(method="get", path="/v1/orders/{id}", summary="How an order stands", role=VIEWER, answer=ORDER,
          problems={404: ("order.unknown",)}),
    Route(method="post", path="/v1/subscribers/{msisdn}/topups", summary="Book money paid in", role=OPERATOR, key=True,
          body=AMOUNT, example={"amount": "10.00", "currency": "GBP", "reference": "shop-1"}, answer=TOPPED,
          problems=_TOPUP_PROBLEMS),
    Route(method="get", path="/v1/subscribers/{msisdn}", summary="A customer: plan, wallet, causes", role=VIEWER,
          answer=SUBSCRIBER, problems={400: ("identifier.msisdn",), 404: ("subscriber.unknown",)}),
    Route(method="get", path="/v1/charity/causes", summary="The causes that may be chosen", role=VIEWER,
          answer=obj({"causes": many(CAUSE)})),
    Route(method="post", path=_CALLBACK, summary=_HINT, status=201, problems=_HINT_PROBLEMS),
    Route(method="post", path=_CALLBACK + "/{event}", summary=_HINT, status=201, problems=_HINT_PROBLEMS),
)  # fmt: skip


def document() -> Json:
    """Write the whole description."""
    paths: Json = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method] = _operation(route)
    problem = obj({"type": TEXT, "title": TEXT, "status": {"type": "integer"}, "code": TEXT, "detail": TEXT})
    bearer = {"type": "http", "scheme": "bearer", "description": "one of api.tokens: viewer, operator or admin"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "TPO gateway", "version": "1", "description": "Paths outside /v1/ ask whoever is not on this "
                 "machine for a token too; problems are those of RFC 9457, each with a stable code. Bodies are sent as they "
                 "are: a coded one (Content-Encoding) is refused unread, and so is a text that holds U+0000."},
        "paths": paths,
        "components": {"schemas": {"Problem": problem}, "securitySchemes": {"token": bearer}},
    }  # fmt: skip


def served() -> web.RouteDef:
    """Give the route of the description, which is written once."""
    body = msgspec.json.encode(document())

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    return web.get(PATH, answer)


def codes(route: Route) -> dict[int, list[str]]:
    """Give every code that a route may refuse with, by status: its own, and those that all such routes share."""
    found = {status: list(own) for status, own in route.problems.items()}
    if route.role is not None:
        found[401], found[403] = ["token.missing"], ["action.forbidden", *found.get(403, ())]
        found.setdefault(400, []).append("params.invalid")
        found[503] = list(_STORE)
    if route.body is not None:
        found[413] = ["http.413"]
        found[503].append("gateway.runtime.drain")
    if route.method == "post":
        found.setdefault(400, []).append("body.broken")
        found[408], found[415] = ["body.slow"], ["body.encoding"]
    found.setdefault(400, []).append("http.400")
    found[500] = ["http.500"]
    if route.key and "topups" in route.path:
        found[503].remove("gateway.runtime.drain")
    return dict(sorted(found.items()))


def _operation(route: Route) -> Json:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    parameters = [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in names]
    if route.key:
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": True, "schema": KEY})
    told: Json = {"description": HTTPStatus(route.status).phrase}
    if route.answer is not None:
        told["content"] = {route.media: {"schema": route.answer}}
    answers = {str(route.status): told} | {str(status): _problem(status, own) for status, own in codes(route).items()}
    if route.answer is HEALTH:
        answers["503"] = {**told, "description": HTTPStatus(503).phrase}
    operation: Json = {"summary": route.summary, "parameters": parameters, "responses": answers}
    if route.role is not None:
        operation |= {"security": [{"token": []}], "description": f"Needs the role {route.role} or one above it."}
    if route.body is not None:
        content = {"application/json": {"schema": route.body, "example": route.example}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _problem(status: int, own: list[str]) -> Json:
    narrowed = {"properties": {"code": {"enum": own}}}
    schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, narrowed]}
    content = {"application/problem+json": {"schema": schema}}
    return {"description": HTTPStatus(status).phrase, "content": content}
