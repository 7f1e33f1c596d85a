"""A captured host side, sent through a gateway once more: the charging requests of a PGW, the texts of a message centre.

What the gateway answers now is compared with what it answered then. Handshakes and watchdogs are our own; requests keep all
that they said, under new Hop-by-Hop Identifiers and sequence numbers. A gateway that has seen a request answers it from its
store, and charges nothing: which is the point of sending it twice. `fresh` makes new sessions of it, as of now.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any, Final

import msgspec

from protocols.diameter.codec import FLAG_REQUEST, HEADER_SIZE, encode_avp
from protocols.diameter.codec import decode_header as diameter_header
from protocols.diameter.errors import DiameterError
from protocols.diameter.generated import decode as diameter_decode
from protocols.diameter.identity import NodeIdentity
from protocols.diameter.messages import CapabilitiesExchangeRequest, CreditControlAnswer, CreditControlRequest
from protocols.errors import RemoteProtocolError
from protocols.smpp.codec import RESPONSE_BIT, CommandId, decode_header
from protocols.smpp.errors import CommandStatus
from protocols.smpp.events import Responded
from protocols.smpp.generated import decode
from protocols.smpp.limits import Limits
from protocols.smpp.messages import DataSm, DeliverSm, SubmitSm, SubmitSmResp
from protocols.smpp.server import BindAttempt, Connection, Request, Result, Server, ServerConfig
from protocols.smpp.transitions import SessionState
from simulators.captures import DIAMETER, SMPP, Seen
from simulators.link import Link, Unanswered
from simulators.rar_asr import Calls

STAR: Final = b"*"
_SESSION_ID, _EVENT_TIMESTAMP = 263, 55
_NTP: Final = 2_208_988_800
"""Seconds from 1900, where Time begins (RFC 6733 §4.3.1), to 1970."""
_CER: Final = CapabilitiesExchangeRequest.command_code
_CCR: Final = CreditControlRequest.command_code
_DELIVERIES: Final = frozenset({int(CommandId.DELIVER_SM), int(CommandId.DATA_SM)})
_RECEIVERS: Final = frozenset({SessionState.BOUND_RX, SessionState.BOUND_TRX})
_TYPES: Final = {1: "INITIAL", 2: "UPDATE", 3: "TERMINATION", 4: "EVENT"}


class Masked(Exception):
    """The capture's numbers are overwritten: nobody could be charged by it."""


class Step(msgspec.Struct):
    """A request to send again: what it was answered then, and is now (None: not at all)."""

    at: float
    protocol: str
    what: str
    message: bytes
    then: int | None = None
    now: int | None = None
    detail: str = ""

    @property
    def same(self) -> bool:
        """Answered as then; what was not answered then only has to be answered."""
        return self.now is not None and self.then in (None, self.now)


class Plan(msgspec.Struct):
    """What is to be sent, in order, and as whom."""

    steps: list[Step]
    origin_host: str = "pgw.host.example"
    origin_realm: str = "host.example"

    def of(self, protocol: str) -> list[Step]:
        """The steps of one protocol."""
        return [step for step in self.steps if step.protocol == protocol]


def plan(messages: Sequence[Seen]) -> Plan:
    """Find the host's requests in a capture and the answers to them; Masked."""
    found = Plan([])
    asked: dict[tuple[object, ...], Step] = {}
    for seen in messages:
        with suppress(RemoteProtocolError):
            if seen.protocol == DIAMETER:
                _note_diameter(found, asked, seen)
            else:
                _note_smpp(found, asked, seen)
    return found


