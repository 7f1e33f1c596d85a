"""The routes of the HTTP interface as /openapi.json describes them: each with its role, its bodies, its problems and examples.

Whoever adds a route describes it here; the tests compare this table with the router of a gateway that runs.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.api.actions.order_fields import FIELDS, MAX_REASON
from gateway.api.actions.texts import MAX_TEXTS
from gateway.api.answers.bills import BillPaid
from gateway.api.answers.charity import AuditMade, BankAccountShown, BankDetails, Causes, CommitmentMade, PayoutFile
from gateway.api.answers.lines import LinePreferences
from gateway.api.answers.nodes import Health
from gateway.api.answers.orders import OrderTakenOverHttp
from gateway.api.answers.rows import BooksChecked, GiftAnswer, Gifts, LimitView, Seals
from gateway.api.answers.subscribers import ToppedUp
from gateway.api.answers.texts import TakenText, TakenTexts
from gateway.api.callers import BOOKS, JOURNAL, OPERATOR, VIEWER
from gateway.api.requests.bills import PayBillOnce
from gateway.api.requests.charity import MOST_DRAWN, MOST_SEED, AuditSample
from gateway.api.requests.fields import MAX_ID, NO_NUL, NUMBER_FORM, PRINTABLE
from gateway.api.requests.gifts import GiveGift
from gateway.api.requests.lines import DecideLimit, SetPreferences
from gateway.api.requests.orders import SimOrder
from gateway.api.requests.subscribers import TopUpSubscriber
from gateway.api.requests.texts import SendText
from gateway.balance.queries import SubscriberView
from gateway.charging.plan_changes import Effective
from gateway.ledger.export.pages import ExportPage
from gateway.ledger.totals import Totals
from gateway.messaging.queries import TextView
from gateway.sims.views import OrderView
from gateway.store.fitting import MOST_INTEGER
from provisioning.orders import Kind
from provisioning.sim_lifecycle import SuspendReason

PATH: Final = "/openapi.json"
Json = dict[str, object]
TEXT: Final[Json] = {"type": "string"}
NUMBER: Final[Json] = {"type": "string", **NUMBER_FORM}
ICCID: Final[Json] = {"type": "string", "pattern": "^89[0-9]{16,18}[Ff]?$"}
PLAN: Final[Json] = {"type": "string", "format": "plan", "description": "the id of a plan"}
CAUSE: Final[Json] = {"type": "string", "format": "cause", "description": "the id of an open cause"}
KEY: Final[Json] = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": PRINTABLE}
SHA256: Final[Json] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
PARAMETERS: Final[dict[str, Json]] = {
    "msisdn": NUMBER,
    "sha256": SHA256,
    "bill": {"type": "string", "pattern": "^[0-9]{1,18}$"},
    "period": {"type": "string", "pattern": r"^(19[7-9][0-9]|2[0-9]{3})-(0[1-9]|1[0-2])$", "examples": ["2026-11"]},
    "format": {"enum": ["beancount", "hledger", "csv"]},
    "after": {"type": "integer", "minimum": 0, "maximum": MAX_ID, "description": "0, then `next` of the page before"},
}
UNTIL: Final[Json] = {
    "name": "until", "in": "query", "required": False, "description": "what the first page said",
    "schema": {"type": "integer", "minimum": 0, "maximum": MOST_INTEGER},
}  # fmt: skip
SCHEMAS: Final = "#/components/schemas/{name}"
_TEXT_KEY: Final[Json] = {
    "name": "Idempotency-Key", "in": "header", "required": False, "description": "the reference of a text without one",
    "schema": KEY,
}  # fmt: skip
SMS: Final[Json] = {"$ref": SCHEMAS.format(name=SendText.__name__)}
_MONEY: Final[Json] = {"type": "string", "format": "amount", "pattern": r"^(?=.*[1-9])[0-9]{1,12}(\.[0-9]{1,6})?$"}
_CURRENCY: Final[Json] = {"type": "string", "format": "currency", "pattern": "^[A-Z]{3}$", "description": "by ISO 4217"}
AMOUNT: Final[Json] = {
    "type": "object",
    "properties": {
        "amount": {
            **_MONEY,
            "description": "in major units, with at most the decimals of the currency, up to charging.topup_limit",
        },
        "currency": _CURRENCY,
        "reference": {"type": "string", "minLength": 1, "maxLength": 255, **NO_NUL},
    },
    "required": ["amount", "currency"],
    "additionalProperties": False,
}


def _limit(decision: str, what: Json, amount: Json | None) -> Json:
    fields: Json = {
        "decision": {"const": decision},
        "what": what,
        "channel": {"type": "string", "minLength": 1, "maxLength": 32, "pattern": PRINTABLE},
        "wording": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": PRINTABLE},
    }
    required = ["decision", "channel", "wording"]
    if amount is not None:
        fields["amount"], required = amount, [*required, "amount"]
    if decision != "agreed":
        fields["period"] = {**PARAMETERS["period"], "description": "for this month alone, or one to come"}
    return {"type": "object", "properties": fields, "required": required, "additionalProperties": False}


_AMOUNT: Final[Json] = {
    "type": "string",
    "format": "amount",
    "pattern": r"^[0-9]{1,12}(\.[0-9]{1,6})?$",
    "description": "in major units, with at most the decimals of the wallet's currency; 0 is a limit",
}
LIMIT: Final[Json] = {
    "oneOf": [
        _limit("set", {"const": "bill"}, _AMOUNT),
        _limit("removed", {"const": "bill"}, None),
        _limit("agreed", {"enum": ["bill", "abroad"]}, None),
    ]
}
PREFERENCES: Final[Json] = {
    "type": "object",
    "properties": {
        "language": {"enum": ["en", "es", "fr"], "description": "one of notices.languages"},
        "itemised": {"type": "boolean", "description": "whether bills tell of calls one by one"},
        "reason": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": PRINTABLE},
    },
    "required": ["reason"],
    "minProperties": 2,
    "additionalProperties": False,
}
_PREFERENCES_EXAMPLE: Final[Json] = {"language": "fr", "itemised": False, "reason": "asked by phone"}


def _order_rows(kind: Kind) -> list[Json]:
    """Describe a kind of order: one object, but an activation is another where the number's last customer has it back."""
    must, may = FIELDS[kind]
    if kind is not Kind.ACTIVATE:
        return [_order_row(kind, must, may)]
    returning = _order_row(kind, (*must, "returning", "reason"), ("cause", "adopt"), returning={"const": True})
    return [_order_row(kind, must, ("cause", "adopt", "returning"), returning={"const": False}), returning]


