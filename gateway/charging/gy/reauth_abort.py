"""What the gateway asks of the clients of its sessions: report now (RAR, RFC 8506 §5.5), or end (ASR, RFC 6733 §8.5).

Requests leave by the peer that a session's last report came by, addressed to its Origin-Host, so that a relay finds the way. A
session that another gateway on the same store reaches is asked by that one. A client's fault is never raised: it is told,
counted, and given back as what became of the request.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from gateway.charging.gy.cca import APPLICATION
from gateway.charging.gy.sub_session import parts_of
from gateway.charging.queries import PAGE, open_of
from gateway.charging.session import Session
from gateway.charging.session_expiry import AwaitEnd, CloseLost
from gateway.store.async_read import AsyncRead
from gateway.store.async_submit import submit
from gateway.store.errors import StoreError
from gateway.store.write_lane import WriteLane
from protocols.diameter.avp_validation import STANDARD, Profile
from protocols.diameter.codec import Avp
from protocols.diameter.errors import DiameterError, ResultCode
from protocols.diameter.fields import AvpField
from protocols.diameter.generated import decode, encode
from protocols.diameter.identity import NodeIdentity, fold
from protocols.diameter.messages import AbortSessionRequest, Command, ReAuthRequest
from protocols.diameter.node import Node
from protocols.diameter.outbound import Answer, RequestError
from protocols.diameter.transitions import SessionState
from protocols.errors import ProtocolError

AUTHORIZE_ONLY = 0
"""Re-Auth-Request-Type (RFC 6733 §8.12)."""
OPEN = SessionState.OPEN.value
POLL = 0.1
"""Seconds between two looks for sessions that have ended."""
TOLERANT = Profile(STANDARD.grouped, lenient=True)
"""An AVP that we do not know takes nothing away from what an answer says."""


class SessionCommand(StrEnum):
    """What is asked: that the session is reported now, or that it ends."""

    REAUTHORISE = "RAR"
    ABORT = "ASR"


class CommandResult(StrEnum):
    """What became of a request: the client will do it, will not, does not have the session, or was not reached."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"


EVENTS: dict[tuple[SessionCommand, CommandResult], str] = {
    (SessionCommand.REAUTHORISE, CommandResult.ACCEPTED): "charging.session.reauthorised",
    (SessionCommand.ABORT, CommandResult.ACCEPTED): "charging.session.aborted",
    (SessionCommand.REAUTHORISE, CommandResult.REFUSED): "charging.client.refused",
    (SessionCommand.ABORT, CommandResult.REFUSED): "charging.client.refused",
    (SessionCommand.REAUTHORISE, CommandResult.UNKNOWN): "charging.session.lost",
    (SessionCommand.ABORT, CommandResult.UNKNOWN): "charging.session.lost",
    (SessionCommand.REAUTHORISE, CommandResult.UNREACHABLE): "charging.client.unreachable",
    (SessionCommand.ABORT, CommandResult.UNREACHABLE): "charging.client.unreachable",
}
"""The log event of each outcome."""


class Limits(msgspec.Struct, frozen=True):
    """How many requests wait for their answers at once, and for how many seconds each; and how long an aborted session may
    take to report for the last time."""

    concurrency: int = 64
    answer: float = 5.0
    last_report: float = 5.0


class Reply(msgspec.Struct, frozen=True):
    """What became of one request. `sent` is False where there was nobody to send it to; `closed`: we closed the session."""

    session_id: str
    fate: CommandResult
    result_code: int | None = None
    detail: str = ""
    sent: bool = True
    closed: bool = False


class CommandOutcome(msgspec.Struct):
    """What became of the requests for a subscriber's sessions: how many were sent, and how they were answered.

    `refused` counts the sessions that the clients did not have, too; `closed` those of them that we closed therefore.
    """

    sent: int = 0
    accepted: int = 0
    refused: int = 0
    unreachable: int = 0
    closed: int = 0

    def add(self, reply: Reply) -> None:
        """Count one request."""
        self.sent += reply.sent
        self.accepted += reply.fate is CommandResult.ACCEPTED
        self.refused += reply.fate in (CommandResult.REFUSED, CommandResult.UNKNOWN)
        self.unreachable += reply.fate is CommandResult.UNREACHABLE
        self.closed += reply.closed


AskByOthers = Callable[[SessionCommand, Session], Awaitable[Reply]]
"""Has the client of a session asked by whichever gateway on the store reaches it."""


