"""How little a well-behaved peer notices of a neighbour gone mad: latency and goodput of its CCRs, /livez, memory.

For each kind of neighbour a fresh gateway; the good peer sends at a fixed rate, first alone and then beside the neighbour.
Not part of `make bench`: `python -m tests.bench.neighbours [KIND...]`.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from tests.bench import frames, processes
from tests.support import neighbours

EXTRA = """
smpp: {{links: [{{name: mad, host: 127.0.0.1, port: {port}, system_id: tpo, password: secret}}]}}
"""
MQTT = """
events: {{mqtt: {{url: "mqtt://127.0.0.1:{port}"}}}}
"""


def main():
    """Measure each kind, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=neighbours.KINDS)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rate", type=float, default=200.0, help="CCRs a second of the good peer (200)")
    options = parser.parse_args()
    for kind in options.kinds or neighbours.KINDS:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            report = asyncio.run(_measure(Path(folder), kind, options.rate, options.seconds))
        sys.stdout.write(f"{json.dumps({'neighbour': kind, **report})}\n")
        sys.stdout.flush()


async def _measure(folder, kind, rate, seconds):
    lines = frames.lines(20)
    port, extra = processes.free_port(), ""
    if kind not in neighbours.DIAMETER:
        extra = (EXTRA if kind in neighbours.SMSC else MQTT).format(port=port)
    gateway = processes.Gateway(folder, lines, peers=(frames.CLIENT, "mad.host.example"), extra=extra)
    if kind in neighbours.DIAMETER:
        port = gateway.port
    gateway.import_lines()
    async with neighbours.Neighbour(kind, port, seconds + 2, lines[1][0], root=processes.ROOT) as neighbour:
        with gateway.running():
            await asyncio.sleep(1.0)
            quiet = await neighbours.behave(gateway.port, lines[0][0], rate, seconds / 2)
            neighbours.forget_most(gateway.process.pid)
            before, _ = neighbours.resident(gateway.process.pid)
            beside, livez = await asyncio.gather(
                neighbours.behave(gateway.port, lines[0][0], rate, seconds, ready=neighbour.begin),
                neighbours.look(gateway.api, seconds),
            )
            _, most = neighbours.resident(gateway.process.pid)
            told = await neighbour.end()
    return {
        "quiet_ms": _both(quiet),
        "beside_ms": _both(beside),
        "goodput": round(beside.goodput, 3),
        "livez_ms": _ms(livez[-1]),
        "grown_mb": round((most - before) / 1e6, 1),
        "neighbour_mb": {name: round(octets / 1e6, 1) for name, octets in told.items()},
    }


def _both(figures):
    return [_ms(figures.quantile(0.5)), _ms(figures.quantile(0.99))]


def _ms(seconds):
    return None if seconds is None else round(1000 * seconds, 1)


if __name__ == "__main__":
    main()
