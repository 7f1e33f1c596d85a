"""The exchange: the queue of texts in memory, the links that carry them, and the lane that remembers.

A text is written down before it goes out and when anything becomes of it; what is in memory can be lost at any instant. Parts
that were out without an answer when the process or the link died are doubtful, and each link's policy says what then.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import msgspec

from gateway.background import Background
from gateway.messaging import smpp_mapping
from gateway.messaging.mo_delivery import Arrived, TakeArrival, opts
from gateway.messaging.mt_status import (
    Dispatch,
    NoteAnswers,
    NoteReceipts,
    Receipt,
    SubmitOutcome,
    TakeForSending,
    open_texts,
)
from gateway.messaging.policy import MessagingPolicy
from gateway.messaging.query_sm import PendingQuery, QueryEvent, QueryLink, QueryScheduler
from gateway.messaging.redelivery import Drops
from gateway.messaging.senders import last_arrival
from gateway.messaging.sms_expiry import ExpireTexts, overdue_texts
from gateway.messaging.submit import Accepted, AcceptTexts, Draft, Refusal
from gateway.messaging.text_events import AnswersLimited, GivenUp, TextEvent
from gateway.messaging.texts import Step, Text, from_row
from gateway.messaging.waiting_parts import Waiting, pause_after
from gateway.store.batch import Unit
from gateway.store.errors import LaneClosed, LaneOverloaded, OutcomeUnknown, StoreError
from gateway.store.lane import Lane
from protocols.errors import LocalProtocolError
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.client import Link, LinkConfig, Request, Result
from protocols.smpp.errors import CommandStatus
from protocols.smpp.events import Doubtful, Responded, Throttled
from protocols.smpp.messages import DataSm, DeliverSm, SubmitSmResp
from protocols.smpp.node_events import LinkDown, LinkEvent, LinkUp
from protocols.smpp.receipts import IdForm, is_receipt, message_type, reads_as_receipt, stored_id
from protocols.smpp.status_policy import Retry, retry_of
from protocols.tap import Tap

PAGE = 2000
"""Texts that are read at once when the queue is filled from the store."""
MOST_PAUSED = 2000
"""Parts of one link that may pause at once: an SMSC that puts everything off gets nothing new for a while."""
UNKNOWN = "nobody knows whether the store has it: the peer has to send it again"
RETRY_SECONDS = 5.0
"""How long a part waits that the store could not note."""
UNANSWERED_KEPT = 1024
"""Texts in that are remembered because they were acted on and could not be answered."""
NO_ANSWER = "no answer of the SMSC"


class Route(msgspec.Struct, frozen=True):
    """A link and what we know of its SMSC's ways. `doubtful` is resend, wait (seconds: `wait`) or fail.

    `query_after`: seconds after which a text without a receipt is asked for; 0: never. `by_text`: its receipts come as plain
    texts. A part is sent `attempts` times without an answer, and then no more.
    """

    config: LinkConfig
    alphabet: Alphabet
    form: IdForm
    doubtful: str
    wait: float
    query_after: float = 0.0
    by_text: bool = False
    attempts: int = 3


class _Line:
    """A link at work: how many parts are promised to it, and how many pause that are to be sent again."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self.link: Link
        self.promised = self.paused = 0
        self.centre = f"{route.config.host}:{route.config.port}"[:64]
        """The SMSC behind the link: a receipt may come by another bind to it than its text went out by."""

    @property
    def room(self) -> int:
        sends = self.route.config.bind != "receiver" and self.paused < MOST_PAUSED
        return self.link.window_free - self.promised if sends else 0

    @property
    def asks(self) -> bool:
        return self.route.query_after > 0 and self.route.config.bind != "receiver"


