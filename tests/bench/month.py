"""What a month costs that is closed, checked, paid, passed on to causes and sampled: seconds and peak memory of each step.

Lines come in by `subscriber import`, with a choice each; ten usage records of each, their charges and tenths are written and
proved as the lane does it, by SQL. Each step then is a process of its own on that SQLite store, by the actions that commands
ask for, and a simulated bank writes what is read. By itself, or as a part of `make bench`:

    python -m tests.bench.month [--lines 30000]
"""

import argparse
import itertools
import json
import multiprocessing
import resource
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from base64 import b64decode, b64encode
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path

from support.gateways import ROOT

from gateway.api.actions.table import ACTIONS
from gateway.api.callers import ADMIN, Caller
from gateway.billing import dunning_job
from gateway.billing.packs.row_trees import make, ranges_due
from gateway.billing.references import reference_of
from gateway.charity.months import begin_of, end_of
from gateway.cli.bank_files import lines_of
from gateway.context import GatewayContext
from gateway.environment import Environment
from gateway.ledger.seals import SealKey, WriteSeal, due_with_usage
from gateway.policies import make_policies
from gateway.privacy.access import CAUSES
from gateway.settings import load
from gateway.store.evidence import Evidence
from gateway.store.tables import bills, evidence, transfers, usage
from simulators.bank import Account, Bank
from tests.bench.processes import Failed
from tests.bench.progress import progress

RECORDS, BATCH, ROWS, PAGE, SAMPLE = 10, 256, 1000, 500, 50
"""Usage records of a line; charging requests of a link; lines that are imported, and of a file booked, at once; bills."""
OCTETS, PRICE, TENTH = 1_000_000, 10_000, 1_000
PERIOD = "2026-10"
MAKER, CHECKER = (Caller(name, ADMIN, frozenset({CAUSES})) for name in ("ann", "ben"))
COMPANY, CHARITY = Account("Month", "200000", "41110001"), Account("Month Giving", "200000", "41110002")
CAUSE = Account("Aid", "300000", "52000001")
WAITS = 3600
"""Seconds that a step may take."""
CONFIG = f"""
operator: {{name: Month, timezone: UTC}}
store: {{url: "sqlite:///tpo.db", lane: thread}}
api: {{listen: 127.0.0.1:8080, socket: tpo.sock}}
charity:
  accounts:
    - {{currency: GBP, format: pain.001.001.09, name: {CHARITY.name}, sort_code: "{CHARITY.sort_code}",
       account: "{CHARITY.number}"}}
plans: plans.yaml
causes: causes.yaml
"""
PLANS = """
monthly:
  name: By the month
  currency: GBP
  data: {price: 0.01, per: 1000000}
  voice: {price: 0.01, per: 60}
  sms: {price: 0.01, per: 1}
"""
AGREED = 'agreement: {signed: "2026-01-01", starts: "2026-01-01", currency: GBP, method: bacs, transmit_within: 60}'
CAUSES_FILE = f"""
aid: {{name: Aid, country: GB, regulator: GB-CHC, number: "288701", vetting: approved, statement: "a tenth", {AGREED}}}
"""


def measure(options, folder):
    """Run the part; gives its report."""
    lines = max(options.lines) if max(options.lines) > 1000 else 30_000
    return report_of(lines, folder / "month")


def report_of(lines, folder):
    """Make the month, then take its steps, each in a process of its own; gives the report of a part."""
    folder.mkdir(exist_ok=True)
    for name, content in (("gateway.yaml", CONFIG), ("plans.yaml", PLANS), ("causes.yaml", CAUSES_FILE)):
        (folder / name).write_text(content)
    rows = {}
    for name, step in STEPS.items():
        progress(f"month: {name}, {lines} lines")
        rows[name] = _apart(step, folder, lines)
        progress("month: {seconds} s, {peak_mib} MiB".format(**rows[name]))
    return {
        "rows": rows,
        "figures": figures(rows, lines),
        "sizes": {f"{name}_mib": (folder / name).stat().st_size >> 20 for name in ("tpo.db", "paid.xml")},
        "speeds": [],
        "checks": {},
        "conditions": {"lines": lines, "records_a_line": RECORDS},
    }  # fmt: skip


def figures(rows, lines):
    """Give what is held to floors: seconds are reckoned up to 300,000 lines."""
    measured = [row for name, row in rows.items() if name not in OURS]
    return {
        "month.seconds_of_300000": round(sum(row["seconds"] for row in measured) * 300_000 / lines, 1),
        "month.peak_mib": max(row["peak_mib"] for row in measured),
    }


def _apart(step, folder, lines):
    """Take a step in a process of its own: its seconds, and what it and its children held at most."""
    answers = multiprocessing.get_context("spawn").Queue()
    process = multiprocessing.get_context("spawn").Process(target=_take, args=(step, folder, lines, answers))
    process.start()
    found = answers.get(timeout=WAITS)
    process.join()
    if "error" in found:
        raise Failed(found["error"])
    return found


