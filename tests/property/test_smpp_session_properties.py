"""Two sessions that talk to each other through any wire: every request ends once, and no timer is forgotten."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from support.smpp_rig import BIND, DELIVER, SMSC, SUBMIT

from protocols.smpp.errors import CommandStatus
from protocols.smpp.events import BindRequested, Doubt, Doubtful, Received, Responded, Throttled
from protocols.smpp.limits import Limits
from protocols.smpp.messages import DeliverSm, DeliverSmResp, SubmitSmResp
from protocols.smpp.session import Session
from protocols.smpp.transitions import BOUND, CloseReason

STATUSES = [0, 0, 0, CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RINVDSTADR, 0x400]
LIMITS = Limits(window=4, response_timeout=10.0, enquire_link=30.0, throttle_first=1.0, outstanding=6, inactivity=300.0)


class World:
    """An ESME, a message centre, and the octets that are under way between them."""

    def __init__(self):
        self.now = 0.0
        self.ends = [Session(LIMITS, bind=BIND), Session(LIMITS, system_id=SMSC)]
        self.wires = [b"", b""]
        self.owed = [[], []]
        self.sent = 0
        self.ended, self.doubted = Counter(), set()
        for end in self.ends:
            end.connected(0.0)
        self.carry(10_000)

    def carry(self, octets):
        """Octets arrive, both ways, as long as there are any."""
        for _ in range(4):
            for side, end in enumerate(self.ends):
                if end.has_output:
                    self.wires[side] += end.data_to_send()
                data, self.wires[side] = self.wires[side][:octets], self.wires[side][octets:]
                if data:
                    self.ends[1 - side].receive(data, self.now)
                self.ends[1 - side].proceed(self.now)
            self.read()

    def read(self):
        for side, end in enumerate(self.ends):
            for event in end.events():
                match event:
                    case BindRequested():
                        end.accept(self.now)
                    case Received():
                        self.owed[side].append(event)
                    case Responded() | Throttled():
                        assert event.late == (event.context in self.doubted)
                        if not event.late:
                            self.ended[event.context] += 1
                    case Doubtful():
                        self.ended[event.context] += 1
                        if event.doubt is Doubt.TIMEOUT:
                            self.doubted.add(event.context)
        for end in self.ends:
            assert end.waiting <= LIMITS.window
            assert end.unanswered <= LIMITS.outstanding

    def submit(self, side):
        end = self.ends[side]
        room = end.room(self.now)
        number = end.send(DELIVER if side else SUBMIT, self.now, self.sent)
        assert bool(number) == bool(room)
        if number:
            self.sent += 1

    def answer(self, side, index, status):
        if self.owed[side]:
            event = self.owed[side].pop(index % len(self.owed[side]))
            response = DeliverSmResp() if isinstance(event.message, DeliverSm) else SubmitSmResp(message_id="1")
            self.ends[side].respond(event.sequence_number, response, self.now, status)

    def wait(self, seconds):
        """Time passes; each timer rings when it is due, and does not ring for ever."""
        until = self.now + seconds
        for end in self.ends:
            for _ in range(200):
                due = end.deadline()
                if due is None or due > until:
                    break
                end.on_timer(max(due, self.now))
            else:
                raise AssertionError("a timer that never rests")
        self.now = until
        self.read()


steps = st.one_of(
    st.tuples(st.just("submit"), st.integers(0, 1)),
    st.tuples(st.just("answer"), st.integers(0, 1), st.integers(0, 9), st.sampled_from(STATUSES)),
    st.tuples(st.just("carry"), st.sampled_from([1, 7, 16, 33, 10_000])),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.5, 1.0, 9.0, 11.0, 31.0])),
)


@settings(max_examples=300)
@given(st.lists(steps, max_size=60), st.booleans())
def test_every_request_ends_exactly_once_whatever_happens(script, in_order):
    world = World()
    assert all(end.state in BOUND for end in world.ends)
    for name, *arguments in script:
        getattr(world, name)(*arguments)
    if in_order:
        for end in world.ends:
            end.unbind(world.now)
        for _ in range(30):
            world.carry(10_000)
            world.wait(5.0)
    for end in world.ends:
        end.cut_off(CloseReason.LOST, world.now)
    world.read()
    assert all(end.closed and end.deadline() is None and end.waiting == 0 for end in world.ends)
    assert world.ended == Counter(range(world.sent))


@given(st.integers(1, 20), st.lists(st.sampled_from([0, 0x58, 0x14, 0x0B]), min_size=1, max_size=200))
def test_whoever_was_told_that_there_is_no_room_is_told_when_there_is(window, statuses):
    """The owner only acts when told to, and everything goes out in the end."""
    limits = Limits(window=window, rate=50.0, enquire_link=0.0)
    esme, smsc = Session(limits, bind=BIND), Session(Limits(outstanding=10_000, enquire_link=0.0), system_id=SMSC)
    queue, done, now = list(range(len(statuses))), set(), 0.0
    answers = iter([*statuses, *[0] * 10_000])
    for end in (esme, smsc):
        end.connected(0.0)
    for _ in range(5000):
        while events := [*esme.events(), *smsc.events()]:
            for event in events:
                match event:
                    case BindRequested():
                        smsc.accept(now)
                    case Received():
                        smsc.respond(event.sequence_number, SubmitSmResp(message_id="1"), now, next(answers))
                    case Throttled():
                        queue = sorted([*queue, event.context])
                    case Responded():
                        done.add(event.context)
                    case _:  # Bound and Ready
                        while queue and esme.send(SUBMIT, now, queue[0]):
                            queue.pop(0)
            for one, other in ((esme, smsc), (smsc, esme)):
                if one.has_output:
                    other.receive(one.data_to_send(), now)
        if esme.has_output:
            smsc.receive(esme.data_to_send(), now)
            continue
        due = esme.deadline()
        if len(done) == len(statuses) or due is None:
            break
        now = max(now, due)
        esme.on_timer(now)
    assert done == set(range(len(statuses)))
