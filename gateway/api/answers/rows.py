"""Answers that list rows as the queries of the store read them; the rows' own types stand beside those queries."""

import msgspec

from gateway.balance.queries import CauseShare, SubscriberRow
from gateway.charging.review import HeldReport
from gateway.charging.usage_export import UsageRecord
from gateway.events.queries import OutboxEvent
from gateway.fraud.cases import FraudCase
from gateway.ledger.checks.examined import Finding
from gateway.ledger.journal import JournalEntry
from gateway.ledger.months import MonthTotal
from gateway.ledger.seals import Seal
from gateway.messaging.queries import TextRow
from gateway.notices.limit_changes import LimitDecision
from gateway.notices.queries import NoticeRow


class ChosenCauses(msgspec.Struct, frozen=True):
    """What a subscriber's tenth goes to from now on."""

    subscriber_id: str
    causes: list[CauseShare]


class SubscriberPage(msgspec.Struct, frozen=True):
    """A page of subscribers; `next` is the `after` of the next one, None on the last."""

    rows: list[SubscriberRow]
    next: int | None


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


class BooksChecked(msgspec.Struct, frozen=True):
    """What was counted, and what does not add up; `ok` where there is nothing.

    `unknown` counts by plan the records that are older than versions: what they cost is taken as it is.
    """

    ok: bool
    entries: int
    wallets: int
    accruals: int
    findings: list[Finding]
    unknown: dict[str, int]


class LimitView(msgspec.Struct, frozen=True):
    """A line's limits in this month and what was charged against them, in major units; a limit is null where there is none.

    `agreed` and `cap_agreed`: the customer agreed that it is passed in this month. `barred`: by a fraud limit, until somebody
    clears it. `decisions` are all that its customer ever took, where limits are shown; empty where one is taken.
    """

    subscriber_id: str
    currency: str
    period: str
    limit: str | None
    charged: str
    agreed: bool
    cap_abroad: str | None
    charged_abroad: str
    cap_agreed: bool
    barred: bool
    decisions: list[LimitDecision]


class GiftRow(msgspec.Struct, frozen=True):
    """A gift beside the tenth, in major units: all of `amount` goes to the cause, `fee` is 0 always.

    `state` is held (it may be taken back until `due`), given, withdrawn or refused (the money was used meanwhile). `cause` is
    null for whoever may not see it.
    """

    id: str
    state: str
    amount: str
    fee: str
    currency: str
    made: str
    due: str
    done: str | None
    cause: str | None


class GiftAnswer(msgspec.Struct, frozen=True):
    """What became of a request about a gift; `repeated`: it had been done before."""

    gift: GiftRow
    repeated: bool


class Gifts(msgspec.Struct, frozen=True):
    """The gifts of a line, the newest first."""

    rows: list[GiftRow]


class GiftAidDeclaration(msgspec.Struct, frozen=True):
    """A Gift Aid declaration of a line; `cause` and `name` are null for whoever may not see them."""

    id: str
    subscriber_id: str
    declared: str
    covers_from: str
    cancelled: str | None
    channel: str
    wording: str
    cause: str | None
    name: str | None


class GiftAidDeclarations(msgspec.Struct, frozen=True):
    """The declarations of a line, the newest first."""

    rows: list[GiftAidDeclaration]


class GiftAidCancelled(msgspec.Struct, frozen=True):
    """Whether a declaration was in force, and ended."""

    cancelled: bool


class GiftAidSchedule(msgspec.Struct, frozen=True):
    """The rows of HMRC's schedule for the gifts of a month to one charity; for that charity alone."""

    cause: str
    period: str
    columns: list[str]
    rows: list[list[str]]


class NoticePage(msgspec.Struct, frozen=True):
    """A page of notices to customers; `next` is the `after` of the next one, None on the last."""

    rows: list[NoticeRow]
    next: int | None


class FraudCasePage(msgspec.Struct, frozen=True):
    """A page of cases of suspected fraud; `next` is the `after` of the next one, None on the last."""

    rows: list[FraudCase]
    next: int | None


class CaseClearedView(msgspec.Struct, frozen=True):
    """A case that was cleared; `barred`: the line is still, by another case."""

    id: str
    subscriber_id: str
    barred: bool


class Months(msgspec.Struct, frozen=True):
    """What is booked and used by month."""

    rows: list[MonthTotal]


class JournalPage(msgspec.Struct, frozen=True):
    """A page of the journal; `next` is the `after` of the next one, None on the last."""

    rows: list[JournalEntry]
    next: int | None


class Events(msgspec.Struct, frozen=True):
    """Events of the outbox."""

    rows: list[OutboxEvent]


class Texts(msgspec.Struct, frozen=True):
    """Texts, the newest first."""

    rows: list[TextRow]


class Seals(msgspec.Struct, frozen=True):
    """The public key (Ed25519, 32 octets in hexadecimal), and seals of all nodes, by node and day."""

    public_key: str
    rows: list[Seal]
