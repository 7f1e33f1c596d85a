"""Request types of the actions: what each one takes, with the bounds that `gateway.api.conversion` holds a client to.

A field with a default may be left out. An empty text says as much as none where a text may be left out, and so does a
`limit` of 0. A field that no type here has is ignored where nothing else is said.
"""

from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.api.conversion import refused_as
from gateway.messaging.texts import TextState
from gateway.notices.kinds import NoticeKind
from gateway.store.fitting import LEAST_INTEGER, LONGEST_INDEXED, MOST_INTEGER
from gateway.tracing.traces import MAX_SECONDS
from provisioning.orders import OrderState
from provisioning.sim_lifecycle import SimState

MAX_TEXT: Final = 255
"""Characters of a text."""
MAX_ID: Final = 1 << 62
"""Above every identifier (a node's number and a place in its span, `gateway.store.nodes`), with room to reckon."""
MAX_ROWS: Final = 5000
"""Rows of one import call, and of one page of a report."""
MAX_BALANCES: Final = 20_000
"""Wallets of one page of balances: each page reads the whole journal."""
MONTH: Final = r"^(19[7-9]\d|2\d\d\d)-(0[1-9]|1[0-2])$"
"""A calendar month, such as 2026-11."""
MONTH_WANTED: Final = "a month as YYYY-MM, with 01 to 12 behind a year from 1970 on, such as 2026-11"
DAY_WANTED: Final = "a day of the calendar as YYYY-MM-DD, such as 2026-11-30"
WHY: Final = "1 to 64 printable characters"
PRINTABLE: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
"""Without control characters, ends of lines, and what turns the direction of writing."""
MAX_CHANNEL: Final = 32
"""Characters of how a customer's consent reached us."""
MAX_PAGE: Final = 1000
"""Rows of one page of a list of cards or orders."""

NO_NUL: Final[dict[str, object]] = {"pattern": r"^[^\x00]*$"}
"""How the HTTP description says what `gateway.store.fitting` holds every text to."""

Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
MaybeText = Annotated[str, Meta(max_length=MAX_TEXT)]
Reason = Annotated[str, Meta(min_length=1, max_length=64, pattern=PRINTABLE, extra=refused_as("params.reason", WHY))]
"""Why a person changes something, as history keeps it."""
Currency = Annotated[str, Meta(min_length=1, max_length=3)]
Number = Annotated[int, Meta(ge=0, le=MAX_ID)]
SEALS: Final = f"a list of at most {MAX_PAGE} seals, each an object of node, day, sequence, head and signature"
Time = Annotated[int, Meta(ge=LEAST_INTEGER, le=MOST_INTEGER)]
"""Microseconds since 1970."""
Rows = Annotated[
    list[dict[str, str | None]],
    Meta(max_length=MAX_ROWS, extra=refused_as("import.rows", f"a list of at most {MAX_ROWS} objects of texts")),
]
"""Rows of a CSV file: texts by the names of their columns."""
MAX_BODY: Final = 39_015
"""Characters of one text: 255 parts of 153."""
MAX_BULK: Final = 1000
"""Rows of one call for many orders."""
OrderText = (
    Annotated[str, Meta(max_length=MAX_TEXT, extra=refused_as("order.field", "a text of at most 255 characters"))]
    | None
)
"""A text of an order; an empty one says as much as none."""
OrderFlag = Annotated[bool | Literal[""] | None, Meta(extra=refused_as("order.field", "true or false"))]
LONGEST_DRAIN: Final = 86_400
"""Seconds."""
SENDER: Final = "digits, or a name of up to 11 letters"
SENDER_FORM: Final[dict[str, object]] = {
    "format": "sender",
    "minLength": 1,
    "maxLength": MAX_TEXT,
    "description": "a number, a short code of 3 to 8 digits, or a name of up to 11 ASCII characters",
}
RECIPIENT_FORM: Final[dict[str, object]] = {
    "format": "recipient",
    "minLength": 5,
    "maxLength": MAX_TEXT,
    "description": "a number, or a short code of 5 to 8 digits",
}
NUMBER_FORM: Final[dict[str, object]] = {
    "format": "msisdn",
    "minLength": 5,
    "maxLength": MAX_TEXT,
    "description": "a number with + or 00 and its country code, or as it is dialled in the operator's country",
}
"""How the HTTP description writes senders and numbers: no pattern knows the numbering plans, so each is a `format`."""
RECIPIENT: Final = "5 to 15 digits, country code first"
KINDS: Final = "one of activate, suspend, resume, swap, terminate, renumber, replan"
SESSION_ID: Final = "a Session-Id, or the number that `tpo session list` shows"
Subject = Annotated[str, Meta(max_length=MAX_TEXT, extra=refused_as("trace.subject", "one of msisdn, imsi and link"))]


