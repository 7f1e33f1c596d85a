"""Bringing in lines that are already live on the host: subscriber, numbers, plan, choice, wallet, opening balance, at once."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import msgspec

from gateway.balance import bookings
from gateway.balance.open_subscriber import Opening, open_subscriber
from gateway.balance.preferences import Preferences, keep
from gateway.charity import choices as charity_choices
from gateway.charity.policies import WHOLE
from gateway.charity.sealed_causes import Consent
from gateway.ledger.books import Books
from gateway.ledger.money import MICRO, AmountInvalid, parse_amount
from gateway.rating.plans import Plan
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.idempotency import Digests, KeptResult, KeyRows
from gateway.subscribers.identifier_history import ICCID, IMSI, MSISDN, IdentifierRows
from provisioning import identifiers
from provisioning.errors import IdentifierInvalid

SCOPE = "import"
LARGEST_OPENING = 1_000_000 * MICRO
"""Micro-units: what a line brings along may be more than `charging.wallet_limit` lets in, but not without end."""
COLUMNS = ("msisdn", "imsi", "iccid", "plan", "cause", "balance")
PREFERRED = ("language", "bills")
"""Columns that a file may have besides: how the customer is written to, and itemised or unitemised bills; empty: not said."""
BILLS = ("", "itemised", "unitemised")
COLUMN_DIGITS = 16
"""Hexadecimal digits of a column's digest."""


class RowInvalid(ValueError):
    """A row that cannot be imported; the text says which column and why."""


class Enrolment(msgspec.Struct, frozen=True):
    """A checked row of `subscriber import`; the balance in micro-units."""

    msisdn: str
    imsi: str
    iccid: str
    plan: str
    cause: str
    balance: int
    language: str = ""
    bills: str = ""

    @property
    def columns(self) -> dict[str, str | int]:
        """What the file said, by column; of what customers prefer, what was said alone, as rows from before have it."""
        values: dict[str, str | int] = msgspec.structs.asdict(self)
        return {name: value for name, value in values.items() if name in COLUMNS or value}


class _Booked(msgspec.Struct, frozen=True):
    """What is kept of an import for ever: whom it made, and a digest of each column, to say later which one differs.

    The row itself, number and cause side by side, is not kept.
    """

    subscriber_id: int
    columns: dict[str, str]


class Enrolled(msgspec.Struct, frozen=True):
    """What became of a row: created, unchanged, differs or refused; `message` says why for the last two."""

    outcome: str
    subscriber_id: int | None
    message: str = ""


def read_row(
    row: Mapping[str, str | None],
    plans: Mapping[str, Plan],
    causes: Iterable[str],
    country: str = "",
    *,
    languages: Iterable[str] = (),
    check_iccid: bool = False,
) -> Enrolment:
    """Check a CSV row; RowInvalid names the column at fault. `country` is the operator's, `languages` those it writes in.

    With `check_iccid` an ICCID needs its right check digit, and may not look rounded.
    """
    text = {name: (row.get(name) or "").strip() for name in (*COLUMNS, *PREFERRED)}
    try:
        balance = _balance(text["balance"] or "0")
        if balance < 0:
            raise RowInvalid("balance: an opening balance is not negative")
        if balance > LARGEST_OPENING:
            # In digits it would be masked, as phone numbers are.
            raise RowInvalid("balance: an opening balance is at most a million")
        if text["plan"] not in plans:
            raise RowInvalid(f"plan: {text['plan'][:32]!r} is none of {', '.join(sorted(plans))}")
        if text["language"] and text["language"] not in languages:
            raise RowInvalid(f"language: {text['language'][:8]!r} is none of {', '.join(languages)}")
        if text["bills"] not in BILLS:
            raise RowInvalid(f"bills: {text['bills'][:16]!r} is neither itemised nor unitemised")
        if text["cause"]:
            charity_choices.parse([text["cause"]], causes)
        return Enrolment(
            msisdn=identifiers.msisdn(text["msisdn"], country),
            imsi=identifiers.imsi(text["imsi"]),
            iccid=(identifiers.imported_iccid if check_iccid else identifiers.iccid)(text["iccid"]),
            plan=text["plan"],
            cause=text["cause"],
            balance=balance,
            language=text["language"],
            bills=text["bills"],
        )
    except (IdentifierInvalid, charity_choices.ChoiceInvalid) as error:
        raise RowInvalid(str(error)) from None


def _balance(text: str) -> int:
    try:
        return parse_amount(text)
    except AmountInvalid as error:
        raise RowInvalid(f"balance: {error}") from None


class Enrol(Unit):
    """One checked row of an import, with the currency of its plan: booked once, under the key `import:<iccid>`."""

    touches: ClassVar[tuple[type, ...]] = (IdentifierRows, KeyRows)

    row: Enrolment
    currency: str

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:  # noqa: ARG002  (the signature of a unit)
        """Name the numbers and the import's key."""
        if isinstance(row_set, KeyRows):
            return ((SCOPE, self.row.iccid),)
        return (self.row.msisdn, self.row.imsi, self.row.iccid) if isinstance(row_set, IdentifierRows) else ()

    def decide(self, batch: Batch) -> Enrolled:
        """Create the subscriber, or tell how this row stands to what is already there."""
        row, keys, digests = self.row, batch.row_set(KeyRows), batch.policy(Digests)
        kept = keys.find(SCOPE, row.iccid)
        if kept is not None:
            return self._compare(kept, digests)
        for kind, number in ((MSISDN, row.msisdn), (IMSI, row.imsi), (ICCID, row.iccid)):
            if batch.row_set(IdentifierRows).owner(kind, number, batch.now) is not None:
                return Enrolled("refused", None, f"{kind}: belongs to another subscriber already")
        subscriber_id = self._create(batch)
        result = msgspec.json.encode(_Booked(subscriber_id, self._columns(digests)))
        keys.keep(batch, SCOPE, row.iccid, KeptResult(digests(*row.columns.values()), result))
        return Enrolled("created", subscriber_id)

    def _compare(self, kept: KeptResult, digests: Digests) -> Enrolled:
        booked = msgspec.json.decode(kept.result, type=_Booked)
        if kept.digest == digests(*self.row.columns.values()):
            return Enrolled("unchanged", booked.subscriber_id)
        said = self._columns(digests)
        differing = [name for name in {**booked.columns, **said} if said.get(name) != booked.columns.get(name)]
        message = f"{', '.join(differing)}: not as first imported; nothing was changed"
        return Enrolled("differs", booked.subscriber_id, message)

    def _columns(self, digests: Digests) -> dict[str, str]:
        """Digest each column by itself, bound to the card: equal causes of two rows do not look alike."""
        iccid, columns = self.row.iccid, self.row.columns
        return {name: digests(iccid, name, value)[:COLUMN_DIGITS] for name, value in columns.items()}

    def _create(self, batch: Batch) -> int:
        row = self.row
        # Plan and choice were in force before the line came to us: they count for late reports, too.
        opening = Opening(
            numbers={MSISDN: row.msisdn, IMSI: row.imsi, ICCID: row.iccid},
            plan=row.plan,
            currency=self.currency,
            shares=(charity_choices.Share(row.cause, WHOLE),) if row.cause else (),
            consent=Consent("import"),
            balance=row.balance,
        )
        subscriber_id = open_subscriber(batch, opening)
        books = batch.policy(Books)
        entries = bookings.opening(subscriber_id, books.account, row.balance, self.currency, batch.now, row.iccid)
        books.post(batch, entries)
        if row.language or row.bills:
            keep(batch, subscriber_id, Preferences(row.language, row.bills != "unitemised"))
        return subscriber_id
