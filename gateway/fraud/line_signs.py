"""Looks for signs of fraud after each use and top-up of a line, in the unit that books it (balance.line_rules.LineObserver).

What is counted stands in the wallet's `spending.marks`; a sign opens one case a line, kind and period, and no second one while
it is open.
"""

from collections.abc import Callable
from typing import Final

from gateway.balance.line_rules import Near, Use
from gateway.balance.profiles import Profile
from gateway.balance.spending import HOUR_US, Spending
from gateway.balance.wallets import Wallet
from gateway.events.outbox import EventData, publish
from gateway.fraud.limits import MONEY, NEVER, FraudKind, FraudRules
from gateway.notices.sending import number_of
from gateway.store import tables
from gateway.store.batch import Batch

OPEN, CLEARED = "open", "cleared"
"""States of a case."""
STILL_OPEN: Final = 1 << 62
"""In the place of a period: a case of this kind waits for somebody."""
MCC_DIGITS: Final = 3
HOURS: Final = 24
_SESSION: Final = "premium:session"


def mark_of(kind: FraudKind) -> str:
    """Name the mark of the period in which a case of a kind was found, or cleared."""
    return f"fraud:{kind}"


def period_at(kind: FraudKind, now: int) -> int:
    """Number the hour or day that a kind counts in."""
    hour = now // HOUR_US
    return hour // HOURS if kind is FraudKind.PREMIUM else hour


class LineSigns:
    """Counts, compares with the limits of the line's plan, and opens cases."""

    def __init__(self, rules: FraudRules, source: str, pseudonym: Callable[[str], str]) -> None:
        """Take the limits, and how events name this gateway and a line."""
        self._rules, self._source, self._pseudonym = rules, source, pseudonym
        self._least_spend = rules.least(FraudKind.SPEND)
        self._premium = rules.destinations if rules.least(FraudKind.PREMIUM) < NEVER else ()
        self.near = Near(charged_in_hour=self._least_spend, numbers=bool(self._premium))
        self._countries = rules.least(FraudKind.COUNTRIES) < NEVER

    def after_use(self, batch: Batch, wallet: Wallet, profile: Profile, use: Use) -> None:
        """Look at how fast money goes, where it goes, and how fast the line moves."""
        spending = wallet.spending
        if use.charged and spending.charged_in_hour >= self._least_spend:
            self._found(batch, wallet, profile, FraudKind.SPEND, spending.charged_in_hour)
        if self._premium and (use.number or use.charged):
            self._look_at_number(batch, wallet, profile, use)
        if self._countries and use.network and use.network[:MCC_DIGITS] != spending.country and spending.country:
            changes = _count(spending, FraudKind.COUNTRIES, batch.now, 1)
            self._found(batch, wallet, profile, FraudKind.COUNTRIES, changes)

    def after_top_up(self, batch: Batch, wallet: Wallet, profile: Profile, amount: int) -> None:  # noqa: ARG002  (as above)
        """Look at how often money is paid in."""
        if self._rules.least(FraudKind.TOPUPS) < NEVER:
            topups = _count(wallet.spending, FraudKind.TOPUPS, batch.now, 1)
            wallet.changed = True
            self._found(batch, wallet, profile, FraudKind.TOPUPS, topups)

    def _look_at_number(self, batch: Batch, wallet: Wallet, profile: Profile, use: Use) -> None:
        """Count what goes to premium numbers; not every request of a call names the number again."""
        marks = wallet.spending.marks
        if use.number.startswith(self._premium):
            marks[_SESSION] = use.session
            wallet.changed = True
        elif use.number or marks.get(_SESSION) != use.session:
            return
        if use.charged:
            charged = _count(wallet.spending, FraudKind.PREMIUM, batch.now, use.charged)
            self._found(batch, wallet, profile, FraudKind.PREMIUM, charged)

    def _found(self, batch: Batch, wallet: Wallet, profile: Profile, kind: FraudKind, measured: int) -> None:
        """Open a case where the limit of the line's plan is passed, and none was found in this period."""
        limits = self._rules.of(profile.plan_at(batch.now))
        limit, period, marks = limits.of(kind), period_at(kind, batch.now), wallet.spending.marks
        if measured < limit or marks.get(mark_of(kind), -1) >= period:
            return
        marks[mark_of(kind)] = STILL_OPEN
        wallet.changed = True
        bars = kind in limits.bar
        wallet.spending.barred = wallet.spending.barred or bars
        currency = wallet.currency if kind in MONEY else ""
        case = batch.take_id()
        found = (case, wallet.subscriber_id, str(kind), OPEN, batch.now, measured, limit, currency, int(bars))
        batch.add(tables.fraud_cases, (*found, None, "", ""))
        number = number_of(batch, wallet.subscriber_id)
        data: EventData = {"case": str(case), "kind": str(kind), "barred": int(bars)}
        publish(batch, self._source, "fraud/suspected", self._pseudonym(number) if number else "", data)


def _count(spending: Spending, kind: FraudKind, now: int, more: int) -> int:
    """Add to what is counted of a kind in its period, and give the sum."""
    marks, period = spending.marks, period_at(kind, now)
    if marks.get(f"{kind}:since") != period:
        marks[f"{kind}:since"], marks[str(kind)] = period, 0
    marks[str(kind)] += more
    return marks[str(kind)]
