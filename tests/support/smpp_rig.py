"""What SMPP tests share: two sessions without a wire, links and servers on loopback, a bare peer, messages."""

import asyncio
import time
from contextlib import asynccontextmanager, suppress

from protocols.network import SOCKETS
from protocols.smpp.client import Link, LinkConfig
from protocols.smpp.codec import HEADER_SIZE, CommandId, Framer, decode_header
from protocols.smpp.generated import decode, encode
from protocols.smpp.limits import Limits
from protocols.smpp.messages import BindTransceiver, DeliverSm, DeliverSmResp, SubmitSm, SubmitSmResp
from protocols.smpp.node_events import ClientUp, LinkUp
from protocols.smpp.server import Server, ServerConfig
from protocols.smpp.session import Session
from support.patience import PATIENCE, until

SMSC, ESME = "smsc", "tpo"
BIND = BindTransceiver(system_id=ESME, password="secret")
SUBMIT = SubmitSm(source_addr="70070", destination_addr="447700900123", short_message=b"Thank you")
DELIVER = DeliverSm(source_addr="447700900123", destination_addr="70070", short_message=b"GIVE WATERAID 5")


class End:
    """One end of a session, with its events kept and its octets read as PDUs."""

    def __init__(self, limits=None, now=0.0, **options):
        self.session = Session(limits or Limits(), **options)
        self.now = now
        self.told = []
        self._framer = Framer()

    @classmethod
    def bound(cls, limits=None, bind=BIND, sc_interface_version=0x34, **options):
        """An ESME that is bound at 0.0, its events forgotten."""
        end = cls(limits, bind=bind, **options)
        end.session.connected(0.0)
        resp = decode_response(bind, system_id=SMSC, sc_interface_version=sc_interface_version)
        end.sent()
        end.get(resp, 1)
        end.events()
        return end

    @classmethod
    def serving(cls, limits=None, bind=BIND, **options):
        """A message centre that an ESME has bound to at 0.0, its events forgotten."""
        end = cls(limits, system_id=SMSC, **options)
        end.session.connected(0.0)
        end.get(bind, 1)
        end.session.accept(0.0)
        end.sent()
        end.events()
        return end

    def get(self, message, sequence_number, command_status=0):
        """The peer sends a PDU."""
        self.session.receive(encode(message, sequence_number, command_status), self.now)

    def sent(self):
        """What went out since the last call: (header, message)."""
        frames = self._framer.feed(self.session.data_to_send())
        return [(header := decode_header(frame), decode(header, frame)) for frame in frames]

    def only(self):
        """The one PDU that went out: (message, sequence_number, command_status)."""
        ((header, message),) = self.sent()
        return message, header.sequence_number, header.command_status

    def events(self):
        """What happened since the last call."""
        return self.session.events()

    def at(self, now):
        """Time passes; whatever timer is due rings."""
        while (deadline := self.session.deadline()) is not None and deadline <= now:
            self.now = max(self.now, deadline)
            self.session.on_timer(self.now)
            after = self.session.deadline()
            assert after is None or after > deadline or self.session.events, "a timer that never rests"
        self.now = now

    def submit(self, context=None, message=SUBMIT):
        """Send a request."""
        return self.session.send(message, self.now, context)


def decode_response(bind, **fields):
    """The response to a bind."""
    from protocols.smpp.messages import RESPONSES

    return RESPONSES[bind.command_id](**fields)