def _order_row(kind: Kind, must: tuple[str, ...], may: tuple[str, ...], **narrower: Json) -> Json:
    free: Json = {
        "type": "string",
        "minLength": 1 if "reason" in must else 0,
        "maxLength": MAX_REASON,
        "pattern": PRINTABLE,
    }
    reason: Json = {"enum": list(SuspendReason)} if kind in (Kind.SUSPEND, Kind.RESUME) else free
    read: dict[str, Json] = {"msisdn": NUMBER, "plan": PLAN, "cause": CAUSE, "reason": reason, "new_iccid": ICCID}
    read["effective"] = {
        "enum": [str(each) for each in Effective],
        "description": "at once; pro-rata: at once, and the rest of a bundle's price is given back; renewal: when what was "
        "paid for ends",
    }
    read["adopt"] = {
        "type": "boolean",
        "description": "take over what the host holds of the card already; needs the role admin",
    }
    read["returning"] = {
        "type": "boolean",
        "description": "the number's last customer has it back from quarantine; needs a reason, and the role admin",
        **narrower.get("returning", {}),
    }
    fields = {"kind": {"const": str(kind)}, "iccid": ICCID} | {name: read[name] for name in (*must, *may)}
    required = [name for name in fields if name not in may]
    return {"type": "object", "properties": fields, "required": required, "additionalProperties": False}


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route.

    `role`: the least that its token has, None where none is asked; `request`: the type that its body is converted to, whose
    codes it refuses with; `problems`: its other codes by status.
    """

    method: str
    path: str
    summary: str
    role: str | None = None
    key: bool = False
    request: type[msgspec.Struct] | None = None
    body: Json | None = None
    example: Json | list[Json] | None = None
    status: int = 200
    answer: type | None = None
    media: str = "application/json"
    query: tuple[Json, ...] = ()
    problems: Mapping[int, tuple[str, ...]] = {}


_SMS_PROBLEMS: Final = {
    400: ("body.json", "sms.batch"),
    402: ("sms.credit", "sms.limit"),
    403: ("sms.line", "sms.barred"),
    409: ("sms.reference",),
}
_ORDER_PROBLEMS: Final = {
    400: ("body.json", "order.key", "order.kind", "order.country", "order.plan", "order.cause", "order.reason",
          "order.effective", "identifier.iccid", "identifier.msisdn"),
    404: ("sim.unknown",),
    409: ("order.key", "order.busy", "order.msisdn", "order.quarantine", "order.returning", "order.host", "sim.state",
          "sim.reason", "sim.same", "sim.quarantine"),
}  # fmt: skip
_TOPUP_PROBLEMS: Final = {
    400: ("body.json", "order.key", "topup.invalid"),
    404: ("subscriber.unknown",),
    409: ("topup.reference", "topup.currency", "topup.limit"),
}
_PAYMENT: Final[Json] = {
    "type": "object",
    "properties": {
        "amount": {
            **_AMOUNT,
            "pattern": r"^(?=.*[1-9])[0-9]{1,12}(\.[0-9]{1,6})?$",
            "description": "in major units, with at most the decimals of the currency",
        },
        "currency": {"type": "string", "format": "currency", "pattern": "^[A-Z]{3}$", "description": "by ISO 4217"},
    },
    "required": ["amount", "currency"],
    "additionalProperties": False,
}
_PAYMENT_PROBLEMS: Final = {
    400: ("body.json", "order.key", "payment.invalid"),
    404: ("bill.unknown",),
    409: ("payment.reference", "payment.currency", "payment.amount", "payment.line"),
}
_LIMIT_EXAMPLE: Final[Json] = {"decision": "set", "amount": "20.00", "channel": "app", "wording": "2026-1"}
_LIMIT_PROBLEMS: Final = {
    400: ("body.json", "limit.invalid", "identifier.msisdn"),
    404: ("subscriber.unknown",),
    409: ("limit.agreement", "limit.period"),
}
_PREFERENCES_PROBLEMS: Final = {
    400: ("body.json", "preferences.invalid", "params.reason", "identifier.msisdn"),
    404: ("subscriber.unknown",),
}
_PAYOUT_PROBLEMS: Final = {
    400: ("payout.hash",),
    404: ("payout.unknown",),
    409: (
        "payout.approved",
        "payout.same_person",
        "payout.changed",
        "payout.day",
        "payout.outdated",
        "payout.obstacle",
    ),
}
_BANK_PROBLEMS: Final = {
    404: ("bank.unknown",),
    409: ("bank.approved", "bank.same_person"),
}
_PACK_PROBLEMS: Final = (
    "bill.open",
    "evidence.unproved",
    "evidence.incomplete",
    "evidence.size",
    "evidence.busy",
    "evidence.enough",
)
_AUDIT_BODY: Final[Json] = {
    "type": "object",
    "properties": {
        "period": PARAMETERS["period"],
        "seed": {"type": "string", "minLength": 1, "maxLength": MOST_SEED, "pattern": PRINTABLE},
        "sample": {"type": "integer", "minimum": 1, "maximum": MOST_DRAWN, "default": 50},
        "named": {"type": "boolean", "description": "name causes, and say what was paid them: for an auditor alone"},
    },
    "required": ["period", "seed"],
    "additionalProperties": False,
}
_AUDIT_EXAMPLE: Final[Json] = {"period": "2026-11", "seed": "6-3-1-5-2", "sample": 50}
_GIFT_BODY: Final[Json] = {
    "type": "object",
    "properties": {"cause": CAUSE, "amount": _MONEY, "currency": _CURRENCY},
    "required": ["cause", "amount", "currency"],
    "additionalProperties": False,
}
_GIFT_EXAMPLE: Final[Json] = {"cause": "wateraid", "amount": "5.00", "currency": "GBP"}
_GIFT_PROBLEMS: Final = {
    400: ("body.json", "order.key", "gift.invalid", "identifier.msisdn"),
    404: ("subscriber.unknown",),
    409: ("gift.reference", "gift.cause", "gift.limit", "gift.month", "gift.balance", "gift.line", "gift.currency",
          "gift.amount"),
}  # fmt: skip
STORE_PROBLEMS: Final = tuple(
    f"store.{name}" for name in ("unavailable", "outcome_unknown", "unit_poisoned", "overloaded", "expired", "closed")
)
_TEXT_EXAMPLE: Final[Json] = {"from": "TPO", "to": "447700900200", "text": "Thank you!", "reference": "shop-1"}
_ORDER_EXAMPLE: Final[Json] = {
    "kind": "activate", "iccid": "8944100000000002006", "msisdn": "447700900198", "plan": "payg-gb", "cause": "wateraid",
}  # fmt: skip
CALLBACK: Final = "/v1/hosts/{name}/listener/{secret}"
_HINT: Final = "A host's callback (TMF640 listener); the secret in its path stands for a token"
_HINT_PROBLEMS: Final = {404: ("http.404",), 413: ("callback.size",)}
ROUTES: Final = (
    Route(method="get", path="/", summary="The status page", media="text/html", answer=str),
    Route(method="get", path="/livez", summary="Whether the process lives; 503 if not", answer=Health),
    Route(method="get", path="/readyz", summary="Whether it takes work; 503 if not", answer=Health),
    Route(method="get", path="/metrics", summary="Metrics, as Prometheus reads them", media="text/plain", answer=str),
    Route(method="get", path=PATH, summary="This description", answer=dict),
    Route(method="post", path="/v1/sms", summary="Send a text", role=OPERATOR, request=SendText, body=SMS,
          query=(_TEXT_KEY,), example=_TEXT_EXAMPLE, status=202, answer=TakenText,
          problems=_SMS_PROBLEMS | {400: ("body.json", "order.key")}),
    Route(method="post", path="/v1/sms/batch", summary="Send texts, all or none", role=OPERATOR, request=SendText,
          body={"type": "array", "items": SMS, "minItems": 1, "maxItems": MAX_TEXTS}, example=[_TEXT_EXAMPLE], status=202,
          answer=TakenTexts, problems=_SMS_PROBLEMS),
    Route(method="get", path="/v1/sms/{id}", summary="How a text stands", role=VIEWER, answer=TextView,
          problems={404: ("sms.unknown",)}),
    Route(method="post", path="/v1/orders", summary="Order something of a SIM", role=OPERATOR, key=True, status=202,
          request=SimOrder, body={"oneOf": [row for kind in FIELDS for row in _order_rows(kind)]}, example=_ORDER_EXAMPLE,
          answer=OrderTakenOverHttp, problems=_ORDER_PROBLEMS),
    Route(method="get", path="/v1/orders/{id}", summary="How an order stands", role=VIEWER, answer=OrderView,
          problems={404: ("order.unknown",)}),
    Route(method="post", path="/v1/subscribers/{msisdn}/topups", summary="Book money paid in", role=OPERATOR, key=True,
          request=TopUpSubscriber, body=AMOUNT, example={"amount": "10.00", "currency": "GBP", "reference": "shop-1"},
          answer=ToppedUp, problems=_TOPUP_PROBLEMS),
    Route(method="get", path="/v1/subscribers/{msisdn}/limits", summary="A line's bill limit, and what was decided of it",
          role=VIEWER, answer=LimitView, problems={400: ("identifier.msisdn",), 404: ("subscriber.unknown",)}),
    Route(method="post", path="/v1/subscribers/{msisdn}/limits", summary="Keep what a customer decided about a limit",
          role=OPERATOR, request=DecideLimit, body=LIMIT, example=_LIMIT_EXAMPLE, answer=LimitView,
          problems=_LIMIT_PROBLEMS),
    Route(method="get", path="/v1/subscribers/{msisdn}/preferences", summary="How a customer is written to", role=VIEWER,
          answer=LinePreferences, problems={400: ("identifier.msisdn",), 404: ("subscriber.unknown",)}),
    Route(method="post", path="/v1/subscribers/{msisdn}/preferences", summary="Keep how a customer wants to be written to",
          role=OPERATOR, request=SetPreferences, body=PREFERENCES, example=_PREFERENCES_EXAMPLE, answer=LinePreferences,
          problems=_PREFERENCES_PROBLEMS),
    Route(method="post", path="/v1/subscribers/{msisdn}/gifts", summary="Give to a cause, whole; held first", role=OPERATOR,
          key=True, request=GiveGift, body=_GIFT_BODY, example=_GIFT_EXAMPLE, status=202, answer=GiftAnswer,
          problems=_GIFT_PROBLEMS),
    Route(method="get", path="/v1/subscribers/{msisdn}/gifts", summary="A line's gifts", role=VIEWER, answer=Gifts,
          problems={400: ("identifier.msisdn",), 404: ("subscriber.unknown",)}),
    Route(method="delete", path="/v1/subscribers/{msisdn}/gifts/{id}", summary="Take back a gift that is held", role=OPERATOR,
          answer=GiftAnswer, problems={400: ("identifier.msisdn",), 404: ("subscriber.unknown", "gift.unknown"),
                                       409: ("gift.made",)}),
    Route(method="get", path="/v1/subscribers/{msisdn}", summary="A customer: plan, wallet, causes", role=VIEWER,
          answer=SubscriberView, problems={400: ("identifier.msisdn",), 404: ("subscriber.unknown",)}),
    Route(method="get", path="/v1/ledger/check", summary="Prove the books, all of them; large ones take minutes",
          role=BOOKS, answer=BooksChecked),
    Route(method="get", path="/v1/ledger/seals", summary="The seals, and the public key that they are signed with",
          role=BOOKS, answer=Seals),
    Route(method="get", path="/v1/ledger/totals/{period}", summary="The control totals of a calendar month", role=BOOKS,
          answer=Totals, problems={400: ("ledger.period",)}),
    Route(method="get", path="/v1/ledger/export/{format}/{after}", summary="A page of the journal for another program",
          role=JOURNAL, query=(UNTIL,), answer=ExportPage, problems={400: ("ledger.format",)}),
    Route(method="get", path="/v1/charity/causes", summary="The causes that may be chosen", role=VIEWER,
          answer=Causes),
    Route(method="get", path="/v1/charity/payouts/{sha256}", summary="A payment file to causes; needs the right causes",
          role=OPERATOR, answer=PayoutFile, problems={400: ("payout.hash",), 404: ("payout.unknown",)}),
    Route(method="post", path="/v1/charity/payouts/{sha256}/approval", summary="Approve a payment file, as its second person",
          role=OPERATOR, answer=PayoutFile, problems=_PAYOUT_PROBLEMS),
    Route(method="get", path="/v1/charity/bank-details/{id}", summary="The account of bank details; needs the right causes",
          role=OPERATOR, answer=BankAccountShown, problems={404: ("bank.unknown",)}),
    Route(method="post", path="/v1/charity/bank-details/{id}/approval", summary="Approve bank details, as their second person",
          role=OPERATOR, answer=BankDetails, problems=_BANK_PROBLEMS),
    Route(method="get", path="/v1/charity/commitments/{period}", summary="What fixes a month's bills before a seed is named; "
          "needs the right causes", role=JOURNAL, answer=CommitmentMade,
          problems={400: ("charity.period",), 409: ("bill.open",)}),
    Route(method="post", path="/v1/charity/audits", summary="Make an evidence pack of bills that a seed draws; needs the right "
          "causes", role=JOURNAL, request=AuditSample, body=_AUDIT_BODY, example=_AUDIT_EXAMPLE, status=201, answer=AuditMade,
          problems={400: ("body.json",), 409: _PACK_PROBLEMS}),
    Route(method="get", path="/v1/charity/audits/{sha256}", summary="An evidence pack that was made lately, as a .tar.gz",
          role=JOURNAL, media="application/gzip", answer=bytes,
          problems={400: ("evidence.hash",), 404: ("evidence.unknown",)}),
    Route(method="post", path="/v1/bills/{bill}/payments", summary="Book a payment of a bill; the key is its reference",
          role=OPERATOR, key=True, request=PayBillOnce, body=_PAYMENT, example={"amount": "12.34", "currency": "GBP"},
          answer=BillPaid, problems=_PAYMENT_PROBLEMS),
    Route(method="post", path=CALLBACK, summary=_HINT, status=201, problems=_HINT_PROBLEMS),
    Route(method="post", path=CALLBACK + "/{event}", summary=_HINT, status=201, problems=_HINT_PROBLEMS),
)  # fmt: skip
