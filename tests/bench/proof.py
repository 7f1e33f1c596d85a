"""What evidence costs a charging request, and how long `ledger check --full` takes: `make bench PARTS=proof ROWS=10000000`.

The store is an SQLite file of charges as the lane books them (a usage record, a charge, a tenth; 256 requests a link), written
directly, since the lane would take an hour for them.
"""

import argparse
import itertools
import json
import resource
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy import select
from support.books import check

from gateway.charity.policies import recompute
from gateway.ledger import account_names, accounts
from gateway.ledger.check_process import CheckProcess
from gateway.rating.plan_versions import content_of
from gateway.rating.plans import Plan, Rate
from gateway.store import nodes, schema, versions
from gateway.store.engine import open_reader, open_writer
from gateway.store.evidence import Evidence
from gateway.store.tables import chains
from tests.bench.progress import progress

FIGURE = "proof.of_goal"
GOAL = 180 / 10_000_000
"""Seconds that an entry may take on two cores: ten million in three minutes."""
SHOWN = 500_000
WALLET = "INSERT INTO wallets (subscriber_id, currency, balance, reserved, given) VALUES (?, ?, ?, ?, ?)"
KEY = b"a key of the bench"
BATCH, LINES, PRICE = 256, 1000, 10_000
REPORTS, UNITS = 5, 1_000_000
"""Of a session, and octets of each: its records stand beside each other's, but for those of the first and last one."""
RATE = Rate(PRICE, UNITS)
PLAN = Plan("payg", "Pay as you go", "GBP", RATE, RATE, RATE)
VERSION = 1
AT = 1_700_000_000_000_000
STEP = 1_000


