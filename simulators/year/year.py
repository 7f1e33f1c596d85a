"""The year itself: days and months in their order, and who does what on which of them."""

import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from gateway.api.answers import HeldReportDecided
from gateway.api.bill_answers import BillRow, OverduePage
from gateway.api.problems import Problem
from gateway.api.row_answers import HeldReportPage
from gateway.store.errors import StoreError
from simulators.bank import Bank
from simulators.host_api import HostApi
from simulators.year.clock import DAY, Clock
from simulators.year.customers import Customers
from simulators.year.diary import DATA, Deed, Use, Wish, month_of
from simulators.year.gateway import DAILY, MAKER, SELDOM, Gateway, Unexpected
from simulators.year.lines import LATE, PROMPT, RETURNED, draw
from simulators.year.network import Network
from simulators.year.office import Office
from simulators.year.opening import agree_account, bring_in, register_causes
from simulators.year.proofs import Proofs
from simulators.year.report import MonthFigures, Result, charged, confirmed, passed_on, sum_of
from simulators.year.settings_files import CAUSES, CHARITY, COMPANY, PAYG, Month, write

YEAR: Final = 2025
LAST_DAY: Final = 20
"""The day of the month after the last one on which the year is over for the company."""
ZONE: Final = ZoneInfo("Europe/London")
HOURS: Final = (6, 12, 18)
"""When, of a day, what was used since is played; the last time is its end."""
RIGHT_PRICE, WRONG_PRICE = "0.01", "0.02"
SAMPLE: Final = 50
SEALING: Final = 11
"""The day on which the month before moves to files of its own."""
MISTAKES: Final = 2
"""The month in which a price is wrong for two days, and clients report what nobody used."""
SHORT: Final = 100
"""Pence that the charity account lacks one day."""
MOVED: Final = "52999999"
"""The account that a cause is paid to after a payment came back."""
RETURNING: Final = CAUSES[1]
"""The cause whose first payment the bank refuses, and whose second one comes back."""


