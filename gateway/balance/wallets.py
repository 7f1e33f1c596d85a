"""A subscriber's wallet: its balance, what is held of it, allowances, what its line spent; WalletRows keeps it on disk."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from gateway.balance import spending as line_spending
from gateway.balance.allowances import Allowance, ends_for_good
from gateway.balance.spending import Spending
from gateway.store.batch import RowSet
from gateway.store.statements import SelectAmong, Update
from gateway.store.tables import subscribers, wallets


class Renewal(msgspec.Struct, omit_defaults=True):
    """How a line's bundle goes on, month by month; times in microseconds.

    `billing_day` is the day of the month on which its periods begin, 0 where the first sale decides; `consent_at` is when the
    customer agreed to renewals, 0 where nobody did; `next_at` the next one, 0 where none is due.
    """

    billing_day: int = 0
    consent_at: int = 0
    next_at: int = 0

    def is_due(self, now: int) -> bool:
        """Return whether the next period is to be sold by now."""
        return 0 < self.next_at <= now


class Holdings(msgspec.Struct, omit_defaults=True):
    """What the column `bundle` holds."""

    allowances: list[Allowance] = []
    renewal: Renewal | None = None
    credit_limit: int = 0
    lent: int = 0
    taken: int = 0
    taken_in: str = ""


class Wallet(msgspec.Struct):
    """Money in micro-units. `balance` is the sum of the journal; `reserved` of it is held for open sessions."""

    subscriber_id: int
    currency: str
    balance: int
    reserved: int
    allowances: list[Allowance]
    """What is left of each bundle and credit of this subscriber, also of a bundle that ended within the last two days."""
    status: str
    given: int = 0
    """The tenth that accrued on its charges and sales so far."""
    spending: Spending = msgspec.field(default_factory=Spending)
    changed: bool = False
    stored_bundle: bytes | None = None
    """The allowances on disk."""
    stored_status: str = ""
    """The status on disk; a new one is written with the wallet."""
    stored_counters: bytes | None = None
    """The counters on disk."""
    stored_due_at: int | None = None
    """When something of it is due, on disk: a new time is written by itself, as it stands in an index."""

    renewal: Renewal | None = None
    credit_limit: int = 0
    """How far the balance may go below zero, in micro-units: a line that pays at the end of the month."""
    lent: int = 0
    """What of the balance belongs to the payer of its family, and goes back when nothing is held of it any more."""
    taken: int = 0
    """What it took of the payer in the calendar month `taken_in` (2026-12), in micro-units."""
    taken_in: str = ""
    counters: dict[str, int] = {}
    """What was used up of limits by day and month (micro-units): `<what>:<date>`, see balance.caps, balance.paid_services."""

    @property
    def available(self) -> int:
        """What may still be promised; negative when usage was reported beyond the balance and the credit limit."""
        return self.balance + self.credit_limit - self.reserved

    def allowance_ending(self, ends_at: int) -> Allowance | None:
        """Return the allowance by its end, as what was promised before 2026-12 names it; None where it is gone."""
        return next((allowance for allowance in self.allowances if allowance.ends_at == ends_at), None)

    @property
    def due_at(self) -> int | None:
        """When (microseconds) something of it ends or is renewed next; None where nothing does."""
        return _due_at(self.allowances, self.renewal)

    def add_allowance(self, allowance: Allowance) -> None:
        """Put an allowance beside the others."""
        self.allowances.append(allowance)
        self.changed = True

    def move(self, amount: int) -> None:
        """Add to the balance, or take from it with a negative amount."""
        self.balance += amount
        self.changed = True

    def spendable(self, month: int, cap: int = 0) -> int:
        """Return what may still be promised for use in a month, as far as money and limits go; `cap` is that for use abroad."""
        room = self.spending.least_room(month, cap)
        available = self.available
        return available if room is None else min(available, room - self.reserved)

    def bill(self, cost: int, month: int, now: int, *, abroad: bool = False, cap: int = 0) -> int:
        """Count a cost of use in a month, and give how much of it may be billed; the rest is beyond a limit."""
        room = self.spending.least_room(month, cap if abroad else 0)
        billed = cost if room is None else min(cost, room)
        if billed:
            self.spending.add(billed, month, now, abroad=abroad)
            self.changed = True
        return billed

    def hold(self, amount: int) -> None:
        """Hold money for a session; a negative amount gives it back."""
        self.reserved += amount
        self.changed = True

    def count(self, key: str, amount: int) -> int:
        """Add to a counter and give what it stood at; a new one lets those go whose day or month no report can be of."""
        before = self.counters.get(key)
        if before is None:
            self.counters = {name: value for name, value in self.counters.items() if may_count(name, key)}
        self.counters[key] = (before or 0) + amount
        self.changed = True
        return before or 0


_WALLETS = (
    select(
        wallets.c.subscriber_id,
        wallets.c.currency,
        wallets.c.balance,
        wallets.c.reserved,
        wallets.c.bundle,
        wallets.c.given,
        wallets.c.counters,
        wallets.c.spending,
        subscribers.c.status,
        wallets.c.due_at,
    ).join_from(wallets, subscribers, wallets.c.subscriber_id == subscribers.c.id),
    wallets.c.subscriber_id,
    int,
)
_LOAD, _LOOK = SelectAmong(*_WALLETS, lock=wallets), SelectAmong(*_WALLETS)
_SAVE = Update(wallets, ["balance", "reserved", "bundle", "given", "counters", "spending"], ["subscriber_id"])
_SAVE_DUE = Update(wallets, ["due_at"], ["subscriber_id"])
_SAVE_STATUS = Update(subscribers, ["status"], ["id"])
_decode = msgspec.json.Decoder(Holdings).decode
_encode = msgspec.json.Encoder().encode
_decode_counters = msgspec.json.Decoder(dict[str, int]).decode
_MONTH: Final = "2026-12"
COUNTED_DAYS: Final = 5
"""A counter of a day is kept until one of a day so much later is begun; that of a month until the one after the next."""


def _due_at(allowances: Iterable[Allowance], renewal: Renewal | None) -> int | None:
    times = [ends_for_good(allowance) for allowance in allowances]
    if renewal is not None and renewal.next_at:
        times.append(renewal.next_at)
    return min(times, default=None)


def due_at_of(bundle: bytes | None) -> int | None:
    """Read from what the column `bundle` holds when something of it is due; ValueError where it holds what no gateway wrote."""
    if bundle is None:
        return None
    held = _decode(bundle)
    return _due_at(held.allowances, held.renewal)


def credit_limit_of(bundle: bytes | None) -> int:
    """Read how far a balance may go below zero (micro-units) from what the column `bundle` holds."""
    return _decode(bundle).credit_limit if bundle else 0


def _holdings(wallet: Wallet) -> bytes | None:
    if not (wallet.allowances or wallet.renewal or wallet.credit_limit or wallet.taken_in):
        return None
    terms = (wallet.renewal, wallet.credit_limit, wallet.lent, wallet.taken, wallet.taken_in)
    return _encode(Holdings(wallet.allowances, *terms))


def may_count(name: str, begun: str) -> bool:
    """Return whether a counter may still be used once another is begun."""
    date, newest = name.rpartition(":")[2], begun.rpartition(":")[2]
    if len(newest) == len(_MONTH):
        return date[: len(_MONTH)] >= _months_before(newest)
    oldest = (datetime.fromisoformat(newest) - timedelta(days=COUNTED_DAYS)).date().isoformat()
    return date >= (oldest if len(date) == len(oldest) else _months_before(oldest[: len(_MONTH)]))


def _months_before(month: str) -> str:
    """Return the month before a month."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year - (number == 1):04}-{(number - 2) % 12 + 1:02}"


