"""Actions about texts and SMPP links: what `tpo sms` and `tpo link` ask for, and texts over HTTP."""

from collections.abc import Callable, Sequence
from http import HTTPStatus

from msgspec import UNSET, structs

from gateway.api.action import AsyncAction, Elsewhere, Everywhere, RunningAction, Somewhere
from gateway.api.answers.nodes import NodeProblem
from gateway.api.answers.rows import Texts
from gateway.api.answers.texts import Links, LinkView, TakenText, TakenTexts, UnmatchedReceiptView
from gateway.api.callers import OPERATOR, VIEWER, Caller, need
from gateway.api.conversion import to_request
from gateway.api.line_numbers import named
from gateway.api.problems import Problem, bad_request, conflict, draining, not_found
from gateway.api.requests.fields import Nothing, page_size
from gateway.api.requests.texts import RECIPIENT, SENDER, ListTexts, OrderLink, SendText, ShowText
from gateway.context import GatewayContext
from gateway.events.times import rfc3339, since
from gateway.messaging import addresses
from gateway.messaging.queries import TextRow, TextView, latest, show
from gateway.messaging.smsc_client import SmscClient
from gateway.messaging.submit import Draft, Refusal
from protocols.errors import LocalProtocolError
from provisioning.errors import IdentifierInvalid

MAX_TEXTS = 1000
"""Texts of one batch."""