def page_size(limit: int, usual: int, most: int) -> int:
    """Give how many rows are wanted; more than `most` are given in pages, none given means `usual`."""
    return min(limit or usual, most)


class Nothing(msgspec.Struct, frozen=True):
    """An action that has nothing to be told."""


class CheckLedger(msgspec.Struct, frozen=True):
    """What the books are held against beside themselves: seals that were kept elsewhere; `full`: sealed months once more."""

    full: bool = False
    seals: Annotated[
        list[dict[str, str | int]], Meta(max_length=MAX_PAGE, extra=refused_as("ledger.seals", SEALS))
    ] = []


class ExportJournal(msgspec.Struct, frozen=True):
    """A page of the journal in a format of other programs, above the number `after`; `until` is what the first page said."""

    format: Annotated[
        Literal["beancount", "hledger", "csv"], Meta(extra=refused_as("ledger.format", "beancount, hledger or csv"))
    ]
    after: Number = 0
    since: Time | None = None
    until: Time | None = None
    causes: bool = False


class ShowTotals(msgspec.Struct, frozen=True):
    """A calendar month on the operator's clock, such as 2026-11."""

    period: Annotated[str, Meta(pattern=MONTH, extra=refused_as("ledger.period", MONTH_WANTED))]


class ImportSubscribers(msgspec.Struct, frozen=True):
    """Lines that are live already, a row each; `accept_checksum` takes ICCIDs whose check digit is not right."""

    rows: Rows
    accept_checksum: bool = False


class ShowSubscriber(msgspec.Struct, frozen=True):
    """A subscriber by any of its numbers: MSISDN, IMSI or ICCID."""

    number: Text


class TopUpSubscriber(msgspec.Struct, frozen=True):
    """Money paid in: `amount` in major units, `reference` the payment's own, `key` what a repeated request repeats."""

    number: Text
    amount: Text
    currency: Currency
    reference: Text
    key: MaybeText = ""


class ChooseCause(msgspec.Struct, frozen=True):
    """The causes of a subscriber from now on, each as `cause` or `cause=percent`.

    `channel` is how the customer agreed, such as call or app, `wording` the version of what the customer was asked.
    """

    number: Text
    causes: Annotated[list[str], Meta(extra=refused_as("cause.invalid", "a list of `cause` or `cause=percent`"))]
    channel: Annotated[str, Meta(max_length=MAX_CHANNEL, pattern=PRINTABLE)] = ""
    wording: Annotated[str, Meta(max_length=64, pattern=PRINTABLE)] = ""


class GiveGift(msgspec.Struct, frozen=True):
    """A gift of a line to a cause, in major units of the wallet's currency; the same reference again gives nothing more."""

    number: Text
    cause: Text
    amount: Text
    currency: Text
    reference: Text


class NamedGift(msgspec.Struct, frozen=True):
    """A gift of a line, by the number that it has."""

    number: Text
    gift: Text


class DeclareGiftAid(msgspec.Struct, frozen=True):
    """A natural person's Gift Aid declaration to a cause, for gifts of a line: name and home address, as HMRC has them.

    `channel` is how it reached us, `wording` the version of HMRC's words that the person agreed to; `covers_from` is a day,
    empty for today.
    """

    number: Text
    cause: Text
    first_name: Text
    last_name: Text
    house: Text
    postcode: Text
    channel: Annotated[str, Meta(min_length=1, max_length=MAX_CHANNEL, pattern=PRINTABLE)]
    wording: Annotated[str, Meta(min_length=1, max_length=64, pattern=PRINTABLE)]
    title: MaybeText = ""
    covers_from: MaybeText = ""


