"""Notices as `tpo notice list` shows them: which, to which line, and what became of each; numbers are masked."""

import msgspec
from sqlalchemy import Connection, select

from gateway.events.times import rfc3339
from gateway.notices.kinds import KINDS, NoticeKind
from gateway.privacy.masks import mask
from gateway.store.tables import notices, texts

GONE = "swept"
"""Of a notice whose text is past its retention."""


class NoticeRow(msgspec.Struct, frozen=True):
    """A notice: `id` is its text's, `wording` the version of its words, `state` the text's (times are RFC 3339)."""

    id: str
    at: str
    subscriber_id: str
    number: str
    kind: str
    notice_class: str
    period: str
    state: str
    language: str
    wording: str


def read(
    connection: Connection, *, after: int, limit: int, subscriber_id: int | None, kind: NoticeKind | None
) -> list[NoticeRow]:
    """Return at most `limit` notices numbered above `after`, in their order; of one line or one kind, if that is said."""
    found = (
        select(notices, texts.c.state, texts.c.destination)
        .join_from(notices, texts, texts.c.id == notices.c.id, isouter=True)
        .where(notices.c.id > after)
        .order_by(notices.c.id)
        .limit(limit)
    )
    if subscriber_id is not None:
        found = found.where(notices.c.subscriber_id == subscriber_id)
    if kind is not None:
        found = found.where(notices.c.kind == kind)
    return [
        NoticeRow(
            id=str(row.id),
            at=rfc3339(row.at),
            subscriber_id=str(row.subscriber_id),
            number=mask(row.destination) if row.destination else "",
            kind=row.kind,
            notice_class=KINDS[NoticeKind(row.kind)].notice_class if row.kind in set(NoticeKind) else "",
            period=row.period,
            state=row.state or GONE,
            language=row.language,
            wording=row.wording,
        )
        for row in connection.execute(found)
    ]
