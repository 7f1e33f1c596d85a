"""What closing a month into bills costs: seconds, peak memory, and how many bills a second are shown and made into PDF.

A store gets a month of lines, each with ten usage records, their charges and tenths, made by SQL; then a process of its own
closes it as the gateway does, on an SQLite store. By itself, or as a part of `make bench`:

    python -m tests.bench.bills [--lines 30000] [--json]
"""

import argparse
import json
import multiprocessing
import resource
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC
from pathlib import Path

from support.gateways import ROOT

from gateway.billing import close_job
from gateway.billing.pdf import write_pdf
from gateway.billing.statement import bill_of
from gateway.billing.writer import Writer
from gateway.charity.months import begin_of, end_of
from gateway.context import GatewayContext
from gateway.policies import make_policies
from gateway.settings import load
from tests.bench.processes import Failed
from tests.bench.progress import progress

RECORDS, PDFS = 10, 40
"""Usage records of a line; bills that are made into PDF."""
FIRST = 1 << 30
"""The number of the first line."""
PRICE, TENTH, OPENING = 10_000, 1_000, 50_000
PERIOD = "2026-10"
CONFIG = """
operator: {{name: Bills, timezone: UTC}}
store: {{url: "sqlite:///{folder}/tpo.db", lane: thread}}
api: {{listen: 127.0.0.1:8080, socket: tpo.sock}}
plans: {root}/config/plans.yaml
causes: {root}/config/causes.yaml
"""
MONTH = (
    """CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :charges - 1)
        SELECT i, :id + 3 * i AS id, :at + i * :step AS at, :line + i % :lines AS payer FROM n""",
    """INSERT INTO usage (id, event_at, subscriber_id, session, service, rating_group, octets, seconds, units, price,
        currency, plan, version, rate_key, rated_before, covered, capped) SELECT id, at, payer, 0,
        CASE i % 3 WHEN 0 THEN 'data' WHEN 1 THEN 'voice' ELSE 'sms' END,
        10, 1000000, 60, 1, :price, 'GBP', 'payg-gb', 1, '', 0, 0, 0 FROM n""",
    """INSERT INTO transfers SELECT id + 1, at, 'charge', payer, :revenue, :price, 'GBP', at, id, NULL, NULL, NULL, NULL
        FROM n""",
    """INSERT INTO transfers SELECT id + 2, at, 'accrual', :giving, :cause, :tenth, 'GBP', at, id, :price, '2026-1', 10000,
        NULL FROM n""",
    """INSERT INTO transfers SELECT :id - :lines + i, :at, 'opening', :opening, payer, :money, 'GBP', :at, NULL,
        NULL, NULL, NULL, 'import:' || i FROM n WHERE i < :lines""",
    """INSERT INTO wallets (subscriber_id, currency, balance, reserved, given)
        SELECT payer, 'GBP', :money - :price * count(*), 0,
        :tenth * count(*) FROM n GROUP BY payer""",
    "INSERT INTO subscribers SELECT subscriber_id, 'active', :at FROM wallets",
    "INSERT INTO subscriptions SELECT subscriber_id, subscriber_id, 'payg-gb', :at FROM wallets",
    "UPDATE nodes SET next_id = :id + 4 * :charges",
)


def measure(options, folder):
    """Run the part; gives its report."""
    lines = max(options.lines) if max(options.lines) > 1000 else 30_000
    return report_of(lines, folder / "bills")


def report_of(lines, folder):
    """Fill a store, close its month in a process of its own, and give the report of a part."""
    folder.mkdir(exist_ok=True)
    progress(f"bills: filling {lines} lines")
    fill(folder, lines)
    progress(f"bills: closing {lines} lines")
    found = _apart(_close, folder)
    if found["bills"] != lines:
        message = f"{found['bills']} bills of {lines} lines"
        raise Failed(message)
    return {
        "rows": {"close": {"seconds": found["seconds"], "lines_a_second": round(lines / found["seconds"])}},
        "figures": figures(found, lines),
        "sizes": {"octets_a_bill": found["octets_a_bill"]},
        "speeds": [],
        "checks": {},
        "conditions": {"lines": lines, "records_a_line": RECORDS},
    }  # fmt: skip


def figures(found, lines):
    """Give what is held to floors: seconds are reckoned up to 300,000 lines."""
    return {
        "bills.seconds_of_300000": round(found["seconds"] * 300_000 / lines, 1),
        "bills.peak_mib": found["peak_mib"],
        "bills.pdfs_a_second": found["pdfs"],
    }


def config_of(folder):
    """Write the settings, and give their path."""
    path = folder / "gateway.yaml"
    path.write_text(CONFIG.format(folder=folder, root=ROOT))
    return path


def fill(folder, lines):
    """Book the month."""
    settings = load(config_of(folder))
    context = GatewayContext(settings, make_policies)
    accounts, node = context.accounts, context.node.id
    context.close()
    rows = {
        "charges": lines * RECORDS, "id": (node << 40) + (1 << 22) + lines, "at": begin_of(PERIOD, UTC), "line": FIRST,
        "lines": lines, "step": 30 * 86_400_000_000 // (lines * RECORDS), "price": PRICE, "tenth": TENTH, "money": OPENING,
        "revenue": accounts["revenue"], "giving": accounts["giving"], "cause": accounts["cause:wateraid"],
        "opening": accounts["opening"],
    }  # fmt: skip
    with closing(sqlite3.connect(folder / "tpo.db")) as connection, connection:
        connection.execute("PRAGMA synchronous=OFF")
        for statement in MONTH:
            used = {name: value for name, value in rows.items() if f":{name}" in statement}
            connection.execute(statement, used)


def _apart(work, folder):
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=work, args=(folder, answers))
    process.start()
    found = answers.get(timeout=900)
    process.join()
    return found


def _close(folder, answers):
    """Close the month as the gateway's thread does."""
    context = GatewayContext(load(folder / "gateway.yaml"), make_policies)
    began = time.monotonic()
    close = close_job.begin(context, PERIOD, end_of(PERIOD, UTC), "bench")
    close = close_job.run(context, close, 14 * 86_400_000_000)
    seconds = time.monotonic() - began
    pdfs = _pdfs(context)
    context.close()
    with closing(sqlite3.connect(folder / "tpo.db")) as connection:
        (octets,) = connection.execute("SELECT avg(length(content)) FROM bills").fetchone()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    answers.put({"seconds": round(seconds, 1), "bills": close.bills, "peak_mib": peak, "octets_a_bill": round(octets),
                 "pdfs": pdfs})  # fmt: skip


def _pdfs(context):
    """Bills a second of one core's time, read from the store with their items and made into PDF."""
    writer, began = Writer("en", UTC), time.process_time()
    for number in range(PDFS):
        with context.reading() as connection:
            bill = bill_of(connection, FIRST + number, PERIOD, itemised=True)
        write_pdf(bill, "447700900123", writer, "Bills", [], {})
    return round(PDFS / (time.process_time() - began), 1)


def main():
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bills", description=__doc__)
    parser.add_argument("--lines", type=int, default=30_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bills-", dir=ROOT / "tests" / ".work") as folder:
        json.dump(report_of(options.lines, Path(folder)), sys.stdout, indent=2)


if __name__ == "__main__":
    main()
