"""What becomes of the answers where clients ask for twice what can be answered: goodput, latency, signs of life.

The peak is what sessions of I, three U and T get, 128 at once, each next request sent when the last is answered. Then the same
sessions are offered at twice that rate, whatever comes back: a request counts as answered where 2001 comes within the client's
patience (2 s); who is refused or waits longer gives its session up, as another one begins. The first seconds of each
load are not counted: until it is seen that requests wait for too long, they do. Rounds take turns, so that both loads
meet the same neighbours. Exit code 1 where a goal is missed (GOALS).

    python -m tests.bench.overload [--times 2] [--seconds 6] [--rounds 3] [--lines 1000] [--json]
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import struct
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

from support import neighbours

from protocols.diameter.codec import encode_message
from tests.bench import frames, load, processes

LEAST_GOODPUT, MOST_P99, MOST_LIVEZ, MOST_WATCHDOG = 0.9, 0.5, 1.0, 1.0
GOALS = {
    "goodput": (LEAST_GOODPUT, None),
    "p99_seconds": (None, MOST_P99),
    "livez_seconds": (None, MOST_LIVEZ),
    "watchdog_seconds": (None, MOST_WATCHDOG),
}
"""Least and most of each figure; goodput is a part of the peak."""
AT_ONCE = 128
PATIENCE = 2.0
TICK = 0.004
WARM_UP = 3.0
_SUCCESS = struct.pack(">III", 268, 0x4000000C, 2001)
_WATCHDOG, _CREDIT_CONTROL = 280, 272


class Offered(asyncio.Protocol):
    """Offers requests at a rate of its own: the next step of a session that was answered, else a new session."""

    def __init__(self, customers, rate):
        self._customers = [(imsi.encode(), msisdn.encode()) for imsi, msisdn in customers]
        self._templates = {kind: frames.Template(kind, *customers[0]) for kind in set(frames.STEPS)}
        self._rate, self._boot = rate, int(time.time())
        self._buffer, self._pending, self._ready = b"", {}, deque()
        self._number = self._session = 0
        self._probed_at = None
        self.latencies, self.watchdogs = [], []
        self.sent = self.refused = self.late = 0

    def connection_made(self, transport):
        self._transport = transport
        transport.write(frames.handshake())

    async def run(self, seconds):
        """Offer for so many seconds; what was counted before `WARM_UP` is forgotten."""
        began = told = time.perf_counter()
        offered, warm = 0, False
        while (now := time.perf_counter()) < began + WARM_UP + seconds:
            if not warm and now >= began + WARM_UP:
                warm = True
                self.latencies, self.watchdogs = [], []
                self.sent = self.refused = self.late = 0
            due = int((now - began) * self._rate) - offered
            offered += due
            self._transport.write(b"".join(self._next(now) for _ in range(due)))
            if now >= told + 0.5 and self._probed_at is None:
                told = self._probed_at = now
                self._transport.write(encode_message(0x80, _WATCHDOG, 0, 7, 7, _identity()))
            await asyncio.sleep(max(0.0, TICK - (time.perf_counter() - now)))
        self._give_up(time.perf_counter())
        self._transport.abort()

    def _next(self, now):
        if self._ready:
            session, step, customer = self._ready.popleft()
        else:
            self._session += 1
            session, step, customer = self._session, 0, self._customers[self._session % len(self._customers)]
        self._number += 1
        self.sent += 1
        self._pending[self._number] = session, step, customer, now
        template = self._templates[frames.STEPS[step]]
        return template.fill(self._boot, session, step, customer, self._number, self._number)

    def _give_up(self, now):
        """Count those that were not answered in time; they stand in the order of their sending."""
        for number in list(self._pending):
            if self._pending[number][3] > now - PATIENCE:
                break
            del self._pending[number]
            self.late += 1

    def data_received(self, data):
        now = time.perf_counter()
        self._give_up(now)
        data = self._buffer + data if self._buffer else data
        position, end = 0, len(data)
        while end - position >= 20:
            size = int.from_bytes(data[position + 1 : position + 4], "big")
            if end - position < size:
                break
            self._receive(data[position : position + size], now)
            position += size
        self._buffer = data[position:]

    def _receive(self, frame, now):
        command, number = int.from_bytes(frame[5:8], "big"), int.from_bytes(frame[12:16], "big")
        if command == _WATCHDOG and self._probed_at is not None:
            self.watchdogs.append(now - self._probed_at)
            self._probed_at = None
        elif command == _CREDIT_CONTROL and (asked := self._pending.pop(number, None)) is not None:
            session, step, customer, sent = asked
            if frame.count(_SUCCESS) != 2:  # the command's and its one MSCC's
                self.refused += 1
                return
            self.latencies.append(now - sent)
            if step + 1 < len(frames.STEPS):
                self._ready.append((session, step + 1, customer))


def _identity():
    named = ((264, frames.CLIENT), (296, frames.CLIENT_REALM))
    return b"".join(frames.encode_avp(code, text.encode()) for code, text in named)


async def peak(port, customers, seconds):
    """Requests a second that are answered where each next one waits for its answer."""
    (driven,) = await load.drive([port], customers, AT_ONCE, seconds=seconds)
    return AT_ONCE / statistics.fmean(driven.latencies)  # Little's law: so many are always under way


async def overloaded(port, customers, rate, seconds):
    """Offer that many requests a second; the figures."""
    _, offered = await asyncio.get_running_loop().create_connection(lambda: Offered(customers, rate), "127.0.0.1", port)
    await offered.run(seconds)
    took, waited = sorted(offered.latencies), sorted(offered.watchdogs)
    return {
        "offered_per_second": round(offered.sent / seconds),
        "answered_per_second": round(len(took) / seconds),
        "refused": round(offered.refused / max(1, offered.sent), 3),
        "unanswered": round(offered.late / max(1, offered.sent), 3),
        "p50_seconds": round(took[len(took) // 2], 4) if took else None,
        "p99_seconds": round(took[len(took) * 99 // 100], 4) if took else None,
        "watchdog_seconds": round(waited[-1], 3) if waited else None,
    }


def client(pipe, port, customers):
    """The clients' process: does what it is told, by a loop of its own."""
    while (order := pipe.recv()) is not None:
        name, *arguments = order
        pipe.send(asyncio.run({"peak": peak, "overloaded": overloaded}[name](port, customers, *arguments)))


