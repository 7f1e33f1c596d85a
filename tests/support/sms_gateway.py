"""A gateway with a link to a message centre, and such a centre, for tests whose loop must not stand still meanwhile."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections import deque
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from gateway.messaging.queries import latest
from gateway.store.engine import open_reader, reading
from protocols.smpp.limits import Limits
from protocols.smpp.messages import DeliverSm, SubmitSm, SubmitSmResp
from protocols.smpp.node_events import ClientUp
from protocols.smpp.receipts import MessageState, receipt_text
from protocols.smpp.server import Server, ServerConfig
from support.gateways import LANE, ROOT, Gateway
from support.patience import PATIENCE

CODE = "70070"
TOKENS = {role: f"0123456789abcdef-{role}" for role in ("viewer", "operator", "auditor")}
DAY = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def links(*ports, **options):
    """The settings of one link to each port; `options` are keys of all of them."""
    given = {"system_id": "tpo", "password": "secret", "window": 64} | options
    keys = "".join(f", {key}: {value}" for key, value in given.items())
    rows = [f"\n    - {{name: smsc-{n}, host: 127.0.0.1, port: {port}{keys}}}" for n, port in enumerate(ports, 1)]
    return "smpp:\n  links:" + "".join(rows)


class SmsGateway(Gateway):
    """A gateway with texts; what waits for it runs beside the loop."""

    def __init__(
        self, folder, *ports, messaging="", answers_per_hour=100, store=None, identity="ocs.tpo.example", lane=LANE,
        **options,
    ):  # fmt: skip
        messaging = f"{messaging}, answers_per_hour: {answers_per_hour}"
        extra = f"""{links(*ports, **options) if ports else ""}
messaging: {{short_codes: ["{CODE}"]{messaging}}}
charity: {{gift_window: 0s}}
keywords: {ROOT}/config/keywords.yaml
"""
        super().__init__(folder, extra=extra, store=store, identity=identity, lane=lane)
        tokens = ", ".join(f'{{name: {name}, role: {name}, token: "{word}"}}' for name, word in TOKENS.items())
        written = self.config.read_text().replace("tpo.sock}", f"tpo.sock, tokens: [{tokens}]}}")
        self.config.write_text(written)

    def ask(self, path, body=None, token=TOKENS["operator"], **named):
        """GET, or POST a body: (status, what came, its content type)."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = ({"Authorization": f"Bearer {token}"} if token else {}) | named
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.loads(answer.read()), answer.headers.get_content_type()
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read()), error.headers.get_content_type()

    async def run(self, *arguments):
        """A command with --json, beside the loop."""
        return await asyncio.to_thread(self.json, *arguments)

    async def send(self, *texts):
        """Send texts by one request; gives their ids."""
        status, told, _ = await asyncio.to_thread(self.ask, "/v1/sms/batch", list(texts))
        assert status == 202, told
        return [message["id"] for message in told["messages"]]

    async def show(self, text_id):
        """What HTTP tells of a text."""
        status, told, _ = await asyncio.to_thread(self.ask, f"/v1/sms/{text_id}")
        assert status == 200, told
        return told

    def stored_texts(self):
        """(state, error, whether it may arrive twice) of each text in the store of a gateway that does not run."""
        engine = open_reader(f"sqlite:///{self.folder}/var/tpo.db")
        with reading(engine) as connection:
            rows = latest(connection, 1000)
        engine.dispose()
        return [(str(row.state), row.error, row.maybe_double) for row in rows]

    async def becomes(self, text_id, *states):
        """Wait until a text is in one of these states; gives what is told of it then."""
        deadline = time.monotonic() + PATIENCE
        while (told := await self.show(text_id))["state"] not in states:
            assert time.monotonic() < deadline, told
            await asyncio.sleep(0.03)
        return told

    async def all_become(self, state, count):
        """Wait until the latest `count` texts are in a state."""
        deadline = time.monotonic() + PATIENCE
        while True:
            rows = await self.run("sms", "list", "--limit", str(count))
            left = [row for row in rows if row["state"] != state]
            if not left and len(rows) == count:
                return rows
            assert time.monotonic() < deadline, (len(rows), len(left), left[:2])
            await asyncio.sleep(0.1)

    async def __aenter__(self):
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(self, *_):
        await asyncio.to_thread(self.__exit__)


class Centre:
    """A message centre that takes texts and tells of them; `on_submit(request, message_id)` does otherwise."""

    def __init__(self, *, on_submit=None, authenticate=None, port=0):
        self.on_submit = on_submit or self.accept
        self.submits, self.events, self.results = [], [], []
        self._outbox = deque()
        self.server = Server(
            ServerConfig(system_id="smsc", limits=Limits(window=100, drain_deadline=0.1)),
            [("127.0.0.1", port, None)],
            authenticate=authenticate or (lambda _: 0),
            on_request=self._serve,
            on_result=lambda _, result: self.results.append(result),
            on_ready=self._pump,
            on_event=self.events.append,
            clock=time.monotonic,
        )

    @property
    def port(self):
        return self.server.ports[0]

    async def __aenter__(self):
        await self.server.start()
        return self

    async def __aexit__(self, *_):
        await self.server.stop(1.0)

    def _serve(self, request):
        if isinstance(request.message, SubmitSm):
            self.submits.append(request.message)
            self.on_submit(request, f"{len(self.submits):x}")
        else:
            request.respond()

    def accept(self, request, message_id):
        """Answer, and send a receipt where one is wanted."""
        request.respond(SubmitSmResp(message_id=message_id))
        if request.message.registered_delivery:
            self.deliver(self.receipt(request.message, message_id))

    def refuse(self, status):
        """A way to answer: with this status."""
        return lambda request, _: request.respond(SubmitSmResp(), status)

    @staticmethod
    def receipt(message, message_id, state=MessageState.DELIVERED, error="000", **fields):
        """A receipt of a submit_sm."""
        text = receipt_text(message_id, state, DAY, DAY, error)
        given = {"esm_class": 4, "short_message": text} | fields
        return DeliverSm(source_addr=message.destination_addr, destination_addr=message.source_addr, **given)

    def deliver(self, *messages):
        """Send these as soon as the window lets them."""
        self._outbox.extend(messages)
        self._pump(None)

    def _pump(self, _connection):
        for client in self.server.clients:
            while self._outbox and client.window_free:
                client.send(self._outbox.popleft())

    def words(self):
        """What went out so far, for texts of one part."""
        return [message.short_message.decode("latin-1") for message in self.submits]

    async def has(self, count):
        """Wait for this many submit_sm."""
        await self.wait(lambda: len(self.submits) >= count)

    async def bound(self, times=1):
        """Wait until a link has bound itself."""
        await self.wait(lambda: sum(isinstance(event, ClientUp) for event in self.events) >= times)

    async def wait(self, condition):
        """Wait until something is so."""
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110  (any condition of the test)
                await asyncio.sleep(0.003)


@asynccontextmanager
async def desk_and_centre(folder, *, centre=None, enrol=(), wait=True, **options):
    """A centre and a gateway that is bound to it."""
    async with Centre(**(centre or {})) as smsc, SmsGateway(folder, smsc.port, **options) as desk:
        if wait:
            await smsc.bound()
        if enrol:
            await asyncio.to_thread(desk.enrol, enrol)
        yield desk, smsc


def text(words, to="447700900200", sender="TPO", **more):
    """A text for the HTTP interface."""
    return {"from": sender, "to": to, "text": words, **more}
