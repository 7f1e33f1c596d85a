"""Requests about the books: checks, totals, balances, the journal and its export."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from gateway.api.conversion import refused_as
from gateway.api.requests.fields import MAX_PAGE, MONTH, MONTH_WANTED, Limit, MaybeText, Number, Time, whole

MAX_BALANCES: Final = 20_000
"""Wallets of one page of balances: each page reads the whole journal."""
SEALS: Final = f"a list of at most {MAX_PAGE} seals, each an object of node, day, sequence, head and signature"


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

    period: Annotated[str, Meta(pattern=whole(MONTH), extra=refused_as("ledger.period", MONTH_WANTED))]


class ReadJournal(msgspec.Struct, frozen=True):
    """Entries of the journal above the number `after`; with `causes` their accounts are named.

    They may be those of one account, those of a line's wallet, and those booked from `since` until before `until`.
    """

    after: Number = 0
    limit: Limit = None
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
    limit: Limit = None
    causes: bool = False
    account: MaybeText = ""
    number: MaybeText = ""
    since: Time | None = None
    until: Time | None = None