class WalletRows(RowSet[int, Wallet]):
    """The wallets that a batch touches, by subscriber id; locked in the order of their ids, before any session."""

    led_to = True
    kept = 32_768
    reads = (wallets, subscribers)
    proves = "wallets"

    def ask(self, connection: Connection, keys: set[int]) -> Callable[[], None]:
        """Read and lock the wallets of these subscribers."""
        asked = _LOAD.ask(connection, sorted(keys))

        def take() -> None:
            found = {row[0]: row for row in asked.rows()}
            self.settled.update(found)
            self.restore(found)

        return take

    def restore(self, rows: Mapping[int, tuple[Any, ...]]) -> None:
        """Put in wallets from their rows."""
        for key, row in rows.items():
            subscriber_id, currency, balance, reserved, bundle, given, counters, spent, status, due_at = row
            wallet = self.rows[key] = Wallet(
                subscriber_id,
                currency,
                balance,
                reserved,
                [],
                status,
                given,
                line_spending.decode(spent) if spent else Spending(),
                stored_bundle=bundle,
                stored_status=status,
                stored_due_at=due_at,
            )
            if bundle:
                held = _decode(bundle)
                wallet.allowances, wallet.renewal = held.allowances, held.renewal
                wallet.credit_limit = held.credit_limit
                wallet.lent, wallet.taken, wallet.taken_in = held.lent, held.taken, held.taken_in
            if counters:
                wallet.counters, wallet.stored_counters = _decode_counters(counters), counters

    def save(self, connection: Connection) -> None:
        """Write back the wallets that changed."""
        rows: list[tuple[Any, ...]] = []
        due: list[tuple[int | None, int]] = []
        for w in self.rows.values():
            if w.changed or w.status != w.stored_status:
                bundle = _holdings(w)
                due_at = w.due_at if bundle is not None else None
                if due_at != w.stored_due_at:
                    due.append((due_at, w.subscriber_id))
                counters = _encode(w.counters) if w.counters else None
                spent = line_spending.encode(w.spending)
                if bundle != w.stored_bundle or counters != w.stored_counters:
                    self.proved.append((w.subscriber_id, w.currency, bundle, counters))
                rows.append((w.balance, w.reserved, bundle, w.given, counters, spent, w.subscriber_id))
                self.settled[w.subscriber_id] = (
                    w.subscriber_id,
                    w.currency,
                    w.balance,
                    w.reserved,
                    bundle,
                    w.given,
                    counters,
                    spent,
                    w.status,
                    due_at,
                )  # fmt: skip  (as it is read)
        _SAVE.run(connection, rows)
        _SAVE_DUE.run(connection, due)
        statuses = [(w.status, w.subscriber_id) for w in self.rows.values() if w.status != w.stored_status]
        _SAVE_STATUS.run(connection, statuses)


def read_wallet(connection: Connection, subscriber_id: int) -> Wallet:
    """Read a subscriber's wallet without a lock, for who changes nothing; KeyError where there is none."""
    rows = WalletRows()
    rows.restore({row[0]: row for row in _LOOK.run(connection, (subscriber_id,))})
    return rows.rows[subscriber_id]
