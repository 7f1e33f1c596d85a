"""A subscriber's wallet: its balance, what is held of it, bundles, and what its line spent; WalletRows keeps it on disk."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from gateway.balance import spending as line_spending
from gateway.balance.spending import Spending
from gateway.store.batch import RowSet
from gateway.store.statements import SelectAmong, Update
from gateway.store.tables import subscribers, wallets

ENDED_KEPT_US = 48 * 3600 * 1_000_000
"""An allowance stays this long after its end: a report may be that late and still count at its own time."""


class Allowance(msgspec.Struct):
    """What is left of a bundle until `ends_at` (microseconds), by service, and how much of that is promised to sessions."""

    plan: str
    ends_at: int
    left: dict[str, int]
    held: dict[str, int] = {}

    def available(self, service: str, now: int) -> int:
        """Give the units of a service that nobody holds; nothing once the bundle has ended."""
        if now >= self.ends_at:
            return 0
        return max(0, self.left.get(service, 0) - self.held.get(service, 0))

    def hold(self, service: str, units: int) -> None:
        """Promise units to a session; a negative number gives them back."""
        self.held[service] = max(0, self.held.get(service, 0) + units)

    def consume(self, service: str, units: int) -> int:
        """Take used units from what is left and give how many it covered; whoever asks knows that it was in force."""
        covered = min(units, self.left.get(service, 0))
        if covered:
            self.left[service] -= covered
        return covered


class Wallet(msgspec.Struct):
    """Money in micro-units. `balance` is the sum of the journal; `reserved` of it is held for open sessions."""

    subscriber_id: int
    currency: str
    balance: int
    reserved: int
    allowances: list[Allowance]
    """What is left of each bundle sold to this subscriber, also of one that ended within the last two days."""
    status: str
    given: int = 0
    """The tenth that accrued on its charges and sales so far."""
    spending: Spending = msgspec.field(default_factory=Spending)
    changed: bool = False
    stored_bundle: bytes | None = None
    """The allowances on disk."""
    stored_status: str = ""
    """The status on disk; a new one is written with the wallet."""
    counters: dict[str, int] = {}
    """What was used up of limits by day and month (micro-units): `<what>:<date>`, see balance.caps, balance.paid_services."""

    @property
    def available(self) -> int:
        """What may still be promised; negative when usage was reported beyond the balance."""
        return self.balance - self.reserved

    def allowance_at(self, time: int, plan: str) -> Allowance | None:
        """Give the allowance in force at a time (microseconds): the one that ends first after it, of this plan if there is one.

        Where one bundle follows another there is no gap: use from before a bundle's sale that was not covered then is covered
        by it, since it would have been what the bundle was sold for.
        """
        running = [allowance for allowance in self.allowances if time < allowance.ends_at]
        own = [allowance for allowance in running if allowance.plan == plan]
        return min(own or running, key=_ends_at, default=None)

    def allowance_ending(self, ends_at: int) -> Allowance | None:
        """Give the allowance on which something was held, named by its end; None where it is gone."""
        return next((allowance for allowance in self.allowances if allowance.ends_at == ends_at), None)

    def add_allowance(self, allowance: Allowance, now: int) -> None:
        """Put a bundle that is sold `now` beside the others; those that ended longer ago than reports may be late go."""
        kept = [other for other in self.allowances if now < other.ends_at + ENDED_KEPT_US]
        self.allowances = [*kept, allowance]
        self.changed = True

    def move(self, amount: int) -> None:
        """Add to the balance, or take from it with a negative amount."""
        self.balance += amount
        self.changed = True

    def spendable(self, month: int, cap: int = 0) -> int:
        """Give what may still be promised for use in a month, as far as money and limits go; `cap` is that for use abroad."""
        room = self.spending.least_room(month, cap)
        available = self.balance - self.reserved
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
            self.counters = {name: value for name, value in self.counters.items() if _may_count(name, key)}
        self.counters[key] = (before or 0) + amount
        self.changed = True
        return before or 0


_LOAD = SelectAmong(
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
    ).join_from(wallets, subscribers, wallets.c.subscriber_id == subscribers.c.id),
    wallets.c.subscriber_id,
    int,
    lock=wallets,
)
_SAVE = Update(wallets, ["balance", "reserved", "bundle", "given", "counters", "spending"], ["subscriber_id"])
_SAVE_STATUS = Update(subscribers, ["status"], ["id"])
_decode = msgspec.json.Decoder(list[Allowance] | Allowance).decode
"""A store of before 2026-12 holds one allowance where a list stands now."""
_encode = msgspec.json.Encoder().encode
_decode_counters = msgspec.json.Decoder(dict[str, int]).decode
_MONTH: Final = "2026-12"
COUNTED_DAYS: Final = 5
"""A counter of a day is kept until one of a day so much later is begun; that of a month until the one after the next."""


def _ends_at(allowance: Allowance) -> int:
    return allowance.ends_at


def _allowances(bundle: bytes) -> list[Allowance]:
    found = _decode(bundle)
    return found if isinstance(found, list) else [found]


def _may_count(name: str, begun: str) -> bool:
    """Tell whether a counter may still be used once another is begun."""
    date, newest = name.rpartition(":")[2], begun.rpartition(":")[2]
    if len(newest) == len(_MONTH):
        return date[: len(_MONTH)] >= _months_before(newest)
    oldest = (datetime.fromisoformat(newest) - timedelta(days=COUNTED_DAYS)).date().isoformat()
    return date >= (oldest if len(date) == len(oldest) else _months_before(oldest[: len(_MONTH)]))


def _months_before(month: str) -> str:
    """Give the month before a month."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year - (number == 1):04}-{(number - 2) % 12 + 1:02}"


class WalletRows(RowSet[int, Wallet]):
    """The wallets that a batch touches, by subscriber id; locked in the order of their ids, before any session."""

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
        for key, (subscriber_id, currency, balance, reserved, bundle, given, counters, spent, status) in rows.items():
            wallet = self.rows[key] = Wallet(
                subscriber_id,
                currency,
                balance,
                reserved,
                _allowances(bundle) if bundle else [],
                status,
                given,
                line_spending.decode(spent) if spent else Spending(),
                stored_bundle=bundle,
                stored_status=status,
            )
            if counters:
                wallet.counters = _decode_counters(counters)

    def save(self, connection: Connection) -> None:
        """Write back the wallets that changed."""
        rows: list[tuple[Any, ...]] = []
        for w in self.rows.values():
            if w.changed or w.status != w.stored_status:
                bundle = _encode(w.allowances) if w.allowances else None
                if bundle != w.stored_bundle:
                    self.proved.append((w.subscriber_id, w.currency, bundle))
                counters = _encode(w.counters) if w.counters else None
                spent = line_spending.encode(w.spending)
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
                )  # fmt: skip  (as it is read)
        _SAVE.run(connection, rows)
        statuses = [(w.status, w.subscriber_id) for w in self.rows.values() if w.status != w.stored_status]
        _SAVE_STATUS.run(connection, statuses)
