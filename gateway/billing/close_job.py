"""Closing a month from its cut to its seal: reads beside the write lane, and has it write the bills in steps.

It may be stopped at any step, and begun again by this gateway or by the one that took over: it goes on behind the last line
that has its bill.
"""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from gateway.billing.closing import BeginClose, CloseRefused, FinishClose, WriteBills, not_empty
from gateway.billing.cuts import RUNNING, Close, closes, settled, slice_of
from gateway.billing.reading import drafts, lines
from gateway.billing.taxation import taxes_within
from gateway.context import GatewayContext
from gateway.store.engine import join_whole_tables, sort_on_disk
from gateway.store.sealed_months.parts import parts

LINES: Final = 2_000
"""Lines of one step: the lane takes some tenths of a second for them."""
Ended = Callable[[], bool]
"""Tells whether the gateway is about to end."""


def begin(context: GatewayContext, period: str, until: int, actor: str) -> Close | CloseRefused:
    """Begin to close a month, or give how far it is."""
    found: Close | CloseRefused = context.lane.run(BeginClose(period, until, actor))
    return found


def unfinished(connection: Connection) -> Close | None:
    """Return the close that runs, if one does."""
    return next((each for each in closes(connection) if each.state == RUNNING), None)


def run(
    context: GatewayContext,
    close: Close,
    due: int,
    *,
    ended: Ended = lambda: False,
    told: Callable[[Close], None] = lambda _close: None,
) -> Close:
    """Bill every line that has no bill yet, and seal the close; `due` is how long bills may be paid (microseconds).

    Gives it as it stands where `ended` says that the gateway ends. StoreError where the store cannot be read or written.
    """
    with context.reading() as connection:
        sort_on_disk(connection)
        join_whole_tables(connection)
        only = slice_of(closes(connection), close)
        with parts(connection) as found:
            taxes = taxes_within(connection, found)
            every = lines(found, only, taxes, after=close.after)
            for page in drafts(connection, every, taxes, LINES, until=only.cut.until):
                if ended():
                    return close
                ready = not_empty(page)
                if ready:
                    close = context.lane.run(WriteBills(close.id, close.after, ready, due))
                    told(close)
                if close.state != RUNNING:
                    return close
            cut = settled(
                close.cut, [part.connection for part in found if part.month is None or only.wants(part.month)]
            )
    finished: Close = context.lane.run(FinishClose(close.id, close.after, cut))
    return finished
