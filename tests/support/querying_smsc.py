"""An SMSC that sends no receipts and is asked instead, and a client of it in this process whose clock can be put on."""

import asyncio
import time
from contextlib import asynccontextmanager

from gateway.messaging.routing import Route
from gateway.messaging.smsc_client import SmscClient
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.client import LinkConfig
from protocols.smpp.limits import Limits
from protocols.smpp.messages import QuerySm, QuerySmResp, SubmitSmResp
from protocols.smpp.receipts import IdForm, MessageState
from support.messaging_fixture import TextPlace
from support.sms_gateway import Centre

AFTER = 600
"""Seconds of silence after which the client asks."""


class QueryingSmsc(Centre):
    """Takes every text without a receipt; `on_query` answers for what became of it, ENROUTE unless told otherwise."""

    def __init__(self, *, write_id=lambda number: f"{number:08X}", **options):
        super().__init__(on_submit=self._take, **options)
        self.queries = []
        self.on_query = self.tells(MessageState.ENROUTE)
        self._write_id = write_id

    def _take(self, request, _message_id):
        request.respond(SubmitSmResp(message_id=self._write_id(len(self.submits))))

    def _serve(self, request):
        if isinstance(request.message, QuerySm):
            self.queries.append(request.message)
            self.on_query(request)
        else:
            super()._serve(request)

    @staticmethod
    def tells(state, error_code=0, message_id=None):
        """A way to answer: the message is in this state."""
        return lambda request: request.respond(
            QuerySmResp(
                message_id=request.message.message_id if message_id is None else message_id,
                message_state=state,
                error_code=error_code,
            )
        )

    @staticmethod
    def refuses(status):
        """A way to answer: with this status."""
        return lambda request: request.respond(QuerySmResp(), status)

    def asked_for(self):
        """The ids of the queries, in their order."""
        return [query.message_id for query in self.queries]


class Inquirer:
    """An SMSC client with links to these centres, over the store of a place; `ahead` is how many seconds its clock is ahead."""

    def __init__(self, place, *centres, query_after=AFTER, limits=None, read=None, may_send=lambda: True, **options):
        self.place, self.centres, self.ahead, self.events = place, centres, 0, []
        self.limits = limits or Limits(window=20, reconnect_first=0.05)
        self.smsc_client = SmscClient(
            lambda: place.messaging_policy,
            place.lane,
            [self._route(f"smsc-{n}", smsc, query_after, options) for n, smsc in enumerate(centres, 1)],
            read=read or self._read,
            node=place.node.id,
            may_send=may_send,
            clock=lambda: next(place.ticks) + self.ahead * 1_000_000,
            monotonic=time.monotonic,
            random=lambda: 0.5,
            on_event=self.events.append,
        )

    def _route(self, name, smsc, query_after, options):
        config = LinkConfig(name=name, host="127.0.0.1", port=smsc.port, system_id="tpo", limits=self.limits)
        return Route(config, Alphabet.GSM7, IdForm(options.get("form", "auto")), "resend", 300.0, float(query_after))

    async def _read(self, look):
        return await asyncio.to_thread(lambda: self.read(look))  # a test may put another in its place

    def read(self, look):
        with self.place.reader.connect() as connection:
            return look(connection)

    async def send(self, *drafts):
        """Accept texts and wait until the centre has taken all their parts; gives the ids."""
        before = {smsc: len(smsc.submits) for smsc in self.centres}
        parts = sum(draft.parts for draft in drafts)
        accepted = await self.smsc_client.accept("shop", list(drafts))
        await self.until(lambda: sum(len(smsc.submits) - before[smsc] for smsc in self.centres) >= parts)
        for text_id in accepted.ids:
            await self.becomes(text_id, "submitted")
        return accepted.ids

    async def look(self, ahead=None):
        """Let the client look for silent texts, and wait until what it asked is answered and noted."""
        self.ahead = self.ahead if ahead is None else ahead
        await self.smsc_client.inquire()
        await self.settled()

    async def settled(self):
        """Wait until nothing is asked or on its way to the store."""
        await self.until(lambda: not self.smsc_client.queries_pending)

    async def becomes(self, text_id, state):
        """Wait until the store has a text in this state, all its parts answered; gives the text."""
        await self.until(lambda: self._is(text_id, state))
        return self.place.text(text_id)

    def _is(self, text_id, state):
        text = self.place.text(text_id)
        return text.state == state and (state != "submitted" or all(part.message_id for part in text.parts))

    async def until(self, condition):
        await self.centres[0].wait(condition)


@asynccontextmanager
async def inquiring(url, *centres, **options):
    """Open a place, an SMSC client and its links to centres that run."""
    loop = asyncio.get_running_loop()

    def finish(jobs):
        for job in jobs:
            job.done(job.answer, job.error)

    place = TextPlace(url, deliver=lambda jobs: loop.call_soon_threadsafe(finish, jobs))
    place.lane.start()
    try:
        inquirer = Inquirer(place, *centres, **options)
        await inquirer.smsc_client.start()
        await inquirer.until(lambda: all(link.bound for link in inquirer.smsc_client.links().values()))
        yield inquirer
        await inquirer.smsc_client.stop(1.0)
        assert await asyncio.to_thread(place.books_are_right)
    finally:
        await asyncio.to_thread(place.close)