class Year:
    """A year of so many months and lines; `tell` hears how far it is."""

    def __init__(self, folder: Path, lines: int, months: int, seed: int, tell: Callable[[str], None]) -> None:
        """Draw the lines; nothing is opened yet."""
        self._folder, self._months, self._seed, self._tell = folder, months, seed, tell
        self._lines = draw(Random(seed), lines)  # noqa: S311  (customers who do not exist)
        self._clock = Clock(ZONE, datetime(YEAR - 1, 12, 15, 9, tzinfo=ZONE))
        self._network, self._customers, self._proofs = Network(ZONE), Customers(self._clock), Proofs()
        self._office = Office(Bank([COMPANY, CHARITY]), folder / "bank")
        self._host = HostApi(seed=seed)
        self._gateway: Gateway
        self._month = Month(YEAR, 1, months)
        self._late: list[Use] = []
        self._bills: list[BillRow] = []
        self._figures: list[MonthFigures] = []
        self._confirmed = self._shared = sum_of(())
        self._paid_bills = 0
        self._put_right = self._late_uses = self._wrong_since = 0
        self._began = 0.0
        self._dunned: Counter[str] = Counter()
        self._troubles: list[str] = []

    async def run(self) -> Result:
        """Play it to its end."""
        began, pack = time.monotonic(), ""
        self._began = began
        async with self._host:
            await self._open(RIGHT_PRICE)
            try:
                await register_causes(self._gateway, f"{YEAR - 1}-12-15")
                self._clock.move(datetime(YEAR, 1, 1, 0, 30, tzinfo=ZONE))
                self._tell(f"{len(self._lines):,} lines come in")
                await bring_in(self._gateway, self._lines, self._seed)
                self._office.know(self._gateway, self._lines)
                for number in range(1, self._months + 1):
                    self._month = Month(YEAR, number, self._months)
                    await self._play_month()
                pack = await self._end()
            except (Problem, StoreError, TimeoutError, Unexpected) as error:
                self._proofs.failures.append(f"{self._clock.moment:%Y-%m-%d %H:%M}: the year ends here: {error!r}")
            finally:
                await self._close()
        done = {str(wish): count for wish, count in self._customers.done.items()} | self._done()
        failures = [*self._proofs.failures, *self._troubles]
        seconds = round(time.monotonic() - began, 1)
        return Result(
            len(self._lines), self._seed, self._figures, dict(self._proofs.proved), done, pack, failures, seconds
        )

    # The gateway

    async def _open(self, data_price: str) -> None:
        settings = write(self._folder, self._seed, self._month, self._host.url, data_price=data_price)
        self._gateway = Gateway(settings, self._clock)
        await self._gateway.start()

    async def _close(self) -> None:
        await self._gateway.stop()
        self._dunned += self._gateway.dunned
        self._troubles += self._gateway.troubles

    async def _restart(self, data_price: str = RIGHT_PRICE) -> None:
        """Stop the gateway, and start it with other files."""
        await self._close()
        await self._open(data_price)

    # Days

    async def _play_month(self) -> None:
        if self._month.has_closings:
            await self._restart()
        begin = datetime(YEAR, self._month.number, 1, tzinfo=ZONE)
        end = _next_month(begin)
        diary = month_of(self._lines, begin, end, self._seed)
        diary = self._hold_back(diary, end)
        self._customers.begin_month(self._gateway)
        day = begin
        while day < end:
            await self._office_day(day)
            for until in (
                *(self._clock.at(day, hour) for hour in HOURS),
                self._clock.midnight(day) - timedelta(seconds=30),
            ):
                reached = bisect_right(diary, until, key=lambda each: each.at)
                await self._play(diary[:reached], until)
                diary = diary[reached:]
            await self._end_day(day)
            day = datetime.combine(day.date() + DAY, datetime.min.time(), ZONE)

    def _hold_back(self, diary: Sequence[Use | Deed], end: datetime) -> list[Use | Deed]:
        """Hold back some of the last day's use, which comes after the month was closed."""
        last = [each for each in diary if isinstance(each, Use) and each.at >= end - DAY and not each.by_app]
        self._late = last[:: max(1, len(last) // max(1, len(self._lines) // 100))]
        late = set(map(id, self._late))
        return [each for each in diary if id(each) not in late]

    async def _play(self, some: Sequence[Use | Deed], until: datetime) -> None:
        self._clock.move(until)
        gateway, month = self._gateway, self._month
        deeds = [each for each in some if isinstance(each, Deed)]
        await self._customers.pay_in(
            gateway, [each for each in deeds if each.wish is Wish.PAY_IN and not each.line.gone]
        )
        uses = [each for each in some if isinstance(each, Use) and not each.line.gone]
        await self._network.play(gateway, uses, self._clock())
        for each in deeds:
            if each.wish is not Wish.PAY_IN:
                await self._customers.ask(gateway, each, month.open_causes)

    async def _end_day(self, day: datetime) -> None:
        self._clock.move(self._clock.midnight(day) + timedelta(minutes=5))
        await self._gateway.turn(*DAILY, *(SELDOM if day.day % 5 == 1 else ()))
        await self._gateway.orders_done()
        if day.day == SEALING:
            await self._gateway.seal_month()

    # What the company does

    async def _office_day(self, day: datetime) -> None:
        """Do what is done on a day of a month: about the month before, if there was one."""
        self._clock.move(self._clock.at(day, 3))
        today = f"{day:%Y-%m-%d}"
        if day.month == MISTAKES:
            await self._mistakes(day)
        if not self._figures and day.month == 1 and day.year == YEAR:
            return
        period = f"{day.replace(day=1) - DAY:%Y-%m}"
        office, gateway = self._office, self._gateway
        if day.day == 1:
            await self._turn_month(period, f"{day:%Y-%m}")
        elif day.day == 5 and len(self._figures) == 2:
            self._shared = await office.share_profit(gateway, period, f"{len(self._lines)}.00")
        elif day.day == 10:
            office.pay(self._bills, today, PROMPT)
            office.pay(self._bills, today, RETURNED, debit=True)
            await office.read_company_statement(gateway, today)
        elif day.day in (12, 13):
            await self._fill(day.day, today)
        elif day.day == 15:
            await self._pay_causes(period, today)
        elif day.day == 17:
            office.return_debits(today)
            await office.read_company_statement(gateway, today)
        elif day.day == 18 and len(self._figures) == 2:
            await self._payment_comes_back(today)
        elif day.day == 20:
            office.pay(self._bills, today, LATE)
            office.pay(self._bills, today, RETURNED)
            await office.read_company_statement(gateway, today)

    async def _turn_month(self, period: str, current: str) -> None:
        """Close a month, take what comes late, confirm, and prove all of it."""
        gateway, office, proofs = self._gateway, self._office, self._proofs
        close = await office.close(gateway, period)
        self._bills = await office.bills(gateway, period)
        await self._network.play(gateway, [each for each in self._late if not each.line.gone], self._clock())
        self._late_uses += len(self._late)
        standing = await office.confirm(gateway, period)
        await proofs.books(gateway, period)
        totals = await proofs.totals(gateway, period, self._network.reported)
        rows = await proofs.remittances(gateway, period, self._shared)
        self._shared = sum_of(())
        await proofs.standings(gateway, current, standing)
        proofs.payments(office.bank, _accounts(), period)
        records, money, tenths = charged(totals)
        before, self._confirmed = self._confirmed, confirmed(standing)
        paid = office.paid["paid"] - office.paid["taken_back"]
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
        self._figures.append(found)
        self._tell(
            f"{period}: {records:,} records, {found.charged} charged, {close.bills:,} bills, {found.accrued} given"
        )

    async def _mistakes(self, day: datetime) -> None:
        """Have a wrong price for two days, then put it right; and have a client report what nobody can have used."""
        if day.day == 4:
            await self._restart(WRONG_PRICE)
            self._wrong_since = self._clock()
        elif day.day == 6:
            await self._restart()
            self._put_right = await self._office.put_right(self._gateway, PAYG, self._wrong_since)
            await self._proofs.books(self._gateway, "after a price was put right")
        elif day.day == 8:
            lines = [line for line in self._lines if not line.gone][:2]
            await self._network.report_too_much(self._gateway, lines, self._clock.moment)
        elif day.day == 9:
            page = await self._gateway.ask(MAKER, "usage.review.list", HeldReportPage)
            self._proofs.hold("absurd reports are held", len(page.rows), 2, "review")
            for action, row in zip(("book", "drop"), page.rows, strict=False):
                told = {"id": row.id, "reason": "as the host explained"}
                await self._gateway.ask(MAKER, f"usage.review.{action}", HeldReportDecided, **told)
                if action == "book":
                    self._network.reported[row.event_time[:7], DATA] += row.octets

    async def _fill(self, day: int, today: str) -> None:
        """Move what is owed to causes into the charity account, once a day too late and not all of it."""
        less = SHORT if len(self._figures) == 2 and day == 12 else 0
        if day == 12 or len(self._figures) == 2:
            await self._office.fill_charity_account(self._gateway, today, less)
            row = await self._office.cover(self._gateway, today)
            self._proofs.cover(row, self._office.bank, today, missing=less)

    async def _pay_causes(self, period: str, today: str) -> None:
        refused = RETURNING.account.number if len(self._figures) == 1 else ""
        await self._office.pay_causes(self._gateway, period, today, refused)
        row = await self._office.cover(self._gateway, today)
        self._proofs.cover(row, self._office.bank, today)

    async def _payment_comes_back(self, today: str) -> None:
        """Have a payment come back, and the cause agree on another account."""
        bank = self._office.bank
        for each in bank.payments_to(RETURNING.account):
            bank.give_back(CHARITY, today, each.end_to_end_id)
        await self._office.read_charity_statement(self._gateway, today)
        await agree_account(self._gateway, RETURNING, MOVED)

    async def _outstanding(self) -> Decimal:
        """Give what is owed on bills."""
        owed, after = sum_of(()), 0
        while True:
            page = await self._gateway.ask(MAKER, "bill.overdue", OverduePage, after=after)
            owed += sum_of(row.outstanding for row in page.rows)
            if page.next is None:
                return owed
            after = page.next

    # The end

    async def _end(self) -> str:
        """Play the company's days of the month after, then prove the year as a whole; gives what the auditor's program said."""
        day = datetime(YEAR, self._month.number, 1, tzinfo=ZONE)
        begin = day = _next_month(day)
        while day < begin + timedelta(days=LAST_DAY):
            await self._office_day(day)
            await self._end_day(day)
            day = datetime.combine(day.date() + DAY, datetime.min.time(), ZONE)
        self._tell("the whole year is proved")
        period = f"{begin:%Y-%m}"
        rows = await self._proofs.remittances(self._gateway, period, self._shared)
        heirs = {cause.id: cause.heir for cause in CAUSES if self._month.is_closed(cause)}
        self._proofs.closings(rows, heirs, period, self._shared)
        self._proofs.payments(self._office.bank, _accounts(), period)
        await self._proofs.books(self._gateway, "the year", full=True)
        last = self._figures[-1].period
        return await self._proofs.pack(self._gateway, last, f"year {self._seed}", SAMPLE, self._folder / "audit")

    def _done(self) -> dict[str, int]:
        """Count what people did, and what was refused."""
        office = self._office
        found = {
            "records put right": self._put_right,
            "bills' payments booked": office.paid_lines["paid"],
            "payments taken back": office.paid_lines["taken_back"],
            "payments to causes made": office.causes_paid["paid"],
            "payments to causes refused": office.causes_paid["rejected"],
            "payments to causes returned": office.causes_paid["returned"],
            "late uses": self._late_uses,
            "texts delivered": self._network.centre.delivered,
            "texts not delivered": self._network.centre.failed,
            "texts refused": self._network.centre.refused,
        }
        found |= {f"dunning: {state}": count for state, count in self._dunned.items()}
        found |= {f"refused: {what}": count for what, count in self._customers.refused.items()}
        return found | {f"sessions: {what}": count for what, count in self._network.outcomes.items()}


def _next_month(begin: datetime) -> datetime:
    return (begin + timedelta(days=32)).replace(day=1)


def _accounts() -> list[tuple[str, list[str]]]:
    """Name the accounts of each cause."""
    return [(cause.id, [cause.account.number, *([MOVED] if cause is RETURNING else [])]) for cause in CAUSES]
