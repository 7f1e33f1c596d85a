"""What grows with the operator: an import of many lines, and a start over many open sessions and queued texts.

Imported by the command, twice: new, then as a repeat in which every row is unchanged. The sessions and texts are then put
into that store as rows; measured are the seconds from `tpo run` to a 200 of /readyz, the memory that the gateway takes until
then and at most, and how many texts a second leave by one link (window 64) while the rest waits. Ends with 1 where a goal is
missed (GOALS).

    python -m tests.bench.scale [--lines 300000] [--sessions 100000] [--texts 1000000] [--seconds 10] [--store postgresql]
"""

import argparse
import itertools
import json
import resource
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import msgspec
from support import postgres

from gateway.store.engine import open_writer
from gateway.store.statements import Insert
from gateway.store.tables import sessions, texts
from tests.bench import frames, processes
from tests.bench.progress import progress
from tests.bench.smsc import smsc

GOALS = {
    "import_seconds": 40,
    "repeat_seconds": 20,
    "ready_seconds": 3,
    "ready_mib": 1024,
    "most_mib": 1024,
}
"""What no figure may exceed, at 300,000 lines, 100,000 sessions and 1,000,000 texts on 2 cores with a disk of their own."""
LINK = """
smpp:
  links:
    - {{name: smsc, host: 127.0.0.1, port: {port}, system_id: tpo, password: secret, window: 64}}
"""
CHUNK = 20_000
HOUR = 3_600_000_000
BLOCK = 1 << 21
"""Identifiers for the rows that are put there."""


def imported(gateway):
    """Import the lines, then the same file again: seconds of each, and the memory of the larger."""
    found = {}
    for name, outcome in (("import", "created"), ("repeat", "unchanged")):
        began = time.monotonic()
        counts = json.loads(
            gateway.tpo("subscriber", "import", str(gateway.folder / "lines.csv"), "--accept-checksum", "--json")
        )
        found[f"{name}_seconds"] = round(time.monotonic() - began, 1)
        progress(f"scale: {name}: {found[f'{name}_seconds']} s")
        if sum(counts[each] for each in ("created", "unchanged", "differs", "refused")) != counts[outcome]:
            raise processes.Failed(f"{name}: {counts}")
    found["import_mib"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    return found


def session_rows(first, number, node, now):
    """Open data sessions of one rating group each, as a host network's PGW leaves them in the middle of a film."""
    same = {
        "subscriber_id": 1,
        "node": node,
        "peer": "pgw.host.example",
        "origin_host": "pgw.host.example",
        "service": "data",
        "opened_at": now,
        "updated_at": now,
        "expires_at": now + 48 * HOUR,
        "answers_kept": 0,
        "reserved": 0,
        "groups": msgspec.msgpack.encode([1, False, {}]),
    }
    for place in range(number):
        name = f"smf.epc.mnc001.mcc001.3gppnetwork.org;1795711442;{place};001010{place:09d}"
        yield same | {"id": first + place, "session_id": name}


def text_rows(first, number, node, now):
    """Texts of one part each that wait to be sent."""
    same = {
        "node": node,
        "source": "TPO",
        "link": "",
        "state": "queued",
        "held": 0,
        "covered": 0,
        "bundle_ends_at": 0,
        "registered_delivery": 1,
        "always": 0,
        "created_at": now,
        "updated_at": now,
        "valid_until": now + 48 * HOUR,
        "parts": msgspec.msgpack.encode([{}]),
        "final": 0,
    }
    for place in range(number):
        yield same | {
            "id": first + place,
            "destination": f"4477009{place % 100_000:05d}",
            "body": f"Your parcel number {place} comes between ten and twelve.",
            "reference_number": place & 0xFFFF,
        }


def fill(url, sessions_wanted, texts_wanted):
    """Put the rows into a store that a gateway has entered, and raise its identifiers above them."""
    engine, now = open_writer(url, existing=True), time.time_ns() // 1000
    with engine.begin() as connection:
        node, first = connection.exec_driver_sql("SELECT id, next_id FROM nodes").one()
        for table, rows in (
            (sessions, session_rows(first, sessions_wanted, node, now)),
            (texts, text_rows(first + sessions_wanted, texts_wanted, node, now)),
        ):
            while some := list(itertools.islice(rows, CHUNK)):
                Insert(table).run(connection, [tuple(map(row.get, table.columns.keys())) for row in some])
        connection.exec_driver_sql(f"UPDATE nodes SET next_id = {first + BLOCK}")
    engine.dispose()


def memory(pid):
    """MiB resident of a process, now and at most (proc(5))."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(lines["VmRSS"].split()[0]) >> 10, int(lines["VmHWM"].split()[0]) >> 10


def submitted(gateway):
    """How many submit_sm have gone out."""
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.api}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    wanted = 'tpo_smpp_requests_total{direction="out",link="smsc"}'
    return next((int(float(line.rpartition(" ")[2])) for line in lines if line.startswith(wanted)), 0)


def started(gateway, seconds):
    """Start the gateway over what waits, and look how it does for so many seconds."""
    began = time.monotonic()
    with gateway.running():
        ready = time.monotonic() - began
        resident, _ = memory(gateway.process.pid)
        spent, sent, began = gateway.cpu(), submitted(gateway), time.monotonic()
        time.sleep(seconds)
        sent, taken = submitted(gateway) - sent, time.monotonic() - began
        figures = {
            "ready_seconds": round(ready, 2),
            "ready_mib": resident,
            "texts_per_second": round(sent / taken),
            "cpu_cores": round((gateway.cpu() - spent) / taken, 2),
        }
        return figures | {"most_mib": memory(gateway.process.pid)[1]}


@contextmanager
def store(kind):
    """The URL of a fresh store, None for SQLite's own in the gateway's folder."""
    if kind == "sqlite":
        yield None
        return
    with postgres.server() as make:
        yield make("scale")


def measure(folder, options, url, port):
    """Import, fill, start; the figures."""
    extra = LINK.format(port=port)
    gateway = processes.Gateway(folder, frames.lines(options.lines), store=url or "sqlite:///var/tpo.db", extra=extra)
    found = imported(gateway)
    fill(url or f"sqlite:///{gateway.store}", options.sessions, options.texts)
    return found | started(gateway, options.seconds)


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=300_000)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long it sends (10)")
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--folder", type=Path, help="where the store is made; on a disk, not in memory")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main():
    """Measure, print, and exit with 1 where a goal is missed."""
    options = parsed()
    work = options.folder or processes.ROOT / "tests" / ".work"
    work.mkdir(exist_ok=True)
    with (
        smsc(receipts=True) as centre,
        tempfile.TemporaryDirectory(dir=work) as folder,
        store(options.store) as url,
    ):
        found = measure(Path(folder), options, url, centre.port)
    missed = [name for name, most in GOALS.items() if found[name] > most]
    if options.json:
        print(json.dumps(found | {"missed": missed}))
    else:
        for name, value in found.items():
            print(f"{name:20}{value}{f'   goal {GOALS[name]}' if name in GOALS else ''}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
