"""Neighbours of the gateway that have gone mad, each in a process of its own, and the good peer that shall not notice.

`python -m support.neighbours KIND PORT SECONDS` says "ready" once it listens (a message centre, a broker) or could dial (a
Diameter peer), waits for a line, does its worst for so many seconds, and prints as JSON how many octets it sent and got.
"""

import asyncio
import contextlib
import json
import os
import struct
import sys
import threading
import time
from pathlib import Path

import msgspec

from protocols.diameter.codec import encode_avp, encode_message
from protocols.diameter.generated import encode
from protocols.diameter.messages import (
    CapabilitiesExchangeRequest,
    CreditControlRequest,
    DeviceWatchdogRequest,
    MultipleServicesCreditControl,
    RequestedServiceUnit,
    SubscriptionId,
)
from protocols.smpp.generated import encode as encode_pdu
from protocols.smpp.messages import BindTransceiverResp, DeliverSm, EnquireLink

MAD, GOOD = "mad.host.example", "pgw.host.example"
REALM = "host.example"
SESSION = b"%b;%010d;%010d"
DIAMETER = ("ccr", "dwr", "unknown", "broken", "answers")
SMSC = ("deliver", "enquire", "nonsense")
BROKER = ("large-publish", "publish-flood")
KINDS = (*DIAMETER, *SMSC, *BROKER)
BURST = 500
"""Messages a write."""
_SUCCESS = struct.pack(">III", 268, 0x4000000C, 2001)
_LIMITED = struct.pack(">III", 268, 0x4000000C, 4012)


def cer(host):
    """A CER of a peer that speaks credit control."""
    body = CapabilitiesExchangeRequest(
        origin_host=host,
        origin_realm=REALM,
        host_ip_address=(b"\0\1\x7f\0\0\1",),
        vendor_id=0,
        product_name="neighbour",
        auth_application_id=(4,),
    )
    return encode_message(0x80, 257, 0, 1, 1, encode(body))


class Sessions:
    """CCR-I frames of one peer and one subscriber, each of a session of its own."""

    def __init__(self, host, imsi, first=0):
        self._next = first
        self._host, self._boot = host.encode(), int(time.time())
        wanted = RequestedServiceUnit(cc_total_octets=1000)
        request = CreditControlRequest(
            session_id=SESSION % (self._host, 0, 0),
            origin_host=host,
            origin_realm=REALM,
            destination_realm="tpo.example",
            auth_application_id=4,
            service_context_id="32251@3gpp.org",
            cc_request_type=1,
            cc_request_number=0,
            subscription_id=(SubscriptionId(1, imsi),),
            multiple_services_credit_control=(
                MultipleServicesCreditControl(requested_service_unit=wanted, rating_group=10),
            ),
        )
        self._frame = encode_message(0xC0, 272, 4, 0, 0, encode(request))
        self._at = self._frame.index(SESSION % (self._host, 0, 0))

    def take(self):
        """The next frame; its Hop-by-Hop Identifier is its number."""
        self._next += 1
        name = SESSION % (self._host, self._boot, self._next)
        frame = self._frame
        ids = struct.pack(">II", self._next, self._next)
        return frame[:12] + ids + frame[20 : self._at] + name + frame[self._at + len(name) :]


# The mad ones


def _diameter(kind, imsi):
    """What a mad Diameter peer writes at once."""
    sessions = Sessions(MAD, imsi)
    dwr = encode_message(0x80, 280, 0, 7, 7, encode(DeviceWatchdogRequest(origin_host=MAD, origin_realm=REALM)))
    broken = encode_message(0xC0, 272, 4, 7, 7, encode_avp(264, MAD.encode()) + encode_avp(263, b"x" * 50) + b"\0" * 8)
    same = {
        "dwr": dwr,
        "unknown": encode_message(0xC0, 999, 4, 7, 7, encode_avp(264, MAD.encode())),
        "broken": broken,
        "answers": encode_message(0x40, 272, 4, 7, 7, b""),
    }
    while True:
        yield b"".join(sessions.take() for _ in range(BURST)) if kind == "ccr" else same[kind] * BURST


def _smsc(kind):
    """What a mad message centre writes at once."""
    number = 0
    while True:
        pdus = []
        for _ in range(BURST):
            number += 1
            if kind == "deliver":
                message = DeliverSm(
                    source_addr=f"4477{number % 100_000_000:08d}", destination_addr="70071", short_message=b"hello"
                )
                pdus.append(encode_pdu(message, number))
            elif kind == "enquire":
                pdus.append(encode_pdu(EnquireLink(), number))
            else:
                pdus.append(struct.pack(">IIII", 16, 0x777, 0, number))
        yield b"".join(pdus)


def _publish():
    topic = b"\0\1t"
    body = topic + b"\0" + bytes(200)
    return b"\x30" + bytes([len(body) & 0x7F | 0x80, len(body) >> 7]) + body


def _broker(kind):
    """What a mad broker writes at once, after its CONNACK."""
    if kind == "large-publish":
        yield b"\x30\xff\xff\xff\x7f"  # 256 MiB less one octet
        while True:
            yield bytes(1 << 20)
    while True:
        yield _publish() * BURST


