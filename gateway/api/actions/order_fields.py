"""What each kind of order must and may say, read and checked: the same for a command, a row of a bulk, and POST /v1/orders."""

import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from gateway.api.callers import MAX_ACTOR
from gateway.api.problems import Problem, bad_request, conflict, not_found
from gateway.api.requests.fields import PRINTABLE
from gateway.api.requests.orders import SimOrder
from gateway.charging.plan_changes import Effective
from gateway.settings import Settings
from gateway.sims.accept_order import Asked
from gateway.store.fitting import misfit
from provisioning.errors import IdentifierInvalid
from provisioning.identifiers import iccid, msisdn
from provisioning.orders import Kind, OrderRefused, OrderRequest
from provisioning.sim_lifecycle import SuspendReason

MAX_REASON: Final = 64
"""Characters of a free reason, as history keeps it."""
SOCKET: Final = "socket"
"""In whose name the keys of commands are kept: several people may go on with one bulk."""

FIELDS: Final[dict[Kind, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    Kind.ACTIVATE: (("msisdn", "plan"), ("cause", "adopt", "returning", "reason")),
    Kind.SUSPEND: (("reason",), ()),
    Kind.RESUME: (("reason",), ()),
    Kind.SWAP: (("new_iccid",), ("reason",)),
    Kind.TERMINATE: ((), ("reason",)),
    Kind.RENUMBER: (("msisdn", "reason"), ("returning",)),
    Kind.REPLAN: (("plan", "reason"), ("effective",)),
}
"""What each kind of order must and may say besides the card; other kinds are not for people to ask."""

_FLAGS: Final = ("adopt", "returning")
"""What only an admin may say."""
_TEXTS: Final = tuple(name for name in SimOrder.__struct_fields__ if name not in _FLAGS)
_MISSING: Final = "order.field"


def read_kind(text: object) -> Kind:
    """Read which kind of order is meant."""
    found = next((kind for kind in FIELDS if kind == text), None)
    if found is None:
        raise bad_request("order.kind", f"kind: give one of {', '.join(FIELDS)}")
    return found


def read_request(kind: Kind, given: SimOrder, settings: Settings, actor: str) -> Asked:
    """Check a request by itself; Problem says which field is at fault, with the stable code of the fault."""
    flags = {name: _flag(kind, name, said=bool(getattr(given, name))) for name in _FLAGS}
    texts = _texts(kind, {name: getattr(given, name) for name in _TEXTS})
    try:
        card = iccid(texts.pop("iccid"))
        said = {name: _READ[name](text, kind, settings) for name, text in texts.items()}
        request = msgspec.convert({**said, **flags}, OrderRequest)
    except IdentifierInvalid as error:
        raise bad_request(error.code, str(error)) from None
    if kind is Kind.ACTIVATE and request.returning != bool(request.reason):
        words = "reason: returning needs it" if request.returning else f"reason: is not for {kind} without returning"
        raise bad_request(_MISSING, words)
    return Asked(kind, card, request, actor[:MAX_ACTOR])


def read_key(key: object) -> str | None:
    """Read an idempotency key; None where there is none."""
    if key in (None, ""):
        return None
    if not isinstance(key, str) or len(key) > 255 or not re.match(PRINTABLE, key) or misfit(key):
        raise bad_request("order.key", "key: give a text of at most 255 printable characters")
    return key


def problem_of(refusal: OrderRefused) -> Problem:
    """Return an order that cannot be as things stand."""
    match refusal.code:
        case "sim.unknown":
            return not_found(refusal.code, str(refusal))
        case "order.plan" | "order.country":
            return bad_request(refusal.code, str(refusal))
    return conflict(refusal.code, str(refusal))


def _texts(kind: Kind, given: Mapping[str, str | None]) -> dict[str, str]:
    """Return the fields that say something; those that a kind needs are there, others than it knows are not."""
    must, may = FIELDS[kind]
    texts = {name: value for name, value in given.items() if value}
    for name in texts:
        if name not in ("iccid", *must, *may):
            raise bad_request(_MISSING, f"{name}: is not for {kind}")
    for name in ("iccid", *must):
        if name not in texts:
            raise bad_request(_MISSING, f"{name}: {kind} needs it")
    return texts


def _flag(kind: Kind, name: str, *, said: bool) -> bool:
    if said and name not in FIELDS[kind][1]:
        raise bad_request(_MISSING, f"{name}: is not for {kind}")
    return said


def _plan(text: str, _kind: Kind, settings: Settings) -> str:
    if text not in settings.plans:
        raise bad_request("order.plan", f"plan: {text[:32]!r} is none of {', '.join(sorted(settings.plans))}")
    return text


def _cause(text: str, _kind: Kind, settings: Settings) -> str:
    known = sorted(cause.id for cause in settings.causes.values() if cause.open)
    if text not in known:
        raise bad_request("order.cause", f"cause: {text[:32]!r} is none of {', '.join(known)}")
    return text


def _effective(text: str, _kind: Kind, _settings: Settings) -> str:
    if text not in set(Effective):
        raise bad_request(
            "order.effective", f"effective: give {Effective.PRO_RATA} or {Effective.RENEWAL}, or leave it out"
        )
    return text


def _reason(text: str, kind: Kind, _settings: Settings) -> str:
    if kind in (Kind.SUSPEND, Kind.RESUME):
        if text not in set(SuspendReason):
            raise bad_request("order.reason", f"reason: give one of {', '.join(SuspendReason)}")
    elif len(text) > MAX_REASON or not re.match(PRINTABLE, text):
        raise bad_request("order.reason", f"reason: give at most {MAX_REASON} printable characters")
    return text


_READ: Final[dict[str, Callable[[str, Kind, Settings], str]]] = {
    "msisdn": lambda text, _kind, settings: msisdn(text, settings.operator.country),
    "plan": _plan,
    "cause": _cause,
    "reason": _reason,
    "effective": _effective,
    "new_iccid": lambda text, _kind, _settings: iccid(text),
}
