"""A message centre to test against: takes texts, sends receipts, delivers what customers say, fails as it is told.

As `tpo simulate smsc`, or in a test:

    async with Smsc() as smsc:
        smsc.faults.next_texts(SmscFault.RECEIPT_EARLY)
        ...                                        # an ESME that binds to smsc.port
        smsc.text_in("447700900101", "70070", "GIVE WATERAID 5")
        await smsc.handsets.expect("447700900101", "Reply YES", 5.0)
"""

import asyncio
import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from protocols.rate_limit import TokenBucket
from protocols.smpp.errors import CommandStatus
from protocols.smpp.events import Responded, Throttled
from protocols.smpp.limits import Limits
from protocols.smpp.messages import DeliverSm, QuerySm, QuerySmResp, SubmitSm, SubmitSmResp
from protocols.smpp.receipts import IdForm, MessageState, MessageType, receipt_text
from protocols.smpp.server import BindAttempt, Connection, Request, Result, Server, ServerConfig
from protocols.smpp.text import encode_text
from protocols.smpp.transitions import SessionState
from simulators.handsets import YES, Handsets, Heard
from simulators.smsc_faults import REFUSALS, SmscFault, SmscFaults

INTERNATIONAL: Final = 1
"""Type of number, and numbering plan, of a customer (SMPP 3.4 §5.2.5, §5.2.6)."""
KEPT_MESSAGES: Final = 100_000
KEPT_EVENTS: Final = 1_000
ATTEMPTS: Final = 20
"""How often something is delivered again to an ESME that refuses it for the time being."""
AGAIN_SECONDS: Final = 0.5
LEAVE_SECONDS: Final = 2.0
_LIMITS: Final = Limits(window=64, outstanding=100_000, drain_deadline=0.2)
_RECEIVERS: Final = frozenset({SessionState.BOUND_RX, SessionState.BOUND_TRX})
_NOT_DELIVERED: Final = 2
"""registered_delivery: a receipt is wanted where the text does not arrive (SMPP 3.4 §5.2.17)."""


class Message(msgspec.Struct):
    """A short message that was taken."""

    number: int
    submit: SubmitSm
    system_id: str
    submitted_at: datetime
    state: MessageState = MessageState.ENROUTE


class _Item(msgspec.Struct):
    """Something on its way to an ESME."""

    message: DeliverSm
    kind: str
    """`receipts` or `texts_in`."""
    system_id: str
    """Whom it is for; "" is anyone."""
    attempts: int = 0


