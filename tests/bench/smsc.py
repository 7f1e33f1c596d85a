"""The bench's message centres, each in a process of its own: our server side, without any state."""

import asyncio
import multiprocessing
import time
from collections import deque
from contextlib import contextmanager
from datetime import UTC, datetime

import uvloop

from protocols.smpp.limits import Limits
from protocols.smpp.messages import DeliverSm, SubmitSm, SubmitSmResp
from protocols.smpp.receipts import MessageState, receipt_text
from protocols.smpp.server import Server, ServerConfig

WINDOW = 64


class Smsc:
    """Takes every text and, with `receipts`, tells of its delivery; on order, delivers texts of handsets as fast as it may."""

    def __init__(self, *, receipts):
        self._receipts = receipts
        self._waiting, self._connection, self._done = deque(), None, asyncio.Event()
        self._answered = self._wanted = self._taken = 0
        self.server = Server(
            ServerConfig(system_id="smsc", limits=Limits(window=WINDOW, outstanding=8192)),
            [("127.0.0.1", 0, None)],
            authenticate=lambda _attempt: 0,
            on_request=self._requested,
            on_result=self._resulted,
            on_ready=self._ready,
            on_event=lambda _event: None,
            clock=time.monotonic,
        )

    def _ready(self, connection):
        self._connection = connection
        self._drain()

    def _requested(self, request):
        message = request.message
        if not isinstance(message, SubmitSm):
            request.respond()
            return
        self._taken += 1
        message_id, now = f"{self._taken:x}", datetime.now(UTC)
        request.respond(SubmitSmResp(message_id=message_id))
        if self._receipts:
            words = receipt_text(message_id, MessageState.DELIVERED, now, now)
            source, destination = message.destination_addr, message.source_addr
            self._waiting.append(
                DeliverSm(source_addr=source, destination_addr=destination, esm_class=4, short_message=words)
            )
            self._drain()

    def _resulted(self, _connection, _result):
        self._answered += 1
        if self._answered == self._wanted:
            self._done.set()
        self._drain()

    def _drain(self):
        while self._waiting and self._connection is not None and self._connection.send(self._waiting[0]):
            self._waiting.popleft()

    async def deliver(self, first, number):
        """Deliver so many texts of handsets; seconds until the last one was acknowledged."""
        self._answered, self._wanted = 0, number
        self._done.clear()
        began = time.perf_counter()
        for i in range(first, first + number):
            words = f"hello number {i}".encode()
            self._waiting.append(
                DeliverSm(source_addr=f"4477009{i % 100_000:05d}", destination_addr="447700900999", short_message=words)
            )
        self._drain()
        await self._done.wait()
        return time.perf_counter() - began


class Orders:
    """What the bench has of a message centre in another process: its port, and `deliver`."""

    def __init__(self, pipe):
        self._pipe = pipe
        self.port = pipe.recv()
        self._delivered = 0

    def deliver(self, number):
        """Have it deliver so many texts that it has not delivered before; seconds until the last was acknowledged."""
        self._pipe.send((self._delivered, number))
        self._delivered += number
        return self._pipe.recv()


@contextmanager
def smsc(*, receipts):
    """Run a message centre until the block ends."""
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=_serve, args=(far, receipts))
    process.start()
    try:
        yield Orders(near)
    finally:
        near.send(None)
        process.join(10)
        if process.is_alive():
            process.kill()


def _serve(pipe, receipts):
    async def work():
        centre = Smsc(receipts=receipts)
        await centre.server.start()
        pipe.send(centre.server.ports[0])
        loop = asyncio.get_running_loop()
        while (order := await loop.run_in_executor(None, pipe.recv)) is not None:
            pipe.send(await centre.deliver(*order))
        await centre.server.stop(1.0)

    uvloop.run(work())