class CancelGiftAid(msgspec.Struct, frozen=True):
    """The end of a line's declaration to a cause."""

    number: Text
    cause: Text


class ExportGiftAid(msgspec.Struct, frozen=True):
    """The Gift Aid schedule of a month (2026-11) for one cause."""

    cause: Text
    period: Annotated[str, Meta(pattern=MONTH, extra=refused_as("gift-aid.period", MONTH_WANTED))]


class SetRenewal(msgspec.Struct, frozen=True):
    """Whether the customer agreed to renewals of the bundle, and the day on which its periods begin; 0 leaves it as it is."""

    number: Text
    consent: bool
    reason: Reason
    billing_day: Annotated[int, Meta(ge=0, le=31)] = 0


class NamePlan(msgspec.Struct, frozen=True):
    """A plan by its id."""

    plan: Text


class NamePlanVersion(msgspec.Struct, frozen=True):
    """A version of a plan, by its number among all versions of the store."""

    plan: Text
    version: Annotated[int, Meta(ge=1, le=MAX_ID)]


class SetTaxArea(msgspec.Struct, frozen=True):
    """Where the line that has a number is taxed from now on, and why: a state of two capital letters, and a ZIP."""

    number: Text
    state: Annotated[str, Meta(pattern="^[A-Z]{2}$", extra=refused_as("tax.area", "a state of two capital letters"))]
    zip: Annotated[str, Meta(pattern="^[0-9]{5}$", extra=refused_as("tax.area", "a ZIP of five digits"))]
    reason: Reason


class SetPreferences(msgspec.Struct, frozen=True):
    """How the customer of the line that has a number wants to be written to, and why: what is null stays as it is.

    An empty language is the operator's.
    """

    number: Text
    reason: Reason
    language: Annotated[
        Literal["", "en", "es", "fr"] | None, Meta(extra=refused_as("preferences.invalid", "en, es, fr or nothing"))
    ] = None
    itemised: Annotated[bool | None, Meta(extra=refused_as("preferences.invalid", "true or false"))] = None


class AgreeToPrices(msgspec.Struct, frozen=True):
    """The customer of the line that has a number agreed to the prices of today; `reason` says how."""

    number: Text
    reason: Reason


class SetCreditLimit(msgspec.Struct, frozen=True):
    """How far the line that has a number may go below zero, in major units, and why."""

    number: Text
    amount: Text
    reason: Reason


class SetPayer(msgspec.Struct, frozen=True):
    """Whose wallet pays for a line beside its own, at most `cap` a month in major units; without a payer nobody's does."""

    number: Text
    reason: Reason
    payer: MaybeText = ""
    cap: MaybeText = ""


class EraseSubscriber(msgspec.Struct, frozen=True):
    """Whom to forget: the id of a customer whose line has ended, or a number that it had, and why."""

    subscriber: Text
    reason: Reason


class RefundUsage(msgspec.Struct, frozen=True):
    """A usage record by its number, to be given back, and why."""

    record_id: Text
    reason: Reason


class BuyAddOn(msgspec.Struct, frozen=True):
    """An add-on of the line's plan; `reference` is the buyer's own, and buys once."""

    number: Text
    add_on: Text
    reference: Text


class GiveCredit(msgspec.Struct, frozen=True):
    """Credit of the company for a line, in major units, that ends after so many days, once a reference."""

    number: Text
    amount: Text
    currency: Currency
    days: Annotated[int, Meta(ge=1, le=3660)]
    reference: Text


Effective = Annotated[
    Literal["", "pro-rata", "renewal"],
    Meta(extra=refused_as("order.effective", "pro-rata, renewal, or nothing for at once")),
]


class ChangePlan(msgspec.Struct, frozen=True):
    """Another plan for the line that has a number, and why; `key` is what a repeated request repeats.

    It begins at once, with the rest of a bundle's price given back (`pro-rata`), or when what was paid for ends (`renewal`).
    """

    number: Text
    plan: Text
    reason: Reason
    key: MaybeText = ""
    effective: Effective = ""


class ChangeNumber(msgspec.Struct, frozen=True):
    """Another number for the line that has one, and why; `returning` takes it out of quarantine for its last customer."""

    number: Text
    msisdn: Text
    reason: Reason
    returning: bool = False
    key: MaybeText = ""


