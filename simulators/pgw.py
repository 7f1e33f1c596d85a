"""A PGW: runs sessions against the gateway, repeats what is not answered, reports and ends sessions when it is asked to, counts
what was reported and acknowledged."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

import msgspec

from protocols.diameter.errors import DiameterError, ResultCode
from protocols.diameter.generated import decode, encode
from protocols.diameter.identity import NodeIdentity
from protocols.diameter.messages import CreditControlAnswer, CreditControlRequest, ErrorAnswer
from simulators.customers import Customer
from simulators.link import Answer, Link, Unanswered
from simulators.profiles import STANDARD, Profile
from simulators.rar_asr import Call, Calls
from simulators.session import ADMINISTRATIVE, TERMINATION, Demand, Session, State

TX_SECONDS: Final = 10.0
"""Tx, the time in which an answer is expected (RFC 8506 §13)."""
ATTEMPTS: Final = 12
KEPT_LATENCIES: Final = 100_000
BUSY_SECONDS: Final = 0.2
"""How long to wait before a request that was answered 3004 is sent again."""
_AGAIN: Final = frozenset({ResultCode.DIAMETER_TOO_BUSY, ResultCode.DIAMETER_UNABLE_TO_DELIVER})


class Counters(msgspec.Struct):
    """What this PGW did; octets are those of Used-Service-Units."""

    opened: int = 0
    ended: int = 0
    refused: int = 0
    """Sessions that the gateway would not begin."""
    abandoned: int = 0
    """Sessions given up because the gateway did not answer."""
    out_of_credit: int = 0
    requests: int = 0
    answers: int = 0
    repeated: int = 0
    """Requests sent again, the T flag set."""
    octets_reported: int = 0
    octets_acknowledged: int = 0
    results: Counter[int] = msgspec.field(default_factory=Counter)
    """Answers by Result-Code of the command."""

    @property
    def open(self) -> int:
        """Sessions that have begun and not ended."""
        return self.opened - self.ended - self.refused - self.abandoned


class GaveUp(Exception):
    """A request has had no answer after every attempt; the gateway may have acted on it."""


class Pgw:
    """One PGW with one connection to the gateway.

    Args:
        gateway: where it listens; its identity and realm are learned from its CEA.
        random: traffic and spreads; a seeded one makes the same sessions again, under other Session-Ids.
        pace: seconds that a simulated second takes; 0: never wait for traffic, only for answers.
        boot: Unix seconds of this PGW's start, for Session-Id and Origin-State-Id: a later one each time.
    """

    def __init__(
        self,
        gateway: tuple[str, int],
        *,
        random: Random,
        profile: Profile = STANDARD,
        origin_host: str = "pgw.host.example",
        origin_realm: str = "host.example",
        tx: float = TX_SECONDS,
        attempts: int = ATTEMPTS,
        pace: float = 1.0,
        boot: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.counters = Counters()
        self.latencies: deque[float] = deque(maxlen=KEPT_LATENCIES)
        """Seconds from a request to its answer, repetitions included, of the latest requests."""
        self.profile = profile
        self._random, self._clock, self._wall = random, clock, wall
        self._tx, self._attempts, self._pace = tx, attempts, pace
        self._boot = int(wall()) if boot is None else boot
        self._identity = NodeIdentity(
            origin_host=origin_host,
            origin_realm=origin_realm,
            product_name="TPO simulated PGW",
            origin_state_id=self._boot,
        )
        self._calls = Calls(self._identity, obeys=profile.obeys)
        self._link = Link(
            gateway, self._identity, clock=clock, random=random.random, application=self._calls.application
        )
        self._sessions = 0

    async def start(self, patience: float = 10.0) -> bool:
        """Connect; False if the gateway is not there after `patience` seconds (dialling goes on)."""
        self._link.start()
        return await self._link.wait_up(patience)

    async def stop(self) -> None:
        """Leave the gateway in order; sessions that still run are up to the caller (`detach_all`)."""
        await self._link.stop()

    def detach_all(self) -> None:
        """Let every running session report what it has used and end."""
        self._calls.detach_all()

    @property
    def asked(self) -> Counter[str]:
        """What the gateway asked of sessions: `RAR` and `ASR` of those that ran, `unknown` for others."""
        return self._calls.asked

    @property
    def up(self) -> bool:
        """The gateway is connected."""
        return self._link.up

    @property
    def last_failure(self) -> str:
        """Why the connection ended, or could not be made, the last time."""
        return self._link.last_failure

    def new_session(self, customer: Customer, demands: Sequence[tuple[int | None, Demand]]) -> Session:
        """A session with a Session-Id that no other has (RFC 6733 §8.8)."""
        self._sessions += 1
        identifier = f"{self._identity.origin_host};{self._boot};{self._sessions};{self._random.getrandbits(32):x}"
        return Session(identifier.encode(), customer, self.profile, demands, number=self._sessions)

    async def run(self, session: Session) -> None:
        """Run a session from CCR-I to CCR-T; a request that is never answered ends it, and is counted."""
        counters = self.counters
        counters.opened += 1
        virtual = self._clock()
        call = self._calls.enter(session.session_id)
        try:
            await self._ask(session, session.start(virtual), virtual)
            while session.state is State.ACTIVE:
                virtual = await self._let_flow(session, call, virtual)
                await self._ask(session, self._next(session, call, virtual), virtual)
        except GaveUp:
            counters.abandoned += 1
            return
        except asyncio.CancelledError:
            counters.abandoned += 1
            raise
        finally:
            self._calls.leave(session.session_id)
        if session.number == 0:
            counters.refused += 1
        else:
            counters.ended += 1
        counters.out_of_credit += session.out_of_credit

    def _next(self, session: Session, call: Call, now: float) -> CreditControlRequest:
        """The session's next request: what it was asked to do comes first."""
        if self._calls.detached:
            return session.stop(now)
        if call.abort:
            return session.stop(now, ADMINISTRATIVE)
        return session.reauthorise(now) if call.take_reauthorisation() else session.report(now)

    async def _let_flow(self, session: Session, call: Call, now: float) -> float:
        """Wait until the next report is due, or wanted, or the end; returns the session's time then."""
        due = max(session.due(), now)
        if not self._pace or due <= now:
            return due
        started = self._clock()
        try:
            async with asyncio.timeout((due - now) * self._pace):
                await call.woken.wait()
        except TimeoutError:
            return due
        return now + (self._clock() - started) / self._pace

    async def _ask(self, session: Session, request: CreditControlRequest, now: float) -> None:
        """Send one request until it is answered, and let the session take the answer."""
        octets = _octets(request)
        self.counters.octets_reported += octets
        answer = await self._deliver(request)
        self.counters.results[answer.result_code] += 1
        if answer.result_code // 1000 == 2 or (request.cc_request_type != TERMINATION and _charged(answer)):
            self.counters.octets_acknowledged += octets
        session.answered(answer, now)

    async def _deliver(self, request: CreditControlRequest) -> CreditControlAnswer:
        end_to_end = self._link.new_end_to_end()
        body = b""
        repeated = False
        started = self._clock()
        for _ in range(self._attempts):
            if not await self._link.wait_up(self._tx):
                continue
            if not body:
                body = encode(self._addressed(request))
            self.counters.requests += 1
            self.counters.repeated += repeated
            try:
                answer = _read(await self._link.request(body, end_to_end, self._tx, repeated=repeated))
            except Unanswered:
                repeated = True
                continue
            if answer.result_code in _AGAIN:
                repeated = False  # it was answered, and nothing was done (RFC 6733 §3: no T after an answer)
                end_to_end = self._link.new_end_to_end()
                await asyncio.sleep(BUSY_SECONDS * (1 + self._random.random()))
                continue
            self.counters.answers += 1
            self.latencies.append(self._clock() - started)
            return answer
        raise GaveUp

    def _addressed(self, request: CreditControlRequest) -> CreditControlRequest:
        """Put in who sends it, to whom and when; a repetition says the same."""
        gateway = self._link.capabilities
        assert gateway is not None
        return msgspec.structs.replace(
            request,
            origin_host=self._identity.origin_host,
            origin_realm=self._identity.origin_realm,
            destination_realm=gateway.origin_realm,
            destination_host=gateway.origin_host if request.cc_request_number else None,
            origin_state_id=self._boot if self.profile.origin_state_id else None,
            event_timestamp=int(self._wall()),
        )


def _read(answer: Answer) -> CreditControlAnswer:
    """The answer as a CCA; one of the error grammar, or unreadable, has its Result-Code alone."""
    header, frame = answer
    try:
        if not header.error:
            return decode(CreditControlAnswer, frame)
        return CreditControlAnswer(result_code=decode(ErrorAnswer, frame).result_code)
    except DiameterError as error:
        return CreditControlAnswer(result_code=int(error.result_code))


def _octets(request: CreditControlRequest) -> int:
    return sum(
        used.cc_total_octets
        if used.cc_total_octets is not None
        else (used.cc_input_octets or 0) + (used.cc_output_octets or 0)
        for mscc in request.multiple_services_credit_control
        for used in mscc.used_service_unit
    )


def _charged(answer: CreditControlAnswer) -> bool:
    """A command-level 4012 in mid-session: what was reported has been charged, and nothing more is to be had."""
    return answer.result_code == ResultCode.DIAMETER_CREDIT_LIMIT_REACHED
