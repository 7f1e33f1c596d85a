"""Bringing in lines that are already live on the host: subscriber, numbers, plan, choice, wallet, opening balance, at once."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import msgspec

from gateway.charity import choices as charity_choices
from gateway.charity.policies import WHOLE
from gateway.ledger.accounts import OPENING
from gateway.ledger.books import Books
from gateway.ledger.entries import Entry
from gateway.ledger.money import MICRO, MOST_PAID_IN, AmountInvalid, parse_amount
from gateway.rating.plans import Plan
from gateway.store.batch import Batch, Shelf
from gateway.store.keys import Kept, KeyShelf, digest
from gateway.subscribers.lines import ICCID, IMSI, MSISDN, LineShelf
from gateway.subscribers.opening import Opening, open_subscriber
from provisioning import identifiers
from provisioning.errors import IdentifierInvalid

SCOPE = "import"
COLUMNS = ("msisdn", "imsi", "iccid", "plan", "cause", "balance")


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


class Enrolled(msgspec.Struct, frozen=True):
    """What became of a row: created, unchanged, differs or refused; `message` says why for the last two."""

    outcome: str
    subscriber_id: int | None
    message: str = ""


def read_row(row: Mapping[str, str | None], plans: Mapping[str, Plan], causes: Iterable[str]) -> Enrolment:
    """Check a CSV row; RowInvalid names the column at fault."""
    text = {name: (row.get(name) or "").strip() for name in COLUMNS}
    try:
        balance = _balance(text["balance"] or "0")
        if not 0 <= balance <= MOST_PAID_IN:
            raise RowInvalid(f"balance: an opening balance is not negative, and at most {MOST_PAID_IN // MICRO:,}")
        if text["plan"] not in plans:
            raise RowInvalid(f"plan: {text['plan'][:32]!r} is none of {', '.join(sorted(plans))}")
        if text["cause"]:
            charity_choices.parse([text["cause"]], causes)
        return Enrolment(
            msisdn=identifiers.msisdn(text["msisdn"]),
            imsi=identifiers.imsi(text["imsi"]),
            iccid=identifiers.iccid(text["iccid"]),
            plan=text["plan"],
            cause=text["cause"],
            balance=balance,
        )
    except (IdentifierInvalid, charity_choices.ChoiceInvalid) as error:
        raise RowInvalid(str(error)) from None


def _balance(text: str) -> int:
    try:
        return parse_amount(text)
    except AmountInvalid as error:
        raise RowInvalid(f"balance: {error}") from None


class Enrol:
    """One row of an import as a unit: booked once, under the key `import:<iccid>`."""

    alone: ClassVar[bool] = False
    touches: ClassVar[tuple[type, ...]] = (LineShelf, KeyShelf)

    def __init__(self, row: Enrolment, currency: str, books: Books) -> None:
        """Take the checked row and the currency of its plan."""
        self._row, self._currency, self._books = row, currency, books

    def keys(self, shelf: Shelf[Any, Any], batch: Batch) -> Iterable[object]:  # noqa: ARG002  (the signature of a unit)
        """Name the numbers and the import's key."""
        if isinstance(shelf, KeyShelf):
            return (self._row.iccid,)
        return (self._row.msisdn, self._row.imsi, self._row.iccid) if isinstance(shelf, LineShelf) else ()

    def decide(self, batch: Batch) -> Enrolled:
        """Create the subscriber, or tell how this row stands to what is already there."""
        row, keys = self._row, batch.shelf(KeyShelf)
        kept = keys.find(SCOPE, row.iccid)
        if kept is not None:
            return _compare(row, kept)
        for kind, number in ((MSISDN, row.msisdn), (IMSI, row.imsi), (ICCID, row.iccid)):
            if batch.shelf(LineShelf).owner(kind, number, batch.now) is not None:
                return Enrolled("refused", None, f"{kind}: belongs to another subscriber already")
        subscriber_id = self._create(batch)
        result = msgspec.json.encode({"subscriber_id": subscriber_id, "row": row})
        keys.keep(batch, SCOPE, row.iccid, Kept(digest(*msgspec.structs.astuple(row)), result))
        return Enrolled("created", subscriber_id)

    def _create(self, batch: Batch) -> int:
        row = self._row
        # Plan and choice were in force before the line came to us: they count for late reports, too.
        opening = Opening(
            numbers={MSISDN: row.msisdn, IMSI: row.imsi, ICCID: row.iccid},
            plan=row.plan,
            currency=self._currency,
            shares=(charity_choices.Share(row.cause, WHOLE),) if row.cause else (),
            balance=row.balance,
        )
        subscriber_id = open_subscriber(batch, opening)
        if row.balance:
            entry = Entry(
                kind="opening",
                debit=self._books.account(OPENING),
                credit=subscriber_id,
                amount=row.balance,
                currency=self._currency,
                event_at=batch.now,
                reference=f"import:{row.iccid}",
            )
            self._books.post(batch, (entry,))
        return subscriber_id


def _compare(row: Enrolment, kept: Kept) -> Enrolled:
    known = msgspec.json.decode(kept.result)
    if kept.digest == digest(*msgspec.structs.astuple(row)):
        return Enrolled("unchanged", known["subscriber_id"])
    differing = [name for name in COLUMNS if msgspec.to_builtins(row)[name] != known["row"][name]]
    return Enrolled(
        "differs", known["subscriber_id"], f"{', '.join(differing)}: not as first imported; nothing was changed"
    )
