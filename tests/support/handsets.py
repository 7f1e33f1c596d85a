"""Customers' handsets behind a message centre: what each says is delivered, and what the gateway answers it is kept."""

import asyncio
import json
import sqlite3
import time
from collections import Counter
from contextlib import contextmanager

from protocols.smpp.events import Responded
from protocols.smpp.limits import Limits
from protocols.smpp.messages import DeliverSm, SubmitSm, SubmitSmResp
from protocols.smpp.node_events import ClientUp
from protocols.smpp.server import Server, ServerConfig
from protocols.smpp.text import UDHI
from support.sms_gateway import CODE, PATIENCE

WINDOW = 8192


class Handsets:
    """A message centre that delivers as much at once as it is given; nothing is delivered again unless a test says so.

    `told` counts each (number, words) that the gateway sent; receipts are never sent.
    """

    def __init__(self):
        self.told, self.events = Counter(), []
        self._ids = iter(range(1, 1_000_000))
        self.server = Server(
            ServerConfig(system_id="smsc", limits=Limits(window=WINDOW, response_timeout=120)),
            [("127.0.0.1", 0, None)],
            authenticate=lambda _: 0,
            on_request=self._serve,
            on_result=self._answered,
            on_ready=lambda _: None,
            on_event=self.events.append,
            clock=time.monotonic,
        )

    async def __aenter__(self):
        await self.server.start()
        self.port = self.server.ports[0]
        return self

    async def __aexit__(self, *_):
        await self.server.stop(1.0)

    def say(self, number, words, *, to=CODE, by=0, **fields):
        """Deliver a text by the link of this index: a future of its command_status, None if there was no answer."""
        future = asyncio.get_running_loop().create_future()
        message = DeliverSm(source_addr=number, destination_addr=to, short_message=words, **fields)
        assert self.server.clients[by].send(message, future)
        return future

    async def says(self, number, words, **options):
        """Deliver a text and wait for its command_status."""
        return await asyncio.wait_for(self.say(number, words, **options), PATIENCE)

    def answers(self, number):
        """What the gateway sent to this number, as often as it did."""
        return sorted(words for (to, words), times in self.told.items() for _ in range(times) if to == number)

    async def bound(self, binds, links=1):
        """Wait until links have bound themselves so often, and so many are bound now."""
        await self.wait(
            lambda: (
                sum(isinstance(event, ClientUp) for event in self.events) >= binds and len(self.server.clients) == links
            )
        )

    async def wait(self, condition):
        """Wait until something is so."""
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110  (any condition of the test)
                await asyncio.sleep(0.01)

    def _serve(self, request):
        if isinstance(request.message, SubmitSm):
            self.told[request.message.destination_addr, request.message.short_message.decode("latin-1")] += 1
            request.respond(SubmitSmResp(message_id=f"{next(self._ids):x}"))
        else:
            request.respond()

    def _answered(self, _connection, result):
        if not result.context.done():
            result.context.set_result(result.command_status if isinstance(result, Responded) else None)


@contextmanager
def store_held(desk):
    """Hold the gateway's store as a slow disk would: its lane commits nothing meanwhile."""
    connection = sqlite3.connect(desk.folder / "var" / "tpo.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


def stored(desk, query):
    """What the gateway's store has, read beside it."""
    connection = sqlite3.connect(desk.folder / "var" / "tpo.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def received(desk):
    """How many texts in the gateway acted on, by the pseudonym of who sent them."""
    bodies = stored(desk, "SELECT body FROM outbox WHERE topic = 'sms/received'")
    return Counter(json.loads(body)["subject"] for (body,) in bodies)


def by_8_bits(reference, total, number, piece):
    """A part with a header of eight bits (3GPP TS 23.040 §9.2.3.24.1), as fields of a deliver_sm."""
    return {"words": bytes((5, 0, 3, reference, total, number)) + piece, "esm_class": UDHI}


def by_16_bits(reference, total, number, piece):
    """A part with a header of sixteen bits (3GPP TS 23.040 §9.2.3.24.8)."""
    return {"words": bytes((6, 8, 4, 0x31, reference, total, number)) + piece, "esm_class": UDHI}


def by_sar(reference, total, number, piece):
    """A part told by parameters (SMPP 3.4 §5.3.2.22 to §5.3.2.24)."""
    sar = {"sar_msg_ref_num": reference, "sar_total_segments": total, "sar_segment_seqnum": number}
    return {"words": piece, **sar}
