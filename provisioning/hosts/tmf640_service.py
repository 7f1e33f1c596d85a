"""What a TMF640 Service says of a line, what is to be written to change it, and what a host's answers tell. Pure.

A line is one Service, found by its card (`supportingResource.id`). The specification has no state for a barred line
(TMF640 v4, ServiceStateType): it is `inactive`, with the characteristic `suspended`. Keys have no place in any of this.
"""

import re
from collections.abc import Collection, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from provisioning.errors import HostDeclined, HostRefused, HostUnavailable
from provisioning.hosts.interface import (
    ABSENT,
    NOTHING,
    UNSETTLED,
    Access,
    Condition,
    HeldLine,
    Holding,
    HostLine,
)
from provisioning.identifiers import msisdn_at_home
from provisioning.masks import mask

MAX_BODY: Final = 256 * 1024
"""Octets of an answer or a callback; more is not read."""
SHOWN: Final = 200
"""Characters of what a host wrote that are told."""
MAX_AFTER: Final = 3600.0
"""Seconds that a host may ask us to wait."""
LATER: Final = frozenset({408, 421, 423, 425, 429})
"""Refusals that are about this moment, not about the line."""
MAX_HINTS: Final = 100
MAX_ID: Final = 255
KEPT_ITEMS: Final = 20
"""Order items of the past that go back to the host with a change."""

Resource = dict[str, Any]
_STATES: Final = {Access.OPEN: "active", Access.BARRED: "inactive", Access.ABSENT: "terminated"}
_IN_ERROR: Final = frozenset({"inerror", "error", "failed", "rejected"})
_IN_PROGRESS: Final = frozenset({"inprogress", "acknowledged", "pending", "accepted"})

_SEPARATORS: Final = re.compile(r"[\s().-]")
_CODE: Final = re.compile(r"[A-Za-z0-9_-]{1,24}", re.ASCII)
_MONITOR: Final = re.compile(r"/monitor/([A-Za-z0-9_~.-]{1,128})/?$", re.ASCII)
_LINK: Final = re.compile(r"<([^<>]{1,1024})>([^<>,]{0,256})")


def quoted(text: object) -> str:
    """Repeat what a host wrote: on one line, numbers and keys masked, and cut."""
    if not isinstance(text, str):
        return ""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    # Masked before it is cut: the cut could leave a piece of a key that no longer looks like one.
    return mask(plain)[:SHOWN].strip()


def parse(body: bytes) -> Any:  # noqa: ANN401  (JSON of a host)
    """Read an answer's body; HostUnavailable if it is no JSON."""
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise HostUnavailable("the host's answer is no JSON", "host.garbage", one_line=True) from None


def parse_or_none(body: bytes) -> Any:  # noqa: ANN401  (as above)
    """Read a body that may be empty or anything."""
    try:
        return msgspec.json.decode(body) if body else None
    except (ValueError, RecursionError):
        return None


# What a Service says


def is_of(service: object, iccid: str) -> bool:
    """Whether this is a Service for a card."""
    if not isinstance(service, dict):
        return False
    if any(item.get("id") == iccid for item in _items(service, "supportingResource")):
        return True
    return _told(service, "iccid") == iccid


def is_live(service: Resource) -> bool:
    """Whether a Service has not ended."""
    return _state(service) != _STATES[Access.ABSENT]


def _state(service: Resource) -> str:
    """Return a Service's state as the specification writes it: some hosts write `Active`, or `TERMINATED`."""
    state = service.get("state")
    return state.strip().lower() if isinstance(state, str) else ""


def identifier(service: object) -> str:
    """Return a resource's id, or nothing if it has none that can stand in a path."""
    found = service.get("id") if isinstance(service, dict) else None
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    return found if isinstance(found, str) and 0 < len(found) <= MAX_ID and found.strip(".") else ""


def held_line(service: object, countries: Collection[str] = ()) -> HeldLine | None:
    """Return a Service of the host's list as a line; None for one that has ended, or is about no line."""
    if not isinstance(service, dict) or not is_live(service):
        return None
    cards = [card for item in _items(service, "supportingResource") if isinstance(card := item.get("id"), str)]
    iccid, imsi, number = (
        _told(service, "iccid") or next(iter(cards), None),
        _told(service, "imsi"),
        _number(service, countries),
    )
    if iccid is None and imsi is None and number is None:
        return None
    access = Access.BARRED if _state(service) == _STATES[Access.BARRED] else Access.OPEN
    return HeldLine(imsi, iccid, number, access)


