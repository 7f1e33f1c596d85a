"""Bundles whose price was wrong: each sale of a plan's bundle is put right to the price of the version in force.

What a bundle covered stays as it was sold: nobody can give back what was used of it.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Connection, func, select

from gateway.balance.allowances import Allowance
from gateway.balance.corrections import Charged, Correction, TenthPart, correct
from gateway.balance.profiles import ProfileRows
from gateway.balance.wallets import Wallet, WalletRows
from gateway.charging.credit_control import ChargingPolicy
from gateway.charging.request import MICROSECONDS
from gateway.charging.rerate import ACTOR, Left, Rerated, is_theirs, shares_of
from gateway.charging.rerate_reading import NEAR, Wanted, last_corrections
from gateway.charity import policies
from gateway.charity.accruals import RunningTenth
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.sealed_months.parts import lowest_rows, parts
from gateway.store.tables import reratings, transfers
from gateway.subscribers.status import TERMINATED

SALE = "sale:"
"""How the reference of the sale of a whole bundle begins, before its number: parts of one and add-ons stay as they are."""


PRO_RATA = "pro-rata:"
"""How the reference of what was given back of one begins, before the same number."""


class RerateSale(Unit):
    """The sale of a bundle, as it stands; it is a plan's where the customer had that plan then."""

    touches: ClassVar[tuple[type, ...]] = (WalletRows, ProfileRows)

    subscriber_id: int
    plan: str
    version: int
    number: int
    event_at: int
    rerating: int
    charged: Charged
    actor: str
    dry_run: bool = False
    given_back: bool = False
    """Whether a part of its price was given back, as the plan was changed."""

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:  # noqa: ARG002  (the signature of a unit)
        """Name the subscriber."""
        return (self.subscriber_id,)

    def decide(self, batch: Batch) -> Rerated:
        """Book what puts it right, and tell what came of it."""
        result, policy = Rerated(), batch.policy(ChargingPolicy)
        profile = batch.row_set(ProfileRows).get(self.subscriber_id)
        wallet = batch.row_set(WalletRows).get(self.subscriber_id)
        # What a second of an event says was decided by its end.
        as_of = self.event_at + (0 if self.event_at % MICROSECONDS else MICROSECONDS - 1)
        if profile is None or wallet is None or profile.plan_at(as_of) != self.plan:
            return result
        plan = policy.tariff.plans.get(self.plan)
        latest = select(func.max(reratings.c.id)).where(reratings.c.record_id == self.number)
        if plan is None or plan.version != self.version or (batch.connection.scalar(latest) or 0) != self.rerating:
            result.leave(Left.MEANWHILE)
        elif plan.bundle is None:
            result.leave(Left.NO_RATE)
        elif plan.bundle.price == self.charged.price or not is_theirs(plan, policy.tariff, profile, as_of, batch.now):
            return result
        elif wallet.status == TERMINATED:
            result.leave(Left.ENDED)
        elif self.given_back or self._is_of_another_price(wallet):
            result.leave(Left.GIVEN_BACK)
        else:
            price, tariff = plan.bundle.price, policy.tariff
            shares = shares_of(self.charged, self.event_at, profile, tariff)
            running = RunningTenth()
            amounts = running.split(
                running.add(price, tariff.policy_at(self.event_at, policies.SALE)), [share for _, share in shares]
            )
            parts_ = (
                TenthPart(account, amount, share) for (account, share), amount in zip(shares, amounts, strict=True)
            )
            after = Charged(
                price, tariff.policy_at(self.event_at, policies.SALE).id, tuple(part for part in parts_ if part.amount)
            )
            result.count(self.charged, after)
            if not self.dry_run:
                rerating = batch.take_id()
                prices = (self.charged.price, price)
                row = (rerating, batch.now, self.number, self.rerating, self.version, *prices, self.actor[:ACTOR])
                batch.add(reratings, row)
                correction = Correction(rerating, None, self.event_at, self.charged, after)
                policy.books.post(batch, correct(wallet, policy.books.account, correction))
                allowance = self._allowance(wallet)
                if allowance is not None and allowance.price:
                    allowance.price, wallet.changed = price, True  # what is given back of it later is a part of this
        return result

    def _allowance(self, wallet: Wallet) -> Allowance | None:
        return next((each for each in wallet.allowances if each.id == self.number), None)

    def _is_of_another_price(self, wallet: Wallet) -> bool:
        """Return whether what is kept of the sale says that it was paid otherwise; of old sales that is not kept."""
        allowance = self._allowance(wallet)
        return allowance is not None and allowance.price not in (0, self.charged.price)


class SalePage(msgspec.Struct, frozen=True):
    """Units for a page of sales; `next` is the entry that the following page begins after, None behind the last."""

    units: list[RerateSale]
    next: int | None


def page_of_sales(connection: Connection, wanted: Wanted, *, after: int, limit: int) -> SalePage:
    """Return the units of at most `limit` sales whose entries are numbered above `after`, of whatever plan."""
    t = transfers.c
    sales = select(t.id, t.debit, t.amount, t.event_at, t.reference).where(
        t.kind == "sale", t.reference.startswith(SALE), t.id > after, t.event_at >= wanted.since
    )
    with parts(connection, lambda month: month.ends_above(after)) as found:
        rows = lowest_rows(found, sales.order_by(t.id), limit)
        first = {int(row.reference.removeprefix(SALE)): Charged(row.amount, "") for row in rows}
        if rows:
            tenths = select(t.reference, t.credit, t.amount, t.share, t.policy).where(
                t.kind == "accrual", t.id > rows[0].id, t.id <= rows[-1].id + NEAR, t.reference.startswith(SALE)
            )
            for part in found:
                for reference, *tenth, policy in part.connection.execute(tenths):
                    number = int(reference.removeprefix(SALE))
                    if number in first:
                        charged = first[number]
                        first[number] = Charged(charged.price, policy, (*charged.parts, TenthPart(*tenth)))
        back = [f"{PRO_RATA}{number}" for number in first]
        again = select(t.reference).where(t.kind == "pro_rata", t.reference.in_(back))
        given_back = {reference for part in found if rows for reference in part.connection.scalars(again)}
    last = last_corrections(connection, first)
    units = []
    for row in rows:
        number = int(row.reference.removeprefix(SALE))
        correction = last.get(number)
        units.append(
            RerateSale(
                subscriber_id=row.debit,
                plan=wanted.plan,
                version=wanted.version,
                number=number,
                event_at=row.event_at,
                rerating=0 if correction is None else correction.rerating,
                charged=first[number] if correction is None else correction.charged,
                actor=wanted.actor,
                dry_run=wanted.dry_run,
                given_back=f"{PRO_RATA}{number}" in given_back,
            )
        )
    return SalePage(units, rows[-1].id if len(rows) == limit else None)
