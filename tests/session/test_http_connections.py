"""What one HTTP connection may take of us: time for its head and its body, octets of both, and words that are no HTTP."""

import asyncio
import json
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web
from support.patience import PATIENCE

from gateway.api import connections, web_requests
from gateway.api.connections import Listener
from gateway.api.problems import Problem
from gateway.api.web_requests import json_response, problem_response, read_object
from protocols.limits import ConnectionLimits


@asynccontextmanager
async def listening(monkeypatch, *, head=5.0, body=5.0, limits=connections.CONNECTIONS):
    """A listener whose patience is this many seconds; gives a function that connects to it."""
    monkeypatch.setattr(connections, "CONNECTIONS", limits)
    monkeypatch.setattr(connections, "LIMITS", {**connections.LIMITS, "keepalive_timeout": head, "lingering_time": 0.2})
    monkeypatch.setattr(web_requests, "BODY_SECONDS", body)

    async def take(request):
        try:
            return json_response(await read_object(request))
        except Problem as problem:
            response = problem_response(problem.with_traceback(None))
            response.force_close()
            return response

    app = web.Application()
    app.router.add_post("/", take)
    listener = Listener(app)
    port = await listener.on_port("127.0.0.1", 0)
    try:
        yield lambda: asyncio.open_connection("127.0.0.1", port)
    finally:
        await listener.close()


async def heard(reader):
    """The answer until the connection ends: (status, body)."""
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(body)


async def test_a_head_that_does_not_end_is_cut_off_however_it_comes(monkeypatch):
    async with listening(monkeypatch, head=0.4) as connect:
        reader, writer = await connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nX-More: ")

        async def dribble():
            while True:
                writer.write(b"y")
                await asyncio.sleep(0.02)

        dribbling = asyncio.create_task(dribble())
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionResetError):  # what was on its way when it was cut is answered by a reset
                assert await reader.read() == b""
        dribbling.cancel()
        writer.close()


async def test_a_connection_that_says_nothing_is_cut_off(monkeypatch):
    async with listening(monkeypatch, head=0.3) as connect:
        reader, writer = await connect()
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.close()


async def answer_of(reader):
    """The status of one answer with a body, the connection left open."""
    async with asyncio.timeout(PATIENCE):
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
    return int(head.split(b" ")[1])


ASKED = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


async def test_silent_connections_push_each_other_out_and_who_asks_at_once_is_answered(monkeypatch):
    async with listening(
        monkeypatch, head=60.0, limits=ConnectionLimits(half_open=8, half_open_per_address=4)
    ) as connect:
        reader, writer = await connect()
        writer.write(ASKED)
        assert await answer_of(reader) == 200
        silent = [await connect() for _ in range(12)]
        for other, _ in silent[:8]:
            async with asyncio.timeout(PATIENCE):
                assert await other.read() == b""
        late_reader, late_writer = await connect()
        late_writer.write(ASKED)
        assert await answer_of(late_reader) == 200
        writer.write(ASKED)  # a connection that has asked before is not half-open, and stays
        assert await answer_of(reader) == 200
        for _, end in [*silent, (reader, writer), (late_reader, late_writer)]:
            end.close()


async def test_a_head_that_is_not_whole_is_still_half_open_and_makes_room(monkeypatch):
    async with listening(monkeypatch, head=60.0, limits=ConnectionLimits(half_open_per_address=1)) as connect:
        slow_reader, slow_writer = await connect()
        slow_writer.write(ASKED[:20])
        reader, writer = await connect()
        async with asyncio.timeout(PATIENCE):
            assert await slow_reader.read() == b""
        writer.write(ASKED)
        assert await answer_of(reader) == 200
        for end in (slow_writer, writer):
            end.close()


async def test_one_address_gets_so_many_connections_and_no_more_until_one_ends(monkeypatch):
    async with listening(monkeypatch, limits=ConnectionLimits(connections_per_address=2)) as connect:
        ends = [await connect() for _ in range(2)]
        for reader, writer in ends:
            writer.write(ASKED)
            assert await answer_of(reader) == 200
        third, third_writer = await connect()
        async with asyncio.timeout(PATIENCE):
            assert await third.read() == b""
        third_writer.close()
        ends[0][1].close()
        async with asyncio.timeout(PATIENCE):
            while True:
                reader, writer = await connect()
                writer.write(ASKED)
                try:
                    assert await answer_of(reader) == 200
                    break
                except (asyncio.IncompleteReadError, ConnectionError):  # the end of the first is on its way
                    writer.close()
        for _, end in [*ends, (reader, writer)]:
            end.close()


async def test_connections_that_come_and_go_leave_nothing_behind(monkeypatch):
    async with listening(monkeypatch, limits=ConnectionLimits(connections=2)) as connect:
        for number in range(40):
            reader, writer = await connect()
            writer.write([ASKED.replace(b"Host", b"Connection: close\r\nHost"), b"noise\r\n\r\n"][number % 2])
            status, _ = await heard(reader)
            assert status == (400 if number % 2 else 200)
            writer.close()


@pytest.mark.parametrize("field", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
async def test_a_body_that_does_not_come_in_time_is_408(monkeypatch, field):
    async with listening(monkeypatch, body=0.3) as connect:
        reader, writer = await connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n" + field + b"\r\n\r\n")
        status, told = await heard(reader)
        assert (status, told["code"]) == (408, "body.slow")
        writer.close()


async def test_a_body_that_says_that_it_is_too_large_is_413_before_it_comes(monkeypatch):
    async with listening(monkeypatch) as connect:
        reader, writer = await connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8388609\r\n\r\n")
        status, told = await heard(reader)
        assert (status, told["code"]) == (413, "http.413")
        writer.close()


@pytest.mark.parametrize("chunk", [b"zz\r\n", b"5\r\nab", b"ffffffffffffffff1\r\n", b"-1\r\n"])
async def test_chunks_that_are_broken_are_400(monkeypatch, chunk):
    async with listening(monkeypatch) as connect:
        reader, writer = await connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)
        writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 ") or answer == b""  # who has left hears nothing
        assert b"application/problem+json" in answer or answer == b""
        writer.close()


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nX-A: \0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nX-A: " + b"y" * 9000 + b"\r\n\r\n",
        b"POST /" + b"y" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\n" + b"X-A: y\r\n" * 100 + b"\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/9.9\r\nHost: x\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_in_our_own_words_and_closed(monkeypatch, caplog, said):
    async with listening(monkeypatch) as connect:
        reader, writer = await connect()
        writer.write(said)
        status, told = await heard(reader)
        assert (status, told["code"]) == (400, "http.400")
        assert told["detail"].startswith("this is no HTTP request that can be read: send HTTP/1.1")
        writer.close()
    assert caplog.records == []


@pytest.mark.parametrize("coding", [b"gzip", b"gzip, chunked", b"chunked, gzip"])
async def test_a_body_coded_in_transfer_is_never_unpacked(monkeypatch, coding):
    async with listening(monkeypatch) as connect:
        reader, writer = await connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + coding + b"\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
        status, told = await heard(reader)
        assert (status, told["code"]) in [(400, "http.400"), (415, "body.encoding")]
        writer.close()