def rows_of(first, at, numbers, payers):
    """The rows of one batch: usage and the journal."""
    usage, journal = [], []
    for i in range(BATCH):
        record, payer, when = first + 3 * i, next(payers), at + i
        session, place = divmod(first // 3 + i, REPORTS)
        rated = (VERSION, "", place * UNITS, 0, None, None)
        usage.append((record, when, payer, session, "data", 10, UNITS, 0, 0, PRICE, "GBP", PLAN.id, *rated))
        journal.append((record + 1, when, "charge", payer, numbers["revenue"], PRICE, "GBP", when, record, *[None] * 4))
        tenth = (PRICE // 10, "GBP", when, record, PRICE, "2026-1", 10_000, None)
        journal.append((record + 2, when, "accrual", numbers["giving"], numbers["unassigned"], *tenth))
    return {"usage": usage, "transfers": journal}


def seconds_a_request(rounds=40):
    """What a link costs a charging request, in seconds, without its statements."""
    chain, payers = Evidence(KEY, 1), itertools.cycle(range(1 << 41, (1 << 41) + LINES))
    written = rows_of(1 << 40, AT, {"revenue": 1, "giving": 2, "unassigned": 3}, payers)
    found = []
    for _ in range(rounds):
        chain._tip = chain._tip or _empty_tip()
        began = time.process_time()
        chain.link(written, {}, AT)
        found.append((time.process_time() - began) / BATCH)
    return min(found)


def _empty_tip():
    from gateway.store.evidence import Tip

    return Tip()


def fill(path, entries):
    """Write a store with so many entries and their usage; gives how many requests they are of."""
    writer = open_writer(f"sqlite:///{path}")
    schema.prepare(writer)
    with writer.begin() as connection:
        node = nodes.enter(connection, "bench", AT)
        opened = accounts.ensure(connection, account_names.SYSTEM)
        chain = Evidence(KEY, node.id)
        chain.append(connection, {"accounts": opened.made}, AT)
        numbers = versions.record(connection, [content_of(PLAN)], 0)
        assert numbers == [VERSION]
        chain.append(connection, {"versions": versions.rows_of(connection, numbers)}, AT)
        payers = [node.next_id + i for i in range(LINES)]
        held = [(payer, "GBP", None, None) for payer in payers]
        plans = [(payer + (1 << 30), payer, PLAN.id, 0) for payer in payers]
        chain.append(connection, {"wallets": held, "subscriptions": plans}, AT)
    batches, first = -(-entries // (2 * BATCH)), node.next_id + LINES
    spent = dict.fromkeys(payers, 0)
    with closing(sqlite3.connect(path, isolation_level=None)) as store:
        store.execute("PRAGMA synchronous=OFF")
        store.execute("BEGIN")
        turn = itertools.cycle(payers)
        chain._tip = None
        with writer.connect() as connection:
            chain.begin(connection)
        for batch in range(batches):
            written = rows_of(first + 3 * BATCH * batch, AT + STEP * batch, opened.numbers, turn)
            link = chain.link(written, {}, AT + STEP * batch)
            chain.commit()
            for table, rows in (*written.items(), ("evidence", [link])):
                store.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
            for row in written["usage"]:
                spent[row[2]] += PRICE
        for payer, amount in spent.items():
            wallet = (payer, "GBP", -amount, 0, amount // 10)
            store.execute(
                "INSERT INTO wallets (subscriber_id, currency, balance, reserved, given) VALUES (?, ?, ?, ?, ?)", wallet
            )
            store.execute("INSERT INTO subscriptions VALUES (?, ?, 'payg', 0)", (payer + (1 << 30), payer))
        tip = chain._tip
        proof = chain._digester.proof(node.id, tip)
        store.execute("UPDATE chains SET sequence = ?, head = ?, proof = ?", (tip.sequence, tip.head, proof))
        store.execute("COMMIT")
    writer.dispose()
    return batches * BATCH


def checked(path, *, processes=2):
    """Check the books of a store in so many processes; gives the seconds that it took, and each check's here."""
    reader, parts = open_reader(f"sqlite:///{path}"), {}
    beside = CheckProcess(f"sqlite:///{path}", KEY, []) if processes > 1 else None
    with reader.connect() as connection:
        connection.execute(select(chains)).all()
        began = last = time.monotonic()
        here, others = time.process_time(), _cpu_of_children()

        def told(check_name, rows):
            nonlocal last
            now = time.monotonic()
            parts[check_name] = parts.get(check_name, 0) + now - last
            last = now
            if rows and rows % SHOWN == 0:
                progress(f"proof: {check_name}, {rows:,} rows")

        report = check(connection, recompute, KEY, progress=told, beside=beside)
        seconds = time.monotonic() - began
        cpu = {"here": time.process_time() - here, "beside": _cpu_of_children() - others}
    reader.dispose()
    assert report.findings == [], report.findings
    slow = {name: round(spent, 1) for name, spent in parts.items() if spent >= seconds / 50}
    cpu_seconds = {name: round(spent, 1) for name, spent in cpu.items()}
    return {"entries": report.entries, "seconds": round(seconds, 1), "cpu_seconds": cpu_seconds, "parts": slow}


def _cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(options, folder):
    """Run the part: fill a store, and check it whole; gives its report."""
    path = folder / "proof.db"
    progress(f"proof: writing {options.rows:,} entries with their usage")
    fill(path, options.rows)
    progress("proof: checking them")
    found = checked(path)
    rate = round(found["entries"] / found["seconds"])
    return {
        "rows": {"check": {"rate": rate, "seconds": found["seconds"], "ideal_seconds": found["entries"] * GOAL}},
        "figures": {FIGURE: round(found["seconds"] / (found["entries"] * GOAL), 3)},
        "sizes": {"octets": path.stat().st_size, "us_a_request": round(seconds_a_request() * 1e6, 2)}
        | {f"cpu_{name}": spent for name, spent in found["cpu_seconds"].items()},
        "speeds": [],
        "checks": {},
        "conditions": {"entries": found["entries"], "usage": found["entries"] // 2},
    }


def main():
    """Measure, and print JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--processes", type=int, default=2)
    options.add_argument("--folder", type=Path)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = Path(folder) / "tpo.db"
        fill(path, given.rows)
        found = checked(path, processes=given.processes)
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
