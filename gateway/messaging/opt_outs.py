"""Opt-outs: which numbers want nothing more from which short codes."""

from sqlalchemy import Connection, select

from gateway.store.batch import RowSet
from gateway.store.statements import SelectAmong
from gateway.store.tables import opt_outs

_OPT_OUTS = SelectAmong(select(opt_outs.c.msisdn, opt_outs.c.short_code), opt_outs.c.msisdn, str)


class OptOutRows(RowSet[str, set[str]]):
    """Who opted out of what, by phone number."""

    def load(self, connection: Connection, keys: set[str]) -> None:
        """Read the short codes that these numbers said STOP to."""
        for msisdn, short_code in _OPT_OUTS.run(connection, keys):
            self.rows.setdefault(msisdn, set()).add(short_code)

    def out(self, msisdn: str, short_code: str) -> bool:
        """Return whether a number wants nothing from a short code."""
        return short_code in self.rows.get(msisdn, ())
