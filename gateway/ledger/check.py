"""`ledger check`: prove from the store alone that no penny is missing, doubled or miscounted.

Each check is a few set-based queries or one pass, for the store and for each sealed month; what goes beyond a month is added up
or merged. A finding names the first rows at fault. Nothing is repaired here.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, func, select

from gateway.ledger.checks.accruals import by_recorded, policies_unchanged
from gateway.ledger.checks.added_taxes import added_taxes_right
from gateway.ledger.checks.allowances import allowances_match
from gateway.ledger.checks.balances import given_matches, wallets_match, zero_sum
from gateway.ledger.checks.charges import usage_is_charged
from gateway.ledger.checks.entries import numbered_once, postings_allowed, well_formed
from gateway.ledger.checks.evidence import rows_proved
from gateway.ledger.checks.examined import Check, Examined, Finding, Progress, Recompute, every
from gateway.ledger.checks.guards import guards_there
from gateway.ledger.checks.holds import holds_match
from gateway.ledger.checks.prices import prices_right, unknown_versions
from gateway.ledger.checks.references import booked_once
from gateway.ledger.checks.reratings import reratings_right
from gateway.ledger.checks.sales import sales_right
from gateway.ledger.checks.sealed_files import sums_match, wrong_files
from gateway.ledger.checks.seals import seals_match
from gateway.ledger.checks.sources import sources_there
from gateway.ledger.checks.taxes import taxes_right
from gateway.ledger.checks.tenth_bases import bases_match, tenth_is_complete, tenths_match
from gateway.ledger.checks.tenth_states import states_match
from gateway.ledger.checks.versions import versions_right
from gateway.ledger.seals import Seal
from gateway.store.engine import join_whole_tables
from gateway.store.sealed_months.parts import parts
from gateway.store.tables import transfers, wallets

PROOFS: Final[tuple[Check, ...]] = (rows_proved, seals_match, guards_there)
"""Whether the rows are those that were booked."""
CHECKS: Final[tuple[Check, ...]] = (
    sums_match,
    every(well_formed),
    postings_allowed,
    numbered_once,
    booked_once,
    zero_sum,
    wallets_match,
    given_matches,
    holds_match,
    every(usage_is_charged),
    tenths_match,
    every(bases_match),
    every(tenth_is_complete),
    every(sources_there),
    versions_right,
    prices_right,
    sales_right,
    policies_unchanged,
    reratings_right,
    allowances_match,
    taxes_right,
    states_match,
    added_taxes_right,
)
"""Whether what was booked is right, computed again."""


class Report(msgspec.Struct, frozen=True):
    """What was counted, and every finding; the books are right if there is none."""

    entries: int
    wallets: int
    accruals: int
    findings: list[Finding]
    unknown: dict[str, int]
    """How many records of which plan are of an unknown version: older than versions, so that their price is not checked."""


def _silent(_check: str, _rows: int) -> None:
    """Tell nobody how far it has come."""


def check(
    connection: Connection,
    recompute: Recompute,
    key: bytes | None = None,
    seals: Sequence[Seal] = (),
    *,
    full: bool = True,
    progress: Progress = _silent,
) -> Report:
    """Run every check on one snapshot of the store, and on the files of sealed months.

    `key` is that of evidence: without it rows are held against each other alone, not against their digests. `seals` are those
    that left the house, beside those of the store. Without `full` months in sealed files are not computed again if all rows are
    as they were booked: what they came to was checked then.
    """
    join_whole_tables(connection)
    with parts(connection) as found:
        sealed, readable = wrong_files(connection, found)
        recorded = by_recorded(connection, recompute)
        books = Examined(connection, readable, recorded, recompute, key, seals, progress)
        findings = [Finding("sealed", detail) for detail in sealed]
        for look in PROOFS:
            findings += look(books)
            progress(look.__name__, 0)
        if key is not None and not full and not findings:
            books.trust_sealed()
        for look in CHECKS:
            findings += look(books)
            progress(look.__name__, 0)
        entries = select(func.count()).select_from(transfers)
        return Report(
            entries=books.count(entries),
            wallets=connection.execute(select(func.count()).select_from(wallets)).scalar_one(),
            accruals=books.count(entries.where(transfers.c.kind == "accrual")),
            findings=findings,
            unknown=unknown_versions(books.journals),
        )
