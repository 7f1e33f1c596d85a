"""What the gateway asks of a PGW's sessions: to report now (RAR, RFC 8506 §5.5) or to end (ASR, RFC 6733 §8.5)."""

import asyncio
from collections import Counter

from protocols.diameter.errors import ResultCode
from protocols.diameter.generated import decode, encode
from protocols.diameter.identity import NodeIdentity
from protocols.diameter.inbound import Application, Request
from protocols.diameter.messages import (
    AbortSessionAnswer,
    AbortSessionRequest,
    ReAuthAnswer,
    ReAuthRequest,
)


class Call:
    """What one running session was asked; `woken` is set as soon as there is something to look at."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()
        self.abort = False
        self._reauthorise = False

    def reauthorise(self) -> None:
        """A report is wanted."""
        self._reauthorise = True
        self.woken.set()

    def end(self) -> None:
        """The session is to end."""
        self.abort = True
        self.woken.set()

    def take_reauthorisation(self) -> bool:
        """Whether a report is wanted; it is made now, and no more wanted then."""
        wanted, self._reauthorise = self._reauthorise, False
        self.woken.clear()
        return wanted


class Calls:
    """The running sessions by Session-Id, and the answers to the gateway's requests.

    Args:
        obeys: does what it is asked; else RAR is answered 2001 and forgotten, and ASR is a command that is not known.
    """

    def __init__(self, identity: NodeIdentity, *, obeys: bool) -> None:
        self.asked: Counter[str] = Counter()
        """`RAR` and `ASR` for sessions that run, `unknown` for others."""
        self._identity, self._obeys = identity, obeys
        self._running: dict[bytes, Call] = {}
        self._detached = False

    @property
    def application(self) -> Application:
        """What takes the requests."""
        commands = {ReAuthRequest.command_code} | ({AbortSessionRequest.command_code} if self._obeys else set())
        return Application(self._handle, frozenset(commands))

    @property
    def detached(self) -> bool:
        """Every session is to report what it has used and end."""
        return self._detached

    def detach_all(self) -> None:
        """Wake every session for its end."""
        self._detached = True
        for call in self._running.values():
            call.woken.set()

    def enter(self, session_id: bytes) -> Call:
        """A session begins."""
        call = self._running[session_id] = Call()
        if self._detached:
            call.woken.set()
        return call

    def leave(self, session_id: bytes) -> None:
        """A session is over."""
        del self._running[session_id]

    def _handle(self, request: Request) -> None:
        if request.header.command_code == ReAuthRequest.command_code:
            self._take_rar(request)
        else:
            self._take_asr(request)

    def _take_rar(self, request: Request) -> None:
        session_id = decode(ReAuthRequest, request.frame).session_id
        call = self._running.get(session_id)
        result = ResultCode.DIAMETER_LIMITED_SUCCESS if self._obeys else ResultCode.DIAMETER_SUCCESS
        self.asked["RAR" if call is not None else "unknown"] += 1
        if call is None:
            result = ResultCode.DIAMETER_UNKNOWN_SESSION_ID
        elif self._obeys:
            call.reauthorise()
        us = self._identity
        request.answer(encode(ReAuthAnswer(session_id, int(result), us.origin_host, us.origin_realm)))

    def _take_asr(self, request: Request) -> None:
        session_id = decode(AbortSessionRequest, request.frame).session_id
        call = self._running.get(session_id)
        result = ResultCode.DIAMETER_SUCCESS
        self.asked["ASR" if call is not None else "unknown"] += 1
        if call is None:
            result = ResultCode.DIAMETER_UNKNOWN_SESSION_ID
        else:
            call.end()
        us = self._identity
        request.answer(encode(AbortSessionAnswer(session_id, int(result), us.origin_host, us.origin_realm)))