def total(headers: Mapping[str, str]) -> int | None:
    """Return how many resources a list has in all (TMF630, X-Total-Count); None if the host does not say."""
    given = headers.get("X-Total-Count", "").strip()
    return int(given) if given.isascii() and given.isdigit() and len(given) < 12 else None


def condition(service: Resource | None, line: HostLine, countries: Collection[str] = ()) -> Condition:
    """Return how a host that has this Service holds the line; UNSETTLED where it is neither one thing nor the other."""
    if service is None or not is_live(service):
        return ABSENT
    suspended = (_told(service, "suspended") or "false").lower() == "true"
    number = _number(service, countries)
    if _told(service, "imsi") not in (None, line.imsi):
        return UNSETTLED
    if _state(service) == _STATES[Access.OPEN] and not suspended:
        return Condition(Access.OPEN, number)
    if _state(service) == _STATES[Access.BARRED]:
        return Condition(Access.BARRED, number)
    return UNSETTLED


def holding(service: Resource | None, line: HostLine, countries: Collection[str] = ()) -> Holding:
    """Return what a host that has this Service holds of the card; its own orders are no part of that."""
    if service is None or not is_live(service):
        return NOTHING
    state, number = service.get("state"), _number(service, countries)
    other = _told(service, "imsi") not in (None, line.imsi)
    words = f"a Service that is {quoted(state)[:24] or 'in no state'}, {f'as {mask(number)}' if number else 'without a number'}"
    return Holding(
        condition=condition(service, line, countries),
        words=words + (", with another IMSI" if other else ""),
        msisdn=number,
        other_card=other,
        fixed="" if isinstance(state, str) else "its state could not be given back",
        record=msgspec.json.encode(_kept(service), order="sorted"),
    )


def _kept(service: Resource) -> Resource:
    """Return all of a Service that we change, in one order whatever the host's is."""
    characteristics = sorted(_items(service, "serviceCharacteristic"), key=lambda item: str(item.get("name")))
    kept = {"id": identifier(service), "state": service.get("state"), "serviceCharacteristic": characteristics}
    specification = service.get("serviceSpecification")
    return kept | ({"serviceSpecification": specification} if isinstance(specification, dict) else {})


def is_made_by(
    service: Resource, call_id: str, line: HostLine, wanted: Condition, countries: Collection[str] = ()
) -> bool:
    """Whether a Service on a card that had none comes from an order of ours, `call_id` being one of its calls.

    A host may keep orders of its own there, or none: then it has to say the very line that was asked for.
    """
    order = call_id.partition(".")[0]
    named = _orders(service)
    if any(name.partition(".")[0] == order for name in named):
        return True
    same = _told(service, "imsi") in (None, line.imsi) and _number(service, countries) == wanted.msisdn
    return same and not (named and wanted.msisdn is None)


def has_order(service: Resource | None, call_id: str) -> bool:
    """Whether a Service knows this call of ours."""
    return service is not None and call_id in _orders(service)


# What is written


def creation(call_id: str, line: HostLine, wanted: Condition) -> Resource:
    """Return the body that creates a line's Service."""
    return {
        "@type": "Service",
        "serviceType": "RFS",
        "startMode": "1",
        "state": _STATES[wanted.access],
        "serviceSpecification": {"id": line.profile, "@type": "ServiceSpecificationRef"},
        "serviceCharacteristic": _characteristics([], line, wanted),
        "supportingResource": [{"id": line.iccid, "@referredType": "LogicalResource"}],
        "serviceOrderItem": [{"serviceOrderId": call_id, "itemId": "1", "itemAction": "add"}],
    }


