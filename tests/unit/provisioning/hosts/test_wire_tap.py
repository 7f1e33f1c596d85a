"""Listening in on what is said to hosts: what is told, and that it stops nothing."""

import asyncio
import struct

import pytest
from aiohttp import web
from yarl import URL

from protocols.tap import NOWHERE, Captured
from provisioning.hosts import http_text
from provisioning.hosts.ctrl import PONG, CtrlClient, command
from provisioning.hosts.interface import ABSENT, HostLine
from provisioning.hosts.osmohlr import OsmoHlr
from provisioning.hosts.tmf640 import Tmf640
from provisioning.hosts.vty import VtyClient
from provisioning.hosts.wire_tap import WireTap

PING = b"\x00\x01\xfe\x00"
LINE = HostLine("8944110000000000018", "234150000000001", "mobile-line")


def reply(text):
    payload = b"\x00" + text.encode()
    return struct.pack("!HB", len(payload), 0xEE) + payload


async def listening(serve):
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[:2]


async def hang_up(server, client):
    await client.close()
    server.close()
    await server.wait_closed()


async def hlr(reader, writer):
    """An element with CTRL that has nobody: a ping goes before its first answer."""
    writer.write(PING)
    while head := await reader.read(3):
        size, protocol = struct.unpack("!HB", head)
        payload = await reader.readexactly(size)
        if protocol == 0xEE:
            writer.write(reply(f"ERROR {payload[1:].split(b' ')[1].decode()} No such subscriber."))
    writer.close()


async def vty(reader, writer):
    writer.write(b"Welcome\r\n\xff\xfb\x01OsmoHLR> ")
    while line := await reader.readline():
        writer.write(line.strip() + b"\r\nOsmoHLR# ")
    writer.close()


def test_nobody_listens_at_first_and_nobody_after_the_end():
    wire_tap, heard = WireTap("ctrl"), []
    wire_tap.record(b"a", outgoing=True)
    wire_tap.set_tap(heard.append, "home")
    assert wire_tap.open
    wire_tap.record(b"b", outgoing=False, local=("127.0.0.1", 1), remote=("127.0.0.2", 2))
    wire_tap.set_tap(None, "home")
    wire_tap.record(b"c", outgoing=True)
    assert (wire_tap.open, heard) == (
        False,
        [Captured("ctrl", "home", ("127.0.0.1", 1), ("127.0.0.2", 2), False, b"b")],
    )


def test_a_listener_that_raises_is_taken_away():
    wire_tap, calls = WireTap("vty"), []

    def tap(captured):
        calls.append(captured)
        raise ValueError("full")

    wire_tap.set_tap(tap, "home")
    wire_tap.record(b"a", outgoing=True)
    wire_tap.record(b"b", outgoing=True)
    assert (len(calls), wire_tap.open) == (1, False)


async def test_ctrl_tells_whole_frames_in_both_directions_the_keepalive_too():
    server, address = await listening(hlr)
    host, heard = OsmoHlr("home", address, address, timeout=5.0), []
    host.set_tap(heard.append)
    assert (await host.read(LINE)).condition == ABSENT
    await hang_up(server, host)
    wanted = f"GET 1 subscriber.by-imsi-{LINE.imsi}.info-all"
    told = sorted((captured.outgoing, captured.message) for captured in heard)
    answered = reply("ERROR 1 No such subscriber.")
    assert told == sorted([(True, command(wanted)), (True, PONG), (False, PING), (False, answered)])
    assert {(captured.protocol, captured.name, captured.remote) for captured in heard} == {("ctrl", "home", address)}
    assert all(captured.local[1] for captured in heard)


async def test_vty_tells_each_line_and_what_was_printed_up_to_the_prompt():
    server, address = await listening(vty)
    client, heard = VtyClient(address, timeout=5.0), []
    client.set_tap(heard.append, "home")
    await client.command("show version")
    await hang_up(server, client)
    assert [(captured.outgoing, captured.message) for captured in heard] == [
        (False, b"Welcome\r\nOsmoHLR> "),
        (True, b"enable\n"),
        (False, b"enable\r\nOsmoHLR# "),
        (True, b"show version\n"),
        (False, b"show version\r\nOsmoHLR# "),
    ]
    assert (heard[-1].protocol, heard[-1].name, heard[-1].remote) == ("vty", "home", address)


async def test_whoever_comes_while_a_connection_is_open_hears_it_and_stops_when_told():
    server, address = await listening(hlr)
    client, heard = CtrlClient(address, timeout=5.0), []
    answers = []
    for tap in (None, heard.append, None):
        client.set_tap(tap, "home")
        answers += await asyncio.gather(client.get("a"), return_exceptions=True)
    await hang_up(server, client)
    assert len(answers) == 3
    assert [captured.message for captured in heard if captured.outgoing] == [command("GET 2 a")]


async def test_a_raising_listener_stops_no_call():
    def tap(_captured):
        raise RuntimeError("no room")

    server, address = await listening(hlr)
    host = OsmoHlr("home", address, address, timeout=5.0)
    host.set_tap(tap)
    assert (await host.read(LINE)).condition == ABSENT
    await hang_up(server, host)


@pytest.fixture
async def tmf640_url():
    async def find(_request):
        return web.json_response([], headers={"Set-Cookie": "session=secret", "X-Api-Key": "secret"})

    app = web.Application()
    app.router.add_get("/v4/service", find)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/v4"
    await runner.cleanup()


async def test_http_is_told_as_texts_without_token_and_cookie(tmf640_url):
    host, heard = Tmf640("lab", tmf640_url, token="secret"), []
    host.set_tap(heard.append)
    assert (await host.read(LINE)).condition == ABSENT
    await host.close()
    asked, answered = heard
    port = URL(tmf640_url).port
    assert asked == Captured("http", "lab", NOWHERE, ("127.0.0.1", port), True, asked.message, 1)
    assert asked.message.startswith(
        f"GET /v4/service?supportingResource.id={LINE.iccid}&limit=50 HTTP/1.1\r\n".encode()
    )
    assert f"\r\nHost: 127.0.0.1:{port}\r\n".encode() in asked.message
    assert (answered.outgoing, answered.message) == (
        False,
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n\r\n[]",
    )
    assert b"secret" not in asked.message + answered.message


async def test_a_request_that_nobody_answers_is_told_alone():
    server, (address, port) = await listening(lambda _reader, writer: writer.close())
    host, heard = Tmf640("lab", f"http://{address}:{port}/v4"), []
    host.set_tap(heard.append)
    with pytest.raises(Exception, match="no answer"):
        await host.read(LINE)
    await hang_up(server, host)
    assert {captured.outgoing for captured in heard} == {True}


def test_a_host_s_name_is_no_address():
    assert http_text.remote(URL("https://host.example/v4")) == ("", 443)
    assert http_text.remote(URL("http://[::1]:8080/v4")) == ("::1", 8080)


def test_a_body_is_written_as_it_is_with_its_length():
    text = http_text.request("PATCH", URL("http://h:1/a?b=%20"), {"Content-Type": "application/json"}, b"{}\xff")
    assert text == (
        b"PATCH /a?b=%20 HTTP/1.1\r\nHost: h:1\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{}\xff"
    )