class ExportUsage(msgspec.Struct, frozen=True):
    """Usage records above the number `after`, of events from `start` until before `end`, of one line or all."""

    after: Number = 0
    start: Time | None = None
    end: Time | None = None
    number: MaybeText = ""
    limit: Number = 0


class ListHeldReports(msgspec.Struct, frozen=True):
    """Held usage reports above the number `after`: those that wait for a decision, or `all`."""

    after: Number = 0
    all: bool = False


class DecideHeldReport(msgspec.Struct, frozen=True):
    """A held usage report to be booked or dropped, and why."""

    id: Annotated[str, Meta(min_length=1, max_length=19)]
    reason: Text


class DecideLimit(msgspec.Struct, frozen=True):
    """What a customer decided about a limit: `decision` set (with `amount`), removed or agreed; `what` is bill or abroad.

    `channel` is how it reached us, such as contract, call or app, `wording` the version of what the customer was asked. A bill
    limit is set, or removed, for all months, or with `period` for one.
    """

    number: Text
    decision: Annotated[
        Literal["set", "removed", "agreed"], Meta(extra=refused_as("limit.invalid", "set, removed or agreed"))
    ]
    channel: Annotated[
        str,
        Meta(min_length=1, max_length=32, pattern=PRINTABLE, extra=refused_as("limit.invalid", "how it reached us")),
    ]
    wording: Reason
    amount: MaybeText = ""
    period: Annotated[
        str, Meta(pattern=f"({MONTH})|^$", extra=refused_as("limit.period", f"{MONTH_WANTED}, or nothing"))
    ] = ""
    what: Annotated[Literal["bill", "abroad"], Meta(extra=refused_as("limit.invalid", "bill or abroad"))] = "bill"


class ListCases(msgspec.Struct, frozen=True):
    """A page of cases of suspected fraud: those that wait, or all."""

    after: Number = 0
    all: bool = False


class DecideCase(msgspec.Struct, frozen=True):
    """A case that somebody has looked at, and why it is cleared."""

    id: Annotated[str, Meta(min_length=1, max_length=19)]
    reason: Text


class ListNotices(msgspec.Struct, frozen=True):
    """A page of notices to customers."""

    after: Number = 0
    limit: Number = 0
    number: MaybeText = ""
    kind: Annotated[NoticeKind, Meta(extra=refused_as("params.kind"))] | None = None


class RerateUsage(msgspec.Struct, frozen=True):
    """Usage of a plan since a time that is to be priced by the version in force, of sessions above the number `after`.

    With `caps` it is what caps count, of lines above that number; with `sales` the plan's bundles that were sold, by entries.
    """

    plan: Annotated[str, Meta(min_length=1, max_length=64)]
    since: Time
    after: Number = 0
    dry_run: bool = False
    sales: bool = False
    caps: bool = False


class ReadJournal(msgspec.Struct, frozen=True):
    """Entries of the journal above the number `after`; with `causes` their accounts are named.

    They may be those of one account, those of a line's wallet, and those booked from `since` until before `until`.
    """

    after: Number = 0
    limit: Number = 0
    causes: bool = False
    account: MaybeText = ""
    number: MaybeText = ""
    since: Time | None = None
    until: Time | None = None


class ListBalances(msgspec.Struct, frozen=True):
    """Accounts above the number `after`: one by its name, a line's wallet, or all, of what was booked in that time.

    What was booked in some time tells who gave to whom: then those of causes are one, unless `causes` asks for them.
    """

    after: Number = 0
    limit: Number = 0
    causes: bool = False
    account: MaybeText = ""
    number: MaybeText = ""
    since: Time | None = None
    until: Time | None = None


class ListSubscribers(msgspec.Struct, frozen=True):
    """Subscribers above the number `after`."""

    after: Number = 0
    limit: Number = 0


class FindSubscribers(msgspec.Struct, frozen=True):
    """Subscribers who have a number that ends in `tail`."""

    tail: Annotated[str, Meta(pattern=r"^[0-9]{3,20}$", extra=refused_as("subscriber.tail", "3 to 20 digits"))]


class ListEvents(msgspec.Struct, frozen=True):
    """The latest events of the outbox, or those after the row `after`."""

    limit: Number = 0
    after: Number | None = None


