"""Answer types of the actions and routes, each with its JSON fields in the order in which they are written.

Commands import them, so nothing here needs the store; `gateway.api.row_answers` has those that do. A field that comes later
has a default: a gateway that was not restarted yet leaves it out.
"""

from typing import Literal

import msgspec

from gateway.balance.views import PlanVersionRow
from gateway.charging.views import SessionRow
from gateway.concerns import Concern
from gateway.events.forwarder_state import ForwarderState
from gateway.events.times import Timestamp
from gateway.settings.diff import Sorted
from gateway.sims.views import HistoryEntry, OrderRow, OrderStanding, SimRow
from gateway.subscribers.views import SubscriberChange
from protocols.smpp.node_events import Counters
from provisioning.orders import Kind, OrderState
from provisioning.sim_lifecycle import SimState


class NodeProblem(msgspec.Struct, frozen=True):
    """A gateway on the same store that gave no answer, and why: the code and words of a problem."""

    node: str
    code: str
    detail: str


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


class AllowanceRow(msgspec.Struct, frozen=True):
    """What is left of an allowance for one service: octets, seconds or texts, or money in major units."""

    id: str
    kind: str
    plan: str | None
    service: str
    left: str
    held: str
    zones: list[str]
    ends_at: str


class LinePreferences(msgspec.Struct, frozen=True):
    """How a customer is written to: in which language (null: the operator's), and whether bills tell of calls one by one."""

    subscriber_id: str
    language: str | None
    itemised: bool


class LineTerms(msgspec.Struct, frozen=True):
    """Whether a line's bundle is renewed, on which day of the month, when next, and how far its balance may go below zero."""

    subscriber_id: str
    billing_day: int | None
    consent_at: str | None
    next_at: str | None
    credit_limit: str
    currency: str


class PlanVersions(msgspec.Struct, frozen=True):
    """The versions of a plan, oldest first."""

    rows: list[PlanVersionRow]


class RecordedPlan(msgspec.Struct, frozen=True):
    """What a version of a plan says: `content` is canonical JSON, money in micro-units."""

    plan: str
    version: int
    content: str


class LineTaxArea(msgspec.Struct, frozen=True):
    """Where a line is taxed, and from when on; `known`: taxes that are added there are in the gateway's taxes."""

    subscriber_id: str
    state: str
    zip: str
    valid_from: str
    known: bool


class LinePrices(msgspec.Struct, frozen=True):
    """By which version of its plan a line is charged from now on, and by which it was; the same where nothing changed."""

    subscriber_id: str
    plan: str
    version_before: int | None
    version: int | None


class Allowances(msgspec.Struct, frozen=True):
    """A line's allowances, and on what terms it has them."""

    rows: list[AllowanceRow]
    terms: LineTerms


class FamilyOf(msgspec.Struct, frozen=True):
    """Who pays for a line beside its own wallet, and at most how much a calendar month; None for nobody, and for no cap."""

    subscriber_id: str
    payer: str | None
    cap: str | None
    currency: str


class UsageRefunded(msgspec.Struct, frozen=True):
    """What was given back of a usage record: money in major units, and units by service; `repeated` where it was before."""

    record_id: str
    subscriber_id: str
    amount: str
    currency: str
    units: dict[str, int]
    repeated: bool


class AddOnTaken(msgspec.Struct, frozen=True):
    """An add-on that a line has; `repeated` where the reference bought it before."""

    subscriber_id: str
    ends_at: str
    price: str
    balance: str
    currency: str
    repeated: bool


class CreditGiven(msgspec.Struct, frozen=True):
    """A wallet with the credit that the company gave; `repeated` where the reference gave it before."""

    subscriber_id: str
    balance: str
    currency: str
    ends_at: str
    repeated: bool


class HeldReportDecided(msgspec.Struct, frozen=True):
    """What became of a held report: the usage record and its price in major units where it was booked."""

    id: str
    state: str
    record_id: str | None
    price: str | None
    currency: str | None


class UsageRerated(msgspec.Struct, frozen=True):
    """What came of a page of sessions that were priced anew; amounts in major units.

    `left` counts by reason the records that stay as they are; `next` is the `after` of the next page, None on the last.
    """

    plan: str
    version: int
    sessions: int
    records: int
    left: dict[str, int]
    price_before: str
    price_after: str
    tenth_before: str
    tenth_after: str
    currency: str
    next: int | None


class AccountBalance(msgspec.Struct, frozen=True):
    """An account's balance in major units."""

    account: str
    currency: str
    balance: str


class AccountBalances(msgspec.Struct, frozen=True):
    """The balances of accounts, by currency; `next` is the `after` of the next page, None on the last."""

    rows: list[AccountBalance]
    next: int | None


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
    """What a session's client said to a request (RAR or ASR): `result` is what became of it, `closed` whether it is over.

    `node` is the gateway that asked it.
    """

    id: str
    session_id: str
    peer: str
    request: str
    result: str
    result_code: int | None
    detail: str | None
    closed: bool
    node: str = ""


class TraceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A trace: what it is about (masked), from when until when, what it saw, who wanted it, and which gateway it runs at."""

    id: str
    subject: str
    state: str
    since: Timestamp
    until: Timestamp
    ended: str | None
    messages: int
    missed: int
    content: bool
    pcap: str | None
    by: str
    node: str = ""


class StartedTrace(TraceRow, frozen=True, kw_only=True):
    """A trace that has begun; `known` whether the gateway knows its subject.

    `others` is the same trace at the other gateways on the store, `silent` those at which it does not run, and why.
    """

    known: bool
    others: list[TraceRow] = []
    silent: list[NodeProblem] = []


class TraceRows(msgspec.Struct, frozen=True):
    """Traces; `silent` are gateways that did not tell of theirs."""

    rows: list[TraceRow]
    silent: list[NodeProblem] = []


class TraceMessage(msgspec.Struct, frozen=True):
    """A message that a trace saw, in a few words; `number` counts at its gateway."""

    number: int
    at: Timestamp
    way: str
    protocol: str
    name: str
    what: str
    sequence: int | None
    status: str
    numbers: str
    node: str = ""


class TraceSeen(msgspec.Struct, frozen=True):
    """A trace and what it saw, at all gateways, by time; `silent` are those that did not tell."""

    trace: TraceRow
    rows: list[TraceMessage]
    silent: list[NodeProblem] = []


class UndecodableMessage(msgspec.Struct, frozen=True):
    """A message that could not be read, and why; `message` is hexadecimal, its header alone unless content was asked for."""

    at: Timestamp
    protocol: str
    name: str
    reason: str
    octets: int
    message: str
    node: str = ""


class UndecodableMessages(msgspec.Struct, frozen=True):
    """The last messages that could not be read; `silent` are gateways that did not tell of theirs."""

    rows: list[UndecodableMessage]
    silent: list[NodeProblem] = []


class TakenText(msgspec.Struct, frozen=True):
    """A text that was accepted."""

    id: str
    reference: str | None
    state: Literal["queued"]


class TakenTexts(msgspec.Struct, frozen=True):
    """Texts that were accepted, in their order."""

    messages: list[TakenText]


class OrderTaken(msgspec.Struct, frozen=True):
    """An order that was accepted, now or (`repeated`) before."""

    order: str
    state: OrderState
    repeated: bool
    iccid: str


class OrderRowTaken(msgspec.Struct, frozen=True):
    """What became of one of many orders: its id and state, or the code and words of its refusal."""

    order: str | None
    state: OrderState | None
    code: str | None
    message: str


class OrderRowsTaken(msgspec.Struct, frozen=True):
    """What became of each row, in their order."""

    results: list[OrderRowTaken]


class SimAmended(msgspec.Struct, frozen=True):
    """A card as it was put right: the columns that differed, and its state now."""

    iccid: str
    amended: list[str]
    state: SimState


class SubscriberChanges(msgspec.Struct, frozen=True):
    """The changes of a subscriber, the first one first."""

    subscriber_id: str
    rows: list[SubscriberChange]


class LineChanged(msgspec.Struct, frozen=True):
    """A line's other plan or number: done in our books, or the order that has its host changed first."""

    subscriber_id: str | None
    order: str | None
    state: OrderState


class OrderRowChecked(msgspec.Struct, frozen=True):
    """Whether one of many orders would be accepted now: the code and words of its refusal, None where there is none."""

    code: str | None
    message: str


class OrderRowsChecked(msgspec.Struct, frozen=True):
    """How each row was checked, in their order."""

    results: list[OrderRowChecked]


class OrderTakenOverHttp(msgspec.Struct, frozen=True):
    """An order that was accepted, as `POST /v1/orders` tells it."""

    id: str
    state: OrderState
    kind: Kind
    iccid: str


class UnmatchedReceiptView(msgspec.Struct, frozen=True):
    """A delivery receipt that settled no text: when it came, why, what it says of id and state, the masked number."""

    at: Timestamp
    reason: str
    message_id: str
    stat: str
    number: str


class LinkView(msgspec.Struct, frozen=True):
    """An SMPP link as it is now: the fields of `protocols.smpp.node_events.LinkState`, times as RFC 3339, and its gateway."""

    name: str
    state: str
    since: Timestamp
    address: str
    system_id: str
    waiting: int
    unanswered: int
    paused_until: Timestamp | None
    retry_at: Timestamp | None
    wanted: bool
    suspended: bool
    congestion_state: int | None
    counters: Counters
    unmatched_receipts: list[UnmatchedReceiptView]
    node: str = ""


class Links(msgspec.Struct, frozen=True):
    """All SMPP links; `silent` are gateways that did not tell of theirs."""

    rows: list[LinkView]
    silent: list[NodeProblem] = []


