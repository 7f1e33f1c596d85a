"""What decided over money, by version: plans, policies and causes as canonical JSON, and from when on each was in force.

A version is a name, a content by its hash, and a time. It has a small number, which usage carries, so that what was priced by
it can be priced again. Versions are never changed: another content is a new one, and a name that is gone has one that says so
(`GONE`). A reload prepares the versions that it brings, and puts them in force when it takes them over, in the same order in
which units are decided: no usage has a version that is not in force, and none is in force that no gateway took over.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

import msgspec
from sqlalchemy import Connection, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.store import lock
from gateway.store.batch import Batch, Unit
from gateway.store.tables import contents, versions

PLAN: Final = "plan"
POLICY: Final = "policy"
"""A rule of the tenth."""
CHARGING: Final = "charging"
"""What else decides over money: the operator's country and time zone, and which rule of the tenth is in force."""
CAUSE: Final = "cause"
TAX: Final = "tax"
"""The taxes of a country."""
GONE: Final = "null"
"""The content of a name that is in no file any more."""
_NUMBER: Final = {"n": lock.number_of("tpo-versions")}
_encode = msgspec.json.Encoder(order="sorted", decimal_format="string").encode


class Content(msgspec.Struct, frozen=True):
    """What a name stands for: `content` is canonical JSON."""

    kind: str
    name: str
    content: str

    @property
    def hash(self) -> str:
        """Its SHA-256 in hexadecimal digits."""
        return digest(self.content)


class Version(msgspec.Struct, frozen=True):
    """A version: `content` is None where it is not known, `valid_from` in microseconds."""

    id: int
    kind: str
    name: str
    content: str | None
    valid_from: int

    @property
    def is_gone(self) -> bool:
        """Whether the name was in no file from then on."""
        return self.content == GONE


def canonical(value: object) -> str:
    """Write a value as canonical JSON: keys sorted, no space, what is as usual left out where its type says so."""
    return _encode(msgspec.to_builtins(value, str_keys=True)).decode()


def digest(content: str) -> str:
    """Give the hash of a content."""
    return hashlib.sha256(content.encode()).hexdigest()


def record(connection: Connection, wanted: Iterable[Content], now: int, *, in_force: bool = True) -> list[int]:
    """Write the versions that differ from the latest of their names, and give their numbers; there are often none.

    Names that nobody wants any more get a version that says so. With `in_force` they are valid from `now` (microseconds) on,
    else they are prepared (`put_in_force`).
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), _NUMBER)
    named = {(each.kind, each.name): each for each in wanted}
    latest = _latest(connection)
    gone = [Content(*name, GONE) for name, hash_ in latest.items() if name not in named and hash_ != digest(GONE)]
    new = [each for each in (*named.values(), *gone) if latest.get((each.kind, each.name)) != each.hash]
    if not new:
        return []
    keep = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    distinct = {each.hash: each.content for each in new}
    rows = [{"hash": hash_, "content": content} for hash_, content in distinct.items()]
    connection.execute(keep(contents).on_conflict_do_nothing(), rows)
    highest = connection.execute(select(func.max(versions.c.id))).scalar() or 0
    numbers = list(range(highest + 1, highest + 1 + len(new)))
    since = now if in_force else None
    written = [
        {"id": number, "kind": each.kind, "name": each.name, "hash": each.hash, "valid_from": since}
        for number, each in zip(numbers, new, strict=True)
    ]
    connection.execute(insert(versions), written)
    return numbers


def put_in_force(connection: Connection, numbers: Iterable[int], valid_from: int) -> None:
    """Have prepared versions count from a time on; one that is in force already stays as it is."""
    prepared = (versions.c.id.in_(list(numbers)), versions.c.valid_from.is_(None))
    connection.execute(update(versions).where(*prepared).values(valid_from=valid_from))


def read(connection: Connection, kind: str, *, prepared: Mapping[int, int] | None = None) -> list[Version]:
    """Give the versions of a kind that are or were in force, in the order of their numbers.

    `prepared` adds some that are about to be, with the times from which on they will.
    """
    ahead = prepared or {}
    v = versions.c
    found = (
        select(v.id, v.kind, v.name, contents.c.content, v.valid_from)
        .join_from(versions, contents, contents.c.hash == v.hash, isouter=True)
        .where(v.kind == kind)
        .order_by(v.id)
    )
    rows = ((*row[:4], ahead.get(row.id, row.valid_from)) for row in connection.execute(found))
    return [Version(*row) for row in rows if row[4] is not None]


def changed(connection: Connection, kind: str) -> dict[int, str]:
    """Return the versions of a kind whose content is not the one that was recorded, or is gone, with its hash."""
    v = versions.c
    found = (
        select(v.id, v.hash, contents.c.content)
        .join_from(versions, contents, contents.c.hash == v.hash, isouter=True)
        .where(v.kind == kind, v.hash.is_not(None))
    )
    rows = connection.execute(found)
    return {number: hash_ for number, hash_, content in rows if content is None or digest(content) != hash_}


def known_names(connection: Connection, kind: str) -> dict[str, Version]:
    """Give the latest version of each name that is in force, but for those that are gone."""
    latest = {version.name: version for version in read(connection, kind)}
    return {name: version for name, version in latest.items() if not version.is_gone}


class PrepareVersions(Unit):
    """Write the versions that a reload brings, not in force yet; gives their numbers."""

    alone: ClassVar[bool] = True

    wanted: list[Content]

    def decide(self, batch: Batch) -> list[int]:
        """Write them."""
        numbers = record(batch.connection, self.wanted, batch.now, in_force=False)
        _prove(batch, numbers)
        return numbers


class BeginVersions(Unit):
    """Put prepared versions in force, from a time (microseconds) on: what decides by them is in force from the next unit on."""

    alone: ClassVar[bool] = True

    numbers: list[int]
    valid_from: int

    def decide(self, batch: Batch) -> None:
        """Put them in force."""
        put_in_force(batch.connection, self.numbers, self.valid_from)
        _prove(batch, self.numbers)


def rows_of(connection: Connection, numbers: Iterable[int]) -> list[tuple[Any, ...]]:
    """Give the rows of versions by their numbers, as evidence has them."""
    wanted = select(versions).where(versions.c.id.in_(list(numbers))).order_by(versions.c.id)
    return [tuple(row) for row in connection.execute(wanted)]


def _prove(batch: Batch, numbers: Iterable[int]) -> None:
    for row in rows_of(batch.connection, numbers):
        batch.prove(versions, row)


def _latest(connection: Connection) -> dict[tuple[str, str], Any]:
    """Give the hash of the latest version in force by kind and name; None where it is unknown."""
    v = versions.c
    found = select(v.kind, v.name, v.hash).where(v.valid_from.is_not(None)).order_by(v.id)
    return {(row.kind, row.name): row.hash for row in connection.execute(found)}