def _note_diameter(found: Plan, asked: dict[tuple[object, ...], Step], seen: Seen) -> None:
    header = diameter_header(seen.message)
    if not header.flags & FLAG_REQUEST:
        step = asked.pop((seen.destination, seen.source, header.hop_by_hop), None)
        if step is not None:
            step.then = diameter_decode(CreditControlAnswer, seen.message).result_code
    elif header.command_code == _CER:
        cer = diameter_decode(CapabilitiesExchangeRequest, seen.message)
        found.origin_host, found.origin_realm = cer.origin_host, cer.origin_realm
    elif header.command_code == _CCR:
        ccr = diameter_decode(CreditControlRequest, seen.message)
        if any("*" in one.subscription_id_data for one in ccr.subscription_id):
            raise Masked
        if not found.of(DIAMETER):
            found.origin_host, found.origin_realm = ccr.origin_host, ccr.origin_realm
        kind = _TYPES.get(ccr.cc_request_type, str(ccr.cc_request_type))
        session = hashlib.sha256(ccr.session_id).hexdigest()[:8]
        step = Step(seen.at, DIAMETER, f"CCR {kind} {ccr.cc_request_number} of session {session}", seen.message)
        asked[seen.source, seen.destination, header.hop_by_hop] = step
        found.steps.append(step)


def _note_smpp(found: Plan, asked: dict[tuple[object, ...], Step], seen: Seen) -> None:
    header = decode_header(seen.message)
    if header.command_id & RESPONSE_BIT:
        step = asked.pop((seen.destination, seen.source, header.sequence_number), None)
        if step is not None:
            step.then = header.command_status
        return
    message = decode(header, seen.message)
    if not isinstance(message, DeliverSm | DataSm):
        return
    if "*" in message.source_addr + message.destination_addr:
        raise Masked
    name = "deliver_sm" if isinstance(message, DeliverSm) else "data_sm"
    step = Step(seen.at, SMPP, f"{name} {header.sequence_number}", seen.message)
    asked[seen.source, seen.destination, header.sequence_number] = step
    found.steps.append(step)


class Unreachable(Exception):
    """The gateway could not be reached, or did not bind; the text says which."""


class Replay:
    """Sends a plan's steps, one after the other, each after the answer to the one before.

    Args:
        gateway: where it listens for Diameter; smsc: where we listen for its SMPP link.
        pace: seconds that a second of the capture takes; 0: as fast as answers come.
        patience: seconds to wait for the connection and the link, and for each answer.
        told: is called after each step.
    """

    def __init__(
        self,
        found: Plan,
        *,
        gateway: tuple[str, int],
        smsc: tuple[str, int],
        fresh: bool,
        pace: float,
        patience: float,
        told: Callable[[Step], None] = lambda _step: None,
    ) -> None:
        self._plan, self._fresh, self._pace, self._patience, self._told = found, fresh, pace, patience, told
        identity = NodeIdentity(
            origin_host=found.origin_host,
            origin_realm=found.origin_realm,
            product_name="TPO replay",
            origin_state_id=0,
        )
        chance = Random()  # noqa: S311  (jitter and identifiers, no secret)
        self._gateway = gateway
        self._link = Link(
            gateway,
            identity,
            clock=time.monotonic,
            random=chance.random,
            application=Calls(identity, obeys=True).application,
        )
        self._centre = _Centre(smsc)
        self._run = f"{chance.getrandbits(32)}"
        """Makes the Session-Ids of this run its own, if it is `fresh`."""

    async def run(self) -> None:
        """Send everything; Unreachable if it cannot begin."""
        diameter, smpp = self._plan.of(DIAMETER), self._plan.of(SMPP)
        try:
            await self._begin(diameter=bool(diameter), smpp=bool(smpp))
            began, first = time.monotonic(), self._plan.steps[0].at
            for step in self._plan.steps:
                await asyncio.sleep(max(0.0, (step.at - first) * self._pace - (time.monotonic() - began)))
                await (self._charge(step) if step.protocol == DIAMETER else self._deliver(step))
                self._told(step)
        finally:
            if diameter:
                await self._link.stop()
            if smpp:
                await self._centre.stop()

    async def _begin(self, *, diameter: bool, smpp: bool) -> None:
        if diameter:
            self._link.start()
            if not await self._link.wait_up(self._patience):
                host, port = self._gateway
                raise Unreachable(
                    f"no Diameter connection to {host}:{port} as {self._plan.origin_host}: {self._link.last_failure}"
                )
        if smpp:
            await self._centre.start()
            if not await self._centre.wait_bound(self._patience):
                raise Unreachable(f"no link of the gateway has bound at {self._centre.place} for texts in")

    async def _charge(self, step: Step) -> None:
        body = step.message[HEADER_SIZE:]
        if self._fresh:
            body = self._renewed(body)
        try:
            _, frame = await self._link.request(body, self._link.new_end_to_end(), self._patience, repeated=False)
            step.now = diameter_decode(CreditControlAnswer, frame).result_code
        except (Unanswered, DiameterError) as error:
            step.detail = str(error)

    async def _deliver(self, step: Step) -> None:
        header = decode_header(step.message)
        step.now = await self._centre.deliver(decode(header, step.message), self._patience)
        if step.now is None:
            step.detail = f"no answer within {self._patience:g} s"

    def _renewed(self, body: bytes) -> bytes:
        """The AVPs under a Session-Id of this run, and as of now."""
        out, position = [], 0
        while position + 8 <= len(body):
            code = int.from_bytes(body[position : position + 4], "big")
            length = int.from_bytes(body[position + 5 : position + 8], "big")
            end = position + length + (-length & 3)
            if code == _SESSION_ID:
                out.append(encode_avp(code, body[position + 8 : position + length] + f";{self._run}".encode()))
            elif code == _EVENT_TIMESTAMP:
                out.append(encode_avp(code, (int(time.time()) + _NTP & 0xFFFFFFFF).to_bytes(4, "big")))
            else:
                out.append(body[position:end])
            position = end
        return b"".join(out)


