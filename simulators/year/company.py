"""The company of a simulated year: which day of a month its people do what, and what each month came to."""

import time
from datetime import datetime
from decimal import Decimal
from typing import Final

from gateway.api.answers.bills import BillRow, OverduePage
from gateway.api.answers.rows import HeldReportPage
from gateway.api.answers.usage import HeldReportDecided
from simulators.bank import Bank
from simulators.year.clock import DAY
from simulators.year.gateway import MAKER, Gateway
from simulators.year.line_events import DATA, Use
from simulators.year.lines import LATE, PROMPT, RETURNED, Line
from simulators.year.network import Network
from simulators.year.opening import agree_account
from simulators.year.proofs import Proofs
from simulators.year.report import MonthFigures, charged, confirmed, passed_on, sum_of
from simulators.year.running import Running
from simulators.year.settings_files import CAUSES, CHARITY, COMPANY, PAYG, Month
from simulators.year.staff import Staff

WRONG_PRICE: Final = "0.02"
MISTAKES: Final = 2
"""The month in which a price is wrong for two days, and clients report what nobody used."""
SHORT: Final = 100
"""Pence that the charity account lacks one day."""
MOVED: Final = "52999999"
"""The account that a cause is paid to after a payment came back."""
RETURNING: Final = CAUSES[1]
"""The cause whose first payment the bank refuses, and whose second one comes back."""