def change(
    service: Resource, call_id: str, line: HostLine, wanted: Condition, countries: Collection[str] = ()
) -> Resource | None:
    """Return the body that changes a Service to what is wanted; None if it is so already."""
    specification = service.get("serviceSpecification")
    held = specification.get("id") if isinstance(specification, dict) else None
    if condition(service, line, countries) == wanted and held in (None, line.profile):
        return None
    # A merge patch replaces a list as a whole (RFC 7396 §1): what else the host keeps there goes back as it was.
    body: Resource = {
        "state": _STATES[wanted.access],
        "serviceCharacteristic": _characteristics(_items(service, "serviceCharacteristic"), line, wanted),
        "serviceOrderItem": _with_order(service, call_id, "modify"),
    }
    if held not in (None, line.profile):
        body["serviceSpecification"] = {"id": line.profile, "@type": "ServiceSpecificationRef"}
    return body


def restoration(service: Resource, call_id: str, record: bytes) -> Resource:
    """Return the body that puts back what `holding` kept of a Service; what a host lists of our orders stays there."""
    kept: Resource = msgspec.json.decode(record)
    del kept["id"]
    return {**kept, "serviceOrderItem": _with_order(service, call_id, "modify")}


def termination(service: Resource, call_id: str) -> Resource:
    """Return the body that ends a Service at a host that deletes none."""
    return {"state": _STATES[Access.ABSENT], "serviceOrderItem": _with_order(service, call_id, "delete")}


def _characteristics(held: list[Resource], line: HostLine, wanted: Condition) -> list[Resource]:
    ours = {"iccid": line.iccid, "imsi": line.imsi}
    if wanted.msisdn is not None:
        ours["msisdn"] = wanted.msisdn
    if wanted.access is Access.BARRED:
        ours["suspended"] = "true"
    others = [item for item in held if item.get("name") not in ("iccid", "imsi", "msisdn", "suspended")]
    return others + [{"name": name, "valueType": "string", "value": value} for name, value in ours.items()]


def _with_order(service: Resource, call_id: str, action: str) -> list[Resource]:
    past = [item for item in _items(service, "serviceOrderItem") if item.get("serviceOrderId") != call_id]
    return [*past[-KEPT_ITEMS:], {"serviceOrderId": call_id, "itemId": "1", "itemAction": action}]


# What an answer tells


def refusal(status: int, body: bytes) -> HostRefused:
    """Return the error that a host refused with (TMF630 Error: code, reason, message)."""
    return refused(parse_or_none(body), f"the host refused (HTTP {status})")


def refused(error: object, what: str) -> HostRefused:
    """Return a refusal with what the host said of it, and its code behind ours."""
    if not isinstance(error, dict):
        return HostRefused(what)
    texts = [quoted(error.get(name)) for name in ("reason", "message")]
    said = ": ".join(dict.fromkeys(text for text in texts if text))
    theirs = quoted(_as_text(error.get("code")))
    code = f"{HostRefused.code}.{theirs}" if _CODE.fullmatch(theirs) else ""
    return HostRefused(f"{what}: {said[:SHOWN]}" if said else what, code)