class Smsc:
    """One message centre, on one address; an asynchronous context manager.

    What comes is for whoever is bound as a receiver: receipts go to the system_id that sent the text, texts to any.
    What is not acknowledged is delivered again.

    Args:
        password: that an ESME has to give; None: any will do.
        rate: texts a second, beyond which it answers ESME_RTHROTTLED; 0: no limit.
        delivery_seconds: from taking a text to its arrival at the handset, which the receipt follows.
        receipt_ids: how receipts write the message_id of the response: `hex`: in base 16, where the response has base 10;
            `decimal`: the other way round; `string`: as it was.
        answers, answer_seconds: what handsets answer, and how long they take.
        slow_seconds, late_seconds: for the faults `slow` and `reordered`, and `late-response`.
        first_id: the first message_id; None: one that no earlier run has given.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        system_id: str = "smsc",
        password: str | None = None,
        rate: float = 0.0,
        delivery_seconds: float = 0.1,
        receipt_ids: IdForm = IdForm.STRING,
        answers: Mapping[str, str] = YES,
        answer_seconds: float = 1.0,
        faults: SmscFaults | None = None,
        slow_seconds: float = 0.5,
        late_seconds: float = 12.0,
        seed: int = 1,
        first_id: int | None = None,
        limits: Limits = _LIMITS,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.faults = faults or SmscFaults(seed=seed)
        self.handsets = Handsets(answers)
        self.messages: dict[str, Message] = {}
        """What was taken, by the message_id of the response."""
        self.counters: Counter[str] = Counter()
        self.happened: Counter[SmscFault] = Counter()
        self.events: deque[object] = deque(maxlen=KEPT_EVENTS)
        """What the server told of ESMEs (`protocols.smpp.node_events`)."""
        self.port = port
        self._host, self._password, self._clock, self._wall = host, password, clock, wall
        self._config = ServerConfig(system_id=system_id, limits=limits)
        self._delivery_seconds, self._answer_seconds = delivery_seconds, answer_seconds
        self._slow_seconds, self._late_seconds = slow_seconds, late_seconds
        self._receipt_ids = receipt_ids
        self._bucket = TokenBucket(rate, rate / 10, clock())
        self._ids = itertools.count(int(wall()) << 20 if first_id is None else first_id)
        self._references = itertools.count(1)
        self._outboxes: dict[str, deque[_Item]] = {}
        self._held: list[tuple[Request, SubmitSmResp]] = []
        self._timers: set[asyncio.TimerHandle] = set()
        self._server: Server | None = None

    async def __aenter__(self) -> "Smsc":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def bound(self) -> list[str]:
        """The system_ids of the ESMEs that are bound, the oldest first."""
        return [] if self._server is None else [client.system_id for client in self._server.clients]

    @property
    def waiting(self) -> int:
        """Receipts and texts that no ESME has had room for yet."""
        return sum(map(len, self._outboxes.values()))

    async def start(self) -> None:
        """Listen; OSError if the address can't be had."""
        server = Server(
            self._config,
            [(self._host, self.port, None)],
            authenticate=self._authenticate,
            on_request=self._requested,
            on_result=self._resulted,
            on_ready=self._pump,
            on_event=self.events.append,
            clock=self._clock,
        )
        await server.start()
        self._server = server
        self.port = server.ports[0]

    async def stop(self) -> None:
        """Leave all ESMEs in order; what is not delivered yet waits for `start`, which listens on the same port again."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._held.clear()
        if self._server is not None:
            await self._server.stop(LEAVE_SECONDS)
            self._server = None

    def text_in(self, number: str, code: str, words: str) -> None:
        """A customer texts: every part is delivered until it is taken."""
        self.counters["texts_in"] += 1
        encoded = encode_text(words)
        for part in encoded.segments(next(self._references) & 0xFF):
            message = DeliverSm(
                source_addr_ton=INTERNATIONAL,
                source_addr_npi=INTERNATIONAL,
                source_addr=number,
                destination_addr=code,
                esm_class=encoded.esm_class,
                data_coding=encoded.data_coding,
                short_message=part,
            )
            self._post(_Item(message, "texts_in", ""))

    def summary(self) -> dict[str, object]:
        """Everything that was counted, as a JSON object."""
        states = Counter(message.state.name.lower() for message in self.messages.values())
        return {
            "bound": self.bound,
            "messages": dict(sorted(states.items())),
            "counters": dict(sorted(self.counters.items())),
            "waiting": self.waiting,
            "faults": {str(fault): count for fault, count in sorted(self.happened.items())},
        }

    # Texts of an ESME

    def _authenticate(self, attempt: BindAttempt) -> int:
        right = self._password is None or attempt.message.password == self._password
        return CommandStatus.ESME_ROK if right else CommandStatus.ESME_RINVPASWD

    def _requested(self, request: Request) -> None:
        if isinstance(request.message, SubmitSm):
            self._submitted(request, request.message)
        elif isinstance(request.message, QuerySm):
            self._queried(request, request.message)
        else:
            request.respond(None, CommandStatus.ESME_RINVCMDID)

    def _submitted(self, request: Request, submit: SubmitSm) -> None:
        self.counters["submitted"] += 1
        now = self._clock()
        if not self._bucket.available(now, 1):
            self.counters["limited"] += 1
            request.respond(None, CommandStatus.ESME_RTHROTTLED)
            return
        self._bucket.take(now)
        fault = self.faults.of_text(f"{submit.source_addr}/{submit.destination_addr}/{submit.short_message.hex()}")
        if fault is not None:
            self.happened[fault] += 1
        if fault in REFUSALS:
            request.respond(None, REFUSALS[fault])
        elif fault is SmscFault.DROPPED:
            request.drop_connection("the simulated centre was told to drop it")
        else:
            self._take(request, submit, fault)

    def _take(self, request: Request, submit: SubmitSm, fault: SmscFault | None) -> None:
        """Keep a text, answer it, and let it arrive: in this order, unless the fault is another."""
        self.counters["taken"] += 1
        number = next(self._ids)
        message = Message(number, submit, request.connection.system_id, self._now())
        message_id = str(number) if self._receipt_ids is IdForm.HEX else f"{number:x}"
        if len(self.messages) >= KEPT_MESSAGES:
            del self.messages[next(iter(self.messages))]
        self.messages[message_id] = message
        if fault is SmscFault.RECEIPT_EARLY:
            self._arrive(message, fault)
        else:
            self._later(self._delivery_seconds, lambda: self._arrive(message, fault))
        self._answer(request, SubmitSmResp(message_id=message_id), fault)

    def _answer(self, request: Request, response: SubmitSmResp, fault: SmscFault | None) -> None:
        match fault:
            case SmscFault.NO_RESPONSE:
                return
            case SmscFault.DROPPED_AFTER:
                request.drop_connection("the simulated centre was told to drop it")
                return
            case SmscFault.SLOW:
                self._later(self._slow_seconds, lambda: request.respond(response))
                return
            case SmscFault.LATE_RESPONSE:
                self._later(self._late_seconds, lambda: request.respond(response))
                return
            case SmscFault.REORDERED:
                self._held.append((request, response))
                self._later(self._slow_seconds, self._release)
                return
        request.respond(response)
        self._release()
        if fault is SmscFault.UNBIND:
            request.connection.unbind()

    def _release(self) -> None:
        """Answer what was held back for another to go first."""
        held, self._held = self._held, []
        for request, response in held:
            request.respond(response)

    def _queried(self, request: Request, query: QuerySm) -> None:
        self.counters["queried"] += 1
        message = self.messages.get(query.message_id)
        if message is None:
            request.respond(None, CommandStatus.ESME_RQUERYFAIL)
        else:
            request.respond(QuerySmResp(message_id=query.message_id, message_state=message.state))

    # What becomes of a text

    def _arrive(self, message: Message, fault: SmscFault | None) -> None:
        """The text reaches its handset, or not; a receipt tells."""
        delivered = fault is not SmscFault.UNDELIVERABLE
        message.state = MessageState.DELIVERED if delivered else MessageState.UNDELIVERABLE
        wanted = message.submit.registered_delivery & 0x03
        if wanted and (wanted != _NOT_DELIVERED or not delivered) and fault is not SmscFault.RECEIPT_LOST:
            for _ in range(2 if fault is SmscFault.RECEIPT_DOUBLED else 1):
                self._send_receipt(message, message.number)
        if fault is SmscFault.RECEIPT_UNKNOWN:
            self._send_receipt(message, next(self._ids))
        if delivered:
            self.counters["arrived"] += 1
            heard = self.handsets.take(message.submit)
            if heard is not None:
                self._reply(heard)

    def _reply(self, heard: Heard) -> None:
        answer = self.handsets.answer_to(heard)
        if answer is not None:
            self._later(self._answer_seconds, lambda: self.text_in(heard.number, heard.source, answer))

    def _send_receipt(self, message: Message, number: int) -> None:
        """Both as appendix B writes it and by the TLVs (SMPP 3.4 §4.6.1)."""
        submit, state = message.submit, message.state
        message_id = f"{number:010}" if self._receipt_ids is IdForm.DECIMAL else f"{number:x}"
        error = "000" if state is MessageState.DELIVERED else "001"
        receipt = DeliverSm(
            source_addr_ton=submit.dest_addr_ton,
            source_addr_npi=submit.dest_addr_npi,
            source_addr=submit.destination_addr,
            dest_addr_ton=submit.source_addr_ton,
            dest_addr_npi=submit.source_addr_npi,
            destination_addr=submit.source_addr,
            esm_class=MessageType.DELIVERY_RECEIPT,
            short_message=receipt_text(message_id, state, message.submitted_at, self._now(), error),
            message_state=state,
            receipted_message_id=message_id,
        )
        self.counters["receipts"] += 1
        self._post(_Item(receipt, "receipts", message.system_id))

    # Deliveries to ESMEs

    def _post(self, item: _Item) -> None:
        self._outboxes.setdefault(item.system_id, deque()).append(item)
        self._pump_all()

    def _pump_all(self) -> None:
        for client in self._server.clients if self._server is not None else ():
            self._pump(client)

    def _pump(self, client: Connection) -> None:
        """Send what waits for this ESME, as far as its window goes."""
        for system_id in (client.system_id, ""):
            outbox = self._outboxes.get(system_id)
            while outbox and client.state in _RECEIVERS and client.window_free:
                item = outbox.popleft()
                if not client.send(item.message, item):
                    outbox.appendleft(item)
                    return

    def _resulted(self, _connection: Connection, result: Result) -> None:
        item = result.context
        assert isinstance(item, _Item)
        if isinstance(result, Responded):
            if result.command_status == CommandStatus.ESME_ROK:
                self.counters[f"{item.kind}_taken"] += 1
                return
            item.attempts += 1
            self.counters["refusals"] += 1
            if item.attempts < ATTEMPTS:
                self._later(AGAIN_SECONDS, lambda: self._post(item))
            return
        self.counters["redelivered"] += 1
        self._outboxes.setdefault(item.system_id, deque()).appendleft(item)
        if not isinstance(result, Throttled):  # a throttled link says itself when it is ready
            self._pump_all()

    # Time

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall(), UTC)

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something after a time, unless the centre stops first."""

        def ring() -> None:
            self._timers.discard(timer)
            act()

        timer = asyncio.get_running_loop().call_later(seconds, ring)
        self._timers.add(timer)
