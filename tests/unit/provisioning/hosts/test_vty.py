"""Osmocom's VTY: what is text and where the prompt is, and the client against peers of every kind."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError, RemoteProtocolError
from provisioning.errors import HostUnavailable
from provisioning.hosts import vty
from provisioning.hosts.vty import CommandUnknown, Screen, Telnet, VtyClient, VtyInvalid

GREETING = b'Welcome to the OsmoHLR VTY interface\r\n\r\n\xff\xfb\x01\xff\xfb\x03\xff\xfe"\xff\xfd\x1fOsmoHLR> '


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"plain", "plain"),
        (b"a\xff\xfb\x01b\xff\xfe\x22c", "abc"),
        (b"a\xff\xffb", "aÿb"),
        (b"a\xff\xf1b", "ab"),
        (b"a\xff\xfa\x1f\x00P\xff\xff\x18\xff\xf0b", "ab"),
        (b"a\xff\xfa never ends", "a"),
    ],
)
def test_telnet_s_own_commands_are_taken_out_however_they_are_cut(octets, text):
    whole, piece = Telnet(), Telnet()
    assert whole.receive(octets) == text
    assert "".join(piece.receive(bytes((octet,))) for octet in octets) == text


@pytest.mark.parametrize(
    ("printed", "sign"),
    [
        (GREETING, ">"),
        (b"enable\r\nOsmoHLR# ", "#"),
        (b"subscriber imsi 1 show\r\n% No subscriber for imsi = '1'\r\nOsmoHLR# ", "#"),
        (b"OsmoHLR# ", "#"),
    ],
)
def test_a_prompt_ends_what_is_printed(printed, sign):
    screen = Screen()
    assert [screen.receive(bytes((octet,))) for octet in printed[:-1]] == [None] * (len(printed) - 1)
    assert screen.receive(printed[-1:])[1] == sign


@pytest.mark.parametrize("printed", [b"Password: ", b"a OsmoHLR# ", b"OsmoHLR#", b"OsmoHLR# x", b"--More-- "])
def test_what_is_no_prompt_ends_nothing(printed):
    assert Screen().receive(printed) is None


def test_what_was_printed_before_the_last_prompt_is_forgotten():
    screen = Screen()
    screen.receive(GREETING)
    assert screen.receive(b"enable\r\nOsmoHLR# ") == ("enable\r\nOsmoHLR# ", "#")


def test_an_endless_text_is_the_peer_s_fault():
    screen = Screen()
    for _ in range(32):
        screen.receive(b"x" * 1024)
    with pytest.raises(VtyInvalid):
        screen.receive(b"x")


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_any_octets_are_read_or_are_the_peer_s_fault(pieces):
    screen = Screen()
    found = []
    with suppress(RemoteProtocolError):
        found += [screen.receive(piece) for piece in pieces]
    assert all(each is None or each[1] in ">#" for each in found)


@asynccontextmanager
async def element(script, *, patience=5.0):
    """A client of a scripted element: `script(reader, writer)` runs on each connection."""
    failures = []

    async def serve(reader, writer):
        try:
            await script(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went
        except Exception as error:  # noqa: BLE001  (told when the test ends)
            failures.append(error)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = VtyClient(server.sockets[0].getsockname(), timeout=patience)
    try:
        yield client
    finally:
        await client.close()
        server.close()
        assert failures == []


async def greet(reader, writer):
    writer.write(GREETING)
    assert await reader.readuntil(b"\n") == b"enable\n"
    writer.write(b"enable\r\nOsmoHLR# ")


def answering(answer, typed=None):
    """Greet, then give the same answer to every command; the commands are collected."""

    async def script(reader, writer):
        await greet(reader, writer)
        while True:
            line = await reader.readuntil(b"\n")
            if typed is not None:
                typed.append(line.decode().strip())
            for octet in line.strip() + b"\r\n" + answer + b"OsmoHLR# ":
                writer.write(bytes((octet,)))
                await asyncio.sleep(0)

    return script


async def test_commands_go_one_after_the_other_over_one_enabled_connection():
    typed = []
    async with element(answering(b"% Updated\r\n", typed)) as client:
        await asyncio.gather(*(client.command(f"show {n}") for n in range(10)))
    assert typed == [f"show {n}" for n in range(10)]


@pytest.mark.parametrize("words", ["Unknown command.", "Ambiguous command.", "Command incomplete."])
async def test_an_unknown_command_is_told_and_the_connection_goes_on(words):
    async with element(answering(f"% {words}\r\n".encode())) as client:
        for _ in range(2):
            with pytest.raises(CommandUnknown):
                await client.command("subscriber")


@pytest.mark.parametrize("line", ["", "show\nenable", "show\r", "show ?", "show\t", "a;b", "x" * 201, "sh\u00f6w"])
async def test_what_is_no_command_line_is_not_sent(line):
    async with element(answering(b"")) as client:
        with pytest.raises(LocalProtocolError):
            await client.command(line)


async def at_once_gone(reader, writer):
    writer.write(b"Welcome")


async def not_enabled(reader, writer):
    writer.write(GREETING)
    await reader.readuntil(b"\n")
    writer.write(b"enable\r\n% No enable password set\r\nOsmoHLR> ")
    await reader.read()


async def gone_amid_an_answer(reader, writer):
    await greet(reader, writer)
    await reader.readuntil(b"\n")
    writer.write(b"show\r\n% Upda")


async def endless(reader, writer):
    await greet(reader, writer)
    while True:
        writer.write(b"noise\r\n" * 1000)
        await writer.drain()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (at_once_gone, "closed the connection|was lost"),
        (not_enabled, "does not let us enable"),
        (gone_amid_an_answer, "closed the connection|was lost"),
        (endless, "more than 32768|something unasked"),
    ],
)
async def test_a_wrong_answer_ends_the_connection_and_the_next_call_dials_again(script, reason):
    connections = 0

    async def once_wrong(reader, writer):
        nonlocal connections
        connections += 1
        await (script if connections == 1 else answering(b""))(reader, writer)

    async with element(once_wrong) as client:
        with pytest.raises(HostUnavailable, match=reason):
            await client.command("show")
        await client.command("show")
    assert connections == 2


async def silent_from_the_first(reader, writer):
    await reader.read()


async def silent_amid(reader, writer):
    await greet(reader, writer)
    await reader.read()


@pytest.mark.parametrize("script", [silent_from_the_first, silent_amid])
async def test_a_prompt_that_never_comes_fails_all_that_wait_at_once(script):
    connections = 0

    async def counted(reader, writer):
        nonlocal connections
        connections += 1
        await script(reader, writer)

    async with element(counted, patience=0.5) as client:
        ends = await asyncio.gather(*(client.command("show") for _ in range(5)), return_exceptions=True)
    assert {str(end).partition(": ")[2] for end in ends} == {"its prompt did not come back in 0.5 s"}
    assert connections == 1


@pytest.mark.parametrize("octets", [b"x", b"\xff\xf1"], ids=["text", "telnet's NOP"])
async def test_a_list_that_goes_on_for_ever_is_waited_for_no_longer_than_a_list_may_take(octets, monkeypatch):
    monkeypatch.setattr(vty, "_LIST_SECONDS", 0.2)

    async def dripping(reader, writer):
        await greet(reader, writer)
        while True:
            writer.write(octets)
            await writer.drain()
            await asyncio.sleep(0.01)

    async with element(dripping) as client:
        with pytest.raises(HostUnavailable, match=r"did not come back in 0\.2 s"):
            await client.listing("show subscribers all")


async def test_a_cancelled_command_s_prompt_is_never_taken_for_another_s():
    connections, typed = 0, asyncio.Event()

    async def slow(reader, writer):
        nonlocal connections
        connections += 1
        if connections > 1:
            await answering(b"")(reader, writer)
        await greet(reader, writer)
        await reader.readuntil(b"\n")
        typed.set()
        await reader.read()

    async with element(slow) as client:
        call = asyncio.create_task(client.command("show"))
        await typed.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await client.command("show")
    assert connections == 2


async def test_a_connection_that_speaks_unasked_is_left():
    connections, spoken, left = 0, asyncio.Event(), asyncio.Event()

    async def talkative(reader, writer):
        nonlocal connections
        connections += 1
        if connections > 1:
            await answering(b"")(reader, writer)
        await greet(reader, writer)
        await reader.readuntil(b"\n")
        writer.write(b"show\r\nOsmoHLR# ")
        await writer.drain()
        await spoken.wait()
        writer.write(b"a log line\r\n")
        with suppress(ConnectionError):
            assert await reader.read() == b""
        left.set()

    async with element(talkative) as client:
        await client.command("show")
        spoken.set()
        await left.wait()
        await client.command("show")
    assert connections == 2
