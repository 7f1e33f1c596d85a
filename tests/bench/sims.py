"""Lines activated a second at the rate that a host allows, and how much longer that takes than the rate alone.

The host is our simulator in a process of its own, which answers 429 beyond its rate; it counts every request, reads too. The
gateway paces itself just at that rate. The ideal is the number of requests that the host answered, divided by the rate.

    python -m tests.bench.sims [--lines 10000] [--rate 400] [--json]
"""

import argparse
import asyncio
import concurrent.futures
import csv
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.gateways import ROOT
from support.sim_gateway import SimGateway, card, phone

from simulators.host_api import HostApi

PLAN = "payg-gb"
TARGET = 1.05
CHUNK = 1000


def host(rate, port, stop, told):
    """The host in its own process: tells its port, then its summary when it is to stop."""

    async def run():
        async with HostApi(rate=rate, limit_reads=True) as api:
            port.put(api.port)
            await asyncio.to_thread(stop.wait)
            told.put((api.url, api.summary()))

    asyncio.run(run())


async def prepare(desk, lines):
    """Take the cards in, and write the file of orders."""
    for first in range(0, lines, CHUNK):
        await desk.import_cards([card(n) for n in range(first, min(lines, first + CHUNK))])
    file = desk.folder / "bulk.csv"
    with file.open("w", newline="") as rows:
        writer = csv.writer(rows)
        writer.writerow(("iccid", "msisdn", "plan"))
        writer.writerows((card(n)["iccid"], phone(n), PLAN) for n in range(lines))
    return file


def measure(lines, rate):
    """Run the bulk by its command; gives the figures."""
    context = multiprocessing.get_context("spawn")
    port, told, stop = context.Queue(), context.Queue(), context.Event()
    process = context.Process(target=host, args=(rate, port, stop, told))
    process.start()
    with tempfile.TemporaryDirectory() as folder:
        url = f"http://127.0.0.1:{port.get(timeout=30)}/tmf-api/ServiceActivationAndConfiguration/v4"
        row = f"{{name: home, adapter: tmf640, plans: [{PLAN}], url: '{url}', rate: {rate}, concurrency: 64}}"
        with SimGateway(folder, hosts=[row], provisioning="") as desk:
            file = asyncio.run(prepare(desk, lines))
            started = time.monotonic()
            command = [
                sys.executable,
                "-m",
                "gateway.cli",
                "--config",
                str(desk.config),
                "sim",
                "bulk",
                str(file),
                "--json",
            ]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            seconds = time.monotonic() - started
            assert done.returncode == 0, done.stderr[-2000:]
    stop.set()
    _, summary = told.get(timeout=30)
    process.join()
    requests = sum(count for kind, count in summary["calls"].items() if kind != "limited")
    limited = summary["calls"].get("limited", 0)
    ideal = requests / rate
    return {
        "lines": lines,
        "seconds": round(seconds, 1),
        "lines_per_second": round(lines / seconds, 1),
        "requests_per_line": round(requests / lines, 2),
        "limited": limited,
        "ideal_seconds": round(ideal, 1),
        "overhead": round(seconds / ideal, 3),
        "target": TARGET,
    }


def main():
    """Measure, and print."""
    options = argparse.ArgumentParser()
    options.add_argument("--lines", type=int, default=10_000)
    options.add_argument("--rate", type=int, default=400)
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        figures = pool.submit(measure, given.lines, given.rate).result()
    print(json.dumps(figures) if given.json else "\n".join(f"{name:20} {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
