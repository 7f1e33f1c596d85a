"""Parts of texts in whose rest did not come: which are waited for no longer, and what is read of a text that lacks some."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import ColumnElement, Connection, Delete, delete, func, select

from gateway.messaging.inbound.words import read_words
from gateway.store.tables import segments
from protocols.smpp.text import UserData

LIMIT = 2000
"""Texts that are given up at a time, every few seconds: more than handsets leave unfinished in a flood."""
_GAP = "\n¤\n"
"""Stands for parts that are missing: it ends a sentence, and what follows is not the beginning of a text."""
_decode = msgspec.msgpack.Decoder(UserData).decode


class PartsKey(msgspec.Struct, frozen=True):
    """What the parts of a text have in common; `link` is the SMSC that they came from."""

    link: str
    source: str
    destination: str
    reference: int
    total: int

    @property
    def condition(self) -> ColumnElement[bool]:
        """What finds its rows."""
        columns = segments.c
        return (
            (columns.link == self.link)
            & (columns.source == self.source)
            & (columns.destination == self.destination)
            & (columns.reference == self.reference)
            & (columns.total == self.total)
        )


def overdue_parts(connection: Connection, before: int) -> list[PartsKey]:
    """Find the texts of which a part came before a time, in microseconds, and that are not whole."""
    columns = segments.c
    key = (columns.link, columns.source, columns.destination, columns.reference, columns.total)
    rows = select(*key).group_by(*key).having(func.min(columns.created_at) < before).limit(LIMIT)
    return [PartsKey(*row) for row in connection.execute(rows)]


def parts_of(connection: Connection, key: PartsKey) -> dict[int, UserData]:
    """Read the parts that are there, by their numbers."""
    rows = connection.execute(select(segments.c.number, segments.c.body).where(key.condition))
    return {number: _decode(body) for number, body in rows}


def parts_from(connection: Connection, source: str) -> dict[PartsKey, dict[int, UserData]]:
    """Read the parts of all texts of a number."""
    found: dict[PartsKey, dict[int, UserData]] = {}
    for row in connection.execute(select(segments).where(segments.c.source == source)):
        key = PartsKey(row.link, row.source, row.destination, row.reference, row.total)
        found.setdefault(key, {})[row.number] = _decode(row.body)
    return found


def deletion(key: PartsKey) -> Delete:
    """Return the statement that deletes the parts of a text."""
    return delete(segments).where(key.condition)


def words_there(parts: Mapping[int, UserData], total: int) -> str:
    """Read what is there of a text, with a gap in the place of what is not."""
    words, run = list[str](), list[UserData]()
    for number in range(1, total + 1):
        if number in parts:
            run.append(parts[number])
            continue
        if run:
            words.append(read_words(run))
            run = []
        if not words or words[-1] != _GAP:
            words.append(_GAP)
    if run:
        words.append(read_words(run))
    return "".join(words)
