"""Kannel's bearerbox as ESME of our message centre: binds, submits, takes receipts and texts from handsets."""

import asyncio
import shutil
import subprocess
import urllib.parse
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from support.diameter_rig import until
from support.gateways import free_port
from support.smpp_rig import ServerRig

from protocols.smpp.limits import Limits
from protocols.smpp.link_events import ClientUp
from protocols.smpp.messages import DeliverSm, EnquireLink, SubmitSm, SubmitSmResp
from protocols.smpp.receipts import MessageState, receipt_text
from protocols.smpp.text import read_text, user_data

TEXTS = 50
CONFIG = """
group = core
admin-port = {admin}
admin-password = bar
smsbox-port = {smsbox}
log-file = "{folder}/bearerbox.log"
log-level = 0
box-allow-ip = "127.0.0.1"
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = ours
host = 127.0.0.1
port = {port}
transceiver-mode = true
smsc-username = tpo
smsc-password = secret
system-type = ""
address-range = ""
enquire-link-interval = 1
max-pending-submits = 10
reconnect-delay = 1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
log-file = "{folder}/smsbox.log"
log-level = 0

group = sendsms-user
username = tester
password = foobar
concatenation = true
max-messages = 10

group = sms-service
keyword = default
get-url = "http://127.0.0.1:{callback}/mo?text=%a&from=%p"
max-messages = 0
"""

pytestmark = pytest.mark.skipif(shutil.which("bearerbox") is None, reason="Kannel is not installed (package kannel)")


@contextmanager
def kannel(folder, port, callback):
    """Run bearerbox and smsbox on our port; gives the port of sendsms."""
    ports = {"admin": free_port(), "smsbox": free_port(), "sendsms": free_port()}
    config = folder / "kannel.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, callback=callback, **ports))
    boxes = []
    try:
        for program in ("bearerbox", "smsbox"):
            with (folder / f"{program}.out").open("wb") as out:
                boxes.append(subprocess.Popen([program, str(config)], stdout=out, stderr=out, stdin=subprocess.DEVNULL))
            wait_for(folder, program)
        yield ports["sendsms"]
    finally:
        for box in reversed(boxes):
            box.terminate()
        for box in boxes:
            try:
                box.wait(5)
            except subprocess.TimeoutExpired:
                box.kill()
                box.wait()


def wait_for(folder, program):
    """Wait until a box says in its log that it works."""
    import time

    sign = {"bearerbox": "MAIN: Start-up done", "smsbox": "Connected to bearerbox"}[program]
    deadline = time.monotonic() + 15
    log = folder / f"{program}.log"
    while time.monotonic() < deadline:
        if log.exists() and sign in log.read_text(errors="replace"):
            return
        time.sleep(0.05)
    raise AssertionError(f"{program} did not start:\n{log.read_text(errors='replace')[-2000:] if log.exists() else ''}")


def send(port, to, text, callback):
    """Ask smsbox to send a text and to tell of its receipt."""
    told = f"http://127.0.0.1:{callback}/dlr?type=%d&to={to}"
    query = {"username": "tester", "password": "foobar", "from": "70070", "to": to, "text": text, "charset": "UTF-8"}
    query |= {"coding": "2" if not text.isascii() else "0", "dlr-mask": "3", "dlr-url": told}
    url = f"http://127.0.0.1:{port}/cgi-bin/sendsms?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.status == 202, answer.read()


async def listen(said):
    """A listener for what smsbox tells: the paths of its requests."""

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        said.append(head.split()[1].decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def test_kannel_sends_texts_gets_its_receipts_and_takes_a_text_from_a_handset(tmp_path):
    said, submitted = [], []

    def take(request):
        message = request.message
        if not isinstance(message, SubmitSm):
            request.respond()
            return
        submitted.append(message)
        message_id, now = f"{len(submitted):x}", datetime.now(UTC)
        request.respond(SubmitSmResp(message_id=message_id))
        if message.registered_delivery & 1:
            request.connection.send(
                DeliverSm(
                    source_addr=message.destination_addr,
                    destination_addr=message.source_addr,
                    esm_class=0x04,
                    short_message=receipt_text(message_id, MessageState.DELIVERED, now, now),
                )
            )

    web, callback = await listen(said)
    async with web, ServerRig(Limits(window=1000), on_request=take) as smsc:
        with kannel_in_thread(tmp_path, smsc.port, callback) as running:
            sendsms = await running
            await smsc.told(ClientUp)
            for i in range(TEXTS):
                await asyncio.to_thread(send, sendsms, f"44770090{i:04d}", f"text number {i}", callback)
            await asyncio.to_thread(send, sendsms, "447700909999", "Grüße 😀 an alle " * 12, callback)
            await until(lambda: len([path for path in said if path.startswith("/dlr?type=1")]) > TEXTS)
            client = await smsc.client()
            client.send(DeliverSm(source_addr="447700900007", destination_addr="70070", short_message=b"GIVE WWF 5"))
            await until(lambda: any(path.startswith("/mo?text=GIVE+WWF+5&from=447700900007") for path in said))
            await until(lambda: any(isinstance(request.message, EnquireLink) for request in smsc.requests) or submitted)
    plain = [bytes(message.short_message).decode() for message in submitted if not message.esm_class & 0x40]
    assert sorted(plain) == sorted(f"text number {i}" for i in range(TEXTS))
    parts = sorted(
        (user_data(message) for message in submitted if message.esm_class & 0x40),
        key=lambda part: part.concatenation.number,
    )
    assert read_text(parts).text == "Grüße 😀 an alle " * 12


@contextmanager
def kannel_in_thread(folder, port, callback):
    """Start the boxes without stopping the loop that they connect to."""
    boxes = kannel(folder, port, callback)
    yield asyncio.to_thread(boxes.__enter__)
    boxes.__exit__(None, None, None)