class ImportSims(msgspec.Struct, frozen=True):
    """Cards, a row each; `first_line` is the first row's number in its file, for what is said of it.

    `accept_checksum` takes ICCIDs whose check digit is not right.
    """

    rows: Rows
    first_line: Number = 1
    accept_checksum: bool = False


class AmendSim(msgspec.Struct, frozen=True):
    """What is put right of a card, and why: its IMSI, its EID, its keys in hexadecimal; what is empty stays."""

    iccid: Text
    reason: Reason
    imsi: MaybeText = ""
    eid: MaybeText = ""
    ki: MaybeText = ""
    opc: MaybeText = ""


class ScrapSim(msgspec.Struct, frozen=True):
    """A card in stock that is to be destroyed, and why."""

    iccid: Text
    reason: Reason


class ListSims(msgspec.Struct, frozen=True):
    """Cards in a state, or in any, in the order of their ICCIDs from above `after` on."""

    limit: Number = 0
    state: Annotated[SimState, Meta(extra=refused_as("params.state"))] | None = None
    after: MaybeText = ""


class ShowSim(msgspec.Struct, frozen=True):
    """A card by its ICCID."""

    iccid: MaybeText = ""


class ListOrders(msgspec.Struct, frozen=True):
    """Orders in a state, or in any, the newest first; those of one card or number, and those accepted in that time."""

    limit: Number = 0
    state: Annotated[OrderState, Meta(extra=refused_as("params.state"))] | None = None
    number: MaybeText = ""
    since: Time | None = None
    until: Time | None = None


class ShowOrder(msgspec.Struct, frozen=True):
    """An order by its id; what is no id names no order."""

    id: MaybeText = ""


class OrderStates(msgspec.Struct, frozen=True):
    """Orders by their ids."""

    ids: Annotated[
        list[str], Meta(max_length=MAX_PAGE, extra=refused_as("order.ids", f"a list of at most {MAX_PAGE} ids"))
    ]


class ListSessions(msgspec.Struct, frozen=True):
    """Sessions of a subscriber, of a peer or of all, the newest first: the open ones, or with `closed` all of them."""

    limit: Number = 0
    number: MaybeText = ""
    peer: MaybeText = ""
    closed: bool = False


class NameSession(msgspec.Struct, frozen=True):
    """A session by its Session-Id (RFC 6733 §8.8), or by the number that the gateway gave it."""

    id: Annotated[str, Meta(min_length=1, max_length=LONGEST_INDEXED, extra=refused_as("session.id", SESSION_ID))]


class ShowText(msgspec.Struct, frozen=True):
    """A text by its id; what is no id names no text."""

    id: MaybeText = ""


class ListTexts(msgspec.Struct, frozen=True):
    """Texts in a state, or in any, the newest first; those from or to a number, and those accepted in that time."""

    limit: Number = 0
    state: TextState | None = None
    number: MaybeText = ""
    since: Time | None = None
    until: Time | None = None


