"""Osmocom CTRL: frames and replies, and the client against peers of every kind."""

import asyncio
import struct
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import RemoteProtocolError
from provisioning.errors import HostUnavailable
from provisioning.hosts.ctrl import PONG, CtrlClient, CtrlError, CtrlInvalid, Decoder, Reply, Verb, command

PING = b"\x00\x01\xfe\x00"
SECRET = "00112233445566778899aabbccddeeff"


def framed(text):
    payload = b"\x00" + text.encode()
    return struct.pack("!HB", len(payload), 0xEE) + payload


def test_a_command_is_framed():
    assert command("GET 1 rate") == b"\x00\x0b\xee\x00GET 1 rate"


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("GET_REPLY 1 a.info \nid\t1\nimsi\t2", Reply(Verb.GET_REPLY, "1", "a.info", "\nid\t1\nimsi\t2")),
        ("SET_REPLY 2 a.msisdn OK", Reply(Verb.SET_REPLY, "2", "a.msisdn", "OK")),
        ("ERROR 3 No such subscriber.", Reply(Verb.ERROR, "3", "", "No such subscriber.")),
        ("ERROR err Invalid message ID number", Reply(Verb.ERROR, "err", "", "Invalid message ID number")),
        ("TRAP 0 a up", Reply(Verb.TRAP, "0", "a", "up")),
    ],
)
def test_replies_are_read(text, reply):
    assert Decoder().receive(framed(text)) == [reply]


def test_replies_are_read_however_their_octets_are_cut():
    stream = framed("GET_REPLY 1 a 1") + PING + framed("ERROR 2 no")
    decoder, found = Decoder(), []
    for octet in stream:
        found += decoder.receive(bytes((octet,)))
    assert (
        found
        == Decoder().receive(stream)
        == [Reply(Verb.GET_REPLY, "1", "a", "1"), None, Reply(Verb.ERROR, "2", "", "no")]
    )


@pytest.mark.parametrize(
    "octets",
    [
        framed(""),
        framed("GET_REPLY"),
        framed("GET_REPLY 1"),
        framed("GET 1 a"),
        framed("ERROR 1"),
        framed("ERROR 1 é"),
        b"\x00\x02\xee\x05x",
        b"\x00\x00\xee",
        b"\x00\x01\x00\x00",
        b"\xff\xff\xee",
        b"HTTP/1.1 400 Bad Request\r\n",
    ],
)
def test_what_is_no_reply_is_the_peer_s_fault(octets):
    with pytest.raises(CtrlInvalid):
        Decoder().receive(octets + bytes(9000))


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_octets_are_read_or_are_the_peer_s_fault(pieces):
    decoder = Decoder()
    found = []
    with suppress(RemoteProtocolError):
        for piece in pieces:
            found += decoder.receive(piece)
    assert all(reply is None or reply.verb in Verb for reply in found)


def test_a_reply_does_not_print_what_it_carries():
    reply = Reply(Verb.GET_REPLY, "1", "a.info-aud", SECRET)
    assert SECRET not in f"{reply} {reply!r} {[reply]}"


@asynccontextmanager
async def element(script, *, patience=5.0, window=64):
    """A client of a scripted element: `script(reader, writer, asked)` runs on each connection; `asked()` reads a command."""
    failures = []

    async def serve(reader, writer):
        async def asked():
            size, _ = struct.unpack("!HB", await reader.readexactly(3))
            return (await reader.readexactly(size))[1:].decode().split(" ")

        try:
            await script(reader, writer, asked)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went
        except Exception as error:  # noqa: BLE001  (told when the test ends)
            failures.append(error)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = CtrlClient(server.sockets[0].getsockname(), timeout=patience, window=window)
    try:
        yield client
    finally:
        await client.close()
        server.close()
        assert failures == []


async def echo(reader, writer, asked):
    while True:
        verb, message_id, variable, *value = await asked()
        writer.write(framed(f"{verb}_REPLY {message_id} {variable} {value[0] if value else variable}"))


async def test_a_variable_is_read_and_set():
    async with element(echo) as client:
        assert (await client.get("a"), await client.set("b", "7")) == ("a", "7")


async def test_commands_are_sent_before_the_first_is_answered_and_answered_in_any_order():
    async def backwards(reader, writer, asked):
        commands = [await asked() for _ in range(20)]
        for _, message_id, variable in reversed(commands):
            writer.write(framed(f"GET_REPLY {message_id} {variable} {variable}"))
        await reader.read()

    async with element(backwards) as client:
        names = [f"v{n}" for n in range(20)]
        assert await asyncio.gather(*(client.get(name) for name in names)) == names


async def test_no_more_commands_are_on_their_way_than_the_window_allows():
    most = 0

    async def slow(reader, writer, asked):
        nonlocal most
        while True:
            commands = [await asked()]
            await asyncio.sleep(0.002)  # lets more of them come, if the window lets them
            while reader._buffer:
                commands.append(await asked())
            most = max(most, len(commands))
            for _, message_id, variable in commands:
                writer.write(framed(f"GET_REPLY {message_id} {variable} 1"))

    async with element(slow, window=3) as client:
        await asyncio.gather(*(client.get("a") for _ in range(12)))
    assert most == 3


