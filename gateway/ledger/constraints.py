"""What the store itself refuses to be booked: CHECK constraints and a unique index of the journal, made from the postings.

`constrain` is what a step of the tables calls, whenever rows were added to gateway.ledger.postings or the journal was written
anew. Which system account it is, a constraint cannot see: accounts have their numbers by store. `ledger check` looks at that,
and at what was booked before.

Usage is no part of the unique index: an entry of it for each charge would cost each request more than all the rest here, and a
month of a server's journal could be unique by itself alone. Twice charged usage is found by the check.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, inspect

from gateway.ledger.accounts import HIGHEST_SYSTEM
from gateway.ledger.postings import POSTINGS, AccountClass, Evidence, Posting
from gateway.store.append_only import APPEND_ONLY, recreate
from gateway.store.constraints import checks_of, essence, set_checks, set_unique, without_unique
from gateway.store.tables import transfers

TABLE: Final = str(transfers.name)
OFTEN: Final = ("accrual", "charge")
"""Kinds of nearly every entry: they are looked at first."""
UNIQUE_COLUMNS: Final = "kind, reference"


def checks(postings: Iterable[Posting] = POSTINGS) -> dict[str, str]:
    """Return the CHECKs of the journal by name, as SQL that both stores understand."""
    by_kind: dict[str, list[Posting]] = {}
    for posting in postings:
        by_kind.setdefault(posting.kind, []).append(posting)
    kinds = sorted(by_kind, key=lambda kind: (kind not in OFTEN, kind))
    first = " OR ".join(f"kind = '{kind}'" for kind in kinds if kind in OFTEN)
    rest = ", ".join(f"'{kind}'" for kind in kinds if kind not in OFTEN)
    sides = _by_kind({kind: " OR ".join(dict.fromkeys(map(_sides, by_kind[kind]))) for kind in kinds})
    return {
        f"ck_{TABLE}_amount": "amount > 0",
        f"ck_{TABLE}_kind": f"{first} OR kind IN ({rest})",
        f"ck_{TABLE}_sides": f"debit <> credit AND {sides}",
        f"ck_{TABLE}_evidence": _by_kind({kind: _evidence(by_kind[kind]) for kind in kinds}),
    }


def unique_condition(postings: Iterable[Posting] = POSTINGS) -> str:
    """Return of which entries a reference stands once a kind: most entries have none, which is looked at first."""
    kinds = sorted({f"'{posting.kind}'" for posting in postings if posting.unique is Evidence.REFERENCE})
    return f"reference IS NOT NULL AND kind IN ({', '.join(kinds)})"


def constrain(connection: Connection) -> None:
    """Give the journal its constraints as the postings have them now; what a later step adds a column for is left to that."""
    set_checks(connection, TABLE, wanted_checks(connection))
    set_unique(connection, TABLE, UNIQUE_COLUMNS, unique_condition())


def guard(connection: Connection, table: str) -> None:
    """Give a table again what keeps it: a step that had SQLite copy it (batch_alter_table) has lost its triggers and CHECKs."""
    if table in APPEND_ONLY:
        recreate(connection, table)
    if table == TABLE:
        constrain(connection)


def wanted_checks(connection: Connection) -> dict[str, str]:
    """Return the CHECKs whose columns are there."""
    there = {column["name"] for column in inspect(connection).get_columns(TABLE)}
    missing = [evidence for evidence in Evidence if evidence not in there]
    return {
        name: condition
        for name, condition in checks().items()
        if not any(f"{column} IS NOT NULL" in condition for column in missing)
    }


def missing_constraints(connection: Connection) -> list[str]:
    """Name what the store should refuse by, and does not: what is not there, or says something else under its name."""
    there = checks_of(connection, TABLE)
    lacking = sorted(name for name, said in checks().items() if essence(there.get(name, "")) != essence(said))
    tables = without_unique(connection, TABLE, UNIQUE_COLUMNS, unique_condition())
    return [*lacking, *(f"unique references of {table}" for table in tables)]


def _sides(posting: Posting) -> str:
    return f"{_side('debit', posting.debit)} AND {_side('credit', posting.credit)}"


def _side(column: str, account: AccountClass) -> str:
    return f"{column} {'>=' if account is AccountClass.WALLET else '<'} {HIGHEST_SYSTEM}"


def _evidence(postings: list[Posting]) -> str:
    """Return what entries of a kind carry: all that each of its postings asks for."""
    needed = dict.fromkeys(f"{column} IS NOT NULL" for posting in postings for column in posting.evidence)
    either = {
        f"({' OR '.join(f'{column} IS NOT NULL' for column in posting.any_of)})"
        for posting in postings
        if posting.any_of
    }
    return " AND ".join([*needed, *sorted(either)]) or "TRUE"


def _by_kind(conditions: dict[str, str]) -> str:
    """Put conditions together; of a kind that is none another constraint tells."""
    cases = " ".join(f"WHEN '{kind}' THEN {condition}" for kind, condition in conditions.items())
    return f"CASE kind {cases} ELSE TRUE END"
