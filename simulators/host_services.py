"""What the simulated host operator holds: its Services, who has which number, and which order did what. No HTTP, no clock."""

import re
from collections import Counter
from http import HTTPStatus
from itertools import islice
from typing import Any, Final

import msgspec

Resource = dict[str, Any]
STATES: Final = frozenset({"feasibilityChecked", "designed", "reserved", "inactive", "active", "terminated"})
"""ServiceStateType (TMF640 v4)."""
TERMINATED: Final = "terminated"
_KEY_NAMES: Final = frozenset({"k", "ki", "op", "opc", "authenticationkey"})
_KEY: Final = re.compile(r"[0-9A-Fa-f]{32}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{5,15}", re.ASCII)


class Refusal(Exception):
    """A call that the host refuses, with the Error that it answers (TMF630: code, reason, message)."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code

    def body(self) -> Resource:
        """Return the Error resource."""
        return {
            "@type": "Error",
            "code": self.code,
            "reason": self.status.phrase,
            "message": str(self),
            "status": str(int(self.status)),
        }


def check_new(body: Resource) -> None:
    """Refuse what can't become a Service, and whatever has a key in it."""
    for name in ("state", "serviceSpecification"):
        if name not in body:
            raise _bad("missing", f"{name} is missing")
    if not _card(body):
        raise _bad("missing", "supportingResource has no card")
    check_change(body)


def check_change(body: Resource) -> None:
    """Refuse what a Service can't take, and whatever has a key in it."""
    for name in ("id", "href"):
        if name in body:
            raise _bad("fixed", f"{name} is given by the host")
    if "state" in body and body["state"] not in STATES:
        raise _bad("state", "there is no such state")
    for name, value in _characteristics(body).items():
        if name.lower() in _KEY_NAMES or (_KEY.fullmatch(value) and not value.isdigit()):
            raise _bad("keys", "no keys are taken here")
        if name in ("msisdn", "imsi") and not _NUMBER.fullmatch(value):
            raise _bad("number", f"{name} is no number")


def order_of(body: Resource) -> str:
    """Return the serviceOrderId that a request is made under: the last one it names."""
    items = body.get("serviceOrderItem")
    last = items[-1] if isinstance(items, list) and items else None
    order = last.get("serviceOrderId") if isinstance(last, dict) else None
    return order if isinstance(order, str) else ""


class Inventory:
    """All Services of the host. A card and a number belong to one live Service; an order takes effect once.

    Args:
        base: what a Service's href begins with.
        seed: part of every id that is given.
    """

    def __init__(self, seed: int = 1) -> None:
        self.base = ""
        self.services: dict[str, Resource] = {}
        self.effects: Counter[str] = Counter()
        """How often each serviceOrderId has changed anything: never more than once."""
        self._seed, self._given = seed, 0
        self._by_card: dict[str, list[str]] = {}
        self._by_number: dict[str, str] = {}
        self._by_order: dict[str, str] = {}

    def create(self, body: Resource) -> Resource:
        """Make a Service; an order that made one already gets that."""
        order = order_of(body)
        made = self.services.get(self._by_order.get(order, ""))
        if made is not None:
            return made
        card = _card(body)
        if any(self.services[name]["state"] != TERMINATED for name in self._by_card.get(card, ())):
            raise Refusal(HTTPStatus.CONFLICT, "card_taken", f"the card {card} has a service already")
        self._given += 1
        name = f"svc-{self._seed}-{self._given}"
        self._claim_number(name, body)
        service = {**body, "id": name, "href": f"{self.base}/service/{name}", "@type": "Service"}
        self._by_card.setdefault(card, []).append(name)
        self._keep(name, service, order)
        return service

    def change(self, name: str, body: Resource) -> Resource:
        """Merge a patch into a Service (RFC 7396); an order that did so already changes nothing."""
        held = self.find(name)
        order = order_of(body)
        if order and self._by_order.get(order) == name:
            return held
        if held["state"] == TERMINATED:
            raise Refusal(HTTPStatus.CONFLICT, "terminated", "the service has ended")
        service = _merged(held, body)
        if _card(service) != _card(held):
            raise _bad("card", "a service keeps its card")
        number = _number(held)
        self._claim_number(name, service)
        if number and number != _number(service):
            self._by_number.pop(number, None)
        self._keep(name, service, order)
        return service

    def delete(self, name: str) -> Resource:
        """Remove a Service; gives what it was."""
        service = self.find(name)
        self._release_number(name, service)
        self._by_card[_card(service)].remove(name)
        return self.services.pop(name)

    def find(self, name: str) -> Resource:
        """Return a Service by its id."""
        service = self.services.get(name)
        if service is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "unknown", "there is no such service")
        return service

    def search(self, card: str | None, state: str | None, offset: int, limit: int) -> tuple[list[Resource], int]:
        """Return a page of the Services asked for, and how many there are in all."""
        names = self.services if card is None else self._by_card.get(card, [])
        found = [self.services[name] for name in names]
        if state is not None:
            found = [service for service in found if service["state"] == state]
        return list(islice(found, offset, offset + limit)), len(found)

    def _keep(self, name: str, service: Resource, order: str) -> None:
        self.services[name] = service
        if order:
            self._by_order[order] = name
            self.effects[order] += 1
        if service["state"] == TERMINATED:
            self._release_number(name, service)

    def _claim_number(self, name: str, service: Resource) -> None:
        number = _number(service)
        if not number or service["state"] == TERMINATED:
            return
        if self._by_number.setdefault(number, name) != name:
            raise Refusal(HTTPStatus.CONFLICT, "msisdn_taken", f"the number {number} is another service's")

    def _release_number(self, name: str, service: Resource) -> None:
        number = _number(service)
        if self._by_number.get(number) == name:
            del self._by_number[number]


def _merged(held: Resource, patch: Resource) -> Resource:
    service = dict(held)
    for name, value in patch.items():
        if value is None:
            service.pop(name, None)
        elif isinstance(value, dict) and isinstance(service.get(name), dict):
            service[name] = _merged(service[name], value)
        else:
            service[name] = value
    return service


def characteristic(service: Resource, name: str) -> str:
    """Return a characteristic's value, or nothing."""
    return _characteristics(service).get(name, "")


def _characteristics(body: Resource) -> dict[str, str]:
    items = body.get("serviceCharacteristic", [])
    try:
        return msgspec.convert({item["name"]: item["value"] for item in items}, dict[str, str])
    except (TypeError, KeyError, msgspec.ValidationError):
        raise _bad("characteristic", "serviceCharacteristic is no list of name and value, both text") from None


def _number(service: Resource) -> str:
    return characteristic(service, "msisdn")


def _card(body: Resource) -> str:
    resources = body.get("supportingResource")
    first = resources[0] if isinstance(resources, list) and resources else None
    card = first.get("id") if isinstance(first, dict) else None
    return card if isinstance(card, str) else ""


def _bad(code: str, message: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, code, message)
