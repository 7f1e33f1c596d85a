"""The year itself: days and months in their order, and what is proved at its end."""

import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from gateway.api.problems import Problem
from gateway.store.errors import StoreError
from simulators.year.clock import DAY, Clock
from simulators.year.company import Company
from simulators.year.customers import Customers
from simulators.year.gateway import DAILY, SELDOM, Unexpected
from simulators.year.line_events import CustomerAction, CustomerEvent, Use, month_of
from simulators.year.lines import draw
from simulators.year.network import Network
from simulators.year.opening import bring_in, register_causes
from simulators.year.proofs import Proofs
from simulators.year.report import Result
from simulators.year.running import Running
from simulators.year.settings_files import CAUSES, Month

YEAR: Final = 2025
ZONE: Final = ZoneInfo("Europe/London")
HOURS: Final = (6, 12, 18)
"""When, of a day, what was used since is played; the last time is its end."""
LAST_DAY: Final = 20
"""The day of the month after the last one on which the year is over for the company."""
SEALING: Final = 11
"""The day on which the month before moves to files of its own."""
SAMPLE: Final = 50


class Year:
    """A year of so many months and lines; `on_progress` gets a line on how far it is."""

    def __init__(self, folder: Path, lines: int, months: int, seed: int, on_progress: Callable[[str], None]) -> None:
        """Draw the lines; nothing is opened yet."""
        self._months, self._seed, self._on_progress = months, seed, on_progress
        self._lines = draw(Random(seed), lines)  # noqa: S311  (customers who do not exist)
        self._clock = Clock(ZONE, datetime(YEAR - 1, 12, 15, 9, tzinfo=ZONE))
        self._network, self._customers, self._proofs = Network(ZONE), Customers(self._clock), Proofs()
        self._running = Running(folder, seed, self._clock)
        self._company = Company(self._running, self._lines, self._network, self._proofs)
        self._month = Month(YEAR, 1, months)

    async def run(self) -> Result:
        """Play it to its end, or to where it cannot go on."""
        began, pack = time.monotonic(), ""
        try:
            await self._running.start(self._month)
            await self._open()
            for number in range(1, self._months + 1):
                self._month = Month(YEAR, number, self._months)
                await self._play_month()
            pack = await self._end()
        except (Problem, StoreError, TimeoutError, Unexpected) as error:
            self._proofs.failures.append(f"{self._clock.moment:%Y-%m-%d %H:%M}: the year ends here: {error!r}")
        finally:
            await self._running.stop()
        return Result(
            lines=len(self._lines),
            seed=self._seed,
            months=self._company.figures,
            proved=dict(self._proofs.proved),
            done=self._done(),
            pack=pack,
            failures=[*self._proofs.failures, *self._running.troubles],
            seconds=round(time.monotonic() - began, 1),
        )

    async def _open(self) -> None:
        """Have causes and lines come in, at the first moment of the year."""
        await register_causes(self._running.gateway, f"{YEAR - 1}-12-15")
        self._clock.move(datetime(YEAR, 1, 1, 0, 30, tzinfo=ZONE))
        self._on_progress(f"{len(self._lines):,} lines come in")
        await bring_in(self._running.gateway, self._lines, self._seed)
        self._company.staff.know(self._running.gateway, self._lines)

    async def _play_month(self) -> None:
        if self._month.has_closings:
            await self._running.restart(self._month)
        begin = datetime(YEAR, self._month.number, 1, tzinfo=ZONE)
        end = _next_month(begin)
        diary = month_of(self._lines, begin, end, self._seed)
        diary = self._hold_back(diary, end)
        self._customers.begin_month(self._running.gateway)
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

    def _hold_back(self, diary: Sequence[Use | CustomerEvent], end: datetime) -> list[Use | CustomerEvent]:
        """Hold back some of the last day's use, which comes after the month was closed."""
        last = [each for each in diary if isinstance(each, Use) and each.at >= end - DAY and not each.by_app]
        self._company.late = last[:: max(1, len(last) // max(1, len(self._lines) // 100))]
        late = set(map(id, self._company.late))
        return [each for each in diary if id(each) not in late]

    async def _play(self, some: Sequence[Use | CustomerEvent], until: datetime) -> None:
        self._clock.move(until)
        gateway, month = self._running.gateway, self._month
        events = [each for each in some if isinstance(each, CustomerEvent)]
        await self._customers.pay_in(
            gateway, [each for each in events if each.action is CustomerAction.PAY_IN and not each.line.gone]
        )
        uses = [each for each in some if isinstance(each, Use) and not each.line.gone]
        await self._network.play(gateway, uses, self._clock())
        for each in events:
            if each.action is not CustomerAction.PAY_IN:
                await self._customers.ask(gateway, each, month.open_causes)

    async def _end_day(self, day: datetime) -> None:
        self._clock.move(self._clock.midnight(day) + timedelta(minutes=5))
        await self._running.gateway.turn(*DAILY, *(SELDOM if day.day % 5 == 1 else ()))
        await self._running.gateway.orders_done()
        if day.day == SEALING:
            await self._running.gateway.seal_month()

    async def _office_day(self, day: datetime) -> None:
        """Have the company do what it does on a day, and report a month that was turned."""
        known = len(self._company.figures)
        await self._company.day(day, self._month)
        for each in self._company.figures[known:]:
            self._on_progress(
                f"{each.period}: {each.records:,} records, {each.charged} charged, {each.bills:,} bills, {each.accrued} given"
            )

    # The end

    async def _end(self) -> str:
        """Play the company's days of the month after, then prove the year as a whole; gives what the auditor's program said."""
        day = datetime(YEAR, self._month.number, 1, tzinfo=ZONE)
        begin = day = _next_month(day)
        while day < begin + timedelta(days=LAST_DAY):
            await self._office_day(day)
            await self._end_day(day)
            day = datetime.combine(day.date() + DAY, datetime.min.time(), ZONE)
        self._on_progress("the whole year is proved")
        period = f"{begin:%Y-%m}"
        rows = await self._proofs.remittances(self._running.gateway, period, self._company.shared)
        heirs = {cause.id: cause.heir for cause in CAUSES if self._month.is_closed(cause)}
        self._proofs.closings(rows, heirs, period, self._company.shared)
        self._proofs.payments(self._company.staff.bank, self._company.accounts(), period)
        await self._proofs.books(self._running.gateway, "the year", full=True)
        last = self._company.figures[-1].period
        return await self._proofs.pack(
            self._running.gateway, last, f"year {self._seed}", SAMPLE, self._running.folder / "audit"
        )

    def _done(self) -> dict[str, int]:
        """Count what people did, and what was refused."""
        staff = self._company.staff
        found = {str(action): count for action, count in self._customers.done.items()}
        found |= {
            "records put right": self._company.put_right,
            "bills' payments booked": staff.paid_lines["paid"],
            "payments taken back": staff.paid_lines["taken_back"],
            "payments to causes made": staff.causes_paid["paid"],
            "payments to causes refused": staff.causes_paid["rejected"],
            "payments to causes returned": staff.causes_paid["returned"],
            "late uses": self._company.late_uses,
            "texts delivered": self._network.centre.delivered,
            "texts not delivered": self._network.centre.failed,
            "texts refused": self._network.centre.refused,
        }
        found |= {f"dunning: {state}": count for state, count in self._running.dunned.items()}
        found |= {f"refused: {what}": count for what, count in self._customers.refused.items()}
        return found | {f"sessions: {what}": count for what, count in self._network.outcomes.items()}


def _next_month(begin: datetime) -> datetime:
    return (begin + timedelta(days=32)).replace(day=1)
