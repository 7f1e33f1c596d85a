"""`make bench`: how many durable Credit-Control-Requests a second one gateway answers, at what latency, CPU and disk.

A fresh SQLite store, 10,000 lines, one Diameter connection on loopback, I + 3 U + T with one rating group. In the same run the
same load goes to an echo (`tests.bench.echo`), so that the machine's own speed can be told from the gateway's. Afterwards the
books must be right, and the octets exported must be the octets reported.
"""

import argparse
import csv
import io
import json
import os
import pstats
import sys
import tempfile
from pathlib import Path

import uvloop

from tests.bench import frames, processes
from tests.bench.load import drive

WARM_UP = 3.0
LINES = 10_000
TARGETS = {"ccr_per_second": (5000, "at least"), "cpu_us_per_ccr": (200, "at most"), "p99_ms": (25, "at most")}


def main():
    """Run the bench; exits with 1 where a check fails."""
    options = _options()
    work = processes.ROOT / "tests" / ".work"
    work.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=work) as folder:
        try:
            report = _measure(Path(folder), options)
        except processes.Failed as failure:
            sys.exit(f"bench: {failure}")
    if options.json:
        sys.stdout.write(f"{json.dumps(report, indent=2)}\n")
    else:
        _print(report)
    if options.profile:
        _print_profile(options.profile)
    sys.exit(0 if report["checks"]["ok"] else 1)


def _options():
    parser = argparse.ArgumentParser(prog="python -m tests.bench.charging", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="measured, after a warm-up of 3 s (20)")
    parser.add_argument("--concurrency", type=int, default=64, help="sessions, so requests, at once (64)")
    parser.add_argument("--lines", type=int, default=LINES, help="subscribers (10000)")
    parser.add_argument("--profile", type=Path, help="profile the gateway into FILE; the figures are distorted then")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def _measure(folder, options):
    lines = processes.customers(options.lines)
    profile = options.profile.resolve() if options.profile else None
    gateway = processes.Gateway(folder, lines, profile)
    fsync = processes.fsync_seconds(folder)
    _tell("importing the lines")
    gateway.import_lines()
    with gateway.running():
        before = gateway.checkpoint()
        _tell("driving the gateway")
        figures, load = _drive(gateway.port, gateway.process.pid, lines, options, options.seconds)
        lane = gateway.status()["lane"]
        grown = gateway.checkpoint() - before
    _tell("driving the echo")
    with processes.echo() as (port, pid):
        echo, _ = _drive(port, pid, lines, options, min(options.seconds, 5.0))
    _tell("checking the books")
    return {
        "gateway": figures,
        "disk_octets_per_ccr": round(grown / load.requests),
        "ccr_per_commit": round(load.requests / max(lane["batches"], 1), 1),
        "echo": echo,
        "gateway_to_echo": round(figures["ccr_per_second"] / echo["ccr_per_second"], 3),
        "fsync_ms": {"p50": _ms(fsync, 0.5), "p99": _ms(fsync, 0.99)},
        "conditions": {
            "concurrency": options.concurrency,
            "seconds": options.seconds,
            "lines": options.lines,
            "request_octets": frames.Template(frames.UPDATE, *lines[0]).size,
            "cpus": os.cpu_count(),
            "python": sys.version.split()[0],
            "profiled": profile is not None,
        },
        "checks": _check(gateway, load),
    }


def _drive(port, pid, lines, options, seconds):
    cpu = []

    def note():
        cpu.append(processes.cpu_seconds(pid))

    load, latencies = uvloop.run(
        drive(port, lines, options.concurrency, warm_up=WARM_UP, seconds=seconds, on_start=note, on_end=note)
    )
    if load.refused:
        raise processes.Failed(f"{load.refused} requests refused, the first by {load.first_refusal.hex()}")
    latencies.sort()
    figures = {
        "ccr_per_second": round(len(latencies) / seconds),
        "p50_ms": _ms(latencies, 0.5),
        "p99_ms": _ms(latencies, 0.99),
        "max_ms": _ms(latencies, 1.0),
        "cpu_us_per_ccr": round((cpu[1] - cpu[0]) / len(latencies) * 1e6, 1),
        "cpu_share": round((cpu[1] - cpu[0]) / seconds, 2),
        "requests": load.requests,
    }
    return figures, load


def _check(gateway, load):
    """Prove the books and count the octets, by the commands that an auditor has."""
    books = json.loads(gateway.tpo("ledger", "check", "--json"))
    exported = sum(int(row["octets"]) for row in csv.DictReader(io.StringIO(gateway.tpo("usage", "export"))))
    return {
        "ok": bool(books["ok"]) and exported == load.octets,
        "ledger": bool(books["ok"]),
        "entries": books["entries"],
        "octets_reported": load.octets,
        "octets_exported": exported,
    }


def _ms(times, part):
    return round(times[min(len(times) - 1, int(len(times) * part))] * 1000, 2)


def _print(report):
    gateway, echo, checks = report["gateway"], report["echo"], report["checks"]
    rows = [("", "gateway", "echo", "target")]
    for name in ("ccr_per_second", "cpu_us_per_ccr", "p50_ms", "p99_ms", "max_ms", "cpu_share"):
        target = "{1} {0}".format(*TARGETS[name]) if name in TARGETS else ""
        rows.append((name, str(gateway[name]), str(echo[name]), target))
    for row in rows:
        sys.stdout.write("{:<22}{:>12}{:>12}   {}\n".format(*row))
    fsync = report["fsync_ms"]
    octets = f"{checks['octets_reported']} octets reported, {checks['octets_exported']} exported"
    for name, value in (
        ("gateway / echo", report["gateway_to_echo"]),
        ("disk octets a CCR", report["disk_octets_per_ccr"]),
        ("CCRs a commit", report["ccr_per_commit"]),
        ("fsync of this disk", f"p50 {fsync['p50']} ms, p99 {fsync['p99']} ms"),
        ("ledger check", f"{'right' if checks['ledger'] else 'WRONG'}, {checks['entries']} entries"),
        ("usage", octets + ("" if checks["octets_reported"] == checks["octets_exported"] else ": WRONG")),
        ("conditions", " ".join(f"{key}={value}" for key, value in report["conditions"].items())),
    ):
        sys.stdout.write(f"{name:<22}{value:>12}\n" if not isinstance(value, str) else f"{name:<22}  {value}\n")


def _print_profile(file):
    for part in (file, *sorted(file.parent.glob(f"{file.name}.*"))):
        sys.stdout.write(f"\n{part}: own time\n")
        pstats.Stats(str(part), stream=sys.stdout).strip_dirs().sort_stats("tottime").print_stats(25)


def _tell(text):
    if sys.stderr.isatty():
        sys.stderr.write(f"bench: {text}\n")


if __name__ == "__main__":
    main()
