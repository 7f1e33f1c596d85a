"""Versions of plans, policies and causes: each is what its hash says, and none is missing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from gateway.ledger.checks.examined import Examined, Finding
from gateway.store.tables import contents, reratings, usage, versions
from gateway.store.versions import PLAN, digest

CHECK: Final = "version"


def versions_right(books: Examined) -> Iterator[Finding]:
    """Name versions that are not as they were recorded."""
    return (Finding(*found) for found in wrong_versions(books.connection, books.journals))


def wrong_versions(connection: Connection, journals: Sequence[Connection]) -> Iterator[tuple[str, str]]:
    """Name versions that are not as they were recorded, as (check, what is wrong)."""
    stored = {row.hash: row.content for row in connection.execute(select(contents))}
    changed = {hash_ for hash_, content in stored.items() if digest(content) != hash_}
    rows = connection.execute(select(versions).order_by(versions.c.id)).all()
    since: dict[tuple[str, str], int] = {}
    for place, row in enumerate(rows, start=1):
        if row.id != place:
            yield CHECK, f"versions {place} to {row.id - 1} are missing: there are later ones"
            break
    for row in rows:
        what = f"version {row.id} of {row.kind} {row.name}"
        if row.hash is not None and row.hash not in stored:
            yield CHECK, f"{what} has lost its content"
        elif row.hash in changed:
            yield CHECK, f"{what} has a content that is not the one that was recorded"
        if row.valid_from is not None:
            before = since.get((row.kind, row.name), 0)
            if row.valid_from < before:
                yield CHECK, f"{what} is in force from before the one that it followed"
            since[row.kind, row.name] = max(before, row.valid_from)
    used_hashes = {row.hash for row in rows}
    for hash_ in sorted(stored.keys() - used_hashes):
        yield CHECK, f"content {hash_[:12]}... is of no version"
    yield from _unknown_uses(connection, journals, {row.id: row for row in rows})


def _unknown_uses(
    connection: Connection, journals: Sequence[Connection], known: Mapping[int, Row[Any]]
) -> Iterator[tuple[str, str]]:
    """Name versions that usage was priced by and that are not there; prepared ones price nothing."""
    uses: dict[int, int] = {}
    for look, column in ((journals, usage.c.version), ([connection], reratings.c.version)):
        first = usage.c.id if column is usage.c.version else reratings.c.record_id
        for each in look:
            found = select(column, func.min(first)).where(column.is_not(None)).group_by(column)
            for version, record in each.execute(found):
                uses[version] = min(record, uses.get(version, record))
    for version, record in sorted(uses.items()):
        row = known.get(version)
        if row is None:
            yield CHECK, f"version {version}, by which record {record} was priced, is not there"
        elif row.kind != PLAN or row.valid_from is None:
            yield CHECK, f"version {version}, by which record {record} was priced, is no plan that was in force"
