"""A message centre that forgets nothing while gateways die: it delivers again until what it sends is acknowledged."""

import asyncio
import itertools
import time
from collections import Counter, deque

from protocols.smpp.errors import CommandStatus
from protocols.smpp.events import Responded
from protocols.smpp.limits import Limits
from protocols.smpp.messages import DeliverSm, SubmitSm, SubmitSmResp
from protocols.smpp.server import Server, ServerConfig
from support.sms_gateway import CODE, Centre

WINDOW = 64


class StubbornSmsc:
    """Takes every text, sends a receipt for it, and delivers texts in and receipts until they are taken.

    `taken` counts each (receiver, words) that was answered or may have been; `acknowledged` has the texts in that were taken.
    One that `echoes` says in its receipts which user_message_reference a text came with; a slow one answers after `delay`.
    """

    def __init__(self, *, first_id=1, echoes=False, delay=0.0, host="127.0.0.1"):
        self.echoes, self.delay = echoes, delay
        self.taken = Counter()
        self.acknowledged = {}
        self.refused = self.redelivered = self.receipts = 0
        self._ids = itertools.count(first_id)
        self._outbox = deque()
        self.server = Server(
            ServerConfig(system_id="smsc", limits=Limits(window=WINDOW)),
            [(host, 0, None)],
            authenticate=lambda _: 0,
            on_request=self._serve,
            on_result=self._answered,
            on_ready=lambda _: self._pump(),
            on_event=lambda _: None,
            clock=time.monotonic,
        )

    async def __aenter__(self):
        await self.server.start()
        return self

    async def __aexit__(self, *_):
        await self.server.stop(2.0)

    @property
    def idle(self):
        """Everything was taken."""
        return not self._outbox

    def text_in(self, source, words):
        """Deliver a text of a customer, as often as it takes."""
        self._outbox.append(
            ((source, words), DeliverSm(source_addr=source, destination_addr=CODE, short_message=words))
        )
        self._pump()

    def _serve(self, request):
        message = request.message
        if not isinstance(message, SubmitSm):
            request.respond()
            return
        self.taken[message.destination_addr, message.short_message.decode("latin-1")] += 1
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, self._answer, request)
        else:
            self._answer(request)

    def _answer(self, request):
        message, message_id = request.message, f"{next(self._ids):x}"
        request.respond(SubmitSmResp(message_id=message_id))
        if message.registered_delivery:
            echo = {"user_message_reference": message.user_message_reference} if self.echoes else {}
            self._outbox.append((None, Centre.receipt(message, message_id, **echo)))
            self._pump()

    def _answered(self, _connection, result):
        item = result.context
        if isinstance(result, Responded) and result.command_status == CommandStatus.ESME_ROK:
            if item[0] is None:
                self.receipts += 1
            else:
                self.acknowledged[item[0]] = time.monotonic()
            return
        self.refused += isinstance(result, Responded)
        self.redelivered += 1
        self._outbox.appendleft(item)

    def _pump(self):
        for client in self.server.clients:
            while self._outbox and client.window_free:
                item = self._outbox.popleft()
                if not client.send(item[1], item):
                    self._outbox.appendleft(item)
                    return
