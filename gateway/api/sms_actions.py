"""Texts over HTTP and the socket: POST /v1/sms and /batch, GET /v1/sms/{id}, what `tpo sms` and `tpo link` ask for."""

import asyncio
from http import HTTPStatus
from typing import Any

import msgspec

from gateway.api import parameters
from gateway.api.actions import OPERATOR, VIEWER, AsyncAction, Caller, Params, need
from gateway.api.problems import Problem, bad_request, conflict, draining, not_found
from gateway.api.times import since
from gateway.context import GatewayContext
from gateway.messaging.queries import latest, show
from gateway.messaging.smsc_client import SmscClient
from gateway.messaging.submit import Draft, Refusal
from gateway.messaging.texts import TextState
from protocols.errors import LocalProtocolError

MAX_TEXTS = 1000
"""Texts of one batch."""
MAX_BODY = 39_015
"""Characters of one text: 255 parts of 153."""
FIELDS = {"from", "to", "text", "reference", "registered_delivery", "validity"}


class SmsActions:
    """What may be asked about texts."""

    def __init__(self, context: GatewayContext, smsc_client: SmscClient) -> None:
        """Take what is open, and the client of the SMSCs."""
        self._context, self._smsc_client = context, smsc_client

    def actions(self) -> dict[str, AsyncAction]:
        """Give what `tpo sms` and `tpo link` ask for, by name."""
        return {
            "sms.send": AsyncAction(self._send_one, OPERATOR),
            "sms.show": AsyncAction(self._show_one, VIEWER),
            "sms.list": AsyncAction(self._list_some, VIEWER),
            "link.list": AsyncAction(self._list_links, VIEWER),
            "link.show": AsyncAction(self._order_link, VIEWER),
        }

    async def send(self, client: str, given: list[Any]) -> list[dict[str, Any]]:
        """Accept texts, all or none: [{id, reference, state}] in their order; Problem says which is at fault."""
        if self._context.draining:
            raise draining()
        if not 0 < len(given) <= MAX_TEXTS:
            raise bad_request("sms.batch", f"give 1 to {MAX_TEXTS} texts")
        drafts = [self._draft(place, item) for place, item in enumerate(given)]
        outcome = await self._smsc_client.accept(client, drafts)
        if isinstance(outcome, Refusal):
            where = f"messages[{outcome.place}]: {outcome.detail}"
            if outcome.code == "sms.reference":
                raise conflict(outcome.code, where)
            if outcome.code == "sms.line":
                raise Problem(HTTPStatus.FORBIDDEN, outcome.code, where)
            raise Problem(HTTPStatus.PAYMENT_REQUIRED, outcome.code, where)
        pairs = zip(outcome.ids, drafts, strict=True)
        return [{"id": str(text_id), "reference": draft.reference, "state": "queued"} for text_id, draft in pairs]

    async def show(self, text_id: str) -> dict[str, Any]:
        """Tell one text."""
        number = int(text_id) if text_id.isascii() and text_id.isdigit() and len(text_id) < 19 else 0

        def look() -> dict[str, Any] | None:
            with self._context.reading() as connection:
                return show(connection, number)

        found = await asyncio.to_thread(look)
        if found is None:
            raise not_found("sms.unknown", "there is no text with this id")
        return found

    async def list(self, limit: int, state: str | None) -> dict[str, Any]:
        """Tell the latest texts."""

        def look() -> list[dict[str, Any]]:
            with self._context.reading() as connection:
                return latest(connection, limit, state)

        return {"rows": await asyncio.to_thread(look)}

    def links(self) -> dict[str, Any]:
        """Tell how the links do."""
        return {"rows": [self._link(name) for name in self._smsc_client.links()]}

    def link(self, name: str, order: str | None) -> dict[str, Any]:
        """Tell one link, after bringing it up or down, suspending or resuming it."""
        found = self._smsc_client.links().get(name)
        if found is None:
            known = ", ".join(self._smsc_client.links()) or "none"
            raise not_found("link.unknown", f"there is no link {name!r}; there are: {known}")
        orders = {"up": found.up, "down": found.down, "suspend": found.suspend, "resume": found.resume}
        if order is not None:
            if order not in orders:
                raise bad_request("link.order", f"order: give one of {', '.join(orders)}")
            orders[order]()
        return self._link(name)

    async def _send_one(self, params: Params, _caller: Caller) -> dict[str, Any]:
        return (await self.send("socket", [dict(params)]))[0]

    async def _show_one(self, params: Params, _caller: Caller) -> dict[str, Any]:
        return await self.show(parameters.text_or_none(params, "id") or "")

    async def _list_some(self, params: Params, _caller: Caller) -> dict[str, Any]:
        state = parameters.choice(params, "state", TextState)
        return await self.list(parameters.limit(params, 20, MAX_TEXTS), state)

    async def _list_links(self, _params: Params, _caller: Caller) -> dict[str, Any]:
        return self.links()

    async def _order_link(self, params: Params, caller: Caller) -> dict[str, Any]:
        order = parameters.text_or_none(params, "order")
        need(caller.role, VIEWER if order is None else OPERATOR)
        return self.link(parameters.text_or_none(params, "name") or "", order)

    def _link(self, name: str) -> dict[str, Any]:
        state = self._smsc_client.links()[name].state()
        told = msgspec.to_builtins(msgspec.structs.asdict(state), enc_hook=str)
        told |= {"state": state.state.name.lower(), "since": since(state.since)}
        return {"name": name, **told}

    def _draft(self, place: int, item: Any) -> Draft:  # noqa: ANN401  (JSON of a client)
        where = f"messages[{place}]"
        if not isinstance(item, dict) or not set(item) <= FIELDS:
            raise bad_request("sms.fields", f"{where}: give an object with from, to, text and perhaps reference")
        source, destination, body = (item.get(name) for name in ("from", "to", "text"))
        if not isinstance(body, str) or not 0 < len(body) <= MAX_BODY:
            raise bad_request("sms.text", f"{where}.text: give 1 to {MAX_BODY} characters")
        try:
            parts = self._smsc_client.count_parts(body)
        except LocalProtocolError as error:
            raise bad_request("sms.text", f"{where}.text: {error}") from None
        most = self._context.settings.messaging.max_parts
        if parts > most:
            raise bad_request("sms.text", f"{where}.text: takes {parts} parts, more than messaging.max_parts = {most}")
        return Draft(
            source=_address(f"{where}.from", source, sender=True),
            destination=_address(f"{where}.to", destination, sender=False),
            body=body,
            parts=parts,
            valid_until=self._context.clock() + self._validity(where, item) * 1_000_000,
            registered_delivery=self._registered(where, item),
            reference=_reference(where, item),
        )

    def _validity(self, where: str, item: dict[str, Any]) -> int:
        seconds = item.get("validity", self._context.settings.messaging.validity)
        if not isinstance(seconds, int) or isinstance(seconds, bool) or not 60 <= seconds <= 30 * 86_400:
            raise bad_request("sms.validity", f"{where}.validity: give seconds, from 60 to 2592000")
        return seconds

    def _registered(self, where: str, item: dict[str, Any]) -> int:
        wanted = item.get("registered_delivery", self._context.settings.messaging.receipts)
        if not isinstance(wanted, bool):
            raise bad_request("sms.registered_delivery", f"{where}.registered_delivery: give true or false")
        return int(wanted)


def _reference(where: str, item: dict[str, Any]) -> str | None:
    reference = item.get("reference")
    if reference is None:
        return None
    if not isinstance(reference, str) or not 0 < len(reference) <= 255:
        raise bad_request("sms.reference", f"{where}.reference: give a text of 1 to 255 characters")
    return reference


def _address(where: str, value: Any, *, sender: bool) -> str:  # noqa: ANN401  (JSON of a client)
    """Read a number, or a sender's name of up to 11 letters (SMPP 3.4 §5.2.5)."""
    text = value.removeprefix("+") if isinstance(value, str) else ""
    digits = text.isascii() and text.isdigit()
    if digits and (3 if sender else 5) <= len(text) <= 15:
        return text
    if sender and not digits and 0 < len(text) <= 11 and text.isascii() and text.isprintable():
        return text
    form = "digits, or a name of up to 11 letters" if sender else "5 to 15 digits, country code first"
    raise bad_request("sms.address", f"{where}: give {form}")
