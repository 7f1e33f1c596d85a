"""Which notices a line's use makes due: looked for after each charging request and text, in the unit that books it.

What was sent stands in the wallet's `spending.marks`, under the kind's name with the period that it was sent for.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from gateway.balance.allowances import BUNDLE, Allowance
from gateway.balance.line_rules import Near, Use
from gateway.balance.profiles import Profile
from gateway.balance.spending import ABROAD, BILL, BillingMonths, Spending, period_of
from gateway.balance.wallets import Wallet
from gateway.charging.tariff import Tariff
from gateway.ledger.money import format_amount, is_payable
from gateway.messaging.keywords.amounts import Money
from gateway.notices.kinds import NoticeKind
from gateway.notices.sending import NoticeSender
from gateway.notices.wording import Service, Values
from gateway.rating.plans import Plan, Rate, Zone
from gateway.rating.prices import price
from gateway.store.batch import Batch

MICROSECONDS: Final = 1_000_000
CENT: Final = 10_000
"""Micro-units: a limit is reached once less than this is left below it."""
MCC_DIGITS: Final = 3
COUNTRIES_KEPT: Final = 4
"""Countries of which a line remembers on which day it was told of them."""
MEGABYTE, MINUTE = 1_000_000, 60
_ROAMED: Final = "roamed:"


class NoticeTerms(msgspec.Struct, frozen=True):
    """When notices are due: shares in per cent, money in micro-units of `currency`, the operator's own.

    `likely` is the share of a limit that makes it likely to be reached, `allowance` the share of an allowance that was used.
    `border` are the countries (MCC) whose networks are received at home.
    """

    currency: str
    likely: int = 80
    allowance: int = 80
    low_balance: int = 0
    border: frozenset[str] = frozenset()


class LineNotices:
    """Finds the notices that are due (balance.line_rules.LineObserver)."""

    def __init__(self, terms: NoticeTerms, sender: NoticeSender, tariff: Tariff) -> None:
        """Take when they are due, what they are written with, and the plans."""
        self._terms, self._sender, self._tariff = terms, sender, tariff
        self._months: BillingMonths = tariff.months
        self.near = Near(balance=terms.low_balance)

    def after_use(self, batch: Batch, wallet: Wallet, profile: Profile, use: Use) -> None:
        """Look at each limit, at the country, at allowances and at the balance."""
        spending = wallet.spending
        if use.network and use.network[:MCC_DIGITS] != spending.country:
            self._country_changed(batch, wallet, profile, use.network)
        if spending.limit >= 0 or spending.months:
            self._bill_limit(batch, wallet, refused=use.limited == BILL)
        if spending.abroad or use.limited:
            self._cap_abroad(batch, wallet, refused=use.limited == ABROAD)
        bundle = next((each for each in wallet.allowances if each.kind == BUNDLE and each.ends_at > batch.now), None)
        if bundle is not None:
            self._allowance(batch, wallet, bundle, use.service)
        elif wallet.balance < self._terms.low_balance:
            self._low_balance(batch, wallet)

    def after_top_up(self, batch: Batch, wallet: Wallet, profile: Profile, amount: int) -> None:  # noqa: ARG002  (as above)
        """Look out for a low balance again, once it was above the threshold."""
        if wallet.balance >= self._terms.low_balance:
            wallet.spending.marks.pop(NoticeKind.LOW_BALANCE, None)

    def _bill_limit(self, batch: Batch, wallet: Wallet, *, refused: bool) -> None:
        spending, month = wallet.spending, self._months.number(batch.now)
        room = spending.room(month)
        if room is None or spending.marks.get(NoticeKind.BILL_LIMIT_REACHED) == month:
            return
        charged, limit = spending.charged_in(month), spending.limit_in(month)
        values = {"limit": Money(limit, wallet.currency), "charged": Money(charged, wallet.currency)}
        if refused or (limit and room < CENT):
            self._once(batch, wallet, NoticeKind.BILL_LIMIT_REACHED, month, period_of(month), values)
        elif limit and charged * 100 >= limit * self._terms.likely:
            self._once(batch, wallet, NoticeKind.BILL_LIMIT_LIKELY, month, period_of(month), values)

    def _cap_abroad(self, batch: Batch, wallet: Wallet, *, refused: bool) -> None:
        spending, month, cap = wallet.spending, self._months.number(batch.now), self._tariff.cap_abroad
        room = spending.room_abroad(month, cap)
        if room is None or spending.marks.get(NoticeKind.CAP_ABROAD_REACHED) == month:
            return
        values = {"cap": Money(cap, wallet.currency), "charged": Money(cap - room, wallet.currency)}
        if refused or room < CENT:
            self._once(batch, wallet, NoticeKind.CAP_ABROAD_REACHED, month, period_of(month), values)
        elif (cap - room) * 100 >= cap * self._terms.likely:
            self._once(batch, wallet, NoticeKind.CAP_ABROAD_LIKELY, month, period_of(month), values)

    def _country_changed(self, batch: Batch, wallet: Wallet, profile: Profile, network: str) -> None:
        """Remember where the line is; abroad its customer hears of it, once for each country and day."""
        country, spending = network[:MCC_DIGITS], wallet.spending
        spending.country, wallet.changed = country, True
        plan = self._tariff.plan_of(profile, batch.now)
        prices = None if plan is None else plan.prices(network)
        if plan is None or not isinstance(prices, Zone):
            return
        day = datetime.fromtimestamp(batch.now // MICROSECONDS, self._tariff.zone).date()
        mark = f"{_ROAMED}{country}"
        if spending.marks.get(mark) == day.toordinal():
            return
        period = f"{country} {day.isoformat()}"
        if self._sender.send(
            batch, wallet.subscriber_id, NoticeKind.ROAMING_START, period, self._tariff_of(plan, prices)
        ):
            _forget_countries(spending)
            spending.marks[mark] = day.toordinal()
            if country in self._terms.border:
                self._sender.send(batch, wallet.subscriber_id, NoticeKind.ROAMING_INADVERTENT, period, {})

    def _tariff_of(self, plan: Plan, zone: Zone) -> Mapping[str, str | Money]:
        """Return what use costs in a zone: a megabyte of data, a minute of a call either way, a text."""
        currency = plan.currency
        return {
            "data": _price(zone.data, MEGABYTE, currency),
            "voice": _price(zone.voice, MINUTE, currency),
            "incoming": _price(zone.incoming_voice, MINUTE, currency),
            "sms": _price(zone.sms, 1, currency),
            "cap": Money(self._tariff.cap_abroad, currency),
        }

    def _allowance(self, batch: Batch, wallet: Wallet, allowance: Allowance, service: str) -> None:
        """Look at a bundle, as far as the service that was used goes: what rolled over into it counts as well."""
        plan = self._tariff.plans.get(allowance.plan)
        if plan is None or plan.bundle is None:
            return
        whole = {"data": plan.bundle.data, "voice": plan.bundle.voice, "sms": plan.bundle.sms}[service]
        if not whole or (whole - allowance.left.get(service, 0)) * 100 < whole * self._terms.allowance:
            return
        values: Values = {"percent": str(self._terms.allowance), "service": Service(service)}
        mark = f"{NoticeKind.ALLOWANCE_LOW}:{service}"
        if wallet.spending.marks.get(mark) != allowance.ends_at and self._sender.send(
            batch, wallet.subscriber_id, NoticeKind.ALLOWANCE_LOW, f"{allowance.ends_at} {service}", values
        ):
            wallet.spending.marks[mark] = allowance.ends_at
            wallet.changed = True

    def _low_balance(self, batch: Batch, wallet: Wallet) -> None:
        """Report a low balance; who pays afterwards, within a credit limit, has none to run out."""
        if wallet.currency == self._terms.currency and not wallet.credit_limit:
            balance = {"balance": Money(wallet.balance, wallet.currency)}
            self._once(batch, wallet, NoticeKind.LOW_BALANCE, 1, "", balance)

    def _once(self, batch: Batch, wallet: Wallet, kind: NoticeKind, mark: int, period: str, values: Values) -> None:
        """Send a notice, unless it was sent for this period."""
        marks = wallet.spending.marks
        if marks.get(kind) != mark and self._sender.send(batch, wallet.subscriber_id, kind, period, values):
            marks[str(kind)] = mark
            wallet.changed = True


def _forget_countries(spending: Spending) -> None:
    """Keep room for one more country."""
    known = sorted((day, mark) for mark, day in spending.marks.items() if mark.startswith(_ROAMED))
    for _, mark in known[: max(0, len(known) - COUNTRIES_KEPT + 1)]:
        del spending.marks[mark]


def _price(rate: Rate, units: int, currency: str) -> str | Money:
    """Return what so many units cost by a rate's price, without its steps and minimum."""
    amount = price(Rate(rate.price, rate.per), units)
    return Money(amount, currency) if is_payable(amount, currency) else f"{format_amount(amount, currency)} {currency}"
