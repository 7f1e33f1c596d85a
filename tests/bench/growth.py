"""How many octets a customer's month takes in the store, by table: rows made by the product's own units, on either database.

So many customers, thirty days, an even load: charging sessions of I, U, U, U, T with one report of one rating group each, texts
with their receipts, a top-up. Then what is past its retention is swept as the daemon does, and each table is asked for its
size with its indexes. On PostgreSQL a server of the tests' own is started (`--store postgresql`).

    python -m tests.bench.growth [--store sqlite|postgresql] [--customers 40] [--requests 50] [--texts 1] [--json]
"""

import argparse
import itertools
import json
import sqlite3
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import psycopg
from sqlalchemy import inspect, text
from support import charging_fixture as charging
from support import postgres
from support.books import check
from support.gateways import ROOT
from support.sealing import seal_day

from gateway.balance.opening_balances import Enrol, Enrolment
from gateway.balance.topups import Payment, TopUp
from gateway.charging.credit_control import CreditControlUnit
from gateway.charging.gy import ccr as gy_ccr
from gateway.charity.policies import recompute
from gateway.context import GatewayContext
from gateway.environment import Environment
from gateway.messaging.inbound.delivery_receipts import RecordReceipts
from gateway.messaging.queue.mt_status import Dispatch, RecordOutcomes, SubmitOutcome, TakeForSending
from gateway.messaging.receipts import Receipt
from gateway.messaging.retention import SweepMessaging
from gateway.messaging.smpp_mapping import count_parts
from gateway.messaging.submit import AcceptTexts, Draft
from gateway.messaging.texts import Step
from gateway.policies import make_policies
from gateway.settings import load
from gateway.store.engine import open_reader
from gateway.store.keep_months import KeepMonths
from gateway.store.sweeper import Retention, Sweep
from protocols.diameter.codec import FLAG_PROXIABLE, FLAG_REQUEST, encode_message
from protocols.diameter.generated import decode, encode
from protocols.diameter.messages import CreditControlRequest
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.receipts import IdForm, id_forms, stored_id

DAYS = 30
DAY = 86_400_000_000
BEGAN = 1_793_491_200_000_000
"""2026-11-01T00:00:00Z."""
LIFE = (charging.INITIAL, charging.UPDATE, charging.UPDATE, charging.UPDATE, charging.TERMINATION)
LINES, CCRS_A_DAY = 300_000, 15_000_000
CONFIG = """
operator: {{name: Growth}}
store: {{url: "{url}"}}
api: {{listen: 127.0.0.1:8080, socket: var/tpo.sock}}
diameter: {{identity: ocs.tpo.example, realm: tpo.example, listen: ["127.0.0.1:3868"], peers: []}}
smpp: {{links: [{{name: host, host: smsc.host.example, port: 2775, system_id: tpo, password: secret}}]}}
messaging: {{short_codes: ["70070"]}}
charging: {{wallet_limit: 1000000.00, topup_limit: 100000.00}}
plans: {root}/config/plans.yaml
causes: {root}/config/causes.yaml
keywords: {root}/config/keywords.yaml
"""
SIZES = {
    "sqlite": """SELECT coalesce(s.tbl_name, d.name), sum(d.pgsize) FROM dbstat d
        LEFT JOIN sqlite_schema s ON s.name = d.name GROUP BY 1""",
    "postgresql": """SELECT coalesce(whole.relname, part.relname), sum(pg_total_relation_size(part.oid)) FROM pg_class part
        LEFT JOIN pg_inherits ON inhrelid = part.oid LEFT JOIN pg_class whole ON whole.oid = inhparent
        WHERE part.relkind = 'r' AND part.relnamespace = 'public'::regnamespace GROUP BY 1""",
}
"""Octets by table with its indexes and, on a server, its months."""
FOR_EVER = None
KEPT = {
    "answers": 2, "outbox": 1, "sessions": 400, "usage": 400, "idempotency_keys": 400, "texts": 30, "transfers": FOR_EVER,
    "payments": FOR_EVER,
}  # fmt: skip
"""Days that rows stay, as the settings have it where nobody changed them."""