class SmsActions:
    """What may be asked about texts."""

    def __init__(self, context: GatewayContext, smsc_client: SmscClient) -> None:
        """Take what is open, and the client of the SMSCs."""
        self._context, self._smsc_client = context, smsc_client

    def actions(self) -> dict[str, RunningAction]:
        """Return what `tpo sms` and `tpo link` ask for, by name."""
        return {
            "sms.send": AsyncAction(self._send_one, OPERATOR, SendText),
            "sms.show": AsyncAction(self._show_one, VIEWER, ShowText),
            "sms.list": AsyncAction(self._list_some, VIEWER, ListTexts),
            "link.list": AsyncAction(self._list_links, VIEWER, Nothing, Everywhere(Links, _join_links)),
            "link.show": AsyncAction(self._order_link, VIEWER, OrderLink, Somewhere(LinkView, probe=_without_order)),
        }

    async def send(self, client: str, given: Sequence[SendText]) -> TakenTexts:
        """Accept texts, all or none, in their order; Problem says which is at fault."""
        if self._context.draining:
            raise draining()
        drafts = [self._draft(place, item) for place, item in enumerate(given)]
        outcome = await self._smsc_client.accept(client, drafts)
        if isinstance(outcome, Refusal):
            where = f"messages[{outcome.place}]: {outcome.detail}"
            if outcome.code == "sms.reference":
                raise conflict(outcome.code, where)
            if outcome.code in ("sms.line", "sms.barred"):
                raise Problem(HTTPStatus.FORBIDDEN, outcome.code, where)
            raise Problem(HTTPStatus.PAYMENT_REQUIRED, outcome.code, where)
        pairs = zip(outcome.ids, drafts, strict=True)
        return TakenTexts([TakenText(str(text_id), draft.reference, "queued") for text_id, draft in pairs])

    async def show(self, text_id: str) -> TextView:
        """Return one text."""
        number = int(text_id) if text_id.isascii() and text_id.isdigit() and len(text_id) < 19 else 0

        def look() -> TextView | None:
            with self._context.reading() as connection:
                return show(connection, number)

        found = await self._context.in_thread(look)
        if found is None:
            raise not_found("sms.unknown", "there is no text with this id")
        return found

    async def list(self, request: ListTexts) -> Texts:
        """Return the latest texts that are wanted."""
        limit = page_size(request.limit, 20, MAX_TEXTS)
        state = None if request.state is None else str(request.state)
        number = named(request.number, self._context.settings.operator.country)

        def look() -> list[TextRow]:
            with self._context.reading() as connection:
                return latest(connection, limit, state, number=number, since=request.since, until=request.until)

        return Texts(await self._context.in_thread(look))

    def links(self) -> Links:
        """Return how the links do."""
        return Links([self._link(name) for name in self._smsc_client.links()])

    def link(self, name: str, order: str | None) -> LinkView:
        """Return one link, after bringing it up or down, suspending or resuming it."""
        found = self._smsc_client.links().get(name)
        if found is None:
            known = ", ".join(self._smsc_client.links()) or "none"
            raise Elsewhere(HTTPStatus.NOT_FOUND, "link.unknown", f"there is no link {name!r}; there are: {known}")
        orders = {"up": found.up, "down": found.down, "suspend": found.suspend, "resume": found.resume}
        if order is not None:
            if order not in orders:
                raise bad_request("link.order", f"order: give one of {', '.join(orders)}")
            orders[order]()
        return self._link(name)

    async def _send_one(self, request: SendText, _caller: Caller) -> TakenText:
        return (await self.send("socket", [request])).messages[0]

    async def _show_one(self, request: ShowText, _caller: Caller) -> TextView:
        return await self.show(request.id)

    async def _list_some(self, request: ListTexts, _caller: Caller) -> Texts:
        return await self.list(request)

    async def _list_links(self, _request: Nothing, _caller: Caller) -> Links:
        return self.links()

    async def _order_link(self, request: OrderLink, caller: Caller) -> LinkView:
        need(caller.role, OPERATOR if request.order else VIEWER)
        shown = self.link(request.name, request.order or None)
        if request.order:
            told = {"link": request.name, "order": request.order, "by": caller.name, "reason": request.reason or ""}
            self._context.log("smpp.link.ordered", told)
        return shown

    def _link(self, name: str) -> LinkView:
        state = self._smsc_client.links()[name].state()
        fields = structs.asdict(state) | {"name": name, "state": state.state.value}
        for moment in ("since", "paused_until", "retry_at"):
            if fields[moment] is not None:
                fields[moment] = since(self._context.environment, fields[moment])
        latest = [
            UnmatchedReceiptView(rfc3339(at), event.reason, event.message_id, event.stat, event.number)
            for at, event in self._smsc_client.latest_unmatched(name)
        ]
        return LinkView(**fields, unmatched_receipts=latest, node=self._context.node_name)

    def _draft(self, place: int, given: SendText) -> Draft:
        where, settings = f"messages[{place}]", self._context.settings.messaging
        try:
            parts = self._smsc_client.count_parts(given.text)
        except LocalProtocolError as error:
            raise bad_request("sms.text", f"{where}.text: {error}") from None
        most = settings.max_parts
        if parts > most:
            raise bad_request("sms.text", f"{where}.text: takes {parts} parts, more than messaging.max_parts = {most}")
        validity = settings.validity if given.validity is UNSET else given.validity
        receipt = settings.receipts if given.registered_delivery is UNSET else given.registered_delivery
        return Draft(
            source=self._address(f"{where}.from", given.source, addresses.sender, SENDER),
            destination=self._address(f"{where}.to", given.destination, addresses.recipient, RECIPIENT),
            body=given.text,
            parts=parts,
            valid_until=self._context.clock() + validity * 1_000_000,
            registered_delivery=int(receipt),
            reference=given.reference,
        )

    def _address(self, where: str, value: str, read: Callable[[str, str], str], wanted: str) -> str:
        """Read a number, a short code or a name in the form in which all of the gateway knows it."""
        try:
            return read(value, self._context.settings.operator.country)
        except IdentifierInvalid as error:
            raise bad_request("sms.address", f"{where}: give {wanted}; {error}") from None


def _join_links(found: Sequence[Links], silent: Sequence[NodeProblem]) -> Links:
    return Links([row for links in found for row in links.rows], list(silent))


def _without_order(request: OrderLink) -> OrderLink:
    return structs.replace(request, order="")


def read_texts(given: Sequence[object]) -> list[SendText]:
    """Read the texts of a body, all or none; Problem says which is at fault."""
    if not 0 < len(given) <= MAX_TEXTS:
        raise bad_request("sms.batch", f"give 1 to {MAX_TEXTS} texts")
    return [to_request(item, SendText, f"messages[{place}]") for place, item in enumerate(given)]
