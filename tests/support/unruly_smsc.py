"""A message centre of bare sockets: which octets go out, in which pieces, and when it reads, is its test's to say."""

import asyncio
import json
import socket
from contextlib import suppress
from types import SimpleNamespace

from gateway.cli.client import JsonObject, call
from protocols.smpp.codec import RESPONSE_BIT, CommandId, Framer, decode_header
from protocols.smpp.errors import CommandStatus
from protocols.smpp.generated import decode, encode
from protocols.smpp.messages import BindTransceiverResp, EnquireLinkResp, SubmitSmResp, UnbindResp
from support.sms_gateway import PATIENCE, Centre

PIECE = 65536
TICK = 0.0003
"""Seconds between two writes: enough for the other process to read the first alone."""


def pdu(command_id, number=0, body=b"", status=0, length=None):
    """Octets of a PDU that nobody checks."""
    words = (16 + len(body) if length is None else length, int(command_id), int(status), number)
    return b"".join(word.to_bytes(4, "big") for word in words) + body


class Line:
    """One connection of a gateway: what it said that was no submit_sm, and octets to it, in order."""

    def __init__(self, smsc, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket, self._smsc = connection, smsc
        self.heard = []
        self.cut = None
        """Splits each octet string that goes out; None: it goes out whole."""
        self.reading = asyncio.Event()
        """Cleared: nothing is read, so nothing is answered, as if the other side were gone."""
        self.reading.set()
        self.sent = self.lives = 0
        """Strings that the kernel took; enquire_links that were answered."""
        self._numbers, self._asked = iter(range(1, 0x7FFFFFFF)), {}
        self._out = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self.tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]

    def say(self, *data):
        """Send octets, after all that was said before."""
        for octets in data:
            for piece in self.cut(octets) if self.cut else (octets,):
                self._out.put_nowait(piece)

    def answer(self, header, message, status=0):
        """Send a response."""
        self.say(encode(message, header.sequence_number, status))

    def ask(self, *messages):
        """Send requests with numbers of their own; gives the last number."""
        for message in messages:
            number = next(self._numbers)
            self._asked[number] = message
            self.say(encode(message, number))
        return number

    def hear(self, header, message):
        """Take a response; what was refused for now, since it had to wait too long, is asked again under its number."""
        if header.command_status == CommandStatus.ESME_RX_T_APPN and header.sequence_number in self._asked:
            self.say(encode(self._asked[header.sequence_number], header.sequence_number))
        else:
            self.heard.append((header, message))

    def answers(self, command_id=CommandId.DELIVER_SM_RESP):
        """Sequence number -> status of each response of the gateway of this kind; 0 is the one of a generic_nack."""
        return {
            header.sequence_number: header.command_status for header, _ in self.heard if header.command_id == command_id
        }

    @property
    def nacks(self):
        """(sequence number, status) of each generic_nack."""
        return list(self.answers(CommandId.GENERIC_NACK).items())

    def withdraw(self):
        """Say no more of what the kernel has not got yet; gives how many strings were left."""
        left = self._out.qsize()
        while not self._out.empty():
            self._out.get_nowait()
        return left

    @property
    def ended(self):
        """The gateway has closed the connection."""
        return self.tasks[0].done()

    def close(self):
        for task in self.tasks:
            task.cancel()
        self.socket.close()

    async def _read(self):
        framer = Framer()
        with suppress(ConnectionError):
            while True:
                data = await self._loop.sock_recv(self.socket, self._smsc.read_size)
                await self.reading.wait()
                if not data:
                    return
                for frame in framer.feed(data):
                    header = decode_header(frame)
                    self._smsc.handle(self, header, decode(header, frame))

    async def _write(self):
        with suppress(ConnectionError):
            while True:
                piece = await self._out.get()
                await self._loop.sock_sendall(self.socket, piece)
                self.sent += 1
                if self.cut:
                    await asyncio.sleep(TICK)