def _take(step, folder, lines, answers):
    try:
        began = time.monotonic()
        seconds = step(folder, lines) or time.monotonic() - began
        peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        answers.put({"seconds": round(seconds, 1), "peak_mib": peak >> 10})
    except Exception as error:
        answers.put({"error": f"{getattr(step, '__name__', step)}: {error!r}"})
        raise


def opened(folder, day):
    """Open the gateway at noon of a day, written YYYY-MM-DD; its clock goes on from there."""
    noon = int(datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp()) * 1_000_000
    began = time.monotonic_ns()
    environment = Environment(clock=lambda: noon + (time.monotonic_ns() - began) // 1000)
    return closing(GatewayContext(load(folder / "gateway.yaml"), make_policies, environment=environment))


def ask(context, action, who=MAKER, **params):
    """Ask for an action, as a command does."""
    return ACTIONS[action].perform(context, params, who)


def fill(folder, lines):
    """Bring the lines in, with the cause that they give to and its account, then book the month."""
    with opened(folder, "2026-09-01") as context:
        rows = [{"number": "288701", "name": "AID", "status": "registered"}]
        ask(context, "charity.register", regulator="GB-CHC", extracted_on="2026-09-01", rows=rows)
        account = json.dumps({"name": CAUSE.name, "sort_code": CAUSE.sort_code, "account": CAUSE.number})
        details = ask(context, "charity.bank", cause="aid", currency="GBP", account=account).details
        ask(context, "charity.bank.approve", CHECKER, details=int(details))
        payers = []
        for begin in range(0, lines, ROWS):
            rows = [_row(place) for place in range(begin, min(begin + ROWS, lines))]
            payers += [int(each.subscriber_id) for each in ask(context, "subscriber.import", rows=rows).results]
        accounts, node = context.accounts, context.node.id
        chain = Evidence(context.evidence_key, node)
        with context.reading() as connection:
            chain.begin(connection)
    with closing(sqlite3.connect(folder / "tpo.db", isolation_level=None)) as store:
        _book(store, payers, accounts, chain, node)


def _row(place):
    numbers = {"msisdn": f"447{place + 400_000_000:09d}", "imsi": f"23415{place:010d}", "iccid": f"8944{place:015d}"}
    return {**numbers, "iccid": _with_check_digit(f"89441{place:012d}7"), "plan": "monthly", "cause": "aid"}


def _with_check_digit(digits):
    doubled = [sum(divmod(2 * int(each), 10)) if i % 2 == 0 else int(each) for i, each in enumerate(reversed(digits))]
    return f"{digits}{-sum(doubled) % 10}"


def _book(store, payers, accounts, chain, node):
    """Write usage, charges and tenths with their links."""
    requests = len(payers) * RECORDS
    batches, first = -(-requests // BATCH), (node << 40) + (1 << 36)
    begin, end = begin_of(PERIOD, UTC), end_of(PERIOD, UTC)
    step, turn = (end - begin) // (batches + 1), itertools.cycle(payers)
    store.execute("PRAGMA synchronous=OFF")
    store.execute("BEGIN")
    (version,) = store.execute("SELECT max(id) FROM versions WHERE kind = 'plan'").fetchone()
    for batch in range(batches):
        size, at = min(BATCH, requests - batch * BATCH), begin + step * (batch + 1)
        written = _rows(first + 3 * BATCH * batch, size, at, turn, accounts, version)
        link = chain.link(written, {}, at)
        chain.commit()
        for table, rows in (*written.items(), ("evidence", [link])):
            store.executemany(INSERTS[table], rows)
    spent, given = RECORDS * PRICE, RECORDS * TENTH
    store.execute("UPDATE wallets SET balance = ?, given = ?", (-spent, given))
    tip = chain._tip
    proof = chain._digester.proof(node, tip)
    store.execute(
        "UPDATE chains SET sequence = ?, head = ?, proof = ? WHERE node = ?", (tip.sequence, tip.head, proof, node)
    )
    store.execute("UPDATE nodes SET next_id = ?", (first + 3 * BATCH * (batches + 1),))
    store.execute("COMMIT")


INSERTS = {
    each.name: f"INSERT INTO {each.name} ({', '.join(each.c.keys())}) VALUES ({', '.join('?' * len(each.c))})"
    for each in (usage, transfers, evidence)
}
"""Rows as the lane has them, whose columns the tables of an older store may have in another order."""


def _rows(first, size, at, turn, accounts, version):
    records, journal = [], []
    for i in range(size):
        record, payer = first + 3 * i, next(turn)
        records.append(
            (record, at, payer, record, "data", 10, OCTETS, 0, 0, PRICE, "GBP", "monthly", version, "", 0, 0, 0, None)
        )
        journal.append((record + 1, at, "charge", payer, accounts["revenue"], PRICE, "GBP", at, record, *[None] * 4))
        tenth = (TENTH, "GBP", at, record, PRICE, "2026-1", 10_000, None)
        journal.append((record + 2, at, "accrual", accounts["giving"], accounts["cause:aid"], *tenth))
    return {"usage": records, "transfers": journal}


def close(folder, _lines):
    """Close the month into bills."""
    with opened(folder, "2026-11-01") as context:
        ask(context, "bill.close", period=PERIOD)


def check(folder, _lines, day="2026-11-02"):
    """Check the books whole."""
    with opened(folder, day) as context:
        found = ask(context, "ledger.check", full=True)
    if found.findings:
        raise Failed(f"{found.findings[:3]}")


def write_payments(folder, _lines):
    """Have every customer pay, and the bank write one statement of it."""
    bank = Bank([COMPANY])
    with opened(folder, "2026-11-05") as context, context.reading() as connection:
        for number, due in connection.execute(bills.select().with_only_columns(bills.c.number, bills.c.due)):
            bank.credit(COMPANY, "2026-11-05", due // 10_000, f"E{number}", f"bill {reference_of(number)}")
    (folder / "paid.xml").write_bytes(bank.statement(COMPANY, "2026-11-05"))


def pay(folder, lines):
    """Read the bank's file, and book what it says, as `tpo bill paid` does."""
    paid = 0
    with opened(folder, "2026-11-06") as context:
        found = iter(lines_of(folder / "paid.xml"))
        for some in iter(lambda: list(itertools.islice(found, PAGE)), []):
            results = ask(context, "bill.paid", lines=some).results
            paid += sum(each.outcome == "paid" for each in results)
    if paid != lines:
        raise Failed(f"{paid} payments of {lines} lines")


def dun(folder, lines):
    """Look at the lines that have paid, as the gateway does."""
    with opened(folder, "2026-11-07") as context:
        done = dunning_job.turn(context)
    if done.looked != lines or done.steps:
        raise Failed(f"{done}")


def confirm(folder, lines, period=PERIOD, day="2026-11-08", *, paid=False):
    """Confirm what customers have paid for by the end of a month: nothing, or all."""
    with opened(folder, day) as context:
        rows = ask(context, "charity.confirm", period=period).rows
    found = sum(round(float(row.payable) * 100) for row in rows)
    if found != (lines * RECORDS * TENTH // 10_000 if paid else 0):
        raise Failed(f"{found} pence are payable")


def pay_causes(folder, lines):
    """Make the payment file, approve it, have the bank pay, and read what it says."""
    bank = Bank([CHARITY])
    with opened(folder, "2026-12-02") as context:
        (file,) = ask(context, "charity.payout", period="2026-11", day="2026-12-02").files
        approved = ask(context, "charity.payout.approve", CHECKER, sha256=file.sha256)
        bank.take_order(CHARITY, "2026-12-02", b64decode(approved.content), lambda _each: False)
        statement = b64encode(bank.statement(CHARITY, "2026-12-02")).decode()
        settled = ask(context, "charity.paid", file=statement)
    received = bank.received[CAUSE.sort_code, CAUSE.number]
    if (settled.paid, received) != (1, lines * RECORDS * TENTH // 10_000):
        raise Failed(f"{received} pence reached the cause")


def seal(folder, _lines):
    """Sign the day that is over, with the tree of all rows so far: packs prove no row that is under no seal."""
    with opened(folder, "2026-12-04") as context:
        node, key = context.node.id, context.evidence_key
        with context.reading() as connection:
            (day, tip), usage = due_with_usage(connection, node, context.clock())
            ranges = ranges_due(connection, node)
        tree = make(context.reading, key, node, ranges)
        context.lane.run(WriteSeal(SealKey(key).sign(node, day, tip, tree), context.node_name, tree, usage))


def sample(folder, _lines):
    """Commit to the month and draw bills, as an auditor asks for."""
    with opened(folder, "2026-12-04") as context:
        ask(context, "charity.commitment", period=PERIOD)
        made = ask(context, "charity.audit", period=PERIOD, seed="dice", sample=SAMPLE, named=True)
    with tarfile.open(fileobj=BytesIO(b64decode(made.pack))) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.2 of Debian 12 has none
        archive.extractall(folder)
    (folder / "pack").symlink_to(folder / made.name)


def verify(folder, _lines):
    """Have the pack prove itself."""
    done = subprocess.run(
        [sys.executable, "-I", folder / "pack" / "verify.py"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(done.stdout + done.stderr)


STEPS = {
    "filled": fill,
    "closed": close,
    "checked": check,
    "payments written": write_payments,
    "paid": pay,
    "looked at by dunning": dun,
    "confirmed, nothing paid": confirm,
    "confirmed, all paid": partial(confirm, period="2026-11", day="2026-12-01", paid=True),
    "causes paid": pay_causes,
    "checked again": partial(check, day="2026-12-03"),
    "sealed": seal,
    "sampled": sample,
    "verified": verify,
}
"""What is done, in its order; what only makes the month, or plays the bank, does not count."""
OURS = ("filled", "payments written")


def main():
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.month", description=__doc__)
    parser.add_argument("--lines", type=int, default=30_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="month-", dir=ROOT / "tests" / ".work") as folder:
        json.dump(report_of(options.lines, Path(folder)), sys.stdout, indent=2)


if __name__ == "__main__":
    main()