class Exchange:
    """Texts out and in over all links of this gateway."""

    def __init__(
        self,
        policy: MessagingPolicy,
        lane: Lane,
        routes: Sequence[Route],
        *,
        read: Callable[[Callable[[Any], Any]], Any],
        node: int,
        clock: Callable[[], int],
        monotonic: Callable[[], float],
        random: Callable[[], float],
        on_event: Callable[[LinkEvent | QueryEvent | TextEvent], None],
        background: Background | None = None,
    ) -> None:
        """Take the office, the lane and the links; `read` runs a function with a reading connection."""
        self._policy, self._lane, self._read, self._node = policy, lane, read, node
        self._clock, self._on_event = clock, on_event
        self._monotonic, self._random = monotonic, random
        self._queue: deque[Waiting] = deque()
        self._read_up_to = 0
        self._more = self._filling = False
        self._wanted = asyncio.Event()
        self._background, self._filler = background or Background(), cast("asyncio.Task[None] | None", None)
        self._unknown = 0
        """Batches of unknown outcome that the store was read again after."""
        self._answers: list[SubmitOutcome] = []
        self._held: deque[list[SubmitOutcome]] = deque()
        self._receipts: list[tuple[Receipt, Request]] = []
        self._again: dict[tuple[int, int], Waiting] = {}
        self._in_hand: dict[tuple[str, str, int], list[Request]] = {}
        self._out: dict[tuple[int, int], tuple[Waiting, _Line]] = {}
        self._paused: dict[tuple[int, int], Waiting] = {}
        self._flush_due = False
        self._stopping = False
        self.sent = self.arrived = 0
        """Parts that SMSCs took, and texts and parts that came from handsets, since the start."""
        self.silences: Counter[str] = Counter()
        """Texts to our services that got no answer, by the reason."""
        self._drops = Drops()
        self._unanswered: dict[tuple[str, str], None] = {}
        self._tap: Tap | None = None
        self._lines = {route.config.name: self._line(route) for route in routes}
        self._query_scheduler = QueryScheduler(
            policy,
            {name: _query_link(line) for name, line in self._lines.items() if line.asks},
            read=read,
            post=self._post,
            node=node,
            clock=clock,
            on_ready=self._pump,
            on_event=on_event,
        )

    def _line(self, route: Route) -> _Line:
        line = _Line(route)
        line.link = Link(
            route.config,
            on_request=lambda request: self._requested(line, request),
            on_result=lambda result: self._resulted(line, result),
            on_ready=self._pump,
            on_event=lambda event: self._happened(line, event),
            clock=self._monotonic,
            random=self._random,
        )
        line.link.set_tap(self._tap)
        return line

    @property
    def policy(self) -> MessagingPolicy:
        """What texts are decided with now."""
        return self._policy

    @property
    def depth(self) -> int:
        """How many parts wait in memory."""
        return len(self._queue)

    @property
    def busy(self) -> int:
        """How many parts wait in memory, are being written down, or are out without an answer; 1 if the store has more.

        What came of a part counts as well until it is written down.
        """
        out = sum(line.link.state().unanswered for line in self._lines.values())
        held = len(self._answers) + sum(map(len, self._held))
        return len(self._queue) + len(self._out) + out + held + int(self._more or self._filling)

    def count_parts(self, body: str) -> int:
        """Count the parts that a text takes; LocalProtocolError where it cannot be sent at all."""
        return self._policy.segments(body)

    @property
    def queries(self) -> Mapping[tuple[str, str], int]:
        """How many query_sm came to what, by link and result."""
        return self._query_scheduler.results

    def links(self) -> Mapping[str, Link]:
        """Give the links by name."""
        return {name: line.link for name, line in self._lines.items()}

    async def start(self) -> None:
        """Look through what was left open, then dial."""
        self._loop = asyncio.get_running_loop()
        last = await asyncio.to_thread(self._read, lambda connection: last_arrival(connection, self._node))
        if last is not None:
            self._drops.restarted(last)
        self._unknown = self._lane.counters.unknown
        await self._fill(first=True)
        self._filler = self._background.keep("refill the queue", self._keep_filled)
        for line in self._lines.values():
            line.link.start()

    async def stop(self, deadline: float) -> None:
        """Send nothing further, take the answers to what is out, unbind."""
        self._stopping = True
        await asyncio.gather(*(line.link.stop(deadline) for line in self._lines.values()))
        if self._filler is not None:
            self._filler.cancel()
        for answers in self._held:  # the lane may take them now
            self._answers = answers + self._answers
        self._held.clear()
        self._flush()

    def set_tap(self, tap: Tap | None) -> None:
        """Have each PDU of every link told from now on, also of links to come, or none any more."""
        self._tap = tap
        for line in self._lines.values():
            line.link.set_tap(tap)

    def apply_settings(self, policy: MessagingPolicy) -> None:
        """Decide by another office from now on; what is in the lane already goes by the old one."""
        self._policy = policy
        self._query_scheduler.apply_settings(policy)

    def add_link(self, route: Route) -> None:
        """Carry texts by one more link, and dial it; LocalProtocolError if there is one of its name."""
        name = route.config.name
        if name in self._lines:
            raise LocalProtocolError(f"there is a link {name} already", "smpp.link.known")
        line = self._lines[name] = self._line(route)
        if line.asks:
            self._query_scheduler.add(name, _query_link(line))
        line.link.start()

    async def remove_link(self, name: str, deadline: float) -> None:
        """Give a link nothing new, take the answers to what is out within `deadline` seconds, unbind, and forget it."""
        line = self._lines.pop(name, None)
        if line is None:
            raise LocalProtocolError(f"there is no link {name}", "smpp.link.unknown")
        self._query_scheduler.remove(name)
        await line.link.stop(deadline)

    async def accept(self, client: str, drafts: list[Draft]) -> Accepted | Refusal:
        """Commit the drafts of one request and queue them; StoreError where that cannot be."""
        future: asyncio.Future[Accepted | Refusal] = self._loop.create_future()

        def done(answer: Accepted | Refusal | None, error: StoreError | None) -> None:
            if isinstance(answer, Accepted):
                self.enqueue(answer.new)
            if not future.cancelled():
                future.set_exception(error) if error is not None or answer is None else future.set_result(answer)  # type: ignore[arg-type]  # one of both

        self._lane.post(AcceptTexts(client, drafts, self._policy), done)
        return await future

    async def expire(self) -> None:
        """Bring texts to their end whose time is over."""
        now = self._clock()
        ids = await asyncio.to_thread(self._read, lambda connection: overdue_texts(connection, now))
        if ids:
            self._post(ExpireTexts(self._policy, ids), lambda _: None)

    async def inquire(self) -> None:
        """Ask the SMSCs for texts that they took and never told of."""
        if not self._stopping:
            await self._query_scheduler.look()

    # The queue

    def enqueue(self, texts: Sequence[Text]) -> None:
        """Queue texts that were committed."""
        for text in texts:
            if text.id <= self._read_up_to:  # the store was read after the commit and before this call
                continue
            if self._more or self._filling or len(self._queue) > 2 * PAGE:
                self._more = True  # the store has it; it is read when its turn comes
                continue
            self._read_up_to = text.id
            self._queue.extend(Waiting(text, part) for part in range(len(text.parts)))
        self._pump()

    async def _fill(self, *, first: bool = False) -> None:
        """Read open texts from the store: at the start with what became doubtful, later those that did not fit."""
        after = self._read_up_to
        rows = await asyncio.to_thread(self._read, lambda connection: open_texts(connection, self._node, after, PAGE))
        doubtful: list[SubmitOutcome] = []
        for row in rows:
            text = from_row(tuple(row))
            self._read_up_to = max(self._read_up_to, text.id)
            for number, part in enumerate(text.parts):
                if part.step is Step.WAITING:
                    self._queue.append(Waiting(text, number, part.attempts))
                elif first and part.step in (Step.SENT, Step.DOUBTFUL):
                    doubtful += self._doubt(
                        Waiting(text, number, part.attempts), text.link, left=part.step is Step.DOUBTFUL
                    )
        self._more = len(rows) == PAGE or self._more
        if first and len(rows) == PAGE:
            self._answers += doubtful
            self._flush()
            await self._fill(first=True)
            return
        self._answers += doubtful
        self._flush_soon()
        self._pump()

    async def _keep_filled(self) -> None:
        """Refill the queue whenever it runs dry and the store has more, for as long as the gateway runs."""
        while True:
            self._wanted.clear()
            if self._more and not self._queue and not self._stopping:
                await self._refill()
            else:
                await self._wanted.wait()

    async def _refill(self) -> None:
        """Read the next texts that did not fit. What is accepted meanwhile waits in the store, lest any be passed over."""
        self._more, self._filling = False, True
        try:
            await self._fill()
        except BaseException:
            self._more = True  # they are still there
            raise
        finally:
            self._filling = False
        self._ask()

    async def recover(self) -> None:
        """Queue what waits in the store and not here: texts of batches that were committed after all, unknown to anybody."""
        unknown = self._lane.counters.unknown
        if unknown == self._unknown or self._stopping:
            return
        after, up_to, known = 0, self._read_up_to, self._known()
        while True:
            rows = await asyncio.to_thread(self._read, partial(open_texts, node=self._node, after=after, limit=PAGE))
            known |= self._known()
            for row in rows:
                text = from_row(tuple(row))
                if text.id <= up_to:
                    self._queue.extend(
                        Waiting(text, number)
                        for number, part in enumerate(text.parts)
                        if part.step is Step.WAITING and (text.id, number) not in known
                    )
            if len(rows) < PAGE or rows[-1][0] >= up_to:
                break
            after = rows[-1][0]
        self._unknown, self._more = unknown, True  # what came after `up_to` is read by its turn
        self._pump()

    def _known(self) -> set[tuple[int, int]]:
        """Name the parts that are here, whatever is under way with them."""
        queued = {waiting.key for waiting in self._queue}
        return queued | set(self._out) | set(self._again) | set(self._paused)

    def _doubt(self, waiting: Waiting, link: str, *, left: bool = False) -> list[SubmitOutcome]:
        """Say what becomes of a part that may have been sent or not, by the policy of its link.

        It is sent again after a pause, longer each time, until the link's attempts are used up. `left`: it was found so at
        the start, and is told of no more.
        """
        text, number, line = waiting.text, waiting.part, self._lines.get(link)
        doubtful, attempts = (line.route.doubtful, line.route.attempts) if line is not None else ("resend", 3)
        doubt = SubmitOutcome(text.id, number, link, Step.DOUBTFUL, error=NO_ANSWER)
        if doubtful == "fail":
            return [doubt, SubmitOutcome(text.id, number, link, Step.FAILED, error=NO_ANSWER)]
        if waiting.attempts >= attempts:
            if not left:
                self._on_event(GivenUp(link, text.id, number, waiting.attempts, Step.DOUBTFUL))
            return [doubt]
        pause = pause_after(waiting.attempts)
        if doubtful == "wait" and line is not None:
            pause = max(pause, line.route.wait)
        self._pause(waiting, link, pause, "sent again")
        return [doubt]

    def _pause(self, waiting: Waiting, link: str, seconds: float, error: str) -> None:
        """Queue a part again after so many seconds, unless something else becomes of it meanwhile."""
        line = self._lines.get(link)
        if line is not None:
            line.paused += 1

        def over() -> None:
            self._paused.pop(waiting.key, None)
            if line is not None:
                line.paused -= 1

        waiting.pause(seconds, lambda: self._resend(waiting, link, error), over)
        self._paused[waiting.key] = waiting

    def _resend(self, waiting: Waiting, link: str, error: str) -> None:
        self._again[waiting.key] = waiting
        self._note(SubmitOutcome(*waiting.key, link, Step.WAITING, error=error))

    def _pump(self) -> None:
        """Take as many parts as the links have room for, and have them written down before they go."""
        if self._stopping or not self._queue:
            if self._more and not self._stopping and not self._filling:
                self._wanted.set()
            self._ask()
            return
        dispatches: list[Dispatch] = []
        rooms = {line: line.room for line in self._lines.values()}
        while self._queue:
            line = max(rooms, key=rooms.__getitem__, default=None)
            if line is None or rooms[line] <= 0:
                break
            waiting = self._queue.popleft()
            if (waiting.text.id, waiting.part) in self._out:
                continue
            rooms[line] -= 1
            line.promised += 1
            dispatches.append(Dispatch(waiting.text.id, waiting.part, line.route.config.name))
            self._out[waiting.text.id, waiting.part] = waiting, line
        if dispatches:
            unit = TakeForSending(self._policy, dispatches)
            self._post(unit, lambda taken: self._taken(dispatches, taken), lambda: self._not_taken(dispatches))
        self._ask()

    def _ask(self) -> None:
        """Ask for silent texts with the room that no text wants."""
        if not (self._queue or self._more or self._filling or self._stopping):
            self._query_scheduler.pump()

    def _taken(self, dispatches: Sequence[Dispatch], taken: Sequence[Dispatch]) -> None:
        """Send what was written down as going out; the rest has come to its end."""
        allowed = set(taken)
        for dispatch in dispatches:
            waiting, line = self._out.pop((dispatch.text_id, dispatch.part))
            line.promised -= 1
            if dispatch not in allowed:
                continue
            waiting.attempts += 1
            try:
                message = smpp_mapping.submit_sm(waiting.text, dispatch.part, line.route.alphabet)
                waiting.out = line.link.submit(message, (waiting, dispatch))
            except (LocalProtocolError, IndexError) as error:
                self._note(
                    SubmitOutcome(
                        dispatch.text_id,
                        dispatch.part,
                        dispatch.link,
                        Step.FAILED,
                        error=f"cannot be sent: {error}"[:64],
                    )
                )
                continue
            if not waiting.out:
                waiting.attempts -= 1
                self._again[dispatch.text_id, dispatch.part] = waiting
                self._note(SubmitOutcome(dispatch.text_id, dispatch.part, dispatch.link, Step.WAITING))

    def _not_taken(self, dispatches: Sequence[Dispatch]) -> None:
        """Nothing went out, but it may stand written down that it did: say that the parts wait, then queue them again."""
        for dispatch in dispatches:
            waiting, line = self._out.pop((dispatch.text_id, dispatch.part))
            line.promised -= 1
            self._again[dispatch.text_id, dispatch.part] = waiting
        self._note_later(
            [SubmitOutcome(dispatch.text_id, dispatch.part, dispatch.link, Step.WAITING) for dispatch in dispatches]
        )

    # What the links tell

    def _resulted(self, line: _Line, result: Result) -> None:
        if isinstance(result.context, PendingQuery):
            self._query_scheduler.resulted(result.context, result)
            return
        waiting, dispatch = cast("tuple[Waiting, Dispatch]", result.context)
        if isinstance(result, Doubtful):
            waiting.out = False
            for answer in self._doubt(waiting, dispatch.link):
                self._note(answer)
            return
        if not result.late:
            waiting.out = False
            waiting.attempts -= 1
        match result:
            case Responded():
                self._responded(line, waiting, dispatch, result)
            case Throttled() if not waiting.out:
                waiting.cancel()
                self._again[waiting.key] = waiting
                self._note(
                    SubmitOutcome(*waiting.key, dispatch.link, Step.WAITING, error=_status(result.command_status))
                )

    def _responded(self, line: _Line, waiting: Waiting, dispatch: Dispatch, result: Responded) -> None:
        text, number, link = waiting.text, dispatch.part, dispatch.link
        retry = retry_of(result.command_status)
        if retry in (Retry.LATER, Retry.THROTTLED):
            if not waiting.out:  # it is out again where this answer came too late for its first sending
                waiting.put_off += 1
                error = _status(result.command_status)
                self._pause(waiting, link, pause_after(waiting.put_off), error)
                self._note(SubmitOutcome(text.id, number, link, Step.WAITING, error=error))
            return
        waiting.cancel()
        if retry is Retry.NEVER:
            self._note(SubmitOutcome(text.id, number, link, Step.FAILED, error=_status(result.command_status)))
            return
        self.sent += 1
        message_id = result.message.message_id if isinstance(result.message, SubmitSmResp) else ""
        kept = stored_id(message_id, line.route.form)
        stated = message_id if message_id != kept else ""
        self._note(SubmitOutcome(text.id, number, line.centre, Step.ACCEPTED, kept, stated=stated))

    def _requested(self, line: _Line, request: Request) -> None:
        """A receipt or a text from a handset: answered when its effects are on disk."""
        message = request.message
        if not isinstance(message, DeliverSm | DataSm):
            request.respond(command_status=CommandStatus.ESME_RINVCMDID)
        elif is_receipt(message.esm_class):
            self._receipts.append((smpp_mapping.receipt(line.centre, message, line.route.form), request))
            self._flush_soon()
        elif line.route.by_text and not message_type(message.esm_class) and reads_as_receipt(message):
            self._receipts.append((smpp_mapping.receipt(line.centre, message, line.route.form, by_text=True), request))
            self._flush_soon()
        elif len(message.source_addr) > smpp_mapping.LONGEST_ADDRESS:
            request.respond(command_status=CommandStatus.ESME_RINVSRCADR)
        elif len(message.destination_addr) > smpp_mapping.LONGEST_ADDRESS:
            request.respond(command_status=CommandStatus.ESME_RINVDSTADR)
        else:
            self._arrived(line, message, request)

    def _arrived(self, line: _Line, message: DeliverSm | DataSm, request: Request) -> None:
        name, now = line.route.config.name, self._clock()
        self.arrived += 1
        came = smpp_mapping.arrival(
            name,
            line.centre,
            message,
            line.route.alphabet,
            came_at=now,
            bound_at=self._drops.bound_at(name),
            drops=self._drops.after(name, now),
        )
        known, place = (line.centre, came.digest), 0
        if (
            *known,
            place,
        ) in self._in_hand:  # the same text again, by whatever link, while its first delivery is committed
            if not opts(came, self._policy):
                self._in_hand[*known, place].append(request)
                return
            place = self.arrived  # the lane sees whether another STOP or START came in between
        key = (*known, place)
        self._in_hand[key] = [request]
        if known in self._unanswered:
            came = msgspec.structs.replace(came, unanswered=True)

        def done(arrived: Arrived) -> None:
            reached = [waiting.respond() for waiting in self._in_hand.pop(key)]
            self._remember_answer(known, reached=any(reached))
            if arrived.silent:
                self.silences[arrived.silent] += 1
            if arrived.limited:
                self._on_event(AnswersLimited(name, came.destination, arrived.limited))
            self.enqueue(arrived.answers)

        def failed() -> None:
            for waiting in self._in_hand.pop(key):
                waiting.respond(command_status=CommandStatus.ESME_RX_T_APPN)

        def lost() -> None:
            for waiting in self._in_hand.pop(key):
                waiting.drop_connection(UNKNOWN)

        self._post(TakeArrival(self._policy, came), done, failed, lost)

    def _remember_answer(self, key: tuple[str, str], *, reached: bool) -> None:
        """Remember a text in that was acted on while its connection went: whenever it comes again, it is a repetition."""
        self._unanswered.pop(key, None)
        if not reached:
            self._unanswered[key] = None
            while len(self._unanswered) > UNANSWERED_KEPT:
                del self._unanswered[next(iter(self._unanswered))]

    def _happened(self, _line: _Line, event: LinkEvent) -> None:
        if isinstance(event, LinkUp):
            self._drops.bound(event.name, self._clock())
            self._query_scheduler.bound(event.name)
        elif isinstance(event, LinkDown):
            self._drops.dropped(event.name, self._clock())
        self._on_event(event)

    # What goes to the lane together

    def _note(self, answer: SubmitOutcome) -> None:
        self._answers.append(answer)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        answers, self._answers = self._answers, []
        receipts, self._receipts = self._receipts, []
        if answers:
            self._post(
                NoteAnswers(self._policy, answers), lambda _: self._noted(answers), lambda: self._note_later(answers)
            )
        if receipts:
            self._note_receipts(receipts)

    def _noted(self, answers: Sequence[SubmitOutcome]) -> None:
        """Queue again, before anything newer, what is to be sent again."""
        for answer in reversed(answers):
            if answer.step is Step.WAITING:
                waiting = self._again.pop((answer.text_id, answer.part), None)
                if waiting is not None:
                    self._queue.appendleft(waiting)
        self._pump()

    def _note_later(self, answers: list[SubmitOutcome]) -> None:
        self._held.append(answers)
        self._loop.call_later(RETRY_SECONDS, self._note_again)

    def _note_again(self) -> None:
        if self._held:
            self._answers = self._held.popleft() + self._answers
            self._flush_soon()

    def _note_receipts(self, receipts: list[tuple[Receipt, Request]]) -> None:
        def done(_moved: int) -> None:
            for _, request in receipts:
                request.respond()

        def failed() -> None:
            for _, request in receipts:
                request.respond(command_status=CommandStatus.ESME_RX_T_APPN)

        def lost() -> None:
            for _, request in receipts:
                request.drop_connection(UNKNOWN)

        known = [receipt for receipt, _ in receipts if receipt.forms or receipt.reference is not None]
        self._post(NoteReceipts(self._policy, known), done, failed, lost)

    def _post(
        self,
        unit: Unit[Any],
        done: Callable[[Any], None],
        failed: Callable[[], None] = lambda: None,
        lost: Callable[[], None] | None = None,
    ) -> None:
        """Hand a unit to the lane; `failed` is called where nothing of it was committed, `lost` where nobody knows."""

        def finish(answer: Any, error: StoreError | None) -> None:  # noqa: ANN401  (whatever the unit answers)
            if error is None:
                done(answer)
            elif lost is not None and isinstance(error, OutcomeUnknown):
                lost()
            else:
                failed()

        try:
            self._lane.post(unit, finish)
        except (LaneOverloaded, LaneClosed):
            failed()


def _query_link(line: _Line) -> QueryLink:
    route = line.route
    return QueryLink(line.link, line.centre, route.form, int(route.query_after * 1_000_000), lambda: line.room)


def _status(command_status: int) -> str:
    try:
        return CommandStatus(command_status).name
    except ValueError:
        return f"0x{command_status:08X}"
