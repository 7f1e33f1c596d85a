"""Months of a charging place, closed as the gateway closes them, without a context around it."""

from contextlib import contextmanager
from datetime import UTC

from gateway.balance.endings import settle
from gateway.balance.wallets import WalletRows
from gateway.billing import close_job
from gateway.billing.content import read_content
from gateway.billing.cuts import closes
from gateway.charity.months import end_of, period_of
from gateway.ledger.account_names import HIGHEST_SYSTEM
from gateway.ledger.books import Books
from gateway.store.batch import Unit
from gateway.store.engine import reading
from gateway.store.tables import bills, transfers
from support import charging_fixture as charging

DAY = 86_400
DUE = 14 * DAY * 1_000_000


class EndLine(Unit):
    """End a line as its order does."""

    touches = (WalletRows,)
    line: int

    def keys(self, row_set, batch):
        return (self.line,)

    def decide(self, batch) -> None:
        books, wallet = batch.policy(Books), batch.row_set(WalletRows).get(self.line)
        booked = settle(wallet, books.account, batch.now, 7, batch.take_id)
        wallet.status = "terminated"
        books.post(batch, booked.entries)


class BillingPlace(charging.ChargingPlace):
    """A charging place whose months can be closed; it stands in for the context of the job."""

    @contextmanager
    def reading(self):
        with reading(self.reader) as connection:
            yield connection

    @property
    def period(self):
        return period_of(self.ticks.now, UTC)

    def pass_month(self):
        """Let the month end that runs; gives which it was."""
        period = self.period
        end = end_of(period, UTC)
        self.ticks.now = max(self.ticks.now, end + 60_000_000)
        return period

    def close_month(self, period=None, *, actor="ann", ended=lambda: False, told=lambda _close: None):
        """Close a month (the one that has ended) by the job; gives the close, or why not."""
        period = period or self.pass_month()
        begun = close_job.begin(self, period, end_of(period, UTC), actor)
        if isinstance(begun, Exception):
            return begun
        return close_job.run(self, begun, DUE, ended=ended, told=told)

    def use(self, octets, session, *, at=None, imsi=charging.IMSI):
        """A whole data session of so many octets; `at` (seconds) is its Event-Timestamp."""
        more = {} if at is None else {"event_timestamp": at}
        self.ask(charging.ccr(1, 0, charging.service(ask=0), session=session, imsi=imsi, **more))
        self.ask(charging.ccr(3, 1, charging.service(used=(octets,)), session=session, imsi=imsi, **more))

    def bills(self, series="bill"):
        with self.reading() as connection:
            return connection.execute(bills.select().where(bills.c.series == series).order_by(bills.c.number)).all()

    def content(self, number):
        return read_content(next(row.content for row in self.bills() if row.number == number))

    def closes(self):
        with self.reading() as connection:
            return closes(connection)

    def entries(self):
        """Every entry of a wallet as (wallet, id, event, signed amount)."""
        with self.reading() as connection:
            rows = connection.execute(transfers.select()).all()
        sides = [(row.credit, row.id, row.event_at, row.amount) for row in rows]
        sides += [(row.debit, row.id, row.event_at, -row.amount) for row in rows]
        return [side for side in sides if side[0] >= HIGHEST_SYSTEM]


@contextmanager
def billing_place(url, **options):
    """Open a billing place and start its lane."""
    place = BillingPlace(url, **options)
    place.lane.start()
    try:
        yield place
    finally:
        place.close()
