"""What sealing a month costs: its time, how long bookings wait meanwhile, its octets, and the check before and after.

A store gets a month of charges with their usage and tenths, made by SQL; then a gateway's own lane books at a steady rate,
first alone, then while the month is written, read back and moved out of the store.

    python -m tests.bench.sealing [--entries 1000000] [--rate 200] [--json]
"""

import argparse
import asyncio
import itertools
import json
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from support import new_stores
from support.books import check
from support.gateways import ROOT
from support.sealing import at, publish_all

from gateway.background import Background
from gateway.balance.opening_balances import Enrol, Enrolment
from gateway.balance.topups import Payment, TopUp
from gateway.charity.policies import recompute
from gateway.context import GatewayContext
from gateway.environment import Environment
from gateway.ledger.balances import balances
from gateway.metrics.registry import Metrics
from gateway.policies import make_policies
from gateway.runtime.component import Services
from gateway.runtime.components.sealed_months import SealedMonthsComponent
from gateway.settings import load
from gateway.store.async_submit import submit
from gateway.store.sealed_months.records import folder_of

WALLETS = 1000
FIRST = 1 << 30
"""The number of the first wallet of the month."""
PRICE, TENTH = 10_000, 1_000
REFERENCES = itertools.count()
NOW = at(2026, 11, 26)
CONFIG = """
operator: {{name: Sealing}}
store: {{url: "sqlite:///{folder}/tpo.db", seal_after: 1d}}
api: {{listen: 127.0.0.1:8080, socket: tpo.sock}}
charging: {{wallet_limit: 1000000.00, topup_limit: 100000.00}}
plans: {root}/config/plans.yaml
causes: {root}/config/causes.yaml
"""
MONTH = (
    """CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :charges - 1)
        SELECT i, :id + 3 * i AS id, :at + i * :step AS at, :wallet + i % :wallets AS payer FROM n""",
    """INSERT INTO usage
        (id, event_at, subscriber_id, session, service, rating_group, octets, seconds, units, price, currency, plan)
        SELECT id, at, payer, 0, 'data', 10, 1000000, 0, 0, :price, 'GBP', 'payg-gb' FROM n""",
    """INSERT INTO transfers SELECT id + 1, at, 'charge', payer, :revenue, :price, 'GBP', at, id, NULL, NULL, NULL, NULL
        FROM n""",
    """INSERT INTO transfers SELECT id + 2, at, 'accrual', :giving, :cause, :tenth, 'GBP', at, id, :price, '2026-1', 10000,
        NULL FROM n""",
    """INSERT INTO wallets (subscriber_id, currency, balance, reserved, given)
        SELECT payer, 'GBP', -:price * count(*), 0, :tenth * count(*) FROM n GROUP BY payer""",
    "INSERT INTO subscriptions SELECT payer + :wallets, payer, 'payg-gb', 0 FROM n GROUP BY payer",
    "UPDATE nodes SET next_id = :id + 4 * :charges",
)


def fill(store, context, entries):
    """Book a month: half of the entries are charges, half their tenths."""
    accounts, charges = context.accounts, entries // 2
    rows = {
        "charges": charges, "id": (context.node.id << 40) + WALLETS + 1, "at": at(2026, 10, 1), "wallet": FIRST,
        "wallets": WALLETS,
        "step": 30 * 86_400_000_000 // charges, "price": PRICE, "tenth": TENTH, "revenue": accounts["revenue"],
        "giving": accounts["giving"], "cause": accounts["unassigned"],
    }  # fmt: skip
    with closing(sqlite3.connect(store)) as connection, connection:
        for statement in MONTH:
            connection.execute(statement, rows)


def open_context(settings, deliver):
    environment = Environment(clock=lambda: NOW)
    return GatewayContext(settings, make_policies, deliver=deliver, environment=environment)


def books(context):
    """What the check finds, but for evidence: rows that are made by SQL have none."""
    return context.read(lambda connection: check(connection, recompute, cause_seals=context.cause_seals))


