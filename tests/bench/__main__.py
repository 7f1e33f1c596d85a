"""`make bench`: charging requests and texts, each beside its reference in the same run; ratios, and CPU in turns.

    python -m tests.bench [charging] [texts] [sims] [bills] [month] [proof] [options]

Ends with 1 where a ratio misses its floor (tests/bench/floors.yaml) or the books are wrong, with 2 where it cannot measure.
"""

import argparse
import os
import pstats
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import bills, charging, floors, month, processes, proof, record, report, sims, texts
from tests.support import postgres

PARTS = {"charging": charging, "texts": texts, "sims": sims, "bills": bills, "month": month, "proof": proof}
BY_DEFAULT = ("charging", "texts")


def main(words=None):
    """Measure, print, record if asked; gives the exit code."""
    options = parse(words)
    work = processes.ROOT / "tests" / ".work"
    work.mkdir(exist_ok=True)
    bounds = floors.load()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=work) as folder:
        try:
            found = _measure(options, Path(folder), bounds)
        except processes.Failed as failure:
            sys.stderr.write(f"bench: {failure}\n")
            return 2
    if options.json:
        report.write_json(found, sys.stdout)
    else:
        report.write(found, bounds, sys.stdout)
    if options.profile:
        _write_profile(options.profile)
    if options.record:  # before the exit code says anything of floors: a missed one is worth recording, too
        record.record(found, f"{datetime.now(UTC):%Y-%m-%d}", record.commit(), record.FILE)
    return report.exit_code(found)


def parse(words=None):
    """The options; ends the process with 2 where one is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help="charging, texts, sims, bills, month, proof (charging texts)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="of each part (5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="that a round drives each charging server (3)")
    parser.add_argument("--concurrency", type=int, default=64, help="charging sessions, so requests, at once (64)")
    parser.add_argument("--ctf", default="", help="a load program that takes the place of tests.bench.load")
    parser.add_argument(
        "--reference", default="", help="command of a Diameter server to compare with; {port} is where it is to listen"
    )
    parser.add_argument("--lines", type=_numbers, default=[1000], help="lines of the store, several with commas (1000)")
    parser.add_argument(
        "--stores", type=_names, default=None, help="sqlite,postgresql (both, if PostgreSQL is installed)"
    )
    parser.add_argument("--gateways", type=int, default=2, help="on one PostgreSQL, beside a single one (2); 1: none")
    parser.add_argument(
        "--lanes", type=_names, default=[], help="store.lane of each gateway: process,thread (its default)"
    )
    parser.add_argument("--texts", type=int, default=4000, help="a round, each way (4000)")
    parser.add_argument(
        "--rows", type=lambda text: _numbers(text)[0], default=1_000_000, help="entries whose proof is timed (1000000)"
    )
    parser.add_argument("--sims", type=int, default=10_000, help="lines activated in bulk (10000)")
    parser.add_argument("--sims-rate", type=int, default=400, help="requests a second that the host allows (400)")
    parser.add_argument(
        "--profile", type=Path, help="profile the first gateway into FILE; its figures are distorted then"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--record", action="store_true", help="write the figures into docs/performance.md")
    options = parser.parse_args(words)
    options.parts = options.parts or list(BY_DEFAULT)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if options.gateways not in {1, 2}:
        parser.error("--gateways: 1 or 2")
    if options.record and options.profile:
        parser.error("figures of a profiled gateway are not recorded")
    if options.ctf and not os.access(options.ctf, os.X_OK):
        parser.error(
            f"CTF={options.ctf} is no program: give the path of a built one, or leave it out for the Python client"
        )
    options.stores = _stores(parser, options.stores)
    return options


def _stores(parser, asked):
    """The stores to measure on: PostgreSQL if it is there, and an error if it was asked for and is not."""
    if asked is None:
        return ["sqlite", "postgresql"] if postgres.BINARIES else ["sqlite"]
    if not asked or set(asked) - {"sqlite", "postgresql"}:
        parser.error("--stores: sqlite, postgresql, or both with a comma")
    if "postgresql" in asked and not postgres.BINARIES:
        parser.error("PostgreSQL is not installed: apt-get install postgresql, or STORES=sqlite")
    return sorted(asked, reverse=True)  # sqlite first, which the other is compared with


def _measure(options, folder, bounds):
    before, own, began = processes.busy_seconds(), processes.cpu_seconds(os.getpid()), time.monotonic()
    parts = {name: PARTS[name].measure(options, folder) for name in options.parts}
    used = processes.cpu_seconds(os.getpid()) - own + sum(part.pop("database_cpu", 0.0) for part in parts.values())
    speeds = [speed for part in parts.values() for speed in part.pop("speeds")]
    seen = report.machine(before, processes.busy_seconds(), time.monotonic() - began, used, speeds)
    return report.assemble(parts, seen, bounds)


def _write_profile(file):
    for part in (file, *sorted(file.parent.glob(f"{file.name}.*"))):
        sys.stdout.write(f"\n{part}: own time\n")
        pstats.Stats(str(part), stream=sys.stdout).strip_dirs().sort_stats("tottime").print_stats(25)


def _numbers(text):
    return [int(word.replace("_", "")) for word in text.split(",")]


def _names(text):
    return [word.strip() for word in text.split(",") if word.strip()]


if __name__ == "__main__":
    sys.exit(main())
