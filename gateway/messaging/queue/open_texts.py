"""What the queue reads of the store: texts that wait, page by page, those that may have gone out, and notices."""

from sqlalchemy import Connection, func, literal_column, select, text, union_all

from gateway.messaging.texts import Text, TextState, from_row
from gateway.store.nodes import in_shard
from gateway.store.tables import PARTS_OUT, notices, texts


def waiting_texts(connection: Connection, shard: int, after: int, limit: int) -> list[Text]:
    """Return texts of a shard that may have parts which wait, from the text after an identifier on, in their order.

    A text is queued as long as one of its parts waits, unless another one is doubtful: then it is doubtful.
    """
    open_texts = select(texts).where(texts.c.final == literal_column("0"), texts.c.node == shard, texts.c.id > after)
    pages = [
        open_texts.where(texts.c.state == state).order_by(texts.c.id).limit(limit).subquery()
        for state in (TextState.QUEUED, TextState.DOUBTFUL)
    ]
    merged = union_all(*(select(page) for page in pages)).order_by("id").limit(limit)
    return [from_row(tuple(row)) for row in connection.execute(merged)]


def texts_out(connection: Connection, shard: int, after: int, limit: int) -> list[Text]:
    """Return texts of a shard with parts that are out without an answer, or doubtful, by an index of just these."""
    found = (
        select(texts)
        .where(texts.c.final == literal_column("0"), text(PARTS_OUT[connection.dialect.name]))
        .where(texts.c.node == shard, texts.c.id > after)
        .order_by(texts.c.id)
        .limit(limit)
    )
    return [from_row(tuple(row)) for row in connection.execute(found)]


def waiting_notices(connection: Connection, shard: int, after: int) -> tuple[list[Text], int]:
    """Return the notices of a shard, numbered above `after`, that wait whole; and the number of the last one that is there."""
    newer = (*in_shard(notices.c.id, shard), notices.c.id > after)
    last = connection.scalar(select(func.max(notices.c.id)).where(*newer))
    if last is None:
        return [], after
    waiting = (
        select(texts)
        .join(notices, notices.c.id == texts.c.id)
        .where(texts.c.final == literal_column("0"), texts.c.state == TextState.QUEUED, *newer)
        .order_by(texts.c.id)
    )
    return [from_row(tuple(row)) for row in connection.execute(waiting)], last
