"""The company's people at the turn of a month: bills closed and paid, dunned, causes paid by two people, prices put right."""

from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal
from itertools import islice
from pathlib import Path
from typing import Final

from gateway.api.answers.bills import BillPage, BillRow, CloseView, LinesPaid
from gateway.api.answers.charity import (
    CoverRow,
    CoverRows,
    MonthConfirmed,
    PaymentsSettled,
    PayoutFile,
    PayoutMade,
    ProfitShared,
    StandingRow,
)
from gateway.api.answers.usage import UsageRerated
from gateway.billing.references import reference_of
from gateway.cli.bank_files import lines_of
from gateway.ledger.account_names import UNASSIGNED
from gateway.subscribers.queries import find
from simulators.bank import Bank, Order, minor_units
from simulators.year.gateway import CHECKER, MAKER, Gateway, expect, pause
from simulators.year.lines import Line
from simulators.year.settings_files import CHARITY, COMPANY

LINES: Final = 500
"""Lines of a bank's file that are asked for at once, as `tpo bill paid` does."""
NOT_CAUSES: Final = "no payment to a cause"


class Staff:
    """What people do, and the bank that they do it with; `folder` keeps the bank's files."""

    def __init__(self, bank: Bank, folder: Path) -> None:
        """Begin with nothing to do."""
        self.bank = bank
        self._folder = folder
        self._lines: dict[str, Line] = {}
        self._debits: list[tuple[str, int]] = []
        """Debits that will be returned: the payer's reference and pence."""
        self.paid: Counter[str] = Counter()
        """Pence by what became of them: paid, and taken back."""
        self.paid_lines: Counter[str] = Counter()
        self.causes_paid: Counter[str] = Counter()
        """Payments to causes by what became of them."""

    def know(self, gateway: Gateway, lines: Sequence[Line]) -> None:
        """Remember which customer has which line."""
        with gateway.context.reading() as connection:
            self._lines = {str(find(connection, line.msisdn)): line for line in lines}

    async def close(self, gateway: Gateway, period: str) -> CloseView:
        """Close a month into bills."""
        found = await gateway.ask(MAKER, "bill.close", CloseView, period=period)
        while found.state == "running":
            await pause()
            found = await gateway.ask(MAKER, "bill.close", CloseView, period=period)
        return found

    async def bills(self, gateway: Gateway, period: str) -> list[BillRow]:
        """Return the bills of a month."""
        found: list[BillRow] = []
        page = await gateway.ask(MAKER, "bill.list", BillPage, period=period, limit=1000)
        while page.next is not None:
            found += page.rows
            page = await gateway.ask(MAKER, "bill.list", BillPage, period=period, limit=1000, after=page.next)
        return found + page.rows

    def pay(self, bills: Sequence[BillRow], day: str, how: str, *, debit: bool = False) -> None:
        """Have customers who pay so pay what their bills of a month ask for; a debit will be returned."""
        for bill in bills:
            line, due = self._lines[bill.subscriber_id], minor_units(bill.due)
            if due > 0 and line.pays_later and line.pays == how:
                payer_reference = f"{'D' if debit else 'E'}{bill.number}"
                self.bank.credit(COMPANY, day, due, payer_reference, f"bill {reference_of(bill.number)}")
                if debit:
                    self._debits.append((payer_reference, due))

    def return_debits(self, day: str) -> None:
        """Have the bank take back what payers' banks returned."""
        for payer_reference, amount in self._debits:
            self.bank.take_back(COMPANY, day, amount, payer_reference)
        self._debits = []

    async def read_company_statement(self, gateway: Gateway, day: str) -> None:
        """Book what the bank says that came in, and what it took back."""
        file = self._keep(f"company-{day}.xml", self.bank.statement(COMPANY, day))
        lines = lines_of(file)
        while some := list(islice(lines, LINES)):
            done = await gateway.ask(MAKER, "bill.paid", LinesPaid, lines=some)
            for said, result in zip(some, done.results, strict=True):
                self.paid[result.outcome] += minor_units(str(said["amount"]))
                self.paid_lines[result.outcome] += 1
        await gateway.turn("dunning")
        await gateway.orders_done()

    async def confirm(self, gateway: Gateway, period: str) -> list[StandingRow]:
        """Confirm what customers have paid for; gives what stands where."""
        return (await gateway.ask(MAKER, "charity.confirm", MonthConfirmed, period=period)).rows

    async def cover(self, gateway: Gateway, day: str) -> CoverRow | None:
        """Ask whether the charity account covers what is owed."""
        found = await gateway.ask(MAKER, "charity.cover", CoverRows, day=day)
        return next((row for row in found.rows if row.currency == "GBP"), None)

    async def fill_charity_account(self, gateway: Gateway, day: str, less: int = 0) -> None:
        """Move what is owed to causes to their account, or so many pence less, and read the bank's statement."""
        row = await self.cover(gateway, day)
        missing = (0 if row is None else pence_above(row.needed)) - self.bank.balances[CHARITY]
        if missing - less > 0:
            self.bank.transfer(COMPANY, CHARITY, day, missing - less)
        await self.read_charity_statement(gateway, day)

    async def read_charity_statement(self, gateway: Gateway, day: str) -> None:
        """Read what the bank says of payments to causes; what is none of these is told of."""
        settled = await self._settle(gateway, f"charity-{day}.xml", self.bank.statement(CHARITY, day))
        strange = [line for line in settled.unmatched if NOT_CAUSES not in line]
        expect(not strange, "the statement has payments to causes and transfers", strange)

    async def pay_causes(self, gateway: Gateway, period: str, day: str, refused: str) -> PayoutMade:
        """Have one person make the payment file, another one approve it, and the bank take it.

        The bank refuses the payment to the account with this number, if there is one.
        """
        made = await gateway.ask(MAKER, "charity.payout", PayoutMade, period=period, day=day)
        for file in made.files:
            approved = await gateway.ask(CHECKER, "charity.payout.approve", PayoutFile, sha256=file.sha256)
            order = b64decode(approved.content)
            self._keep(approved.name, order)

            def is_refused(each: Order) -> bool:
                return each.to.number == refused

            report = self.bank.take_order(CHARITY, day, order, is_refused)
            await self._settle(gateway, f"report-{day}.xml", report)
        await self.read_charity_statement(gateway, day)
        return made

    async def _settle(self, gateway: Gateway, name: str, octets: bytes) -> PaymentsSettled:
        self._keep(name, octets)
        file = b64encode(octets).decode()
        settled = await gateway.ask(MAKER, "charity.paid", PaymentsSettled, file=file)
        self.causes_paid.update(paid=settled.paid, returned=settled.returned, rejected=settled.rejected)
        return settled

    async def share_profit(self, gateway: Gateway, period: str, amount: str) -> Decimal:
        """Book a quarter of a profit for causes; gives what causes have of it, beside what nobody chose one for."""
        told = {"period": period, "amount": amount, "book": True}
        shared = await gateway.ask(MAKER, "charity.profit-share", ProfitShared, **told)
        return sum((Decimal(row.amount) for row in shared.rows if row.cause != UNASSIGNED), Decimal(0))

    async def put_right(self, gateway: Gateway, plan: str, since: int) -> int:
        """Price again what was used at a wrong price; gives how many records were put right."""
        records = 0
        for sales in (False, True):
            after: int | None = 0
            while after is not None:
                told = {"plan": plan, "since": since, "after": after, "sales": sales}
                page = await gateway.ask(MAKER, "usage.rerate", UsageRerated, **told)
                records, after = records + page.records, page.next
        return records

    def _keep(self, name: str, octets: bytes) -> Path:
        self._folder.mkdir(exist_ok=True)
        file = self._folder / name
        file.write_bytes(octets)
        return file


def pence_above(amount: str) -> int:
    """Return the whole pence that cover an amount in pounds."""
    return int((Decimal(amount) * 100).to_integral_value(ROUND_CEILING))
