"""Sessions played against the charging desk with crashes in between, and what they must have come to."""

import itertools
import shutil
import tempfile
import threading
from collections import Counter
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from gateway.charging.credit_control import CreditControlUnit
from gateway.charging.gy import ccr as gy_ccr
from gateway.charging.session import _State
from gateway.charging.session_expiry import ExpireSession, overdue
from gateway.charging.tariff import QuotaTerms
from gateway.charity.policies import recompute
from gateway.rating.prices import price
from gateway.store import tables
from gateway.store.engine import reading
from gateway.store.errors import OutcomeUnknown
from protocols.diameter.codec import FLAG_PROXIABLE, FLAG_REQUEST, encode_message
from protocols.diameter.generated import decode, encode
from protocols.diameter.messages import CreditControlRequest
from support.books import check
from support.charging_fixture import PLANS, TERMINATION, ChargingPlace, ccr
from support.lane_fixture import EVIDENCE_KEY
from support.one_batch import Gate
from support.patience import PATIENCE

CUSTOMERS = (("234150000000001", "447700900001", "payg-gb"), ("234150000000002", "447700900002", "bundle-gb"))
SESSIONS = (
    ("pgw;1;data", 0, "data"),
    ("pgw;2;data", 0, "data"),
    ("pgw;3;voice", 0, "voice"),
    ("pgw;4;data", 1, "data"),
    ("pgw;5;data", 1, "data"),
)
"""Session-Id, whose, and which service: sessions of one wallet overlap."""
CONTEXTS = {"data": "32251@3gpp.org", "voice": "32260@3gpp.org"}
DAY_US = 86_400_000_000
MEMORY = Path("/dev/shm")


