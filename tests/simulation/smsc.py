"""A message centre that believes: what it took it delivers, and what the gateway has not acknowledged it delivers again.

Receipts go out in any order; the texts of one number one after the other, each again until it is acknowledged.
"""

from collections import Counter, defaultdict, deque
from datetime import UTC, datetime

from protocols.smpp.errors import CommandStatus
from protocols.smpp.events import Doubt, Doubtful, Responded
from protocols.smpp.limits import Limits
from protocols.smpp.messages import DeliverSm, QuerySm, QuerySmResp, SubmitSm, SubmitSmResp
from protocols.smpp.receipts import MessageState, MessageType, receipt_text
from protocols.smpp.server import Server, ServerConfig
from protocols.smpp.text import encode_text
from protocols.smpp.transitions import SessionState
from simulators.handsets import Handsets

from .loop import Process

PORT = 2775
SURELY_KNOWN = 2.0
"""Seconds within which a text is delivered again that has to be known by then: the gateway knows it for ten, and it may have
been on its way for eight."""
PATIENCE = 60.0
"""Seconds for which it waits for a gateway that may stand still: if it hung up, what must not leave then could not."""
TAKEN, THROTTLED, LATER, REFUSED, UNANSWERED, LATE, DROPPED_AFTER, DROPPED_BEFORE = range(8)
"""What it does with a text."""
TAKES = (TAKEN, UNANSWERED, LATE, DROPPED_AFTER)
"""Of these: by which it has the text."""
STATUSES = {
    THROTTLED: CommandStatus.ESME_RTHROTTLED,
    LATER: CommandStatus.ESME_RSYSERR,
    REFUSED: CommandStatus.ESME_RINVDSTADR,
}


class Submission:
    """One submit_sm that came: when, what was done with it, and in which life of the gateway."""

    def __init__(self, at, life, fate, message_id):
        self.at, self.life, self.fate, self.message_id = at, life, fate, message_id
        self.state = None
        """What its receipt says (MessageState), once there is one."""


class Item:
    """Something that is delivered until it is acknowledged. `lane` keeps those of one number in their order."""

    def __init__(self, message, lane, taken):
        self.message, self.lane, self.taken = message, lane, taken
        self.sent_at = None
        """When it was sent first."""