class SessionRequests:
    """The clients of the open sessions, as far as this gateway's node can reach them, or others for it.

    Args:
        number: of this gateway among those on its store: the sessions that report to it carry it.
        identity: who we are in these requests.
        realms: the realm of each configured peer.
        read: runs a function with a connection for reading.
        clock: microseconds.
        observe: counts a request: its name, and a Result-Code or `unreachable`.
        abort_wait: microseconds after which an aborted session is over though nothing more was heard of it.
        may_send: whether no other gateway can have taken over (store.leases).
    """

    def __init__(
        self,
        node: Node,
        lane: WriteLane,
        *,
        number: int,
        identity: NodeIdentity,
        realms: Mapping[str, str],
        read: AsyncRead,
        clock: Callable[[], int],
        observe: Callable[[str, str], None],
        alarm: Callable[[str, dict[str, str]], None],
        abort_wait: int,
        may_send: Callable[[], bool] = lambda: True,
        limits: Limits = Limits(),  # noqa: B008  (frozen)
    ) -> None:
        """Take the node that requests leave by, and the lane that lost sessions are closed through."""
        self._node, self._lane, self._identity, self._realms = node, lane, identity, realms
        self._number = number
        self._ask_by_others: AskByOthers | None = None
        self._read, self._clock, self._observe, self._alarm = read, clock, observe, alarm
        self._abort_wait, self._may_send, self._limits = abort_wait, may_send, limits
        self._room = asyncio.Semaphore(limits.concurrency)

    def apply_settings(self, realms: Mapping[str, str], abort_wait: int) -> None:
        """Know other peers, and wait so long, from now on."""
        self._realms, self._abort_wait = realms, abort_wait

    def set_others(self, ask_by_others: AskByOthers) -> None:
        """Leave sessions that this gateway does not reach to others from now on."""
        self._ask_by_others = ask_by_others

    def reaches(self, session: Session) -> bool:
        """Return whether a session's client can be asked by this gateway: its peer is there, or another relay to it."""
        open_peers = {fold(peer.identity): peer.realm for peer in self._node.peers_state() if peer.state == OPEN}
        by_relay = fold(session.origin_host) != fold(session.peer)
        return fold(session.peer) in open_peers or (by_relay and self._realms.get(session.peer) in open_peers.values())

    async def reauthorise(self, subscriber_id: int) -> CommandOutcome:
        """Have every open session of a subscriber report and ask for quota anew: it is decided by what holds now."""
        return await self._all(SessionCommand.REAUTHORISE, subscriber_id)

    async def offer_credit(self, subscriber_id: int) -> CommandOutcome:
        """Have those sessions of a subscriber ask for quota anew that stand still for want of money (RFC 8506 §5.5)."""
        return await self._all(SessionCommand.REAUTHORISE, subscriber_id, lambda session: session.short_of_credit)

    async def abort(self, subscriber_id: int) -> CommandOutcome:
        """Have every open session of a subscriber end; those that their clients do not have are closed here at once.

        Whatever a client answers, a session of which nothing more is heard for `abort_wait` gives back what it holds.
        """
        return await self._all(SessionCommand.ABORT, subscriber_id)

    async def end(self, subscriber_id: int) -> CommandOutcome:
        """Abort, wait a while for the last reports, and close here what stays silent: its late report is charged all the same.

        StoreError where a session cannot be closed.
        """
        outcome = await self.abort(subscriber_id)
        for _ in range(int(self._limits.last_report / POLL)):
            if not await self._open_of(subscriber_id, 0):
                return outcome
            await asyncio.sleep(POLL)
        while silent := await self._open_of(subscriber_id, 0):
            closed = [await submit(self._lane, CloseLost(session.session_id, self._clock())) for session in silent]
            outcome.closed += sum(closed)
            if not any(closed):
                break
        self._alarm("charging.session.silent", {"closed": str(outcome.closed)})
        return outcome

    async def ask(self, demand: SessionCommand, session: Session) -> Reply:
        """Ask the client of one session by this gateway. StoreError only if it has to be closed here and cannot be."""
        async with self._room:
            asked_at = self._clock()
            reply = await self._send(demand, session)
        if reply.fate is CommandResult.UNKNOWN:
            closed = await submit(self._lane, CloseLost(session.session_id, asked_at))
            reply = msgspec.structs.replace(reply, closed=closed)
        elif demand is SessionCommand.ABORT:
            with suppress(StoreError):  # Tcc closes it
                await submit(self._lane, AwaitEnd(session.session_id, asked_at, asked_at + self._abort_wait))
        self._record(demand, session, reply)
        return reply

    async def _all(
        self, demand: SessionCommand, subscriber_id: int, concerned: Callable[[Session], bool] = lambda _: True
    ) -> CommandOutcome:
        outcome, after = CommandOutcome(), 0
        while True:
            page = await self._open_of(subscriber_id, after)
            asked = (self._ask_or_leave(demand, session) for session in page if concerned(session))
            for reply in await asyncio.gather(*asked):
                outcome.add(reply)
            if len(page) < PAGE:
                return outcome
            after = page[-1].id

    async def _open_of(self, subscriber_id: int, after: int) -> list[Session]:
        return await self._read(lambda connection: open_of(connection, subscriber_id, after))

    async def _ask_or_leave(self, demand: SessionCommand, session: Session) -> Reply:
        """Ask, or have it asked; a lost session that cannot be closed for the store's sake is left to Tcc."""
        at_hand = session.node == self._number and self.reaches(session)
        try:
            if at_hand or self._ask_by_others is None:
                return await self.ask(demand, session)
            return await self._ask_by_others(demand, session)
        except StoreError as error:
            return Reply(session.session_id, CommandResult.UNKNOWN, detail=error.code)

    async def _send(self, demand: SessionCommand, session: Session) -> Reply:
        if not self._may_send():
            return Reply(session.session_id, CommandResult.UNREACHABLE, detail="the lease is over", sent=False)
        message = self._message(demand, session)
        by_relay = fold(session.origin_host) != fold(session.peer)
        try:
            answer = await self._node.request(
                session.peer,
                message.command_code,
                APPLICATION,
                encode(message),
                self._limits.answer,
                failover=by_relay,  # another relay knows the way as well; another client does not have the session
                destination_host=session.origin_host,
            )
        except ProtocolError as error:
            return Reply(
                session.session_id,
                CommandResult.UNREACHABLE,
                detail=str(error),
                sent=isinstance(error, RequestError) and error.sent,
            )
        return _reply(session, answer)

    def _message(self, demand: SessionCommand, session: Session) -> Command:
        session_id, sub_session_id = parts_of(session.session_id)
        fields: dict[str, Any] = {
            "session_id": session_id,
            "origin_host": self._identity.origin_host,
            "origin_realm": self._identity.origin_realm,
            "destination_realm": session.realm or self._realms.get(session.peer) or self._identity.origin_realm,
            "destination_host": session.origin_host,
            "auth_application_id": APPLICATION,
        }
        if demand is SessionCommand.ABORT:
            return AbortSessionRequest(**fields)
        return ReAuthRequest(**fields, re_auth_request_type=AUTHORIZE_ONLY, cc_sub_session_id=sub_session_id)

    def _record(self, demand: SessionCommand, session: Session, reply: Reply) -> None:
        self._observe(demand.value, _label(reply))
        fields = {"peer": session.peer, "session_id": session.session_id, "request": demand.value}
        if reply.result_code is not None:
            fields["result_code"] = str(reply.result_code)
        if reply.detail:
            fields["detail"] = reply.detail
        self._alarm(EVENTS[demand, reply.fate], fields)


