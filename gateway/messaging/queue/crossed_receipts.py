"""Receipts that crossed with the answers to their texts, at two gateways of one store.

An SMSC sends a receipt by any bind. Where one gateway writes down that it came, at the very moment at which another one writes
down that its text was accepted, neither finds what the other has not committed yet: then both wait for each other in the
store, until somebody looks.
"""

from collections.abc import Collection, Iterable
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Connection, and_, select

from gateway.messaging.receipts import UNANSWERED, AwaitedRows, EarlyRows, is_message_id
from gateway.messaging.text_units import OnTexts
from gateway.messaging.texts import Step, TextRows
from gateway.store.batch import Batch, RowSet
from gateway.store.tables import awaited_receipts, early_receipts, texts

LIMIT = 500


class Crossed(msgspec.Struct, frozen=True):
    """A part whose receipt is waited for, and there: by the SMSC and the message id."""

    text_id: int
    part: int
    link: str
    message_id: str


def crossed_receipts(connection: Connection, shards: Collection[int], now: int) -> list[Crossed]:
    """Find parts of these shards' texts that wait for a receipt which came lately."""
    awaited, early = awaited_receipts.c, early_receipts.c
    same = and_(early.message_id == awaited.message_id, early.link == awaited.link)
    found = (
        select(awaited.text_id, awaited.part, awaited.link, awaited.message_id)
        .join_from(early_receipts, awaited_receipts, same)
        .join(texts, texts.c.id == awaited.text_id)
        .where(early.created_at > now - UNANSWERED, texts.c.final == 0, texts.c.node.in_(shards))
        .distinct()
        .limit(LIMIT)
    )
    return [Crossed(*row) for row in connection.execute(found)]


class SettleCrossed(OnTexts):
    """Settle parts by receipts that came at the moment of their acceptance."""

    touches: ClassVar[tuple[type, ...]] = (AwaitedRows, EarlyRows, *OnTexts.touches)

    crossed: list[Crossed]

    def text_ids(self, _batch: Batch) -> Iterable[int]:
        """Name the texts."""
        return {each.text_id for each in self.crossed}

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the message ids, then the texts."""
        if isinstance(row_set, (AwaitedRows, EarlyRows)):
            return {each.message_id for each in self.crossed}
        return super().keys(row_set, batch)

    def decide(self, batch: Batch) -> int:
        """Return how many parts came to their end."""
        settled = 0
        for each in self.crossed:
            text = batch.row_set(TextRows).get(each.text_id)
            part = text.parts[each.part] if text is not None else None
            if text is None or part is None or part.step is not Step.ACCEPTED:
                continue
            if part.message_id != (each.message_id if is_message_id(each.message_id) else ""):
                continue
            early = batch.row_set(EarlyRows).find(each.link, each.message_id, text)
            if early is not None:
                settled += part.go(early.reached, early.error)
                batch.row_set(EarlyRows).forget(batch, early, text)
                self._forget(batch, each)
                self.finish(batch, text)
        return settled

    @staticmethod
    def _forget(batch: Batch, crossed: Crossed) -> None:
        rows = batch.row_set(AwaitedRows)
        key = (crossed.link, crossed.message_id, crossed.text_id, crossed.part)
        for awaited in [row for row in rows.get(crossed.message_id) or () if row.key == key]:
            rows.forget(awaited)