class ServerRig:
    """A message centre on loopback that takes all it gets, and what it told."""

    def __init__(
        self, limits=None, tls=None, on_request=None, authenticate=None, listen=None, network=SOCKETS, **config
    ):
        self.events, self.results, self.requests, self.attempts, self.ready = [], [], [], [], []
        self.on_request = on_request or self.take
        self.verdict = authenticate or (lambda _: 0)
        self.server = Server(
            ServerConfig(system_id=SMSC, limits=limits or Limits(), **config),
            listen or [("127.0.0.1", 0, tls)],
            authenticate=self.authenticate,
            on_request=self.requested,
            on_result=lambda connection, result: self.results.append((connection, result)),
            on_ready=self.ready.append,
            on_event=self.events.append,
            clock=time.monotonic,
            network=network,
        )

    def authenticate(self, attempt):
        self.attempts.append(attempt)
        return self.verdict(attempt)

    def requested(self, request):
        self.requests.append(request)
        self.on_request(request)

    def take(self, request):
        """Answer as a message centre does."""
        match request.message:
            case SubmitSm():
                request.respond(SubmitSmResp(message_id=f"{len(self.requests):x}"))
            case _:
                request.respond()

    @property
    def port(self):
        return self.server.ports[0]

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    async def told(self, kind, count=1):
        await until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]

    async def client(self, index=0):
        await until(lambda: len(self.server.clients) > index)
        return self.server.clients[index]

    async def __aenter__(self):
        await self.server.start()
        return self

    async def __aexit__(self, *exc):
        await self.server.stop(1.0)


class LinkRig:
    """A link on loopback that acknowledges all it gets, and what it told."""

    def __init__(
        self,
        port,
        limits=None,
        on_request=None,
        on_result=None,
        on_ready=None,
        random=None,
        network=SOCKETS,
        **config,
    ):
        self.events, self.results, self.requests = [], [], []
        self.on_request = on_request or (lambda request: request.respond(DeliverSmResp()))
        self.readiness = 0
        self._on_result, self._on_ready = on_result, on_ready
        fields = {"name": "host", "host": "127.0.0.1", "port": port, "system_id": ESME, "password": "secret"} | config
        self.link = Link(
            LinkConfig(**fields, limits=limits or Limits(reconnect_first=0.01)),
            on_request=self.requested,
            on_result=self.resulted,
            on_ready=self.ready,
            on_event=self.events.append,
            clock=time.monotonic,
            random=random or (lambda: 0.5),
            network=network,
        )

    def requested(self, request):
        self.requests.append(request)
        self.on_request(request)

    def resulted(self, result):
        self.results.append(result)
        if self._on_result:
            self._on_result(result)

    def ready(self):
        self.readiness += 1
        if self._on_ready:
            self._on_ready()

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    async def told(self, kind, count=1):
        await until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]

    async def __aenter__(self):
        self.link.start()
        return self

    async def __aexit__(self, *exc):
        await self.link.stop(1.0)


@asynccontextmanager
async def bound_pair(server=None, link=None):
    """A server and a link that is bound to it."""
    async with ServerRig(**(server or {})) as smsc, LinkRig(smsc.port, **(link or {})) as esme:
        await esme.told(LinkUp)
        await smsc.told(ClientUp)
        yield smsc, esme


class RawEnd:
    """A peer without manners: sends what it is told, reads PDUs one by one."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port, tls=None, name=None):
        """A connection that has said nothing yet."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name if tls else None))

    @classmethod
    async def bound(cls, port, bind=BIND):
        """A connection on which an ESME has bound itself."""
        end = await cls.connect(port)
        header, _ = await end.ask(encode(bind, 1))
        assert header.command_status == 0
        return end

    def send(self, data):
        self.writer.write(data)

    async def receive(self):
        """The next PDU: header and message."""
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readexactly(HEADER_SIZE)
            frame = head + await self.reader.readexactly(int.from_bytes(head[:4], "big") - HEADER_SIZE)
        header = decode_header(frame)
        return header, decode(header, frame)

    async def ask(self, data):
        """Send a request, read the next PDU that is no enquire_link."""
        self.send(data)
        while True:
            header, message = await self.receive()
            if header.command_id != CommandId.ENQUIRE_LINK:
                return header, message

    async def rest(self):
        """What comes until the other end closes."""
        data = b""
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionError):
                while piece := await self.reader.read(65536):
                    data += piece
        return data

    async def leave(self):
        """Close without a word."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


@asynccontextmanager
async def raw_smsc(serve):
    """A listener whose connections are handed to `serve(end)`; yields its port."""
    tasks = set()

    async def accept(reader, writer):
        tasks.add(asyncio.current_task())
        end = RawEnd(reader, writer)
        try:
            await serve(end)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            await end.leave()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
