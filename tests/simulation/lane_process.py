"""A write lane in a process of its own, on the virtual loop: the product's two ends, and a model of the stream between them.

Messages are written and read as they are over sockets, and take their time, in order. Either process dies alone: what it had
sent arrives, and then the end of the stream. The other processes of an operating system (fork, exec, signals) are not played.
"""

from gateway.environment import Environment
from gateway.runtime.lane_process import policies_for
from gateway.store.errors import StoreUnavailable
from gateway.store.lane_messages import Frames, FromLane, frame
from gateway.store.lane_server import RETRY_SECONDS, LaneServer, to_lane
from gateway.store.log_sync import AwaitDurable
from gateway.store.process_lane import ProcessLane
from gateway.units import ANY_UNIT

from .disk import LaneBusy, PowerCut, stepped_lane
from .loop import PROCESS, Process

SHARE = 0.5
"""Of all worlds: those whose lane has its own process."""


class Pipe:
    """The stream, as the gateway's end sees it (gateway.store.lane_stream.Stream), and the lane's process behind it."""

    def __init__(self, world, gateway):
        self.world, self.loop = world, world.loop
        world.pipes.append(self)
        self.pid = len(world.pipes)
        self.process, self.gateway = Process(f"lane {self.pid}", model=False), gateway
        self.random = world.chance(f"pipe {self.pid}")
        self.server, self.code, self.told_of_end = None, None, False
        self._arrive = {}
        self._to_lane, self._from_lane = Frames(to_lane(ANY_UNIT)), Frames(FromLane)

    @property
    def lane(self):
        return self.server.lane if self.server is not None else None

    @property
    def over(self):
        """Whether the lane's process is gone, and its connection with it."""
        return self.process.dead and (self.lane is None or not self.lane.stepping)

    # What the gateway does

    def open(self, begin, _descriptor, take, end):
        self._take, self._end = take, end
        self.send(begin)

    def send(self, octets):
        self._carry(self.process, self._lane_reads, octets)

    def read(self):
        """What is on its way comes in its own time."""

    def kill(self):
        self.die(-9)

    def exit_code(self):
        return self.code if self.over else None

    # What happens to the lane

    def die(self, code=-9, *, power=False):
        """End the lane's process, at whatever it is, or its whole machine."""
        if self.process.dead:
            return
        self.process.dead, self.code = True, code
        if self.lane is not None:
            self.lane.power_cut = power
            if not self.lane.stepping:  # else it lets go as it comes back from there
                self.lane.let_go()
        self._carry(self.gateway.process, self._gateway_hears_the_end)

    def stand_still(self, seconds):
        self.process.stopped = True
        self.loop.call_later(seconds, self._go_on, context=Process("init").context())

    def _go_on(self):
        if not self.process.dead:
            self.world.disturb()
            self.loop.resume(self.process)

    def gateway_is_gone(self):
        """The gateway has died: a lane that stood still goes on, and finds the end of the stream."""
        if self.process.stopped:
            self._go_on()
        self._carry(self.process, self._finish)

    # The stream

    def _carry(self, process, hear, *what):
        """Have something arrive at a process, after all that was sent to it before."""
        delay = (
            self.random.uniform(0.00002, 0.0002) if self.random.random() < 0.97 else self.random.uniform(0.001, 0.05)
        )
        # Later by something: of two timers for one moment the loop may run either first.
        at = self._arrive[process] = max(self._arrive.get(process, 0.0) + 1e-6, self.loop.time() + delay)
        self.loop.call_at(at, hear, *what, context=process.context())

    def _lane_reads(self, octets):
        for message in self._to_lane.feed(octets):
            if self.server is None:
                self._begin(message)
            elif not self.server.take(message):
                self._finish()

    def _begin(self, begin):
        world = self.world
        environment = Environment(clock=world.wall_clock, monotonic=self.loop.time)
        lane = stepped_lane(self.loop, world.disk, world.leases.committed, world.lost)
        self.server = LaneServer(begin, policies_for(begin), self._say, environment, lane)
        self._start()

    def _start(self):
        if self.server.resume():
            self.server.start()
        else:
            self.loop.call_later(RETRY_SECONDS, self._start)

    def _say(self, octets):
        self._carry(self.gateway.process, self._gateway_reads, octets)

    def _finish(self):
        try:
            if self.server is not None:
                self.server.finish()
        except LaneBusy:
            self.loop.call_later(0.002, self._finish)
        except PowerCut:
            return
        else:
            self.die(0)

    def _gateway_reads(self, octets):
        for message in self._from_lane.feed(octets):
            self._take(message)

    def _gateway_hears_the_end(self):
        if not self.told_of_end:
            self.told_of_end = True
            self._end()


class PipedLane(ProcessLane):
    """The gateway's end, for a loop that nobody else waits for."""

    def __init__(self, *arguments, world, **options):
        super().__init__(*arguments, **options)
        self._world, self._own = world, PROCESS.get()
        self.closed = False

    def start(self):
        self._attach(frame(self._begin(False)))

    @property
    def ready(self):
        return self._up.is_set()

    def run(self, unit):
        self._not_below_a_lane()
        if isinstance(unit, AwaitDurable):
            self._await_durable(unit)
            return None
        outcome = []
        self.post(unit, lambda answer, error: outcome.extend((answer, error)))
        self._spend(lambda: bool(outcome))
        if outcome[1] is not None:
            raise outcome[1]
        return outcome[0]

    def _await_durable(self, unit):
        """Nobody waits here with a connection open: it would outlive a power cut."""
        pipe = self._world.pipes[-1]
        if pipe.process.dead or pipe.lane is None:
            raise StoreUnavailable("the write lane is being started")
        pipe.lane.await_durable(lambda: self.post(unit, lambda _answer, _error: None))

    def close(self):
        self._not_below_a_lane()
        self._closing = True
        self._flush()
        self._spend(self._over.is_set)
        self.closed = True

    def _not_below_a_lane(self):
        if any(pipe.lane is not None and pipe.lane.stepping for pipe in self._world.pipes):
            raise LaneBusy

    def _spend(self, until):
        own = self._own
        self._loop.spend(3600.0, lambda: (until() and not own.stopped) or own.dead)
        if own.dead:
            raise PowerCut


def piped_lane(world, gateway, context, lease, *, deliver, alarm, log, on_end, begin, policies):
    """Make the lane of one life of a gateway."""
    return PipedLane(
        Pipe(world, gateway),
        lambda: Pipe(world, gateway),
        loop=world.loop,
        begin=begin,
        lock=context.lock,
        ground=context.ground,
        lease=lease,
        policies=policies,
        monotonic=world.loop.time,
        in_thread=context.in_thread,
        deliver=deliver,
        observe=lambda _times: None,
        alarm=alarm,
        log=log,
        on_end=on_end,
        world=world,
    )