class UnrulySmsc:
    """Takes texts and tells of them, until a test sets `on_bind(line, header)` or `on_submit(line, header, message, id)`."""

    receipt = staticmethod(Centre.receipt)

    def __init__(self, *, buffer=None):
        """Take how many octets the kernel keeps for it either way, where that matters."""
        self._listener = socket.socket()
        if buffer is not None:
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                self._listener.setsockopt(socket.SOL_SOCKET, option, buffer)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._ids = iter(range(0xA000, 1 << 32))
        self.lines = []
        self.behave()

    def behave(self):
        """Forget what was sent and what was ordered."""
        self.submits = []
        self.on_bind, self.on_submit, self.read_size = self.welcome, self.accept, PIECE
        if self.lines:
            self.line.cut = None
            self.line.heard.clear()
            self.line.lives = 0

    @property
    def port(self):
        return self._listener.getsockname()[1]

    @property
    def line(self):
        """The latest connection."""
        return self.lines[-1]

    async def __aenter__(self):
        self._listener.listen()
        self._accepting = asyncio.create_task(self._accept())
        return self

    async def __aexit__(self, *_):
        self._accepting.cancel()
        for line in self.lines:
            line.close()
        tasks = [task for line in self.lines for task in line.tasks]
        outcomes = await asyncio.gather(self._accepting, *tasks, return_exceptions=True)
        self._listener.close()
        for outcome in outcomes:  # an assertion or a mistake of what a test ordered
            if isinstance(outcome, Exception):
                raise outcome

    def handle(self, line, header, message):
        """Do what a message centre does with a PDU."""
        match header.command_id:
            case CommandId.BIND_TRANSCEIVER:
                self.on_bind(line, header)
            case CommandId.SUBMIT_SM:
                self.submits.append(message)
                self.on_submit(line, header, message, f"{next(self._ids):x}")
            case CommandId.ENQUIRE_LINK:
                line.answer(header, EnquireLinkResp())
            case CommandId.UNBIND:
                line.answer(header, UnbindResp())
            case CommandId.ENQUIRE_LINK_RESP:
                line.lives += 1
            case command_id:
                assert command_id & RESPONSE_BIT, header
                line.hear(header, message)

    def welcome(self, line, header):
        """Take a bind."""
        line.answer(header, BindTransceiverResp(system_id="smsc", sc_interface_version=0x34))

    def accept(self, line, header, message, message_id):
        """Take a text and tell that it arrived."""
        line.answer(header, SubmitSmResp(message_id=message_id))
        if message.registered_delivery:
            line.ask(self.receipt(message, message_id))

    def words(self):
        """What went out so far, for texts of one part."""
        return [message.short_message.decode("latin-1") for message in self.submits]

    async def has(self, count):
        """Wait for this many submit_sm."""
        await self.wait(lambda: len(self.submits) >= count)

    async def wait(self, condition, patience=PATIENCE):
        """Wait until something is so."""
        async with asyncio.timeout(patience):
            while not condition():  # noqa: ASYNC110  (any condition of the test)
                await asyncio.sleep(0.005)

    async def _accept(self):
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._listener)
            self.lines.append(Line(self, connection))


class Watch:
    """What a gateway says of itself from now on: its log, its alarms, its link, its memory."""

    def __init__(self, desk):
        self._desk = desk
        self._from = desk.log.stat().st_size
        self._alarms = self._counts()

    def told(self, event):
        """The lines of the log with this event."""
        with self._desk.log.open("rb") as log:
            log.seek(self._from)
            lines = [json.loads(line) for line in log if line.startswith(b"{")]
        return [line for line in lines if line["event"] == event]

    def alarms(self):
        """Event -> how often /metrics counted it since."""
        before = self._alarms
        now = self._counts()
        return {
            event: int(count - before.get(event, 0)) for event, count in now.items() if count > before.get(event, 0)
        }

    def up(self):
        """Whether /metrics has the link up."""
        return self.figures()['tpo_smpp_link_up{link="smsc-1"}'] == 1.0

    def figures(self):
        """All of /metrics: name with labels -> value."""
        status, written = self._desk.get("/metrics")
        assert status == 200
        rows = (line.rpartition(" ") for line in written.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in rows}

    def resident(self):
        """Octets of memory."""
        with open(f"/proc/{self._desk.process.pid}/status") as status:  # noqa: PTH123  (no file on a disk)
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))

    def order(self, order=None):
        """Tell the link something as `tpo link` does; gives its state."""
        socket_path = self._desk.folder / "var" / "tpo.sock"
        settings = SimpleNamespace(api=SimpleNamespace(socket=socket_path))
        return call(settings, "link.show", {"name": "smsc-1", "order": order}, JsonObject)

    def _counts(self):
        prefix, suffix = 'tpo_alarms_total{event="', '"}'
        return {
            name.removeprefix(prefix).removesuffix(suffix): value
            for name, value in self.figures().items()
            if name.startswith(prefix)
        }
