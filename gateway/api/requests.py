"""Request types of the actions: what each one takes, with the bounds that `gateway.api.conversion` holds a client to.

A field with a default may be left out. An empty text says as much as none where a text may be left out, and so does a
`limit` of 0. A field that no type here has is ignored where nothing else is said.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from gateway.api.conversion import refused_as
from gateway.store.fitting import LEAST_INTEGER, MOST_INTEGER
from provisioning.orders import OrderState
from provisioning.sim_lifecycle import SimState

MAX_TEXT: Final = 255
"""Characters of a text."""
MAX_ID: Final = 1 << 62
"""Above every identifier (a node's number and a place in its span, `gateway.store.nodes`), with room to reckon."""
MAX_ROWS: Final = 5000
"""Rows of one import call, and of one page of a report."""
MAX_PAGE: Final = 1000
"""Rows of one page of a list of cards or orders."""

Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
MaybeText = Annotated[str, Meta(max_length=MAX_TEXT)]
Currency = Annotated[str, Meta(min_length=1, max_length=3)]
Number = Annotated[int, Meta(ge=0, le=MAX_ID)]
Time = Annotated[int, Meta(ge=LEAST_INTEGER, le=MOST_INTEGER)]
"""Microseconds since 1970."""
Rows = Annotated[
    list[dict[str, str | None]],
    Meta(max_length=MAX_ROWS, extra=refused_as("import.rows", f"a list of at most {MAX_ROWS} objects of texts")),
]
"""Rows of a CSV file: texts by the names of their columns."""


def page_size(limit: int, usual: int, most: int) -> int:
    """Give how many rows are wanted; more than `most` are given in pages, none given means `usual`."""
    return min(limit or usual, most)


class Nothing(msgspec.Struct, frozen=True):
    """An action that has nothing to be told."""


class ImportSubscribers(msgspec.Struct, frozen=True):
    """Lines that are live already, a row each."""

    rows: Rows


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
    """The causes of a subscriber from now on, each as `cause` or `cause=percent`."""

    number: Text
    causes: Annotated[list[str], Meta(extra=refused_as("cause.invalid", "a list of `cause` or `cause=percent`"))]


class ExportUsage(msgspec.Struct, frozen=True):
    """Usage records above the number `after`, of events from `start` until before `end`."""

    after: Number = 0
    start: Time | None = None
    end: Time | None = None


class ListHeldReports(msgspec.Struct, frozen=True):
    """Held usage reports above the number `after`: those that wait for a decision, or `all`."""

    after: Number = 0
    all: bool = False


class DecideHeldReport(msgspec.Struct, frozen=True):
    """A held usage report to be booked or dropped, and why."""

    id: Annotated[str, Meta(min_length=1, max_length=19)]
    reason: Text


class ReadJournal(msgspec.Struct, frozen=True):
    """Entries of the journal above the number `after`; with `causes` their accounts are named."""

    after: Number = 0
    limit: Number = 0
    causes: bool = False


class ListEvents(msgspec.Struct, frozen=True):
    """The latest events of the outbox, or those after the row `after`."""

    limit: Number = 0
    after: Number | None = None


class ImportSims(msgspec.Struct, frozen=True):
    """Cards, a row each; `first_line` is the first row's number in its file, for what is said of it."""

    rows: Rows
    first_line: Number = 1


class ListSims(msgspec.Struct, frozen=True):
    """Cards in a state, or in any, in the order of their ICCIDs from above `after` on."""

    limit: Number = 0
    state: Annotated[SimState, Meta(extra=refused_as("params.state"))] | None = None
    after: MaybeText = ""


class ShowSim(msgspec.Struct, frozen=True):
    """A card by its ICCID."""

    iccid: MaybeText = ""


class ListOrders(msgspec.Struct, frozen=True):
    """Orders in a state, or in any, the newest first."""

    limit: Number = 0
    state: Annotated[OrderState, Meta(extra=refused_as("params.state"))] | None = None


class ShowOrder(msgspec.Struct, frozen=True):
    """An order by its id; what is no id names no order."""

    id: MaybeText = ""


class OrderStates(msgspec.Struct, frozen=True):
    """Orders by their ids."""

    ids: Annotated[
        list[str], Meta(max_length=MAX_PAGE, extra=refused_as("order.ids", f"a list of at most {MAX_PAGE} ids"))
    ]
