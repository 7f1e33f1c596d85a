"""A store with the accounts of all states of the tenth, months of its own, and people who pay causes from it."""

import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import insert

from gateway.bank import camt
from gateway.bank.accounts import BankAccount
from gateway.charity import bank_details
from gateway.charity.bank_details import ApproveDetails, ProposeDetails
from gateway.charity.bank_matching import SettleFile, said_by_statements
from gateway.charity.confirmation import ConfirmMonth, read_month, read_standings
from gateway.charity.payouts import ApprovePayout, MakePayout, Payee, end_to_end_id
from gateway.charity.policies import WHOLE, recompute
from gateway.charity.receipts import Senders
from gateway.charity.remittance import remittances
from gateway.charity.standings import Account, Roads, Standing
from gateway.charity.tenth_states import Stream, Way
from gateway.ledger import accounts
from gateway.ledger.books import Books
from gateway.ledger.check import check
from gateway.privacy.sealing import Sealer
from gateway.store.engine import reading
from gateway.store.evidence import Evidence
from gateway.store.tables import transfers
from support.bank_files import entry, payment, statement
from support.keys import SHARED_KEY
from support.lane_fixture import CAUSES, EVIDENCE_KEY, Workplace

LONDON, POUND = ZoneInfo("Europe/London"), 1_000_000
NOVEMBER, DECEMBER, JANUARY = (
    int(datetime(*month, 1, tzinfo=UTC).timestamp()) * 1_000_000 for month in ((2026, 11), (2026, 12), (2027, 1))
)
DAY = 86_400 * 1_000_000
ANN, BEN = (1 << 40) + 1, (1 << 40) + 2
PAYER = BankAccount("Example Mobile Giving", sort_code="200000", account="55779911")
AID = BankAccount("WaterAid", sort_code="200000", account="12345678")


class Place(Workplace):
    """A store with the accounts of all states, and people who pay causes from it."""

    def __init__(self, url):
        super().__init__(url)
        self.lane.start()
        self.numbers = itertools.count(self.node.next_id + 10_000)
        with self.writer.begin() as connection:
            names = [name for cause in CAUSES for name in accounts.accounts_of(cause)]
            opened = accounts.ensure(connection, [*self.accounts, *names])
            Evidence(EVIDENCE_KEY, self.node.id).append(connection, {"accounts": opened.made}, next(self.ticks))
            self.accounts = opened.numbers
        self.sealer = Sealer(SHARED_KEY.encode())
        self.decide_by(Books(self.accounts), self.sealer)

    def book(self, at, kind, debit, credit, amount, *, usage=None, reference=None, event_at=None, policy="2026-1"):
        sides = [side if isinstance(side, int) else self.accounts[side] for side in (debit, credit)]
        evidence = (amount * 10, policy, WHOLE) if "accrual" in kind else (None, None, None)
        row = (next(self.numbers), at, kind, *sides, amount, "GBP", event_at or at, usage, *evidence, reference)
        with self.writer.begin() as connection:
            connection.execute(insert(transfers).values(dict(zip(transfers.c.keys(), row, strict=True))))

    def charge(self, at, wallet, amount, policy="2026-1", **parts):
        """A charge of a usage record and its tenths, by cause; gives the record's number."""
        usage = next(self.numbers)
        self.book(at, "charge", wallet, "revenue", amount, usage=usage)
        for cause, part in parts.items():
            self.book(at, "accrual", "giving", f"cause:{cause}", part, usage=usage, policy=policy)
        return usage

    def confirm(
        self, period, now, payable=(("wateraid", "GBP"), ("wwf", "GBP")), successors=None, unassigned=(), policies=()
    ):
        with reading(self.reader) as connection:
            month = read_month(connection, period, LONDON, now, lambda _work, _rows: None, policies)
        if month is None:
            return None
        return self.lane.run(ConfirmMonth(month, Roads(frozenset(payable), successors or {}, frozenset(unassigned))))

    def standing(self, cause="wateraid", stream=Stream.TENTH):
        with reading(self.reader) as connection:
            return read_standings(connection).get(Account(stream, cause, "GBP"), Standing())

    def details(self, cause="wateraid", proposer="ann", approver="ben", account=AID):
        sealed = bank_details.seal(self.sealer, cause, "GBP", account)
        found = self.lane.run(ProposeDetails(cause, "GBP", sealed, proposer))
        return self.lane.run(ApproveDetails(found.id, approver))

    def make(self, maker="ann", **terms):
        payee = msgspec.structs.replace(Payee("wateraid", 0, False), **terms)
        return self.lane.run(MakePayout("2026-11", "GBP", "pain.001.001.09", "", PAYER, "2026-12-07", maker, [payee]))

    def pay(self, **terms):
        made = self.make(**terms)
        return self.lane.run(ApprovePayout(made.sha256, "ben", "2026-12-05"))

    def settle(self, *statements):
        senders = Senders({"winter-2026": "GBP"}, "charity-account", frozenset({"GBP"}))
        read = said_by_statements((each for data in statements for each in camt.read(data)), senders)
        return self.lane.run(SettleFile(read.said, read.days, read.receipts))

    def remittance(self, begin, end, cause="wateraid"):
        with reading(self.reader) as connection:
            return next(each for each in remittances(connection, begin, end) if each.account.cause == cause)

    def findings(self):
        """What the check says of states and of their entries: the charges here have no usage rows."""
        with self.reader.connect() as connection:
            found = check(connection, recompute, EVIDENCE_KEY).findings
        mine = [each for each in found if each.check in {"tenth_state", "zero_sum"}]
        kinds = tuple(f"no {way} " for way in Way) + tuple(f"every {way} " for way in Way)
        return mine + [
            each
            for each in found
            if any(kind in each.detail for kind in kinds) or (each.check == "evidence" and "entry" not in each.detail)
        ]


def paid(number, amount, reference="R-1"):
    return statement(entry(amount, credit=False, reference=reference, details=payment(end_to_end_id(number))))


def returned(number, amount):
    return statement(entry(amount, reference="R-2", details=payment(end_to_end_id(number), returned="AC04")))