class Flood:
    """Writes what a kind has to say as fast as it is taken, and drops what comes."""

    def __init__(self, seconds):
        self.seconds, self.until = seconds, 0.0
        self.sent = self.got = 0

    async def run(self, reader, writer, pieces):
        reading = asyncio.create_task(self._read(reader))
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                if time.monotonic() >= self.until:
                    break
                writer.write(piece)
                self.sent += len(piece)
                await asyncio.wait_for(writer.drain(), max(0.1, self.until - time.monotonic()))
                await asyncio.sleep(0)
        reading.cancel()
        writer.transport.abort()

    async def _read(self, reader):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 18):
                self.got += len(data)


async def _main(kind, port, seconds, imsi):
    flood, go = Flood(seconds), asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait():
        sys.stdin.readline()
        loop.call_soon_threadsafe(go.set)

    async def attend(reader, writer):
        if kind in SMSC:
            head = await reader.readexactly(16)
            await reader.readexactly(int.from_bytes(head[:4], "big") - 16)
            writer.write(encode_pdu(BindTransceiverResp(system_id="mad"), int.from_bytes(head[12:], "big")))
        else:
            await reader.read(4096)
            writer.write(b"\x20\x03\0\0\0")
        await go.wait()
        with contextlib.suppress(TimeoutError):
            await flood.run(reader, writer, _smsc(kind) if kind in SMSC else _broker(kind))

    if kind not in DIAMETER:
        await asyncio.start_server(attend, "127.0.0.1", port)
    print("ready", flush=True)
    threading.Thread(target=wait, daemon=True).start()
    await go.wait()
    flood.until = time.monotonic() + seconds
    while kind in DIAMETER and time.monotonic() < flood.until:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(cer(MAD))
            head = await reader.readexactly(4)
            await reader.readexactly(int.from_bytes(head[1:], "big") - 4)
            await flood.run(reader, writer, _diameter(kind, imsi))
    await asyncio.sleep(max(0.0, flood.until - time.monotonic()))
    print(json.dumps({"sent": flood.sent, "got": flood.got}), flush=True)


# The good one


class Figures(msgspec.Struct):
    """What the good peer saw: requests sent, and the seconds of each that was answered with success in time."""

    sent: int
    seconds: list[float]

    def quantile(self, share):
        """Seconds within which this share of the answered was."""
        return self.seconds[min(int(len(self.seconds) * share), len(self.seconds) - 1)] if self.seconds else None

    @property
    def goodput(self):
        """The share of its requests that were answered in time."""
        return len(self.seconds) / self.sent


async def behave(port, imsi, rate, seconds, *, ready=lambda: None, in_time=1.0):
    """Send CCR-I at a fixed rate, whatever comes back; `ready` is called once the connection is open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(cer(GOOD))
    head = await reader.readexactly(4)
    await reader.readexactly(int.from_bytes(head[1:], "big") - 4)
    ready()
    due, took = {}, []
    sessions = Sessions(GOOD, imsi, first=time.monotonic_ns() // 1000 % 1_000_000_000)

    async def read():
        while True:
            head = await reader.readexactly(4)
            frame = head + await reader.readexactly(int.from_bytes(head[1:], "big") - 4)
            if frame[4] & 0x80:
                writer.write(encode_message(0, 280, 0, *struct.unpack_from(">II", frame, 12), b""))
                continue
            at = due.pop(frame[12:16], None)
            passed = time.monotonic() - at if at is not None else in_time
            if passed < in_time and (_SUCCESS in frame or _LIMITED in frame):
                took.append(passed)

    reading, begun, sent = asyncio.create_task(read()), time.monotonic(), 0
    while sent < rate * seconds:
        await asyncio.sleep(max(0.0, begun + sent / rate - time.monotonic()))
        frame = sessions.take()
        due[frame[12:16]] = begun + sent / rate
        writer.write(frame)
        sent += 1
    until = time.monotonic() + in_time
    while due and time.monotonic() < until and not reading.done():  # noqa: ASYNC110 - answers have no event
        await asyncio.sleep(0.01)
    reading.cancel()
    writer.close()
    return Figures(sent, sorted(took))


async def look(port, seconds):
    """Ask /livez five times a second: the seconds of each, the longest last; 5.0 where nothing came."""
    took, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        begun, passed = time.monotonic(), 5.0
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n" % port)
                if (await reader.readline()).split(b" ")[1] == b"200":
                    passed = time.monotonic() - begun
                writer.close()
        took.append(passed)
        await asyncio.sleep(max(0.0, 0.2 - passed))
    return sorted(took)


def resident(pid):
    """Octets of memory of a process: now, and the most there ever were since `forget_most`."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) * 1024, int(lines["VmHWM"].split()[0]) * 1024


def forget_most(pid):
    """Let the memory that a process has now be the most there ever was (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


class Neighbour:
    """One mad neighbour in its process."""

    def __init__(self, kind, port, seconds, imsi="0", *, root):
        self._command = [sys.executable, "-m", "support.neighbours", kind, str(port), str(seconds), imsi]
        self._root = root

    async def __aenter__(self):
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, cwd=self._root / "tests", env=environment(self._root)
        )
        assert await self._process.stdout.readline() == b"ready\n"
        return self

    def begin(self):
        """Let it do its worst."""
        self._process.stdin.write(b"go\n")

    async def end(self):
        """Wait for its end: what it sent and got, in octets."""
        return json.loads(await self._process.stdout.read())

    async def __aexit__(self, *_):
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()


def environment(root):
    """Of a neighbour's process: it finds the protocols of this tree."""
    return {**os.environ, "PYTHONPATH": f"{root}"}


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