def speaks_of(body: bytes, call_id: str) -> bool:
    """Whether a host's error names this call of ours."""
    error = parse_or_none(body)
    if not isinstance(error, dict):
        return False
    told = " ".join(_as_text(error.get(name)) or "" for name in ("reason", "message", "referenceError"))
    return re.search(rf"(?<![\w.]){re.escape(call_id)}(?!\w|\.\w)", told) is not None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a host wants us to wait; a date is taken by the host's own clock (RFC 9110 §10.2.3)."""
    given = headers.get("Retry-After", "").strip()
    try:
        seconds = float(given) if given.isascii() and given.isdigit() else _until(given, headers.get("Date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_AFTER)


def _until(date: str, now: str) -> float:
    return (parsedate_to_datetime(date) - parsedate_to_datetime(now)).total_seconds()


def monitor_path(headers: Mapping[str, str], body: bytes) -> str | None:
    """Find the Monitor that a 202 names, by Location, Link or body; None if it names none.

    Only its id is taken, never its host: a host behind a proxy gives addresses that are none of ours, and our token goes to
    nobody else.
    """
    targets = [headers.get("Location", "")]
    targets += [target for target, relation in _LINK.findall(headers.get("Link", "")[:4096]) if "rel" in relation]
    paths = [path for target in targets if (path := _path_in(target))]
    told = parse_or_none(body)
    if not paths and isinstance(told, dict):
        return _path_of(told)
    return paths[0] if paths else None


def _path_of(monitor: Resource) -> str | None:
    """Return a Monitor's path by its href, or by its id where it says that it is a Monitor."""
    href = monitor.get("href")
    if isinstance(href, str) and (path := _path_in(href)):
        return path
    if monitor.get("@type") in ("Monitor", "MonitorRef"):
        return _path_in(f"/monitor/{identifier(monitor)}")
    return None


def _path_in(target: str) -> str | None:
    try:
        match = _MONITOR.search(urlsplit(target).path)
    except ValueError:
        return None
    return f"/monitor/{match.group(1)}" if match is not None and match.group(1).strip(".") else None


def monitor_refusal(monitor: object) -> HostRefused | None:
    """Return the refusal that a Monitor in error tells of (TMF640 v4, Monitor.response); None if it is in none."""
    if _monitor_state(monitor) not in _IN_ERROR:
        return None
    assert isinstance(monitor, dict)
    response = monitor.get("response")
    told = response.get("body") if isinstance(response, dict) else None
    if isinstance(told, str):
        told = parse_or_none(told.encode("utf-8", "replace")) or {"message": told}
    refusal = refused(told, "the host could not do it")
    status = _as_text(response.get("statusCode")) if isinstance(response, dict) else None
    # Only a status of the client's fault (RFC 9110 §15.5) says that the same call will fail again.
    lasts = status is not None and status[:1] == "4" and status not in map(str, LATER)
    return refusal if lasts else HostDeclined(str(refusal), refusal.code)


def in_progress(monitor: object) -> bool:
    """Whether the work that a Monitor tells of goes on."""
    return _monitor_state(monitor) in _IN_PROGRESS


def _monitor_state(monitor: object) -> str:
    state = monitor.get("state") if isinstance(monitor, dict) else None
    return re.sub(r"[^a-z]", "", state.lower()) if isinstance(state, str) else ""


# What a callback tells


def mentions(body: bytes) -> tuple[list[str], str | None]:
    """Return the call ids, and the path of the Monitor, that an event speaks of, whatever its kind; garbage speaks of none."""
    envelope = parse_or_none(body) if len(body) <= MAX_BODY else None
    event = envelope.get("event") if isinstance(envelope, dict) else None
    if not isinstance(event, dict):
        return [], None
    resources = [found for name in ("service", "monitor") if isinstance(found := event.get(name), dict)]
    calls = [call for found in resources for call in _orders(found) + _orders(_requested(found))]
    monitor = event.get("monitor")
    path = _path_of({**monitor, "@type": "Monitor"}) if isinstance(monitor, dict) else None
    return list(dict.fromkeys(calls))[-MAX_HINTS:], path


def _requested(monitor: Resource) -> Resource:
    """Return the request that a Monitor keeps, which is an object or a text of one."""
    request = monitor.get("request")
    body = request.get("body") if isinstance(request, dict) else None
    if isinstance(body, str):
        body = parse_or_none(body.encode("utf-8", "replace"))
    return body if isinstance(body, dict) else {}


# Reading what a host wrote, whatever it is


def _items(resource: Resource, name: str) -> list[Resource]:
    found = resource.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _orders(resource: Resource) -> list[str]:
    found = [item.get("serviceOrderId") for item in _items(resource, "serviceOrderItem")]
    return [order for order in found if isinstance(order, str) and 0 < len(order) <= MAX_ID]


def _number(service: Resource, countries: Collection[str]) -> str | None:
    """Return the number as E.164 digits, also where the host writes it as dialled in one of its countries (212-555-0123).

    What two of them read as different numbers stays as it is written.
    """
    told = _SEPARATORS.sub("", (_told(service, "msisdn") or "").removeprefix("tel:"))
    digits = told.removeprefix("+").removeprefix("00")
    if digits != told or not (digits.isascii() and digits.isdigit()):
        return digits or None
    at_home = {found for country in countries if (found := msisdn_at_home(digits, country)) is not None}
    return at_home.pop() if len(at_home) == 1 else digits


def _told(service: Resource, name: str) -> str | None:
    """Return a characteristic's value as text; None if the host does not tell it."""
    for item in _items(service, "serviceCharacteristic"):
        if item.get("name") == name:
            value = item.get("value")
            value = value.get("value") if isinstance(value, dict) else value
            return _as_text(value)
    return None


def _as_text(value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int) else None
