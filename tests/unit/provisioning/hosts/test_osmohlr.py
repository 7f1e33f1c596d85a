"""The adapter for OsmoHLR against an HLR that answers as no real one should; the real one is in tests/interop."""

import asyncio
import re
import struct
from contextlib import asynccontextmanager

import pytest

from provisioning.errors import HostRefused, HostUnavailable
from provisioning.hosts.interface import ABSENT, Access, Condition, HostLine
from provisioning.hosts.osmohlr import OsmoHlr
from provisioning.keys import Keys

KI, OPC = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc"), bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")
KI_HEX = KI.hex()
IMSI, MSISDN = "234150000000001", "447700900001"
LINE = HostLine("8944110000000000001", IMSI, "mobile-line", Keys(KI, OPC))
OPEN = Condition(Access.OPEN, MSISDN)
NOBODY = "ERROR No such subscriber."


def info(imsi=IMSI, msisdn=MSISDN, access="11", ki=KI_HEX):
    rows = [f"imsi\t{imsi}", f"msisdn\t{msisdn}", f"nam_cs\t{access[0]}", f"nam_ps\t{access[1]}"]
    rows += ["aud3g.algo\tMILENAGE", f"aud3g.k\t{ki}", f"aud3g.opc\t{OPC.hex()}"]
    return "\n" + "\n".join(rows)


@asynccontextmanager
async def hlr(answers, *, vty=b""):
    """The adapter on an HLR that gives each variable's answers in turn, the last one for good; `ERROR text` refuses."""

    async def ctrl_served(reader, writer):
        while header := await reader.read(3):
            size, _ = struct.unpack("!HB", header)
            verb, message_id, variable, *_ = (await reader.readexactly(size))[1:].decode().split(" ")
            found = next((given for name, given in answers.items() if re.search(name, variable)), ["OK"])
            answer = found.pop(0) if len(found) > 1 else found[0]
            error, _, reason = answer.partition(" ")
            reply = (
                f"ERROR {message_id} {reason}" if error == "ERROR" else f"{verb}_REPLY {message_id} {variable} {answer}"
            )
            writer.write(struct.pack("!HB", len(reply) + 1, 0xEE) + b"\x00" + reply.encode())
        writer.close()

    async def vty_served(reader, writer):
        writer.write(b"OsmoHLR> ")
        while line := await reader.readline():
            writer.write(line + (vty if line != b"enable\n" else b"") + b"\r\nOsmoHLR# ")
        writer.close()

    servers = [await asyncio.start_server(served, "127.0.0.1", 0) for served in (ctrl_served, vty_served)]
    host = OsmoHlr("home", *(server.sockets[0].getsockname() for server in servers), timeout=5.0)
    try:
        yield host
    finally:
        await host.close()
        for server in servers:
            server.close()


@pytest.mark.parametrize(
    "told",
    [
        info(imsi="234150000000002"),
        info(access="12"),
        info(msisdn="by mistake"),
        info(ki="no hex"),
        "imsi",
        "",
        f"\nimsi\t{IMSI}",
        "ERROR An error has occurred.",
    ],
)
async def test_what_cannot_be_read_is_no_reading(told):
    async with hlr({"info-all": [told]}) as host:
        for call in (host.read(LINE), host.bring("1", LINE, OPEN)):
            with pytest.raises(HostUnavailable) as unavailable:
                await call
            assert not any(secret in str(unavailable.value) for secret in (KI.hex(), OPC.hex(), IMSI, MSISDN))


async def test_keys_of_another_size_do_not_match():
    async with hlr({"info-all": [info(ki=KI.hex() * 2)]}) as host:
        assert (await host.read(LINE)).keys_match is False


async def test_a_create_that_failed_though_the_subscriber_is_there_is_no_matter():
    answers = {"info-all": [NOBODY, info()], "by-msisdn": [NOBODY], "create": ["ERROR rc=-5"]}
    async with hlr(answers) as host:
        assert await host.bring("1", LINE, OPEN) is None


async def test_a_create_that_was_refused_is_told_with_the_host_s_reason_and_no_number():
    answers = {"info-all": [NOBODY], "by-msisdn": [NOBODY], "create": [f"ERROR no room for {IMSI}\x07"]}
    async with hlr(answers) as host:
        with pytest.raises(HostRefused) as refused:
            await host.bring("1", LINE, OPEN)
    assert str(refused.value) == "home refused: no room for ***"


async def test_keys_that_were_refused_are_not_in_the_refusal_even_if_the_host_repeats_them():
    answers = {"info-all": [info(ki=OPC.hex())], "by-msisdn": [info()], "aud3g": [f"ERROR {' '.join(KI.hex())}"]}
    async with hlr(answers) as host:
        with pytest.raises(HostRefused) as refused:
            await host.bring("1", LINE, OPEN)
    assert str(refused.value) == "home refused: it did not take the keys"
    assert (refused.value.__cause__, refused.value.__context__) == (None, None)


async def test_a_change_that_was_taken_and_is_not_shown_is_tried_again_later():
    async with hlr({"info-all": [info(access="00")], "by-msisdn": [info()]}) as host:
        with pytest.raises(HostUnavailable, match="took the changes and does not show them"):
            await host.bring("1", LINE, OPEN)


async def test_an_hlr_without_a_command_that_we_need_refuses():
    async with hlr({"info-all": [info()]}, vty=b"% Unknown command.\r\n") as host:
        with pytest.raises(HostRefused, match="does not know a VTY command"):
            await host.bring("1", LINE, ABSENT)


async def test_a_refusal_that_reading_back_does_not_bear_out_is_no_matter():
    answers = {"info-all": [info(access="00"), NOBODY], "delete": ["ERROR Subscriber doesn't exist."]}
    async with hlr(answers) as host:
        assert await host.bring("1", LINE, ABSENT) is None
