"""Kannel sends through our message centre's side; tshark reads every PDU that our daemon and our server wrote."""

import asyncio
import shutil
import subprocess
from collections import Counter

import pytest
from aiohttp import web
from interop import pcap
from support.kannel import BEARERBOX, Kannel
from support.smpp_tap import SmppTap
from support.sms_gateway import CODE, Centre, SmsGateway, text

from protocols.smpp.messages import DeliverSm, SubmitSmResp
from protocols.smpp.receipts import MessageState

TSHARK = shutil.which("tshark")
COMPLAINTS = "_ws.malformed || _ws.expert.severity >= 6291456"
pytestmark = pytest.mark.xdist_group("sms_kannel")
needs_tshark = pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
needs_kannel = pytest.mark.skipif(BEARERBOX is None, reason="kannel is not installed")


async def read_by_tshark(path, pdus):
    """Decode PDUs with tshark: (command ids, complaints)."""
    await asyncio.to_thread(pcap.write, path, pdus, "smpp", 2775)

    def run(*arguments):
        command = [TSHARK, "-r", str(path), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout

    ids = await asyncio.to_thread(run, "-T", "fields", "-e", "smpp.command_id")
    return [int(line, 16) for line in ids.split()], await asyncio.to_thread(run, "-Y", COMPLAINTS, "-V")


class Reports:
    """Where Kannel's smsbox reports its receipts to."""

    def __init__(self):
        self.told = []

    async def __aenter__(self):
        app = web.Application()
        app.router.add_get("/dlr", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/dlr"
        return self

    async def __aexit__(self, *_):
        await self._runner.cleanup()

    async def _take(self, request):
        self.told.append((request.query["to"], int(request.query["type"])))
        return web.Response(text="ok")


@needs_kannel
@needs_tshark
async def test_fifty_texts_through_kannel_arrive_and_their_receipts_come_back(tmp_path):
    async with Reports() as reports, Centre() as smsc, SmppTap(smsc.port) as tap:

        def serve(request, message_id):
            request.respond(SubmitSmResp(message_id=message_id))
            lost = request.message.destination_addr.endswith("49")
            state = MessageState.UNDELIVERABLE if lost else MessageState.DELIVERED
            smsc.deliver(smsc.receipt(request.message, message_id, state))

        smsc.on_submit = serve
        kannel = Kannel(tmp_path, tap.port, reports.url)
        try:
            await kannel.start()
            await smsc.bound()
            answers = [await kannel.send(f"4477009000{n:02d}", f"number {n}") for n in range(50)]
            assert {status for status, _ in answers} == {202}
            await smsc.wait(lambda: len([1 for _, kind in reports.told if kind in {1, 2}]) >= 50)
        finally:
            await kannel.stop()
        assert sorted(smsc.words()) == sorted(f"number {n}" for n in range(50))
        final = Counter(kind for _, kind in reports.told if kind in {1, 2})
        assert final == {1: 49, 2: 1}, reports.told
        assert ("447700900049", 2) in reports.told
        assert {result.command_status for result in smsc.results} == {0}
    ids, complaints = await read_by_tshark(tmp_path / "server.pcap", tap.answered)
    assert complaints == ""
    assert Counter(ids)[0x80000004] == Counter(ids)[0x00000005] == 50


@needs_tshark
async def test_tshark_reads_every_pdu_that_the_daemon_and_the_message_centre_wrote(tmp_path):
    async with Centre() as smsc, SmppTap(smsc.port) as tap, SmsGateway(tmp_path, tap.port) as desk:
        await smsc.bound()
        said = ["short", "a" * 152 + "€" * 40, "Ж" * 69 + "😀" * 5, "hello €"]
        for text_id in await desk.send(*(text(words) for words in said)):
            await desk.becomes(text_id, "delivered")
        sent = len(smsc.submits)
        smsc.deliver(DeliverSm(source_addr="447700900300", destination_addr=CODE, short_message=b"HELP"))
        long_text = bytes.fromhex("050003010201") + b"GIVE "
        smsc.deliver(
            DeliverSm(source_addr="447700900300", destination_addr=CODE, esm_class=0x40, short_message=long_text)
        )
        smsc.deliver(DeliverSm(source_addr="447700900300", destination_addr=CODE, message_payload=b"STOP"))
        await smsc.has(sent + 2)
        await desk.run("link", "down", "smsc-1")
        await smsc.wait(lambda: not smsc.server.clients)
        await asyncio.sleep(0.1)
    ids, complaints = await read_by_tshark(tmp_path / "daemon.pcap", tap.asked)
    assert complaints == ""
    assert Counter(ids) == {0x00000009: 1, 0x00000004: sent + 2, 0x80000005: len(smsc.results), 0x00000006: 1}
    ids, complaints = await read_by_tshark(tmp_path / "centre.pcap", tap.answered)
    assert complaints == ""
    assert Counter(ids)[0x80000004] == sent + 2