class SendText(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A text to be sent; `validity` in seconds. What is left out is as the settings have it."""

    OBJECT_CODE: ClassVar[str] = "sms.fields"
    NULL_IS_ABSENT: ClassVar[bool] = False

    source: Annotated[str, Meta(extra_json_schema=SENDER_FORM, extra=refused_as("sms.address", SENDER))] = (
        msgspec.field(name="from")
    )
    destination: Annotated[str, Meta(extra_json_schema=RECIPIENT_FORM, extra=refused_as("sms.address", RECIPIENT))] = (
        msgspec.field(name="to")
    )
    text: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_BODY,
            extra_json_schema=NO_NUL,
            extra=refused_as("sms.text", f"1 to {MAX_BODY} characters"),
        ),
    ]
    reference: (
        Annotated[
            Text,
            Meta(description="unique for a token", extra_json_schema=NO_NUL, extra=refused_as("sms.reference")),
        ]
        | None
    ) = None
    registered_delivery: Annotated[bool, Meta(extra=refused_as("sms.registered_delivery"))] | UnsetType = UNSET
    validity: (
        Annotated[
            int,
            Meta(
                ge=60,
                le=2_592_000,
                description="seconds",
                extra=refused_as("sms.validity", "seconds, from 60 to those of 30 days"),
            ),
        ]
        | UnsetType
    ) = UNSET


class OrderLink(msgspec.Struct, frozen=True):
    """A link by its name, and what it is to do: up, down, suspend or resume, or nothing."""

    name: MaybeText = ""
    order: MaybeText = ""


class ShowStatus(msgspec.Struct, frozen=True):
    """How the gateway does, and `all` others on its store."""

    all: bool = False


class StartTrace(msgspec.Struct, frozen=True):
    """What is to be traced: one of a number, an IMSI and a link's, peer's or host's name; for how many seconds.

    `id` is that of the same trace at another gateway.
    """

    seconds: Annotated[int, Meta(ge=1, le=MAX_SECONDS, extra=refused_as("trace.seconds", f"1 to {MAX_SECONDS}"))]
    msisdn: Subject = ""
    imsi: Subject = ""
    link: Subject = ""
    show_content: Annotated[bool, Meta(extra=refused_as("trace.wish"))] = False
    pcap: Annotated[str, Meta(extra=refused_as("trace.wish", "the path of a file"))] | None = None
    id: Annotated[
        str, Meta(max_length=MAX_TEXT, pattern="^[0-9-]*$", extra=refused_as("trace.id", "digits with dashes between"))
    ] = ""


class ShowTrace(msgspec.Struct, frozen=True):
    """A trace, the latest without `id`, and its messages above the number `after`, or that of their gateway in `after_at`."""

    id: MaybeText = ""
    after: Number = 0
    after_at: Annotated[
        dict[str, Number], Meta(max_length=MAX_PAGE, extra=refused_as("params.invalid", "numbers by names of gateways"))
    ] = {}


class StopTrace(msgspec.Struct, frozen=True):
    """A trace to be ended, all of them without `id`."""

    id: MaybeText = ""


class ListUndecodable(msgspec.Struct, frozen=True):
    """The last messages that could not be read, those of a link or peer or all; with `show_content` in full."""

    name: MaybeText = ""
    show_content: bool = False


class BeginDrain(msgspec.Struct, frozen=True):
    """The gateway is to leave: for how many seconds at most it waits for what runs."""

    NULL_IS_ABSENT: ClassVar[bool] = False

    timeout: Annotated[
        float, Meta(ge=0, le=LONGEST_DRAIN, extra=refused_as("drain.timeout", f"seconds, from 0 to {LONGEST_DRAIN}"))
    ] = 60


class NameNode(msgspec.Struct, frozen=True):
    """A gateway of the store, by its name (diameter.identity) or number."""

    node: Text


class AdoptNode(NameNode, frozen=True):
    """A gateway to take over from; by `force` also one that is alive."""

    force: bool = False


class Reconcile(msgspec.Struct, frozen=True):
    """A host, or all of them, to be compared with the inventory; with `repair` it is given what it lacks."""

    host: MaybeText = ""
    repair: bool = False


class SimOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is asked of a card; which fields a kind of order needs is for `gateway.api.order_requests` to say."""

    OBJECT_CODE: ClassVar[str] = "order.field"

    iccid: OrderText = None
    msisdn: OrderText = None
    plan: OrderText = None
    cause: OrderText = None
    reason: OrderText = None
    new_iccid: OrderText = None
    effective: OrderText = None
    adopt: OrderFlag = None
    returning: OrderFlag = None


class KeyedSimOrder(SimOrder, frozen=True, kw_only=True):
    """An order with what a repeated request repeats: its idempotency key."""

    key: (
        Annotated[
            str, Meta(max_length=MAX_TEXT, extra=refused_as("order.key", "a text of at most 255 printable characters"))
        ]
        | None
    ) = None


class OrderRow(KeyedSimOrder, frozen=True, kw_only=True):
    """One of many orders; it also says its kind."""

    kind: (
        Annotated[
            str,
            Meta(extra=refused_as("order.kind", KINDS)),
        ]
        | None
    ) = None


class OrderMany(msgspec.Struct, frozen=True):
    """Many orders; each row is read by itself, as `OrderRow`."""

    rows: Annotated[
        list[dict[str, object]],
        Meta(max_length=MAX_BULK, extra=refused_as("bulk.rows", f"a list of at most {MAX_BULK} objects")),
    ]
