"""A stranger at the HTTP door, in a process of its own: eight connections at once that do their worst for some seconds.

Run as `python -m support.mad_neighbour PORT KIND SECONDS TOKEN`; prints, as JSON, how often it heard
which status (0: none).
"""

import asyncio
import json
import sys
import time
from collections import Counter
from contextlib import suppress

from support.bombs import bomb

CONNECTIONS = 8
PIECE = bytes(65536)


def head(token, *fields, method="POST", path="/v1/sms"):
    """The head of a request, with the token if there is one."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        *fields,
        *([f"Authorization: Bearer {token}"] if token else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def pieces(kind, token):
    """What a connection of this kind sends, and how long it waits between."""
    if kind == "gzip":
        packed = bomb(800)
        return [head(token, "Content-Encoding: gzip", f"Content-Length: {len(packed)}"), packed], 0
    if kind == "endless":
        chunk = b"10000\r\n" + PIECE + b"\r\n"
        return [head(token, "Transfer-Encoding: chunked"), *[chunk] * 100_000], 0
    if kind == "huge":
        return [head(token, "Content-Length: 99999999999"), *[PIECE] * 100_000], 0
    if kind == "dribble":
        return [head(token, "Content-Length: 100000"), *[b" "] * 100_000], 0.01
    if kind == "unfinished":
        return [head(token)[:-2] + b"X-More: ", *[b"y"] * 100_000], 0.05
    if kind == "noise":
        return [b"\x16\x03\x01\x02\x00\x01" + PIECE[:4096]], 0
    raise ValueError(kind)


async def trouble(port, sent, pause, until, heard):
    """One connection after the other."""
    while time.monotonic() < until:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def speak(writer=writer):
            with suppress(ConnectionError):
                for piece in sent:
                    writer.write(piece)
                    await writer.drain()
                    if pause:
                        await asyncio.sleep(pause)

        speaking = asyncio.create_task(speak())
        status = b""
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(max(until - time.monotonic(), 0.1)):
                status = (await reader.readline()).split(b" ")[1:2]
                status = status[0] if status else b""
        heard[int(status or 0)] += 1
        speaking.cancel()
        with suppress(asyncio.CancelledError):
            await speaking
        writer.transport.abort()


async def main(port, kind, seconds, token=""):
    """All connections, until the time is over."""
    heard = Counter()
    sent, pause = pieces(kind, token)
    print("ready", flush=True)
    until = time.monotonic() + float(seconds)
    await asyncio.gather(*(trouble(int(port), sent, pause, until, heard) for _ in range(CONNECTIONS)))
    print(json.dumps(heard), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