class _AnswerHead(Command, frozen=True, gc=False):
    """What an answer says of a request, whatever its command, under the E bit or not; all else in it may be odd."""

    result_code: Annotated[int, AvpField("Result-Code", required=True)]
    origin_host: Annotated[str, AvpField("Origin-Host", required=True)]
    session_id: Annotated[bytes, AvpField("Session-Id")] = b""
    error_message: Annotated[bytes, AvpField("Error-Message")] = b""
    avps: tuple[Avp, ...] = ()


def _reply(session: Session, answer: Answer) -> Reply:
    """Read an answer. Only the session's own client can say that it does not have it; a relay says whom it cannot reach."""
    try:
        found = decode(_AnswerHead, answer[1], profile=TOLERANT)
    except DiameterError as error:
        return Reply(session.session_id, CommandResult.REFUSED, detail=f"the answer cannot be read: {error.message}")
    code, detail = found.result_code, found.error_message.decode("utf-8", "replace")
    fate = CommandResult.ACCEPTED if code // 1000 == 2 else CommandResult.REFUSED
    if code == ResultCode.DIAMETER_UNABLE_TO_DELIVER:
        fate = CommandResult.UNREACHABLE
    elif code == ResultCode.DIAMETER_UNKNOWN_SESSION_ID and fold(found.origin_host) == fold(session.origin_host):
        own = parts_of(session.session_id)[0]
        fate = CommandResult.UNKNOWN if found.session_id in (b"", own) else CommandResult.REFUSED
    return Reply(session.session_id, fate, code, detail)


def _label(reply: Reply) -> str:
    """Return the metric's label: a Result-Code that the specification has, else what became of the request."""
    if reply.result_code is None:
        return reply.fate.value
    try:
        return str(int(ResultCode(reply.result_code)))
    except ValueError:
        return "other"