class DrainLeft(msgspec.Struct, frozen=True):
    """What still runs: open sessions of this node, None while they cannot be counted; parts of texts; orders under way."""

    sessions: int | None
    texts: int
    orders: int

    def __bool__(self) -> bool:
        """Whether there is anything, for all that is known."""
        return bool(self.sessions is None or self.sessions or self.texts or self.orders)


class DrainState(msgspec.Struct, frozen=True):
    """What a drain waits for (None before the first look), how many seconds are left, and whether the waiting is over."""

    left: DrainLeft | None
    seconds: float
    over: bool


class ReloadOutcome(msgspec.Struct, frozen=True):
    """What became of a reload: whether it was taken over, what changed, and, where it was not, why.

    `problems` are those of the files, as `file:line: key: message`; `restart` names keys that a running gateway keeps.
    """

    applied: bool
    changed: tuple[str, ...] = ()
    links: Sorted = Sorted()
    peers: Sorted = Sorted()
    hosts: Sorted = Sorted()
    problems: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()


class LaneView(msgspec.Struct, frozen=True):
    """The write lane: units that wait, and what it did since it started (`gateway.store.lane.LaneCounters`)."""

    waiting: int
    batches: int
    units: int
    poisoned: int
    expired: int
    failed_batches: int
    unknown: int
    restarts: int = 0


class PeerView(msgspec.Struct, frozen=True):
    """A Diameter peer as it is now: the fields of `protocols.diameter.node_events.PeerState`; `since` is RFC 3339."""

    identity: str
    realm: str
    state: str
    watchdog: str
    since: Timestamp
    address: str
    outstanding: int
    pending: int
    requests_in: int
    answers_out: int
    requests_out: int
    answers_in: int
    rejected: int
    dropped: int


class HostView(msgspec.Struct, frozen=True):
    """A host of orders: whether it could be reached the last time, and why not."""

    name: str
    reachable: bool
    trouble: str


class BackupView(msgspec.Struct, frozen=True):
    """The continuous backup: until when all that was committed is in its folder, how many seconds ago that is, what went wrong.

    `safe_until` is None before the first whole copy is there.
    """

    folder: str
    safe_until: Timestamp | None
    behind: float
    trouble: str


class GatewayStatus(msgspec.Struct, frozen=True):
    """How the gateway does: its state and what it needs to be ready, the write lane, the Diameter peers, the broker, the hosts.

    `traces` counts those that run; `events` is None where no broker is configured, `backup` where no
    continuous backup is; `concerns` is what an operator
    should look at, the critical first. Where all gateways on the store were asked for, `others` is what they say of themselves,
    and `silent` those that said nothing.
    """

    state: Literal["running", "draining"]
    drain: DrainState | None
    node: str
    since: Timestamp
    ready: dict[str, bool]
    traces: int
    lane: LaneView
    peers: list[PeerView]
    events: ForwarderState | None
    hosts: list[HostView]
    concerns: list[Concern] = []
    others: list["GatewayStatus"] = []
    silent: list[NodeProblem] = []
    backup: BackupView | None = None


class Health(msgspec.Struct, frozen=True):
    """Whether all is well, what was looked at, and what an operator should look at besides."""

    ok: bool
    checks: dict[str, bool]
    concerns: list[Concern]


class Cause(msgspec.Struct, frozen=True):
    """A charity that may be chosen: where it is registered, and under which number.

    `statement` is what customers have to be told: how much it gets, and how that is determined (Charities Act 1992 s.60(3)).
    """

    id: str
    name: str
    country: str
    regulator: str | None
    number: str | None
    open: bool
    statement: str | None


class Causes(msgspec.Struct, frozen=True):
    """The causes that may be chosen."""

    causes: list[Cause]


class NodeView(msgspec.Struct, frozen=True):
    """A gateway on the store, under one of its numbers, and how many rows wait for it.

    `here` is the one that was asked; `gone`: its lease is over and nobody has adopted it. `owner` works on what it had,
    `shards` are the numbers whose rows it works on itself: its own and those that it adopted.
    """

    name: str
    number: int
    state: Literal["here", "live", "gone", "adopted"]
    epoch: int
    owner: str
    renewed_at: Timestamp | None
    shards: list[int]
    texts: int
    orders: int
    events: int


class Nodes(msgspec.Struct, frozen=True):
    """The gateways on the store, by number."""

    rows: list[NodeView]


class NodeAdopted(msgspec.Struct, frozen=True):
    """A gateway that was taken over from, its number, and with how many numbers of others that it had adopted itself."""

    name: str
    number: int
    shards: int


class NodeRetired(msgspec.Struct, frozen=True):
    """A gateway that is listed no more, under how many numbers, and who works on its rows."""

    name: str
    owner: str
    retired: int
