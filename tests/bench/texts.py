"""Texts a second through the whole gateway, and texts in a second acknowledged after their commit.

Out: HTTP batches -> committed -> submit_sm -> response -> receipt -> stored as delivered. In: deliver_sm of a text from a
handset -> committed -> deliver_sm_resp. The SMSC is our server side in a process of its own; window 64; SQLite.

    python -m tests.bench.texts [--texts 10000] [--json]
"""

import argparse
import asyncio
import concurrent.futures
import json
import multiprocessing
import os
import sqlite3
import sys
import tempfile
import time
import urllib.request
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.gateways import Gateway

from protocols.smpp.limits import Limits
from protocols.smpp.messages import DeliverSm, SubmitSm, SubmitSmResp
from protocols.smpp.receipts import MessageState, receipt_text
from protocols.smpp.server import Server, ServerConfig

WINDOW, BATCH, CLIENTS = 64, 250, 4
TOKEN = "bench-token-0123456789"
TARGET = 3000
EXTRA = """smpp:
  links:
    - {{name: smsc, host: 127.0.0.1, port: {port}, system_id: tpo, password: secret, window: 64}}
messaging: {{short_codes: ["70070"]}}
keywords: {root}/config/keywords.yaml
"""


class Smsc:
    """Takes every text and tells of its delivery; on order, delivers texts from handsets as fast as the window lets it."""

    def __init__(self):
        self.waiting, self.connection, self.done = deque(), None, asyncio.Event()
        self.answered = self.wanted = self.taken = 0
        self.server = Server(
            ServerConfig(system_id="smsc", limits=Limits(window=WINDOW, outstanding=8192)),
            [("127.0.0.1", 0, None)],
            authenticate=lambda _attempt: 0,
            on_request=self.requested,
            on_result=self.resulted,
            on_ready=self.ready,
            on_event=lambda _event: None,
            clock=time.monotonic,
        )

    def ready(self, connection):
        self.connection = connection
        self.drain()

    def requested(self, request):
        message = request.message
        if not isinstance(message, SubmitSm):
            request.respond()
            return
        self.taken += 1
        message_id, now = f"{self.taken:x}", datetime.now(UTC)
        request.respond(SubmitSmResp(message_id=message_id))
        words = receipt_text(message_id, MessageState.DELIVERED, now, now)
        source, destination = message.destination_addr, message.source_addr
        receipt = DeliverSm(source_addr=source, destination_addr=destination, esm_class=4, short_message=words)
        self.waiting.append(receipt)
        self.drain()

    def resulted(self, _connection, _result):
        self.answered += 1
        if self.answered == self.wanted:
            self.done.set()
        self.drain()

    def drain(self):
        while self.waiting and self.connection is not None and self.connection.send(self.waiting[0]):
            self.waiting.popleft()

    async def arrivals(self, number):
        """Deliver so many texts from handsets; seconds until the last was acknowledged."""
        self.answered, self.wanted = 0, number
        self.done.clear()
        began = time.perf_counter()
        for i in range(number):
            words = f"hello number {i}".encode()
            self.waiting.append(
                DeliverSm(source_addr=f"4477009{i:05d}", destination_addr="447700900999", short_message=words)
            )
        self.drain()
        await self.done.wait()
        return time.perf_counter() - began


def serve(orders):
    """The SMSC's process: says its port, then obeys."""

    async def work():
        smsc = Smsc()
        await smsc.server.start()
        orders.send(smsc.server.ports[0])
        loop = asyncio.get_running_loop()
        while (number := await loop.run_in_executor(None, orders.recv)) > 0:
            orders.send(await smsc.arrivals(number))
        await smsc.server.stop(1.0)

    asyncio.run(work())


def post(gateway, first):
    """Send one batch over HTTP."""
    texts = [{"from": "TPO", "to": f"4477009{i:05d}", "text": f"text number {i}"} for i in range(first, first + BATCH)]
    url = f"http://127.0.0.1:{gateway.http_port}/v1/sms/batch"
    request = urllib.request.Request(url, json.dumps(texts).encode(), {"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 202


def delivered(gateway):
    """Count what the store has as delivered."""
    with sqlite3.connect(f"file:{gateway.folder}/var/tpo.db?mode=ro", uri=True) as store:
        return store.execute("SELECT count(*) FROM texts WHERE state = 'delivered'").fetchone()[0]


def cpu(gateway):
    """CPU seconds of the gateway so far."""
    fields = Path(f"/proc/{gateway.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(gateway, orders, number):
    """Run both ways; the figures."""
    spent, began = cpu(gateway), time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(lambda first: post(gateway, first), range(0, number, BATCH)))
    accepted = time.perf_counter() - began
    while delivered(gateway) < number:
        time.sleep(0.05)
    out, out_cpu = time.perf_counter() - began, cpu(gateway) - spent
    spent = cpu(gateway)
    orders.send(number)
    into = orders.recv()
    return {
        "texts_per_second": round(number / out),
        "accepted_per_second": round(number / accepted),
        "cpu_us_per_text": round(out_cpu / number * 1e6, 1),
        "texts_in_per_second": round(number / into),
        "cpu_us_per_text_in": round((cpu(gateway) - spent) / number * 1e6, 1),
    }


def main():
    """Start both processes, measure, prove the books, end both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    smsc = context.Process(target=serve, args=(far,))
    smsc.start()
    root = Path(__file__).resolve().parents[2]
    work = root / "tests" / ".work"
    work.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        gateway = Gateway(folder, extra=EXTRA.format(port=near.recv(), root=root))
        token = f'tokens: [{{name: bench, role: operator, token: "{TOKEN}"}}]'
        gateway.config.write_text(
            gateway.config.read_text().replace("socket: var/tpo.sock", f"socket: var/tpo.sock, {token}")
        )
        try:
            with gateway:
                found = measure(gateway, near, options.texts - options.texts % BATCH)
                found["ledger"] = "right" if gateway.check()["ok"] else "WRONG"
        finally:
            near.send(0)
            smsc.join(10)
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:24}{value}{f'   target {TARGET}' if name.startswith('texts') else ''}")


if __name__ == "__main__":
    main()
