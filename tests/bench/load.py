"""The bench's client: one connection, a fixed number of sessions at once, each next request sent when the last is answered."""

import asyncio
import struct
import time

from tests.bench import frames

_SUCCESS = struct.pack(">III", 268, 0x4000000C, 2001)
_TWO = struct.Struct(">II")
_CREDIT_CONTROL, _CAPABILITIES, _WATCHDOG, _DISCONNECT = 272, 257, 280, 282


class Load(asyncio.Protocol):
    """Drives sessions of I, three U and T; `measured` begins and ends by `mark`."""

    def __init__(self, customers, concurrency):
        self._customers = [(imsi.encode(), msisdn.encode()) for imsi, msisdn in customers]
        self._templates = {kind: frames.Template(kind, *customers[0]) for kind in set(frames.STEPS)}
        self._slots = [None] * concurrency
        self._boot = int(time.time())
        self._buffer = b""
        self._out = []
        self._sessions = self._end_to_end = 0
        self._ending = False
        self._busy = 0
        self.ready, self.finished = asyncio.Event(), asyncio.Event()
        self.requests = self.octets = self.refused = 0
        self.latencies = []
        self.first_refusal = b""

    def connection_made(self, transport):
        self._transport = transport
        transport.write(frames.handshake())

    def connection_lost(self, exc):
        self.finished.set()

    def begin(self):
        """Fill every slot."""
        for slot in range(len(self._slots)):
            self._open(slot)
        self._flush()

    def mark(self):
        """Begin to measure afresh."""
        self.latencies = []

    def end(self):
        """Begin no more sessions; `finished` is set when the last has ended."""
        self._ending = True

    def leave(self):
        """Say goodbye."""
        self._transport.write(frames.goodbye())

    def data_received(self, data):
        now = time.perf_counter()
        data = self._buffer + data if self._buffer else data
        position, end = 0, len(data)
        while end - position >= 20:
            size = int.from_bytes(data[position + 1 : position + 4], "big")
            if end - position < size:
                break
            self._receive(data[position : position + size], now)
            position += size
        self._buffer = data[position:]
        self._flush()

    def _receive(self, frame, now):
        command = int.from_bytes(frame[5:8], "big")
        if command == _CREDIT_CONTROL:
            self._answered(frame, now)
        elif command == _CAPABILITIES:
            self.ready.set()
        elif command == _WATCHDOG and frame[4] & 0x80:
            self._out.append(frames.watchdog_answer(*_TWO.unpack_from(frame, 12)))
        elif command == _DISCONNECT:
            self._transport.close()

    def _answered(self, frame, now):
        slot = int.from_bytes(frame[12:16], "big")
        session, step, customer, sent = self._slots[slot]
        self.latencies.append(now - sent)
        self.requests += 1
        self._busy -= 1
        if frame.count(_SUCCESS) != 2:  # the command's and its one MSCC's
            self.refused += 1
            self.first_refusal = self.first_refusal or bytes(frame)
        else:
            self.octets += (0, frames.UPDATE_OCTETS, frames.UPDATE_OCTETS, frames.UPDATE_OCTETS, frames.FINAL_OCTETS)[
                step
            ]
        if step + 1 < len(frames.STEPS):
            self._send(slot, session, step + 1, customer)
        elif not self._ending:
            self._open(slot)
        elif not self._busy:
            self.finished.set()

    def _open(self, slot):
        self._sessions += 1
        self._send(slot, self._sessions, 0, self._customers[self._sessions % len(self._customers)])

    def _send(self, slot, session, step, customer):
        self._end_to_end += 1
        self._busy += 1
        template = self._templates[frames.STEPS[step]]
        self._out.append(template.fill(self._boot, session, step, customer, slot, self._end_to_end))
        self._slots[slot] = (session, step, customer, time.perf_counter())

    def _flush(self):
        if self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()


async def drive(port, customers, concurrency, *, warm_up, seconds, on_start, on_end):
    """Run the load against a port and return it; the two callbacks surround what is measured."""
    _, load = await asyncio.get_running_loop().create_connection(
        lambda: Load(customers, concurrency), "127.0.0.1", port
    )
    async with asyncio.timeout(10):
        await load.ready.wait()
    load.begin()
    await asyncio.sleep(warm_up)
    load.mark()
    on_start()
    await asyncio.sleep(seconds)
    measured = load.latencies
    on_end()
    load.latencies = []
    load.end()
    async with asyncio.timeout(30):
        await load.finished.wait()
    load.leave()
    return load, measured
