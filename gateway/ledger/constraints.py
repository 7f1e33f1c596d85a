"""What the store itself refuses to be booked: CHECK constraints and a unique index of the journal, made from the postings.

`constrain` is what a step of the tables calls, whenever rows were added to gateway.ledger.postings or the journal was written
anew. Which system account it is, a constraint cannot see: accounts have their numbers by store. `ledger check` looks at that,
and at what was booked before.

Usage is no part of the unique index: an entry of it for each charge would cost each request more than all the rest here, and a
month of a server's journal could be unique by itself alone. Twice charged usage is found by the check.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, inspect

from gateway.ledger.account_names import HIGHEST_SYSTEM
from gateway.ledger.postings import POSTINGS, AccountClass, Evidence, Posting
from gateway.store.append_only import APPEND_ONLY, recreate
from gateway.store.constraints import checks_of, essence, set_checks, set_unique, without_unique
from gateway.store.tables import transfers

TABLE: Final = str(transfers.name)
OFTEN: Final = ("accrual", "charge")
"""Kinds of nearly every entry: they are looked at first."""
UNIQUE_COLUMNS: Final = "kind, reference"


def checks(postings: Iterable[Posting] = POSTINGS) -> dict[str, str]:
    """Return the CHECKs of the journal by name, as SQL that both stores understand.

    A server parses them anew for each statement that writes entries, at 3 to 4 us for each thousand characters of its parsed
    form, in which a value has some 200 and a comparison 400: so each kind stands in them as seldom as can be.
    """
    listed = tuple(postings)
    return {
        f"ck_{TABLE}_amount": "amount > 0",
        f"ck_{TABLE}_sides": f"debit <> credit AND {_sides(listed)}",
        f"ck_{TABLE}_evidence": _evidence(listed),
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


def _sides(postings: Sequence[Posting]) -> str:
    """Return of which kinds an entry can be by what stands on its sides, a system account or a wallet."""
    wallet, by_sides = AccountClass.WALLET, defaultdict[tuple[bool, bool], set[str]](set)
    for posting in postings:
        by_sides[posting.debit is wallet, posting.credit is wallet].add(posting.kind)
    from_system, from_wallet = (
        f"CASE WHEN credit < {HIGHEST_SYSTEM} THEN {_is_among(by_sides[side, False])} "
        f"ELSE {_is_among(by_sides[side, True])} END"
        for side in (False, True)
    )
    return f"CASE WHEN debit < {HIGHEST_SYSTEM} THEN {from_system} ELSE {from_wallet} END"


def _evidence(postings: Sequence[Posting]) -> str:
    """Return what entries carry by their kind; what most kinds carry stands last, without naming them."""
    by_kind = defaultdict[str, list[Posting]](list)
    for posting in postings:
        by_kind[posting.kind].append(posting)
    carried = {kind: _carried(by_kind[kind]) for kind in sorted(by_kind, key=_often_first)}
    usual = Counter(carried.values()).most_common(1)[0][0]
    groups = defaultdict[str, list[str]](list)
    for kind, condition in carried.items():
        groups[condition].append(kind)
    cases = " ".join(f"WHEN {_is_among(groups[each])} THEN {each}" for each in groups if each != usual)
    return f"CASE {cases} ELSE {usual} END"


def _carried(postings: Sequence[Posting]) -> str:
    """Return what entries of a kind carry: all that each of its postings asks for."""
    needed = dict.fromkeys(f"{column} IS NOT NULL" for posting in postings for column in posting.evidence)
    either = {
        f"({' OR '.join(f'{column} IS NOT NULL' for column in posting.any_of)})"
        for posting in postings
        if posting.any_of
    }
    return " AND ".join([*needed, *sorted(either)]) or "TRUE"


def _is_among(kinds: Iterable[str]) -> str:
    """Return the condition that an entry is of one of these kinds.

    Those of nearly all entries are looked at first: SQLite makes a table of a list, and of an OR it looks at both sides.
    """
    found = sorted(set(kinds), key=_often_first)
    often = [kind for kind in found if kind in OFTEN]
    rest = found[len(often) :] or often
    listed = "kind IN (" + ", ".join(f"'{kind}'" for kind in rest) + ")"
    if not often or rest == often:
        return listed
    cases = " ".join(f"WHEN '{kind}' THEN TRUE" for kind in often)
    return f"CASE kind {cases} ELSE {listed} END"


def _often_first(kind: str) -> tuple[bool, str]:
    return kind not in OFTEN, kind