@contextmanager
def folder():
    """A folder in memory where there is one: the lane's fsyncs then cost nothing."""
    path = Path(tempfile.mkdtemp(prefix="tpo-play-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def blank_store(path):
    """A store with its tables and nobody in it, to be copied for each play."""
    place = ChargingPlace(f"sqlite:///{path}")
    place.lane.start()
    place.close()


class Play:
    """One store and five sessions on it; `reported` is what each request reported, counted once however often it was sent."""

    def __init__(self, path, openings):
        self.url, self.openings = f"sqlite:///{path}", openings
        self.begins = 1_700_000_000_000_000
        self.place = None
        self.reopen()
        self.owners = [
            self.place.enrol(opening, imsi, msisdn, plan)
            for opening, (imsi, msisdn, plan) in zip(openings, CUSTOMERS, strict=True)
        ]
        self.numbers = [itertools.count() for _ in SESSIONS]
        self.reported = {}
        self.ended = set()
        """What final reports said, by session: the same again under another number is booked once."""
        self.sent = []
        """Every request so far with the answer it got at first; None for one that changed nothing and is not remembered."""

    def reopen(self):
        """Close the store, as at the end of a process, and open it again."""
        if self.place is not None:
            self.begins = next(self.place.ticks)
            self.place.close()
        # Milliseconds pass between requests here: whether they could have been used is not what these plays are about.
        terms = QuotaTerms(slice_octets=10_000_000, tolerance=1000)
        self.place = ChargingPlace(self.url, terms=terms)
        self.place.ticks = itertools.count(self.begins, 1000)
        self.place.lane.start()

    def let_pass(self, microseconds):
        """Let time go by, and end the sessions that fell silent."""
        self.place.ticks = itertools.count(next(self.place.ticks) + microseconds, 1000)
        with reading(self.place.reader) as connection:
            silent = overdue(connection, next(self.place.ticks))
        for session_id in silent:
            assert self.place.lane.run(ExpireSession(session_id))

    def request(self, session, request_type, services):
        """The next request of a session; its reports count from now on."""
        name, owner, service = SESSIONS[session]
        message = ccr(
            request_type,
            next(self.numbers[session]),
            *services,
            session=name,
            imsi=CUSTOMERS[owner][0],
            context=CONTEXTS[service],
        )
        if request_type == TERMINATION:
            final = (name, gy_ccr.read(message, "pgw.host.example", 0, "GB").digest)
            if final in self.ended:
                return message
            self.ended.add(final)
        for mscc in services:
            for used in mscc.used_service_unit:
                key = (name, mscc.rating_group)
                self.reported[key] = self.reported.get(key, 0) + (used.cc_total_octets or 0) + (used.cc_time or 0)
        return message

    def say(self, message, fate):
        """Send a request and let its fate befall it; what comes of it in the end is remembered."""
        if fate in {"rolled back", "committed, nobody knows", "power cut before the commit"}:
            with self.broken_commit(done=fate == "committed, nobody knows"), pytest.raises(OutcomeUnknown):
                self.place.ask(message)
        if fate == "power cut before the commit":
            self.reopen()
        if fate == "power cut before the answer":
            self.place.ask(message)
            self.reopen()
        if fate == "answer lost":
            self.remember(message, self.place.ask(message))
        self.remember(message, self.place.ask(message))

    def remember(self, message, answer):
        """Hold an answer against the first one to the same request."""
        known = [first for earlier, first in self.sent if earlier is message]
        if known:
            assert answer == known[0]
        elif answer.result_code != 5002:
            self.sent.append((message, answer))

    def say_again(self, place):
        """Repeat any request of the past."""
        if self.sent:
            message, first = self.sent[place % len(self.sent)]
            assert self.place.ask(message) == first
            assert self.place.last.repeated

    def say_together(self, messages):
        """Send requests that share a batch."""
        gate, left, outcomes = Gate(), threading.Semaphore(0), []

        def done(answer, error):
            outcomes.append((answer, error))
            left.release()

        self.place.lane.post(gate, lambda *_: None)
        assert gate.begun.wait(PATIENCE)
        for message in messages:
            frame = encode_message(FLAG_REQUEST | FLAG_PROXIABLE, 272, 4, 1, 1, encode(message))
            read = gy_ccr.read(decode(CreditControlRequest, frame), "pgw.host.example", next(self.place.ticks), "GB")
            self.place.lane.post(CreditControlUnit(read), done)
        gate.open.set()
        for _ in messages:
            assert left.acquire(timeout=PATIENCE)
        assert [error for _, error in outcomes] == [None] * len(messages)

    @contextmanager
    def broken_commit(self, *, done):
        """A commit whose outcome nobody learns: it was done, or not."""
        dialect = self.place.writer.dialect
        original = dialect.do_commit

        def fail(connection):
            if done:
                original(connection)
            raise OperationalError("COMMIT", {}, Exception("the disk went away"))

        dialect.do_commit = fail
        try:
            yield
        finally:
            del dialect.do_commit

    def finish(self):
        """End every session."""
        for session in range(len(SESSIONS)):
            self.say(self.request(session, TERMINATION, ()), "answered")

    def reckon(self):
        """Prove that every report was charged once, at the price of its session's total, and nothing is held."""
        place = self.place
        sessions = {row.id: row for row in place.read(select(tables.sessions))}
        usage = place.read(select(tables.usage))
        prices, amounts = Counter(), Counter()
        for row in usage:
            key = (sessions[row.session].session_id, row.rating_group)
            prices[key] += row.price
            amounts[key] += row.octets + row.seconds
        assert amounts == self.reported
        for row in sessions.values():
            assert (row.reserved, row.closed_at is None) == (0, False)
            plan = PLANS[CUSTOMERS[self.owners.index(row.subscriber_id)][2]]
            for group, state in msgspec.msgpack.decode(row.groups, type=_State).groups.items():
                rating_group = int(group) if group else None
                rate, key = plan.rate(row.service, rating_group), (row.session_id, rating_group)
                assert state.rated + state.covered == amounts[key]
                assert plan.bundle or not state.covered
                assert prices[key] == price(rate, state.rated)
                assert not state.grants
        self._check_wallets(usage)
        self._check_tenth()
        told = Counter(
            event["id"] for (body,) in place.read(select(tables.outbox.c.body)) for event in msgspec.json.decode(body)
        )
        assert told == Counter(str(row.id) for row in usage)
        with reading(place.reader) as connection:
            assert check(connection, recompute, EVIDENCE_KEY).findings == []

    def _check_wallets(self, usage):
        spent = Counter()
        for row in usage:
            spent[row.subscriber_id] += row.price
        for row in self.place.read(select(tables.transfers).where(tables.transfers.c.kind == "sale")):
            spent[row.debit] += row.amount
        wallets = {row.subscriber_id: row for row in self.place.read(select(tables.wallets))}
        for owner, opening in zip(self.owners, self.openings, strict=True):
            assert wallets[owner].balance == opening - spent[owner]
            assert wallets[owner].reserved == 0
            for allowance in msgspec.json.decode(wallets[owner].bundle or b"{}").get("allowances", []):
                assert not any(allowance.get("held", {}).values())

    def _check_tenth(self):
        """A tenth of what the charges of each session came to, and of each sale, rounded once, half-even."""
        rows = self.place.read(select(tables.transfers))
        sessions = dict(self.place.read(select(tables.usage.c.id, tables.usage.c.session)))
        charged, accrued = Counter(), Counter()
        for row in rows:
            of = row.reference if row.usage_id is None else sessions[row.usage_id]
            if row.kind in {"charge", "sale"}:
                charged[of] += row.amount
            elif row.kind == "accrual":
                accrued[of] += row.amount
        owed = Counter({of: round(Fraction(amount, 10)) for of, amount in charged.items()})
        assert accrued == owed