async def one_round(pipe, gateway, options):
    """The peak, then the overload with a look at /livez beside it."""

    async def ask(*order):
        await asyncio.to_thread(pipe.send, order)
        return await asyncio.to_thread(pipe.recv)

    top = await ask("peak", options.seconds / 2)
    rate = top * options.times
    figures, livez = await asyncio.gather(
        ask("overloaded", rate, options.seconds), neighbours.look(gateway.api, options.seconds + WARM_UP)
    )
    goodput = round(figures["answered_per_second"] / top, 3)
    return {"peak_per_second": round(top), **figures, "livez_seconds": round(livez[-1], 3), "goodput": goodput}


def missed(figures):
    """Name the goals that figures miss; one that was not measured at all is missed."""
    found = []
    for name, (least, most) in GOALS.items():
        value = figures[name]
        if value is None or (least is not None and value < least) or (most is not None and value > most):
            found.append(name)
    return found


def measure(options):
    """Run the rounds on one gateway; gives each round and the medians."""
    context, customers = multiprocessing.get_context("spawn"), frames.lines(options.lines)
    work = options.folder or processes.ROOT / "tests" / ".work"
    work.mkdir(exist_ok=True)
    near, far = context.Pipe()
    with tempfile.TemporaryDirectory(dir=work) as folder:
        gateway = processes.Gateway(Path(folder), customers)
        gateway.import_lines()
        with gateway.running():
            child = context.Process(target=client, args=(far, gateway.port, customers))
            child.start()
            try:
                rounds = [asyncio.run(one_round(near, gateway, options)) for _ in range(options.rounds)]
            finally:
                near.send(None)
                child.join(10)
    known = {name: [each[name] for each in rounds if each[name] is not None] for name in rounds[0]}
    return rounds, {name: round(statistics.median(each), 4) if each else None for name, each in known.items()}


def main():
    """Measure, print, and exit with 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=float, default=2.0, help="how many times the peak is offered (2)")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="where the store is made")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rounds, figures = measure(options)
    faults = missed(figures)
    if options.json:
        print(json.dumps({"rounds": rounds, "median": figures, "missed": faults}))
    else:
        for each in rounds:
            print("  ".join(f"{name} {value}" for name, value in each.items()))
        for name, value in figures.items():
            least, most = GOALS.get(name, (None, None))
            goal = f"   goal: at {'least' if least is not None else 'most'} {least or most}" if name in GOALS else ""
            print(f"{name:22}{value}{goal}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