class Month:
    """A gateway's units over a month, without network or process; its clock goes with the load."""

    def __init__(self, folder, url, options):
        self.now, self.options, self.numbers = BEGAN, options, itertools.count(1)
        (folder / "gateway.yaml").write_text(CONFIG.format(url=url, root=ROOT))
        settings = load(folder / "gateway.yaml")
        self.context = GatewayContext(settings, make_policies, environment=Environment(clock=lambda: self.now))
        self.lines = [(f"4477009{n:05d}", f"23415{n:010d}", f"894410{n:013d}") for n in range(options.customers)]

    def enrol(self):
        self.context.lane.run(KeepMonths(self.context.settings.retention.usage))
        rows = [Enrol(Enrolment(*line, "payg-gb", "wateraid", 100_000_000_000), "GBP") for line in self.lines]
        self.context.run_all(rows)

    def run(self):
        """Every customer's month, day by day; sessions of all customers take turns, as they do."""
        sessions = max(1, self.options.requests // len(LIFE))
        for day in range(DAYS):
            for session in range(sessions):
                self.now = BEGAN + day * DAY + session * DAY // sessions
                self._sessions(f"{day};{session}")
            for _ in range(self.options.texts):
                self._texts()
            if day == DAYS // 2:
                self._top_up()

    def _sessions(self, name):
        for number, kind in enumerate(LIFE):
            self.now += 600_000_000
            self.context.run_all(self._request(line, kind, number, name) for line in self.lines)

    def _request(self, line, kind, number, name):
        used = [] if kind == charging.INITIAL else [1_000_003]
        asked = None if kind == charging.TERMINATION else 0
        services = charging.service(10, used, ask=asked)
        session = f"smf.epc.mnc015.mcc234.3gppnetwork.org;1795711442;{name};{line[1]}"
        body = encode(charging.ccr(kind, number, services, session=session, imsi=line[1], msisdn=line[0]))
        frame = encode_message(FLAG_REQUEST | FLAG_PROXIABLE, 272, 4, 1, 1, body)
        peer = "smf.epc.mnc015.mcc234.3gppnetwork.org"
        return CreditControlUnit(gy_ccr.read(decode(CreditControlRequest, frame), peer, self.now, "GB"))

    def _texts(self):
        lane, words = self.context.lane, "Your parcel comes between ten and twelve. Reply STOP to hear no more."
        parts = count_parts(words, Alphabet.GSM7)
        numbers = [next(self.numbers) for _ in self.lines]
        drafts = [
            Draft(line[0], f"4479{number:08d}", words, parts, self.now + DAY, reference=f"order-{number}")
            for line, number in zip(self.lines, numbers, strict=True)
        ]
        ids = lane.run(AcceptTexts("shop", drafts)).ids
        lane.run(TakeForSending([Dispatch(each, 0, "host") for each in ids]))
        kept = [f"{each:x}" for each in ids]
        lane.run(RecordOutcomes([_accepted(each, message) for each, message in zip(ids, kept, strict=True)]))
        for draft, message in zip(drafts, kept, strict=True):
            forms = tuple(id_forms(message, IdForm.AUTO))
            lane.run(RecordReceipts([Receipt("host", forms, Step.DELIVERED, "", draft.destination, None)]))

    def _top_up(self):
        payments = [
            TopUp("msisdn", line[0], Payment("shop", f"card-{line[0]}", 10_000_000, "GBP"), 10**12)
            for line in self.lines
        ]
        self.context.run_all(payments)

    def sweep(self):
        """Let go what is past its retention at the end of the month, and sealed; the events count as published."""
        seal_day(self.context, self.context.clock(), self.context.evidence_key)
        retention = msgspec.convert(self.context.settings.retention, Retention, from_attributes=True)
        while self.context.lane.run(Sweep(retention, published_only=False)):
            continue
        self.context.lane.run(KeepMonths(self.context.settings.retention.usage))
        while self.context.lane.run(SweepMessaging(self.context.settings.retention.texts * 1_000_000)):
            continue

    def books(self):
        with self.context.reading() as connection:
            return check(connection, recompute, cause_seals=self.context.cause_seals)


def _accepted(text_id, message_id):
    return SubmitOutcome(text_id, 0, "host", Step.ACCEPTED, stored_id(message_id), "")


def sizes(context):
    """Octets and rows of each table that has any, its free space squeezed out."""
    url = context.settings.store.connect_url
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as raw:
            raw.execute("VACUUM")
    else:
        with psycopg.connect(url, autocommit=True) as raw:
            raw.execute("VACUUM FULL")
    engine = open_reader(url)
    with engine.connect() as connection:
        octets = {name: int(size) for name, size in connection.execute(text(SIZES[engine.dialect.name]))}
        tables = [name for name in inspect(connection).get_table_names() if name in octets]
        rows = {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar() for name in tables}
    engine.dispose()
    return {name: (octets[name], rows[name]) for name in tables if rows[name]}


def report(grown, empty, options):
    """A row for each table that grows with the load."""
    for name, days in KEPT.items():
        octets, rows = (after - before for after, before in zip(grown[name], empty.get(name, (0, 0)), strict=True))
        month = octets / options.customers
        a_day = month / DAYS * LINES
        yield {
            "table": name,
            "rows": round(rows / options.customers, 1),
            "octets_a_row": round(octets / rows),
            "octets_a_month": round(month),
            "kept_days": days,
            "gb_a_day": round(a_day / 1e9, 2),
            "gb_after_a_year": round(a_day * min(days or 365, 365) / 1e9, 1),
        }


@contextmanager
def store(kind, folder):
    if kind == "sqlite":
        yield f"sqlite:///{folder}/tpo.db"
        return
    with postgres.server() as make:
        yield make("growth")


def main():
    """Measure, and prove the books."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.growth", description=__doc__)
    parser.add_argument("--store", choices=tuple(SIZES), default="sqlite")
    parser.add_argument("--customers", type=int, default=40)
    parser.add_argument(
        "--requests", type=int, default=CCRS_A_DAY // LINES, help="charging requests a customer and day (50)"
    )
    parser.add_argument("--texts", type=int, default=1, help="texts a customer and day (1)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="growth-") as folder, store(options.store, folder) as url:
        month = Month(Path(folder), url, options)
        month.enrol()
        empty = sizes(month.context)
        month.run()
        grown, findings = sizes(month.context), month.books().findings
        month.sweep()
        swept = sum(octets for octets, _ in sizes(month.context).values())
        month.context.close()
    rows = list(report(grown, empty, options))
    total = {
        "octets_a_month": sum(row["octets_a_month"] for row in rows),
        "gb_a_day": sum(row["gb_a_day"] for row in rows),
    }
    told = {"store": options.store, "tables": rows, "total": total, "octets_after_sweep": swept}
    told["books_are_right"] = not findings
    if options.json:
        sys.stdout.write(f"{json.dumps(told | {'books_are_right': not findings}, indent=2)}\n")
    else:
        for row in rows:
            sys.stdout.write("  ".join(f"{name} {value}" for name, value in row.items()) + "\n")
        sys.stdout.write(f"{total}, after the sweep {swept:,} octets, books right: {not findings}\n")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