async def test_an_error_is_told_with_its_reason_and_the_connection_goes_on():
    async def refuse_once(reader, writer, asked):
        _, message_id, *_ = await asked()
        writer.write(framed(f"ERROR {message_id} No such subscriber."))
        await echo(reader, writer, asked)

    async with element(refuse_once) as client:
        with pytest.raises(CtrlError) as refused:
            await client.get("a")
        assert (refused.value.reason, str(refused.value)) == ("No such subscriber.", "the element answered ERROR")
        assert await client.get("b") == "b"


async def test_an_error_without_an_id_is_the_oldest_command_s():
    async def unreadable(reader, writer, asked):
        await asked()
        _, message_id, variable = await asked()
        writer.write(framed("ERROR err Invalid message ID number"))
        writer.write(framed(f"GET_REPLY {message_id} {variable} 2"))
        await reader.read()

    async with element(unreadable) as client:
        first, second = await asyncio.gather(client.get("a"), client.get("b"), return_exceptions=True)
    assert (type(first), second) == (CtrlError, "2")


async def test_traps_are_passed_over_and_pings_answered():
    async def chatty(reader, writer, asked):
        _, message_id, variable = await asked()
        writer.write(framed("TRAP 0 a up") + PING)
        assert await reader.readexactly(len(PONG)) == PONG
        writer.write(framed(f"GET_REPLY {message_id} {variable} 1"))
        await reader.read()

    async with element(chatty) as client:
        assert await client.get("a") == "1"


async def test_an_answer_octet_by_octet_is_an_answer():
    async def dribble(reader, writer, asked):
        _, message_id, variable = await asked()
        for octet in framed(f"GET_REPLY {message_id} {variable} 1"):
            writer.write(bytes((octet,)))
            await asyncio.sleep(0)
        await reader.read()

    async with element(dribble) as client:
        assert await client.get("a") == "1"


async def says(writer, text):
    writer.write(text if isinstance(text, bytes) else framed(text))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda i, v: b"\x00\x00\x00\x00garbage", "not CTRL"),
        (lambda i, v: b"\xff\xff\xee" + bytes(70_000), "more than 8192 octets"),
        (lambda i, v: f"GET_REPLY {i}7 {v} 1", "nobody asked"),
        (lambda i, v: "ERROR 999 no", "nobody asked"),
        (lambda i, v: f"GET_REPLY {i} another 1", "something else"),
        (lambda i, v: f"SET_REPLY {i} {v} 1", "something else"),
        (lambda i, v: framed(f"GET_REPLY {i} {v} 1")[:-1], "closed the connection"),
        (lambda i, v: b"", "closed the connection"),
    ],
)
async def test_a_wrong_answer_ends_the_connection_and_the_next_call_dials_again(answer, reason):
    connections = 0

    async def once_wrong(reader, writer, asked):
        nonlocal connections
        connections += 1
        if connections > 1:
            await echo(reader, writer, asked)
        _, message_id, variable = await asked()
        await says(writer, answer(message_id, variable))

    async with element(once_wrong) as client:
        with pytest.raises(HostUnavailable, match=reason):
            await client.get("a")
        assert (await client.get("b"), connections) == ("b", 2)


async def test_an_answer_that_never_comes_fails_all_that_wait_and_the_next_call_dials_again():
    connections = 0

    async def silent_after_one(reader, writer, asked):
        nonlocal connections
        connections += 1
        if connections > 1:
            await echo(reader, writer, asked)
        _, message_id, variable = await asked()
        writer.write(framed(f"GET_REPLY {message_id} {variable} {variable}"))
        await reader.read()

    async with element(silent_after_one) as client:
        assert await client.get("first") == "first"
        client._timeout = 0.05
        ends = await asyncio.gather(*(client.get("a") for _ in range(3)), return_exceptions=True)
        assert {type(end) for end in ends} == {HostUnavailable}
        assert any("did not answer in 0.05 s" in str(end) for end in ends)
        client._timeout = 5.0
        assert await client.get("b") == "b"


async def test_the_late_answer_to_a_cancelled_call_harms_nobody():
    asked_once, go = asyncio.Event(), asyncio.Event()

    async def late(reader, writer, asked):
        _, message_id, variable = await asked()
        asked_once.set()
        await go.wait()
        writer.write(framed(f"GET_REPLY {message_id} {variable} 1"))
        await echo(reader, writer, asked)

    async with element(late) as client:
        call = asyncio.create_task(client.get("a"))
        await asked_once.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        go.set()
        assert await client.get("b") == "b"


async def test_calls_that_wait_for_a_connection_hear_together_that_there_is_none():
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    server.close()
    await server.wait_closed()
    client = CtrlClient(address, timeout=5.0)
    ends = await asyncio.gather(*(client.get("a") for _ in range(5)), return_exceptions=True)
    assert {str(end) for end in ends} == {f"127.0.0.1:{address[1]} was not reached: Connection refused"}


async def test_no_error_carries_what_was_sent_or_answered():
    async def wrong(reader, writer, asked):
        _, message_id, variable, _ = await asked()
        writer.write(framed(f"GET_REPLY {message_id} {variable} {SECRET}"))

    async with element(wrong) as client:
        with pytest.raises(HostUnavailable) as unavailable:
            await client.set("subscriber.by-imsi-234150000000001.aud3g", SECRET)
        error = unavailable.value
        assert not any(text in f"{error!r} {error.__context__!r}" for text in (SECRET, "234150000000001"))
