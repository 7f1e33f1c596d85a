"""Lines activated in bulk at the rate that a host allows, and how much longer that takes than the rate alone.

The host is our simulator in a process of its own, which answers 429 beyond its rate; it counts every request, reads too. The
gateway paces itself just at that rate. The ideal is the number of requests that the host answered, divided by the rate: that is
the reference, so there are no rounds.
"""

import asyncio
import csv
import multiprocessing
import subprocess
import sys
import time

from support.gateways import ROOT
from support.sim_gateway import SimGateway, card, phone

from simulators.host_api import HostApi
from tests.bench.processes import Failed
from tests.bench.progress import progress

FIGURE = "sims.overhead"
PLAN = "payg-gb"
CHUNK = 1000
JUDGED = 10_000
"""Lines of a bulk from which on its time is held to a floor."""


def measure(options, folder):
    """Run the part, by the command that an operator has; gives its report."""
    context = multiprocessing.get_context("spawn")
    port, summary, stop = context.Queue(), context.Queue(), context.Event()
    process = context.Process(target=_host, args=(options.sims_rate, port, stop, summary))
    process.start()
    try:
        progress(f"sims: activating {options.sims} lines")
        seconds = _activate(folder / "sims", options.sims, options.sims_rate, port.get(timeout=30))
    finally:
        stop.set()
        calls = summary.get(timeout=30)["calls"]
        process.join()
    requests = sum(count for kind, count in calls.items() if kind != "limited")
    rate, ideal = options.sims / seconds, requests / options.sims_rate
    return {
        "rows": {"bulk": {"rate": round(rate), "seconds": round(seconds, 1), "ideal_seconds": round(ideal, 1)}},
        # Of a short bulk, the start of the command and its last look count too much.
        "figures": {FIGURE: round(seconds / ideal, 3)} if options.sims >= JUDGED else {},
        "sizes": {"requests_per_line": round(requests / options.sims, 2), "limited": calls.get("limited", 0)},
        "speeds": [],
        "checks": {},
        "conditions": {"lines": options.sims, "host_rate": options.sims_rate},
    }


def _host(rate, port, stop, summary):
    """The host in its own process: says its port, then its summary when it is to stop."""

    async def run():
        async with HostApi(rate=rate, limit_reads=True) as api:
            port.put(api.port)
            await asyncio.to_thread(stop.wait)
            summary.put(api.summary())

    asyncio.run(run())


def _activate(folder, lines, rate, port):
    """Seconds of `tpo sim bulk`."""
    url = f"http://127.0.0.1:{port}/tmf-api/ServiceActivationAndConfiguration/v4"
    row = f"{{name: home, adapter: tmf640, plans: [{PLAN}], url: '{url}', rate: {rate}, concurrency: 64}}"
    with SimGateway(folder, hosts=[row], provisioning="") as gateway:
        file = asyncio.run(_prepare(gateway, lines))
        command = [
            sys.executable,
            "-m",
            "gateway.cli",
            "--config",
            str(gateway.config),
            "sim",
            "bulk",
            str(file),
            "--json",
        ]
        began = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
    if done.returncode:
        raise Failed(f"tpo sim bulk ended with {done.returncode}: {done.stderr[-2000:]}")
    return seconds


async def _prepare(gateway, lines):
    """Take the cards in, and write the file of orders."""
    for first in range(0, lines, CHUNK):
        await gateway.import_cards([card(n) for n in range(first, min(lines, first + CHUNK))])
    file = gateway.folder / "bulk.csv"
    with file.open("w", newline="") as rows:
        writer = csv.writer(rows)
        writer.writerow(("iccid", "msisdn", "plan"))
        writer.writerows((card(n)["iccid"], phone(n), PLAN) for n in range(lines))
    return file
