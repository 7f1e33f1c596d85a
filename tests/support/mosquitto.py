"""A Mosquitto of the tests' own: its port, its configuration, its life; and who writes events for it and hears them."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import aiomqtt
import msgspec
from sqlalchemy import func, select

from gateway.environment import Environment
from gateway.events.forwarder import Forwarder
from gateway.events.outbox import Event, emit
from gateway.store.tables import outbox
from support.patience import PATIENCE
from support.ports import free_port

PROGRAM = Path("/usr/sbin/mosquitto")


class Mosquitto:
    """A broker that can be killed, stopped and started again on the same port."""

    def __init__(self, folder, *lines):
        self.port = free_port()
        self.configuration = folder / "mosquitto.conf"
        self.log = folder / "mosquitto.log"
        head = (f"listener {self.port} 127.0.0.1", "persistence false", "max_queued_messages 0", *lines)
        if os.geteuid() == 0:
            head = (*head, "user root")
        self.configuration.write_text("\n".join(head) + "\n")
        self.process = None

    def start(self):
        with self.log.open("ab") as log:
            command = [PROGRAM, "-c", self.configuration]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.01)
        raise AssertionError("mosquitto did not open its port")

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def hang(self):
        self.signal(signal.SIGSTOP)

    def wake(self):
        self.signal(signal.SIGCONT)


@contextlib.contextmanager
def mosquitto(folder, *lines):
    """Make a broker, not started yet, that is gone when the block ends."""
    broker = Mosquitto(folder, *(lines or ("allow_anonymous true",)))
    try:
        yield broker
    finally:
        if broker.process is not None:
            broker.kill()


class Outlet:
    """The forwarder's side of a workplace."""

    def __init__(self, place):
        self.place, self.lane, self.node = place, place.lane, place.node
        self.node_name = "ocs.test.example"
        self.may_send = True
        self.environment = Environment()
        self.clock, self.read_async = self.environment.clock, place.read_async


def settings(port, **others):
    known = {"topic": "tpo", "username": None, "password": None, "tls": False, "ca": None}
    return SimpleNamespace(broker=SimpleNamespace(host="127.0.0.1", port=port), **(known | others))


@contextlib.contextmanager
def told():
    """Collect what a forwarder tells."""
    heard = []
    yield heard, lambda name, **fields: heard.append((name, fields))


def forwarder(place, port, on_event=lambda *_args, **_fields: None, *, timeout=5.0, **others):
    return Forwarder(Outlet(place), settings(port, **others), on_event=on_event, timeout=timeout)


class Tell:
    """A unit that writes events with running numbers, each as a row of its own or, with `batch`, as one row."""

    alone = False
    touches = ()

    def __init__(self, *numbers, subject="s1:a", batch=False, padding=""):
        self.events = [
            Event(id=str(n), source="/t", type="t", time="2026-01-01T00:00:00Z", subject=subject, data=padding)
            for n in numbers
        ]
        self.batch = batch

    def decide(self, batch):
        if self.batch:
            batch.add(outbox, (batch.take_id(), "usage/rated", msgspec.json.encode(self.events), batch.now, None))
        for event in () if self.batch else self.events:
            emit(batch, "charity/accrued", event)


class Listener:
    """A subscriber to everything, which comes back when the broker does; `ids` are the events' ids in order of coming.

    Who publishes by `entrance`, a port, comes in while it listens, and not before: a broker that was killed and is back keeps
    nothing for a subscriber that has not come back yet.
    """

    def __init__(self, port, **options):
        self.port, self.options = port, options
        self.messages, self.ids = [], []
        self.ready = asyncio.Event()

    async def __aenter__(self):
        self._carried = set()
        self._server = await asyncio.start_server(self._let_in, "127.0.0.1", 0)
        self.entrance = self._server.sockets[0].getsockname()[1]
        self.task = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in (self.task, *self._carried):
            task.cancel()
        await asyncio.gather(self.task, *self._carried, return_exceptions=True)

    async def _let_in(self, reader, writer):
        self._carried.add(asyncio.current_task())
        with contextlib.suppress(OSError):
            if self.ready.is_set():
                inner, outer = await asyncio.open_connection("127.0.0.1", self.port)
                back = asyncio.create_task(_carry(inner, writer))
                await _carry(reader, outer)
                await back
        writer.close()

    async def _listen(self):
        version = aiomqtt.ProtocolVersion.V5
        while True:
            try:
                async with aiomqtt.Client(
                    "127.0.0.1", self.port, protocol=version, timeout=PATIENCE, **self.options
                ) as client:
                    await client.subscribe("#", qos=0)
                    self.ready.set()
                    async for message in client.messages:
                        self._take(message)
            except aiomqtt.MqttError:
                self.ready.clear()
                await asyncio.sleep(0.02)

    def _take(self, message):
        self.messages.append(message)
        content = msgspec.json.decode(message.payload)
        self.ids += [event["id"] for event in (content if isinstance(content, list) else [content])]

    @property
    def first_comings(self):
        return list(dict.fromkeys(self.ids))


async def _carry(source, sink):
    """Hand on what comes until it ends, at either side."""
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


def waiting(place):
    """Count the rows that are not marked as published."""
    return place.read(select(func.count()).select_from(outbox).where(outbox.c.published_at.is_(None)))[0][0]
