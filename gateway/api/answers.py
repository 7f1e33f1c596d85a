"""Answer types of the actions, each with its JSON fields in the order in which they are written."""

import msgspec

from gateway.charging.review import HeldReport
from gateway.charging.usage_export import UsageRecord
from gateway.events.queries import OutboxEvent
from gateway.ledger.check import Finding
from gateway.ledger.journal import JournalEntry
from gateway.sims.queries import HistoryEntry, OrderRow, OrderStanding, SimRow
from gateway.subscribers.queries import CauseShare


class ImportedRow(msgspec.Struct, frozen=True):
    """What became of a row of `subscriber import`; `message` says why it was refused, or what differs."""

    outcome: str
    subscriber_id: str | None
    message: str


class ImportedRows(msgspec.Struct, frozen=True):
    """What became of each row, in their order."""

    results: list[ImportedRow]


class ToppedUp(msgspec.Struct, frozen=True):
    """A wallet after a payment; `repeated` where the payment was booked before."""

    subscriber_id: str
    balance: str
    currency: str
    repeated: bool


class ChosenCauses(msgspec.Struct, frozen=True):
    """What a subscriber's tenth goes to from now on."""

    subscriber_id: str
    causes: list[CauseShare]


class UsagePage(msgspec.Struct, frozen=True):
    """A page of usage records; `next` is the `after` of the next one, None on the last."""

    columns: tuple[str, ...]
    rows: list[UsageRecord]
    next: int | None


class HeldReportPage(msgspec.Struct, frozen=True):
    """A page of held usage reports, as `UsagePage`."""

    columns: tuple[str, ...]
    rows: list[HeldReport]
    next: int | None


class HeldReportDecided(msgspec.Struct, frozen=True):
    """What became of a held report: the usage record and its price in major units where it was booked."""

    id: str
    state: str
    record_id: str | None
    price: str | None
    currency: str | None


class BooksChecked(msgspec.Struct, frozen=True):
    """What was counted, and what does not add up; `ok` where there is nothing."""

    ok: bool
    entries: int
    wallets: int
    accruals: int
    findings: list[Finding]


class AccountBalance(msgspec.Struct, frozen=True):
    """An account's balance in major units."""

    account: str
    currency: str
    balance: str


class AccountBalances(msgspec.Struct, frozen=True):
    """The balance of every account, by currency."""

    rows: list[AccountBalance]


class JournalPage(msgspec.Struct, frozen=True):
    """A page of the journal; `next` is the `after` of the next one, None on the last."""

    rows: list[JournalEntry]
    next: int | None


class Events(msgspec.Struct, frozen=True):
    """Events of the outbox."""

    rows: list[OutboxEvent]


class ImportedSim(msgspec.Struct, frozen=True):
    """What became of a row of `sim import`; `message` says why it was refused, or what differs."""

    outcome: str
    message: str


class ImportedSims(msgspec.Struct, frozen=True):
    """What became of each row, in their order."""

    results: list[ImportedSim]


class SimPage(msgspec.Struct, frozen=True):
    """A page of cards; `next` is the `after` of the next one, None on the last."""

    rows: list[SimRow]
    next: str | None


class SimHistory(msgspec.Struct, frozen=True):
    """What happened to a card."""

    iccid: str
    rows: list[HistoryEntry]


class Orders(msgspec.Struct, frozen=True):
    """Orders, the newest first."""

    rows: list[OrderRow]


class OrderStates(msgspec.Struct, frozen=True):
    """How orders stand."""

    rows: list[OrderStanding]
