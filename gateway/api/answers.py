"""Answer types of the actions, each with its JSON fields in the order in which they are written."""

import msgspec

from gateway.balance.queries import CauseShare
from gateway.charging.queries import SessionRow
from gateway.charging.review import HeldReport
from gateway.charging.usage_export import UsageRecord
from gateway.events.queries import OutboxEvent
from gateway.ledger.check import Finding
from gateway.ledger.journal import JournalEntry
from gateway.messaging.queries import TextRow
from gateway.sims.queries import HistoryEntry, OrderRow, OrderStanding, SimRow
from gateway.sims.reconciliation import Difference


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


class Sessions(msgspec.Struct, frozen=True):
    """Sessions, the newest first."""

    rows: list[SessionRow]


class SessionReply(msgspec.Struct, frozen=True):
    """What a session's client said to a request (RAR or ASR): `result` is what became of it, `closed` whether it is over."""

    id: str
    session_id: str
    peer: str
    request: str
    result: str
    result_code: int | None
    detail: str | None
    closed: bool


class TraceRow(msgspec.Struct, frozen=True):
    """A trace: what it is about (masked), from when until when, what it saw, and who wanted it. Times are RFC 3339."""

    id: str
    subject: str
    state: str
    since: str
    until: str
    ended: str | None
    messages: int
    missed: int
    content: bool
    pcap: str | None
    by: str


class StartedTrace(TraceRow, frozen=True):
    """A trace that has begun; `known` whether the gateway knows its subject."""

    known: bool


class TraceRows(msgspec.Struct, frozen=True):
    """Traces."""

    rows: list[TraceRow]


class TraceMessage(msgspec.Struct, frozen=True):
    """A message that a trace saw, in a few words."""

    number: int
    at: str
    way: str
    protocol: str
    name: str
    what: str
    sequence: int | None
    status: str
    numbers: str


class TraceSeen(msgspec.Struct, frozen=True):
    """A trace and what it saw."""

    trace: TraceRow
    rows: list[TraceMessage]


class UndecodableMessage(msgspec.Struct, frozen=True):
    """A message that could not be read, and why; `message` is hexadecimal, its header alone unless content was asked for."""

    at: str
    protocol: str
    name: str
    reason: str
    octets: int
    message: str


class UndecodableMessages(msgspec.Struct, frozen=True):
    """The last messages that could not be read."""

    rows: list[UndecodableMessage]


class TakenText(msgspec.Struct, frozen=True):
    """A text that was accepted."""

    id: str
    reference: str | None
    state: str


class ReconciledHosts(msgspec.Struct, frozen=True):
    """Cards that their hosts hold otherwise than the inventory."""

    rows: list[Difference]


class OrderTaken(msgspec.Struct, frozen=True):
    """An order that was accepted, now or (`repeated`) before."""

    order: str
    state: str
    repeated: bool
    iccid: str


class OrderRowTaken(msgspec.Struct, frozen=True):
    """What became of one of many orders: its id and state, or the code and words of its refusal."""

    order: str | None
    state: str | None
    code: str | None
    message: str


class OrderRowsTaken(msgspec.Struct, frozen=True):
    """What became of each row, in their order."""

    results: list[OrderRowTaken]


class OrderTakenOverHttp(msgspec.Struct, frozen=True):
    """An order that was accepted, as `POST /v1/orders` tells it."""

    id: str
    state: str
    kind: str
    iccid: str


class Texts(msgspec.Struct, frozen=True):
    """Texts, the newest first."""

    rows: list[TextRow]
