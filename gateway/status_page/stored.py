"""What the status page reads from the store: what is given, texts that are doubtful, and orders."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, func, select

from gateway.charity.months import title
from gateway.charity.public_sums import SMALLER
from gateway.charity.publication import published
from gateway.ledger.account_names import UNASSIGNED
from gateway.messaging.texts import TextState
from gateway.privacy.masks import mask
from gateway.sims import queries
from gateway.status_page.view import CauseSum, Doubtful, Given, Order, Stored
from gateway.store.tables import texts

MOST_COUNTED: Final = 20_000
"""Open texts that are counted at most: the page must not slow down what it watches."""
SHOWN: Final = 8
"""Orders and doubtful texts that are shown."""


def read_store(connection: Connection, causes: Mapping[str, str]) -> Stored:
    """Read what stands in the store: open texts by state, the doubtful ones, the last orders, and what was published of giving.

    `causes` are the names of the causes by id.
    """
    return Stored(_open_texts(connection), _doubtful(connection), _orders(connection), given(connection, causes))


def given(connection: Connection, causes: Mapping[str, str]) -> Given:
    """Return the public-safe sums of the month that was published last: the page tells no other figure of giving."""
    found = published(connection)
    if found is None:
        return Given()
    period, figures = found
    names = {UNASSIGNED: "No cause chosen yet", SMALLER: SMALLER.capitalize(), **causes}
    sums = [CauseSum(names.get(each.cause, each.cause), each.currency, each.amount) for each in figures]
    return Given(title(period), sums)


def _open_texts(connection: Connection) -> list[tuple[str, str]]:
    some = select(texts.c.state).where(texts.c.final == 0).limit(MOST_COUNTED + 1).subquery()
    found = connection.execute(select(some.c.state, func.count()).group_by(some.c.state))
    counted: dict[str, int] = {str(state): int(number) for state, number in found}
    more = "+" if sum(counted.values()) > MOST_COUNTED else ""
    states = (TextState.QUEUED, TextState.SUBMITTED, TextState.DOUBTFUL)
    return [(str(state), f"{counted.get(state, 0):,}{more}") for state in states]


def _doubtful(connection: Connection) -> list[Doubtful]:
    columns = (texts.c.id, texts.c.destination, texts.c.link, texts.c.updated_at)
    found = (
        select(*columns).where(texts.c.final == 0, texts.c.state == TextState.DOUBTFUL).order_by(texts.c.valid_until)
    )
    return [
        Doubtful(str(row.id), hidden(row.destination), row.link, row.updated_at)
        for row in connection.execute(found.limit(SHOWN))
    ]


def _orders(connection: Connection) -> list[Order]:
    return [
        Order(
            id=order.id,
            kind=order.kind,
            state=order.state,
            card=hidden(order.iccid),
            host=order.host or "",
            at=order.updated_at,
            error=mask(order.error or ""),
        )
        for order in queries.list_orders(connection, SHOWN)
    ]


def hidden(number: str) -> str:
    """Leave two digits of a number at its end: less than in logs, as a page is looked at over shoulders."""
    return f"…{number[-2:]}"