def timed(look):
    began = time.monotonic()
    found = look()
    return round(time.monotonic() - began, 2), found


def percentiles(samples):
    ordered = sorted(samples)
    return {f"p{share}_ms": round(ordered[len(ordered) * share // 100] * 1000, 1) for share in (50, 99)} | {
        "worst_ms": round(ordered[-1] * 1000, 1),
        "bookings": len(ordered),
    }


async def book(context, rate, samples):
    """Pay in at a steady rate, and note how long each commit took."""

    async def one():
        began = time.monotonic()
        payment = Payment("shop", f"card-{next(REFERENCES)}", 1_000_000, "GBP")
        await submit(context.lane, TopUp("msisdn", "447700900001", payment, 10**13))
        samples.append(time.monotonic() - began)

    due, tasks = time.monotonic(), set()
    while True:
        due += 1 / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        task = asyncio.create_task(one())
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def seal(settings, store, rate):
    """Seal beside bookings; gives what was measured."""
    loop = asyncio.get_running_loop()

    def deliver(jobs):
        loop.call_soon_threadsafe(lambda: [job.done(job.answer, job.error) for job in jobs])

    context = await asyncio.to_thread(open_context, settings, deliver)
    told, events = {}, []
    services = Services(context, Metrics(), Background(), lambda *event: events.append(event), lambda _: None)
    component = SealedMonthsComponent(services, store)
    samples = {"alone": [], "writing": [], "removing": []}
    row = Enrolment("447700900001", "234150000000001", "8944100000000000001", "payg-gb", "wateraid", 0)
    await submit(context.lane, Enrol(row, "GBP"))
    removing = asyncio.Event()
    remove = component._remove

    async def then_remove(month):
        removing.set()
        await remove(month)

    component._remove = then_remove
    for phase, waited in samples.items():
        load = asyncio.create_task(book(context, rate, waited))
        began = time.monotonic()
        if phase == "alone":
            await asyncio.sleep(10)
        elif phase == "writing":
            turn = asyncio.create_task(component.turn())
            await removing.wait()
        else:
            await turn
        told[phase] = {"seconds": round(time.monotonic() - began, 1)} | percentiles(waited)
        load.cancel()
    assert component.trouble == "", component.trouble
    await asyncio.to_thread(context.close)
    return told


def main():
    """Measure, and prove the books before and after."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sealing", description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=200, help="bookings a second, each a commit of its own (200)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sealing-") as folder:
        store = Path(folder) / "tpo.db"
        (Path(folder) / "gateway.yaml").write_text(CONFIG.format(folder=folder, root=ROOT))
        new_stores.place(store)
        settings = load(Path(folder) / "gateway.yaml")
        context = open_context(settings, None)
        fill(store, context, options.entries)
        publish_all(context._writer, context.cause_seals)
        before = timed(lambda: books(context))
        told = {"entries": before[1].entries, "store_octets": store.stat().st_size, "check_seconds": before[0]}
        told["balances_seconds"] = timed(lambda: context.read(lambda c: balances(c, after=0, limit=20_000)))[0]
        context.close()
        told |= asyncio.run(seal(settings, store, options.rate))
        context = open_context(settings, None)
        after = timed(lambda: books(context))
        told["check_sealed_seconds"] = after[0]
        told["balances_sealed_seconds"] = timed(lambda: context.read(lambda c: balances(c, after=0, limit=20_000)))[0]
        context.close()
        told["file_octets"] = {file.name: file.stat().st_size for file in sorted(folder_of(store).iterdir())}
        with closing(sqlite3.connect(store, isolation_level=None)) as connection:
            connection.execute("VACUUM")
        told["store_octets_left"] = store.stat().st_size
        told["findings"] = [str(each) for each in (*before[1].findings, *after[1].findings)]
    sys.stdout.write(json.dumps(told, indent=None if options.json else 2) + "\n")
    sys.exit(1 if told["findings"] else 0)


if __name__ == "__main__":
    main()
