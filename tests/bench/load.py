"""The bench's own load program: sessions of I, three U and T, each next request sent when the last one is answered.

    python -m tests.bench.load --connect 127.0.0.1:3868[,...] [options]

It takes the options, and prints the last line, that `make bench CTF=program` expects of a program that takes its place: a JSON
object with what `Answered` reads. One connection a server, one rating group. A program in a compiled language costs the machine
less, and leaves more of it to what is measured.
"""

import argparse
import asyncio
import json
import struct
import subprocess
import sys
import time
from dataclasses import dataclass

import uvloop

from tests.bench import frames

_SUCCESS = struct.pack(">III", 268, 0x4000000C, 2001)
_TWO = struct.Struct(">II")
_CREDIT_CONTROL, _CAPABILITIES, _WATCHDOG, _DISCONNECT = 272, 257, 280, 282
_STEP_OCTETS = (0, frames.UPDATE_OCTETS, frames.UPDATE_OCTETS, frames.UPDATE_OCTETS, frames.FINAL_OCTETS)
OWN = (sys.executable, "-m", "tests.bench.load")


@dataclass(frozen=True)
class Answered:
    """What a load program says of its run: requests answered, octets that it reported, latencies in milliseconds."""

    answers: int
    elapsed_s: float
    p50_ms: float
    p99_ms: float
    used_octets: int
    unknown_octets: int
    """Reported in requests that were never answered."""
    ok: bool
    """Whether everything was answered, and rightly."""


def run(program, ports, *, lines, seconds, concurrency, cwd):
    """Run a load program against these servers of 127.0.0.1 and give what it says; CalledProcessError where it says nothing."""
    options = {
        "connect": ",".join(f"127.0.0.1:{port}" for port in ports),
        "peers": len(ports),
        "origin-host": frames.CLIENT if len(ports) == 1 else "pgw-%d.host.example",
        "origin-realm": frames.CLIENT_REALM,
        "dest-realm": frames.SERVER_REALM,
        "subs": lines,
        "sub-base": frames.line(0)[1],
        "imsi-base": frames.line(0)[0],
        "updates": 3,
        "rating-groups": frames.RATING_GROUP,
        "used-octets": frames.UPDATE_OCTETS,
        "concurrency": concurrency,
        "sessions": 1_000_000_000,
        "duration": seconds,
    }
    command = [*program, "--quiet", *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    last = done.stdout.strip().rpartition("\n")[2]
    if not last.startswith("{"):
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    said = json.loads(last)
    return Answered(**{name: said[name] for name in Answered.__annotations__})


class Load(asyncio.Protocol):
    """One connection, and so many sessions at once."""

    def __init__(self, customers, concurrency, origin_host=frames.CLIENT):
        self._customers = [(imsi.encode(), msisdn.encode()) for imsi, msisdn in customers]
        self._origin_host = origin_host
        self._templates = {kind: frames.Template(kind, *customers[0], origin_host) for kind in set(frames.STEPS)}
        self._slots = [None] * concurrency
        self._boot = int(time.time() * 10) % 10**10  # runs may follow each other within a second
        self._buffer = b""
        self._out = []
        self._sessions = self._end_to_end = 0
        self._ending = False
        self._busy = 0
        self.ready, self.finished = asyncio.Event(), asyncio.Event()
        self.octets = self.refused = 0
        self.done = False
        self.latencies = []
        self.first_refusal = b""

    def connection_made(self, transport):
        self._transport = transport
        transport.write(frames.handshake(self._origin_host))

    def connection_lost(self, exc):
        self.finished.set()

    def begin(self):
        """Fill every slot."""
        for slot in range(len(self._slots)):
            self._open(slot)
        self._flush()

    def end(self):
        """Begin no more sessions; `finished` is set when the last has ended."""
        self._ending = True

    def leave(self):
        """Say goodbye."""
        self._transport.write(frames.goodbye(self._origin_host))

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
            self._out.append(frames.watchdog_answer(self._origin_host, *_TWO.unpack_from(frame, 12)))
        elif command == _DISCONNECT:
            self._transport.close()

    def _answered(self, frame, now):
        slot = int.from_bytes(frame[12:16], "big")
        session, step, customer, sent = self._slots[slot]
        self.latencies.append(now - sent)
        self._busy -= 1
        if frame.count(_SUCCESS) != 2:  # the command's and its one MSCC's
            self.refused += 1
            self.first_refusal = self.first_refusal or bytes(frame)
        else:
            self.octets += _STEP_OCTETS[step]
        if step + 1 < len(frames.STEPS):
            self._send(slot, session, step + 1, customer)
        elif not self._ending:
            self._open(slot)
        elif not self._busy:
            self.done = True
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


async def drive(ports, customers, concurrency, *, seconds):
    """Run the load against these ports, and give the connections, which hold what was measured."""
    loop, hosts = asyncio.get_running_loop(), (frames.CLIENT,) if len(ports) == 1 else frames.CLIENTS
    loads = []
    for number, (port, host) in enumerate(zip(ports, hosts, strict=True)):
        load = Load(customers[number :: len(ports)], concurrency // len(ports), host)
        await loop.create_connection(lambda load=load: load, "127.0.0.1", port)
        loads.append(load)
    async with asyncio.timeout(10):
        await asyncio.gather(*(load.ready.wait() for load in loads))
    for load in loads:
        load.begin()
    await asyncio.sleep(seconds)
    for load in loads:
        load.end()
    async with asyncio.timeout(30):
        await asyncio.gather(*(load.finished.wait() for load in loads))
    for load in loads:
        load.leave()
    return loads


def main():
    """Run the load that the options ask for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load", description=__doc__)
    parser.add_argument("--connect", required=True, help="HOST:PORT of each server, with commas between them")
    parser.add_argument("--subs", type=int, default=1000, help="subscribers (1000)")
    parser.add_argument("--concurrency", type=int, default=64, help="sessions, so requests, at once (64)")
    parser.add_argument("--duration", type=float, default=10.0, help="seconds until no session begins any more (10)")
    options, _fixed = parser.parse_known_args()
    ports = [int(address.rpartition(":")[2]) for address in options.connect.split(",")]
    began = time.perf_counter()
    loads = uvloop.run(drive(ports, frames.lines(options.subs), options.concurrency, seconds=options.duration))
    elapsed = time.perf_counter() - began
    latencies = sorted(latency for load in loads for latency in load.latencies)
    refusals = [load.first_refusal.hex() for load in loads if load.refused]
    sys.stderr.writelines(f"refused, the first one by {refusal}\n" for refusal in refusals)
    answered = Answered(
        answers=len(latencies),
        elapsed_s=elapsed,
        p50_ms=_ms(latencies, 0.5),
        p99_ms=_ms(latencies, 0.99),
        used_octets=sum(load.octets for load in loads),
        unknown_octets=0,
        ok=not refusals and all(load.done for load in loads),
    )
    sys.stdout.write(f"{json.dumps(vars(answered))}\n")
    sys.exit(0 if answered.ok else 1)


def _ms(times, part):
    return round(times[min(len(times) - 1, int(len(times) * part))] * 1000, 2)


if __name__ == "__main__":
    main()
