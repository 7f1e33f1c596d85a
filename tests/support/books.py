"""The check of the books as a gateway runs it: what customers chose is opened with the key that the tests' stores share."""

from functools import partial

from gateway.charity.sealed_causes import read_all
from gateway.ledger import check as ledger_check
from support.lane_fixture import CAUSE_SEALS


def check(connection, recompute, key=None, seals=(), cause_seals=CAUSE_SEALS, **options):
    """Check the books; choices are held against causes, too."""
    return ledger_check.check(
        connection, recompute, key, seals, choices=partial(read_all, seals=cause_seals), **options
    )