class _Centre:
    """A message centre that delivers what it is told to, and takes whatever it is sent."""

    def __init__(self, at: tuple[str, int]) -> None:
        self._taken = 0
        self._bound = asyncio.Event()
        self._answers: dict[object, asyncio.Future[int]] = {}
        self.place = f"{at[0]}:{at[1]}"
        self._server = Server(
            ServerConfig(system_id="replay", limits=Limits(drain_deadline=0.5)),
            [(*at, None)],
            authenticate=_welcome,
            on_request=self._take,
            on_result=self._answered,
            on_ready=lambda _connection: self._bound.set(),
            on_event=lambda _event: None,
            clock=time.monotonic,
        )

    async def start(self) -> None:
        """Listen; OSError."""
        await self._server.start()

    async def stop(self) -> None:
        """Leave in order."""
        await self._server.stop(2.0)

    async def wait_bound(self, patience: float) -> bool:
        """Wait until somebody is there for texts in."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._receiver() is None:
                    self._bound.clear()
                    await self._bound.wait()
                return True
        return False

    async def deliver(self, message: Any, patience: float) -> int | None:  # noqa: ANN401  (a PDU)
        """Deliver one message; the command_status of the answer, None if there is none in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while True:
                    connection, key = self._receiver(), object()
                    if connection is None:
                        await self.wait_bound(patience)
                        continue
                    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
                    self._answers[key] = answer
                    if connection.send(message, key):
                        return await answer
                    await asyncio.sleep(0.05)
        return None

    def _receiver(self) -> Connection | None:
        return next((one for one in self._server.clients if one.state in _RECEIVERS), None)

    def _take(self, request: Request) -> None:
        self._taken += 1
        if isinstance(request.message, SubmitSm):
            request.respond(SubmitSmResp(message_id=f"replay-{self._taken}"))
        else:
            request.respond(None, CommandStatus.ESME_RINVCMDID)

    def _answered(self, _connection: Connection, result: Result) -> None:
        waiting = self._answers.pop(getattr(result, "context", None), None)
        if waiting is not None and not waiting.done() and isinstance(result, Responded):
            waiting.set_result(result.command_status)


def _welcome(_attempt: BindAttempt) -> int:
    return CommandStatus.ESME_ROK
