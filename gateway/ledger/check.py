"""`ledger check`: prove from the store alone that no penny is missing, doubled or miscounted.

Each check is a few set-based queries or one pass, for the store and for each sealed month; what goes beyond a month is added up
or merged. A finding names the first rows at fault. Nothing is repaired here.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, func, select

from gateway.ledger.check_process import CheckProcess
from gateway.ledger.checks.accruals import by_recorded, policies_unchanged
from gateway.ledger.checks.added_taxes import added_taxes_right
from gateway.ledger.checks.allowances import allowances_match
from gateway.ledger.checks.balances import given_matches, wallets_match, zero_sum
from gateway.ledger.checks.breakage import breakage_right
from gateway.ledger.checks.charges import usage_is_charged
from gateway.ledger.checks.choices import choices_kept
from gateway.ledger.checks.entries import numbered_once, postings_allowed, well_formed
from gateway.ledger.checks.evidence import rows_proved
from gateway.ledger.checks.examined import Check, Examined, Finding, Progress, ReadChoices, Recompute, every, finish
from gateway.ledger.checks.gifts import gifts_match
from gateway.ledger.checks.guards import guards_there
from gateway.ledger.checks.holds import holds_match
from gateway.ledger.checks.left_out import none_where_left_out
from gateway.ledger.checks.marks import marks_right
from gateway.ledger.checks.prices import prices_right, unknown_versions
from gateway.ledger.checks.references import booked_once
from gateway.ledger.checks.refunds import refunds_right
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
    marks_right,
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
    tenth_is_complete,
    none_where_left_out,
    every(sources_there),
    choices_kept,
    gifts_match,
    versions_right,
    prices_right,
    sales_right,
    policies_unchanged,
    reratings_right,
    refunds_right,
    breakage_right,
    allowances_match,
    states_match,
    taxes_right,
    added_taxes_right,
)
"""Whether what was booked is right, computed again."""
BESIDE: Final = ("rows_proved", "seals_match", "guards_there", "sources_there", "prices_right")
"""Checks that together take about half of the time, and compute no tenth."""
LARGE: Final = 100_000
"""Entries from which on a second process is worth its start."""


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
    choices: ReadChoices | None = None,
    full: bool = True,
    progress: Progress = _silent,
    beside: CheckProcess | None = None,
) -> Report:
    """Run every check on one snapshot of the store, and on the files of sealed months.

    `key` is that of evidence: without it rows are held against each other alone, not against their digests. `seals` are those
    kept elsewhere, beside those of the store. `choices` reads what customers chose; without it causes are not held against
    that. Without `full` months in sealed files are not computed again if all rows are as they were booked: what they came to
    was checked then. `beside` runs some checks of large books in another process.
    """
    join_whole_tables(connection)
    with parts(connection) as found:
        sealed, readable = wrong_files(connection, found)
        recorded = by_recorded(connection, recompute)
        books = Examined(connection, readable, recorded, recompute, key, seals, choices, progress)
        findings = [Finding("sealed", detail) for detail in sealed]
        waits = not full and any(part.month is not None for part in readable)  # for what the proofs find
        if beside is not None and not waits and _is_large(connection):
            findings += _in_two_processes(books, beside)
        else:
            findings += _in_order(books, trust=key is not None and not full, found=bool(findings))
        entries = select(func.count()).select_from(transfers)
        return Report(
            entries=books.count(entries),
            wallets=connection.execute(select(func.count()).select_from(wallets)).scalar_one(),
            accruals=books.count(entries.where(transfers.c.kind == "accrual")),
            findings=list(dict.fromkeys(findings)),  # of a row that nothing can read each check tells
            unknown=unknown_versions(books.journals),
        )


def _in_order(books: Examined, *, trust: bool, found: bool) -> list[Finding]:
    """Run all checks, one after the other; with `trust` sealed months are not computed again if nothing is found before."""
    findings = [finding for look in PROOFS for finding in _look(books, look)]
    if trust and not findings and not found:
        books.trust_sealed()
    return findings + [finding for look in CHECKS for finding in _look(books, look)]


def _in_two_processes(books: Examined, beside: CheckProcess) -> list[Finding]:
    """Run half of the checks here and half in a process beside this one; what they find comes in the same order."""
    months = [part.month.period for part in books.parts if part.month is not None]
    running = beside.start(BESIDE, months)
    if running is None:
        return _in_order(books, trust=False, found=False)
    try:
        found = {name: _look(books, look) for name, look in _LOOKS.items() if name not in BESIDE}
        theirs = running.findings(books.progress)
    finally:
        running.stop()
    found |= theirs if theirs is not None else {name: _look(books, _LOOKS[name]) for name in BESIDE}
    return [finding for name in _LOOKS for finding in found[name]]


def some_of(
    connection: Connection,
    names: Sequence[str],
    months: Sequence[str],
    key: bytes,
    seals: Sequence[Seal],
    progress: Progress,
) -> dict[str, list[Finding]]:
    """Run some of BESIDE on a snapshot of the store and some of its sealed months; they compute no tenth."""
    join_whole_tables(connection)
    with parts(connection) as found:
        readable = [part for part in found if part.month is None or part.month.period in months]
        books = Examined(connection, readable, _nothing, _nothing, key, seals, None, progress)
        return {name: _look(books, _LOOKS[name]) for name in names}


def _nothing(_policy: str, _base: int, _share: int) -> int | None:
    """Compute no tenth."""
    return None


_LOOKS: Final = {look.__name__: look for look in (*PROOFS, *CHECKS)}


def _look(books: Examined, look: Check) -> list[Finding]:
    found = finish(look.__name__, [books.connection, *books.journals], lambda: look(books))
    books.progress(look.__name__, 0)
    return found


def _is_large(connection: Connection) -> bool:
    some = select(transfers.c.id).limit(LARGE).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one() == LARGE
