"""A network between processes: each connection has its own delay, cuts octets anew, breaks, or goes silent.

Octets come in the order they were sent, in pieces of any size. A connection that is *cut* tells both ends; a *silent* one
(half-open) takes octets and loses them, and tells nobody until the sender's kernel gives up; a *stalled* one brings them late.
"""

import asyncio
import itertools
import socket

from .loop import PROCESS

KERNEL_SECONDS = 924.0
"""How long octets go unacknowledged until a kernel gives up that was told nothing (tcp_retries2)."""


class Options:
    """What is set of a connection's socket."""

    def __init__(self):
        self.user_timeout = KERNEL_SECONDS

    def setsockopt(self, level, option, value):
        assert (level, option) == (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        self.user_timeout = value / 1000


class Wire(asyncio.Transport):
    """One end of a connection."""

    def __init__(self, network, name, sockname, peername):
        self.options = Options()
        super().__init__({"sockname": sockname, "peername": peername, "socket": self.options})
        self.network, self.name, self.peer = network, name, None
        self.protocol, self.context, self.process = None, None, None
        self.closing = self.silent = self.paused = self.over = False
        self.arrived = []
        self.free_at = 0.0
        self.cut_at = float("inf")
        """When this end was given up: its kernel sends nothing again from then on."""

    def begin(self, protocol):
        """Belong to the process that runs now."""
        self.protocol, self.process = protocol, PROCESS.get()
        self.context = self.process.context()
        self.network.wires.append(self)
        if self.process not in self.network.of:
            self.network.of[self.process] = []
        self.network.of[self.process].append(self)

    def write(self, data):
        if self.closing or not data:
            return
        self.network.on_write(self, data)
        for piece in self.network.cut(bytes(data)):
            self._send(lambda piece=piece: self.peer.come(piece))

    def _send(self, action):
        """Let something arrive at the other end, after whatever was sent before."""
        loop = self.network.loop
        # A little later than what was sent before: timers of one moment have no order.
        self.free_at = max(self.free_at + 1e-6, loop.time() + self.network.delay())
        if self.silent:
            loop.call_later(self.options.user_timeout, self._give_up, context=self.network.context)
        else:
            loop.call_at(self.free_at, self._arrive, action, context=self.network.context)

    def _give_up(self):
        self.lose(TimeoutError("nobody acknowledges what was sent"))

    def _arrive(self, action):
        if not self.silent and self.network.loop.time() <= self.cut_at + self.network.slowest:
            action()

    def come(self, data):
        """Octets have arrived here."""
        if self.over:  # where nobody is any more: the kernel says so
            self.network.loop.call_later(self.network.delay(), self._refuse, context=self.network.context)
            return
        self.arrived.append(data)
        self._hand_over()

    def _refuse(self):
        if not (self.silent or self.peer.silent):
            self.peer.lose(ConnectionResetError("reset by the peer"))

    def _hand_over(self):
        if self.protocol is None or self.paused or self.process.dead or self.process.stopped:
            return
        while self.arrived and not self.paused and not self.closing:
            data = self.arrived.pop(0)
            self.context.run(self.protocol.data_received, data)

    def lose(self, error=None):
        """The connection is over at this end."""
        if self.over:
            return
        self.over = self.closing = True
        if self in self.network.wires:
            self.network.wires.remove(self)
        if self.protocol is not None and not self.process.dead:
            self.network.loop.call_soon(self.protocol.connection_lost, error, context=self.context)

    def close(self):
        if self.closing:
            return
        self.closing = True
        self._send(self.peer.lose)
        self.lose()

    def abort(self):
        if not self.over:
            self.closing, self.cut_at = True, self.network.loop.time()
            self._send(lambda: self.peer.lose(ConnectionResetError("reset by the peer")))
            self.lose()

    def is_closing(self):
        return self.closing

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False
        self.network.loop.call_soon(self._hand_over, context=self.network.context)

    def set_write_buffer_limits(self, high=None, low=None):
        pass

    def get_write_buffer_size(self):
        return 0


class Waiting:
    """A connection that came in and that nobody has taken yet."""

    def __init__(self, wire):
        self.wire = wire

    def close(self):
        self.wire.abort()


class Port:
    """An address that is listened on."""

    def __init__(self, network, address):
        self.network, self.address, self.port = network, address, address[1]

    def stop_accepting(self):
        self.network.listening.pop(self.address, None)

    async def close(self):
        self.stop_accepting()


class SimulatedNetwork:
    """All connections of a world (`protocols.network.Network`)."""

    def __init__(self, loop, random, context, slowest):
        self.loop, self.random, self.context = loop, random, context
        self.slowest = slowest
        self.listening, self.wires, self.of = {}, [], {}
        self.refusing_until = 0.0
        self.made = 0
        self.on_write = lambda _wire, _data: None
        """Called before octets are taken from whoever runs."""

    def delay(self):
        """Seconds that octets take."""
        return self.random.uniform(0.0005, self.slowest)

    def cut(self, data):
        """Cut octets as a network does: mostly not at all."""
        if self.random.random() < 0.9:
            return [data]
        places = sorted(self.random.randrange(len(data) + 1) for _ in range(self.random.randint(1, 4)))
        edges = [0, *places, len(data)]
        return [data[a:b] for a, b in itertools.pairwise(edges) if b > a]

    async def connect(self, protocol, host, port, tls, server_hostname):
        assert tls is None
        await asyncio.sleep(self.delay())
        found = self.listening.get((host, port))
        if found is None or found[1].dead:
            raise ConnectionRefusedError(f"nobody listens on {host}:{port}")
        if self.loop.time() < self.refusing_until:
            await asyncio.sleep(3600)  # no answer: whoever dials gives up before
        self.made += 1
        ours = Wire(self, f"{self.made}", ("10.0.0.9", 40_000 + self.made), (host, port))
        theirs = Wire(self, f"{self.made}'", (host, port), ("10.0.0.9", 40_000 + self.made))
        ours.peer, theirs.peer = theirs, ours
        accept, process = found
        ours.begin(protocol)
        self.loop.call_soon(accept, Waiting(theirs), "10.0.0.9", context=process.context())
        protocol.connection_made(ours)

    async def take(self, protocol, accepted, tls):
        assert tls is None
        wire = accepted.wire
        wire.begin(protocol)
        if wire.over:
            wire.over = False
            protocol.connection_made(wire)
            wire.lose(ConnectionResetError("it went before it was taken"))
            return
        protocol.connection_made(wire)
        wire._hand_over()

    async def listen(self, host, port, accept):
        self.listening[host, port] = (accept, PROCESS.get())
        return Port(self, (host, port))

    # What befalls it

    def kill(self, process, *, power):
        """A process is gone: its kernel resets what it had open, or nobody does."""
        for wire in self.of.pop(process, []):
            if power:
                wire.silent = wire.peer.silent = True
            elif not wire.over:
                wire._send(lambda wire=wire: wire.peer.lose(ConnectionResetError("reset by the peer")))
            wire.over = wire.closing = True
            if wire in self.wires:
                self.wires.remove(wire)

    def resume(self, process):
        """A process that stood still goes on: it reads what its kernel has taken meanwhile."""
        for wire in self.of.get(process, []):
            self.loop.call_soon(wire._hand_over, context=self.context)

    def break_one(self):
        """Cut a connection; what was under way is lost."""
        if self.wires:
            self._break(self.random.choice(self.wires))

    def break_all(self):
        """Cut every connection."""
        for wire in list(self.wires):
            self._break(wire)

    def _break(self, wire):
        for end in (wire, wire.peer):
            end.silent = True
            end.lose(ConnectionResetError("the network broke"))

    def silence_one(self):
        """Let a connection go half-open, in one direction or both."""
        if self.wires:
            wire = self.random.choice(self.wires)
            wire.silent = True
            if self.random.random() < 0.5:
                wire.peer.silent = True

    def stall_one(self):
        """Let nothing more come through a connection for a while, in one direction; then all of it comes."""
        if self.wires:
            wire = self.random.choice(self.wires)
            wire.free_at = max(wire.free_at, self.loop.time() + self.random.uniform(1.0, 25.0))

    def heal(self):
        """Whoever is silent is cut: a firewall came back to its senses."""
        for wire in list(self.wires):
            if wire.silent or wire.peer.silent:
                self._break(wire)
        self.refusing_until = 0.0