class Company:
    """Its people, its bank, and the figures of its months; `late` is the use that comes after its month was closed."""

    def __init__(self, running: Running, lines: list[Line], network: Network, proofs: Proofs) -> None:
        """Begin without a month that is over."""
        self._running, self._lines, self._network, self._proofs = running, lines, network, proofs
        self.staff = Staff(Bank([COMPANY, CHARITY]), running.folder / "bank")
        self.figures: list[MonthFigures] = []
        self.late: list[Use] = []
        self.late_uses = self.put_right = 0
        self._bills: list[BillRow] = []
        self._confirmed = self.shared = sum_of(())
        self._paid_bills = self._wrong_since = 0
        self._began = time.monotonic()

    @property
    def _gateway(self) -> Gateway:
        return self._running.gateway

    async def day(self, day: datetime, month: Month) -> None:
        """Do what is done on a day of a month: about the month before, if there was one."""
        self._running.clock.move(self._running.clock.at(day, 3))
        today = f"{day:%Y-%m-%d}"
        if day.month == MISTAKES:
            await self._mistakes(day, month)
        if not self.figures and day.month == 1:
            return
        period = f"{day.replace(day=1) - DAY:%Y-%m}"
        staff, gateway = self.staff, self._gateway
        if day.day == 1:
            await self._turn_month(period, f"{day:%Y-%m}")
        elif day.day == 5 and len(self.figures) == 2:
            self.shared = await staff.share_profit(gateway, period, f"{len(self._lines)}.00")
        elif day.day == 10:
            staff.pay(self._bills, today, PROMPT)
            staff.pay(self._bills, today, RETURNED, debit=True)
            await staff.read_company_statement(gateway, today)
        elif day.day in (12, 13):
            await self._fill(day.day, today)
        elif day.day == 15:
            await self._pay_causes(period, today)
        elif day.day == 17:
            staff.return_debits(today)
            await staff.read_company_statement(gateway, today)
        elif day.day == 18 and len(self.figures) == 2:
            await self._payment_comes_back(today)
        elif day.day == 20:
            staff.pay(self._bills, today, LATE)
            staff.pay(self._bills, today, RETURNED)
            await staff.read_company_statement(gateway, today)

    async def _turn_month(self, period: str, current: str) -> None:
        """Close a month, take what comes late, confirm, and prove all of it."""
        gateway, staff, proofs = self._gateway, self.staff, self._proofs
        close = await staff.close(gateway, period)
        self._bills = await staff.bills(gateway, period)
        await self._network.play(gateway, [each for each in self.late if not each.line.gone], self._running.clock())
        self.late_uses += len(self.late)
        standing = await staff.confirm(gateway, period)
        await proofs.books(gateway, period)
        totals = await proofs.totals(gateway, period, self._network.reported)
        rows = await proofs.remittances(gateway, period, self.shared)
        self.shared = sum_of(())
        await proofs.standings(gateway, current, standing)
        proofs.payments(staff.bank, self.accounts(), period)
        records, money, tenths = charged(totals)
        before, self._confirmed = self._confirmed, confirmed(standing)
        paid = staff.paid["paid"] - staff.paid["taken_back"]
        found = MonthFigures(
            period=period,
            lines=sum(not line.gone for line in self._lines),
            records=records,
            charged=f"{money:.2f}",
            bills=close.bills,
            paid=f"{(paid - self._paid_bills) / 100:.2f}",
            accrued=f"{tenths:.2f}",
            confirmed=f"{self._confirmed - before:.2f}",
            passed_on=f"{passed_on(rows):.2f}",
            outstanding=f"{await self._outstanding():.2f}",
            seconds=round(time.monotonic() - self._began, 1),
        )
        self._paid_bills, self._began = paid, time.monotonic()
        self.figures.append(found)

    async def _mistakes(self, day: datetime, month: Month) -> None:
        """Have a wrong price for two days, then put it right; and have a client report what nobody can have used."""
        if day.day == 4:
            await self._running.restart(month, WRONG_PRICE)
            self._wrong_since = self._running.clock()
        elif day.day == 6:
            await self._running.restart(month)
            self.put_right = await self.staff.put_right(self._gateway, PAYG, self._wrong_since)
            await self._proofs.books(self._gateway, "after a price was put right")
        elif day.day == 8:
            lines = [line for line in self._lines if not line.gone][:2]
            await self._network.report_too_much(self._gateway, lines, self._running.clock.moment)
        elif day.day == 9:
            page = await self._gateway.ask(MAKER, "usage.review.list", HeldReportPage)
            self._proofs.hold("absurd reports are held", len(page.rows), 2, "review")
            for action, row in zip(("book", "drop"), page.rows, strict=False):
                told = {"id": row.id, "reason": "as the host explained"}
                await self._gateway.ask(MAKER, f"usage.review.{action}", HeldReportDecided, **told)
                if action == "book":
                    self._network.reported[row.event_time[:7], DATA] += row.octets or 0

    async def _fill(self, day: int, today: str) -> None:
        """Move what is owed to causes into the charity account, once a day too late and not all of it."""
        less = SHORT if len(self.figures) == 2 and day == 12 else 0
        if day == 12 or len(self.figures) == 2:
            await self.staff.fill_charity_account(self._gateway, today, less)
            row = await self.staff.cover(self._gateway, today)
            self._proofs.cover(row, self.staff.bank, today, missing=less)

    async def _pay_causes(self, period: str, today: str) -> None:
        refused = RETURNING.account.number if len(self.figures) == 1 else ""
        await self.staff.pay_causes(self._gateway, period, today, refused)
        row = await self.staff.cover(self._gateway, today)
        self._proofs.cover(row, self.staff.bank, today)

    async def _payment_comes_back(self, today: str) -> None:
        """Have a payment come back, and the cause agree on another account."""
        bank = self.staff.bank
        for each in bank.payments_to(RETURNING.account):
            bank.give_back(CHARITY, today, each.end_to_end_id)
        await self.staff.read_charity_statement(self._gateway, today)
        await agree_account(self._gateway, RETURNING, MOVED)

    async def _outstanding(self) -> Decimal:
        """Return what is owed on bills."""
        owed, after = sum_of(()), 0
        while True:
            page = await self._gateway.ask(MAKER, "bill.overdue", OverduePage, after=after)
            owed += sum_of(row.outstanding for row in page.rows)
            if page.next is None:
                return owed
            after = page.next

    def accounts(self) -> list[tuple[str, list[str]]]:
        """Name the accounts of each cause."""
        return [(cause.id, [cause.account.number, *([MOVED] if cause is RETURNING else [])]) for cause in CAUSES]
