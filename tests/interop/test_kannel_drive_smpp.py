"""Kannel's own driver of message centres, drive_smpp, as SMSC of the daemon: texts in by one bind, texts out by another.

Its texts come from a short code, which is not answered: what goes out is sent by HTTP.

It binds transmitters and receivers only, writes sequence_number 0 first, sends an enquire_link behind each text, and its
submit_sm_resp names no message. It is made for Kannel's bearerbox, beside which it wants to be an smsbox at port 13001.
"""

import asyncio
import re
import shutil
import subprocess
from contextlib import asynccontextmanager, suppress

import pytest
from support.gateways import ROOT
from support.handsets import received
from support.ports import free_port
from support.sms_gateway import CODE, PATIENCE, SmsGateway, text

DRIVE_SMPP = shutil.which("drive_smpp", path="/usr/lib/kannel/test")
SMSBOX_PORT = 13001
SHORT_CODE, TEXTS = "123", 200
pytestmark = [
    pytest.mark.xdist_group("drive_smpp"),
    pytest.mark.skipif(DRIVE_SMPP is None, reason="drive_smpp is not installed (kannel-extras)"),
]


@asynccontextmanager
async def bearerbox_for_show():
    """Take drive_smpp's connection as smsbox, and say nothing by it."""

    async def listen(reader, writer):
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    try:
        server = await asyncio.start_server(listen, "127.0.0.1", SMSBOX_PORT)
    except OSError:
        pytest.skip(f"port {SMSBOX_PORT} is taken, and drive_smpp knows no other")
    async with server:
        yield


@asynccontextmanager
async def driven(folder):
    """drive_smpp with its texts for whoever binds a receiver first; gives its port, its log and its process."""
    port, log = free_port(), folder / "drive_smpp.log"
    with log.open("wb") as out:
        command = [DRIVE_SMPP, "-v", "0", "-m", str(TEXTS), "-p", str(port)]
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder)  # noqa: ASYNC220  (it returns at once)
    try:
        yield port, log, process
    finally:
        if process.poll() is None:
            process.kill()
        await asyncio.to_thread(process.wait)


def desk_between(folder, port):
    """A gateway with a transmitter and a receiver, and services behind drive_smpp's number."""
    desk = SmsGateway(folder, port, port, system_id="foo", password="bar", system_type="VMA")
    keywords = folder / "keywords.yaml"
    keywords.write_text((ROOT / "config" / "keywords.yaml").read_text().replace(f"\n{CODE}:", f"\n{SHORT_CODE}:"))
    written = desk.config.read_text().replace(f"{ROOT}/config/keywords.yaml", str(keywords)).replace(CODE, SHORT_CODE)
    for name, bind in (("smsc-1", "transmitter"), ("smsc-2", "receiver")):
        written = written.replace(f"{{name: {name},", f"{{name: {name}, bind: {bind},")
    desk.config.write_text(written)
    return desk


async def test_drive_smpp_delivers_its_texts_unanswered_and_takes_as_many_of_ours(tmp_path):
    async with bearerbox_for_show(), driven(tmp_path) as (port, log, process):
        desk = desk_between(tmp_path, port)
        async with desk, asyncio.timeout(PATIENCE):
            await desk.send(*(text(f"hello {number}") for number in range(TEXTS)))
            while "ESME has submitted all messages to SMSC." not in log.read_text():  # noqa: ASYNC110  (its log is all it tells)
                await asyncio.sleep(0.1)
            transmitter, receiver = await desk.run("link", "list")
        assert (transmitter["state"], receiver["state"]) == ("bound_tx", "bound_rx")
        assert transmitter["counters"]["responses_in"] == receiver["counters"]["responses_out"] == TEXTS
        assert transmitter["counters"]["errors_in"] == receiver["counters"]["refused"] == 0
        assert await asyncio.to_thread(process.wait, PATIENCE) == 0  # it ends when it is unbound in order
    told = log.read_text()
    assert re.findall(r"Number of messages sent to (?:ESME|SMSC): (\d+)", told) == [str(TEXTS)] * 2
    assert told.count("Handling SMPP PDU of type deliver_sm_resp") == TEXTS
    assert told.count("Handling SMPP PDU of type enquire_link_resp") == TEXTS
    answers = re.findall(r"submit_sm: short_message = <(.*)>", told)
    assert len(answers) == TEXTS
    assert sorted(answers) == sorted(f"hello {number}" for number in range(TEXTS))
    assert "ERROR" not in told
    assert "PANIC" not in told
    assert list(received(desk).values()) == [TEXTS]
    assert "Traceback" not in desk.log.read_text()