class Smsc:
    """One message centre with all handsets behind it."""

    def __init__(self, world, on_text):
        self.world, self.loop, self.random = world, world.loop, world.chance("smsc")
        self.unkind = self.random.choice((0.0, 0.0, 0.1, 0.3))
        """How often it does something else than to take a text."""
        self.echoes = self.random.random() < 0.5
        """Whether its receipts name the user_message_reference of their text."""
        self.on_text = on_text
        self.submissions = defaultdict(list)
        """By the number and octets of a part."""
        self.by_id = {}
        self.handsets = Handsets({})
        self.loose = Counter()
        """By number: texts that were delivered again so late, or are on their way once more so late, that nobody can tell
        them from new ones."""
        self.lanes = defaultdict(deque)
        self.busy = set()
        self.count = self.references = 0
        self.process = Process("smsc")
        self.server = None
        self.process.run(world.loop.create_task, self._start())

    async def _start(self):
        patience = PATIENCE if self.world.leases.given else 8.0
        self.server = Server(
            ServerConfig(system_id="smsc", limits=Limits(window=20, response_timeout=patience, enquire_link=20.0)),
            [("127.0.0.1", PORT, None)],
            authenticate=lambda _attempt: CommandStatus.ESME_ROK,
            on_request=self._requested,
            on_result=self._resulted,
            on_ready=lambda _connection: self._pump(),
            on_event=lambda _event: None,
            clock=self.loop.time,
            network=self.world.network,
        )
        await self.server.start()

    def is_done(self):
        return not any(self.lanes.values()) and not self.busy

    # Texts of the gateway

    def _requested(self, request):
        match request.message:
            case SubmitSm():
                self._submitted(request, request.message)
            case QuerySm():
                self._queried(request, request.message)
            case _:
                request.respond(None, CommandStatus.ESME_RINVCMDID)

    def _fate(self):
        if self.world.over or self.random.random() >= self.unkind:
            return TAKEN
        return self.random.choice(range(1, 8))

    def _submitted(self, request, submit):
        fate = self._fate()
        takes = fate in TAKES
        self.count += takes
        submission = Submission(
            self.loop.time(), self.world.lives, fate, f"{self.random.getrandbits(48):012x}" if takes else ""
        )
        self.submissions[submit.destination_addr, submit.short_message].append(submission)
        self.world.story.tell("smsc", f"text {self.count} to {submit.destination_addr}: {fate}")
        if takes:
            self.by_id[submission.message_id] = submission
            after = self.random.choice((0.0, self.random.uniform(0.1, 5.0)))
            self.loop.call_later(after, self._arrive, submission, submit)
        self._answer(request, submission)

    def _answer(self, request, submission):
        response = SubmitSmResp(message_id=submission.message_id)
        match submission.fate:
            case _ if submission.fate in STATUSES:
                request.respond(None, STATUSES[submission.fate])
            case _ if submission.fate in (DROPPED_AFTER, DROPPED_BEFORE):
                self.world.disturb()
                request.drop_connection("the message centre broke off")
            case _ if submission.fate == LATE:
                self.loop.call_later(self.random.uniform(10.5, 30.0), request.respond, response)
            case _ if submission.fate == TAKEN:
                self.loop.call_later(self.random.uniform(0.0, 0.3), request.respond, response)

    def _queried(self, request, query):
        found = self.by_id.get(query.message_id)
        if found is None:
            request.respond(None, CommandStatus.ESME_RQUERYFAIL)
        else:
            state = found.state or MessageState.ENROUTE
            request.respond(QuerySmResp(message_id=query.message_id, message_state=state))

    def _arrive(self, submission, submit):
        """A text reaches its handset, or not; a receipt tells."""
        arrives = self.world.over or self.random.random() > self.unkind / 2
        submission.state = MessageState.DELIVERED if arrives else MessageState.UNDELIVERABLE
        if submit.registered_delivery & 0x03:
            self._post(Item(self._receipt(submission, submit), None, lambda: None))
        heard = self.handsets.take(submit) if arrives else None
        if heard is not None:
            self.on_text(heard)

    def _receipt(self, submission, submit):
        """A receipt as appendix B writes it and by the TLVs (SMPP 3.4 §4.6.1)."""
        now = datetime.fromtimestamp(self.world.wall_clock() / 1_000_000, UTC)
        error = "000" if submission.state is MessageState.DELIVERED else "001"
        return DeliverSm(
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr=submit.destination_addr,
            destination_addr=submit.source_addr,
            esm_class=MessageType.DELIVERY_RECEIPT,
            short_message=receipt_text(submission.message_id, submission.state, now, now, error),
            message_state=submission.state,
            receipted_message_id=submission.message_id,
            user_message_reference=submit.user_message_reference if self.echoes else None,
        )

    # Texts of customers

    def text_in(self, number, code, words, taken):
        """A customer texts; `taken` is called once the gateway has acknowledged all of it."""
        encoded = encode_text(words)
        self.references += 1
        parts = list(encoded.segments(self.references & 0xFF))
        self.random.shuffle(parts)
        left = [len(parts)]

        def one():
            left[0] -= 1
            if not left[0]:
                taken()

        for part in parts:
            message = DeliverSm(
                source_addr_ton=1,
                source_addr_npi=1,
                source_addr=number,
                destination_addr=code,
                esm_class=encoded.esm_class,
                data_coding=encoded.data_coding,
                short_message=part,
            )
            self._post(Item(message, number, one))

    # Delivering

    def _post(self, item):
        self.lanes[item.lane or id(item)].append(item)
        self._pump()

    def _pump(self):
        """Deliver the first of each lane, by any bind that has room."""
        for name in list(self.lanes):
            if not self.lanes[name]:
                del self.lanes[name]
            elif name not in self.busy and not self._deliver(name, self.lanes[name][0]):
                return

    def _deliver(self, name, item):
        receivers = [
            client
            for client in self.server.clients
            if client.state in (SessionState.BOUND_RX, SessionState.BOUND_TRX) and client.window_free
        ]
        if not receivers or not self.random.choice(receivers).send(item.message, (name, item)):
            return False
        item.sent_at = item.sent_at or self.loop.time()
        self.loose[item.lane] += self.loop.time() - item.sent_at > SURELY_KNOWN
        self.busy.add(name)
        return True

    def _resulted(self, connection, result):
        """A delivery was answered, or was not: then the connection is given up, and it goes out by another one."""
        name, item = result.context
        if isinstance(result, Doubtful) and result.doubt is Doubt.TIMEOUT:
            self.world.disturb()
            self.loop.call_soon(connection.evict)
        late = isinstance(result, Responded) and result.late
        if isinstance(result, Responded) and result.command_status == CommandStatus.ESME_ROK:
            self.loose[item.lane] += late
            self._acknowledged(name, item)
        elif not late:
            self.loop.call_later(0.5 if isinstance(result, Responded) else 0.0, self._again, name)

    def _acknowledged(self, name, item):
        lane = self.lanes.get(name)
        if lane and lane[0] is item:
            lane.popleft()
            self.busy.discard(name)
            item.taken()
            self._pump()

    def _again(self, name):
        self.busy.discard(name)
        self._pump()
