"""What the queue reads of the store: the texts that wait, page by page, and those of which something may have gone out."""

from sqlalchemy import Connection, literal_column, select, text, union_all

from gateway.messaging.texts import Text, TextState, from_row
from gateway.store.tables import PARTS_OUT, texts


def waiting_texts(connection: Connection, shard: int, after: int, limit: int) -> list[Text]:
    """Give texts of a shard that may have parts which wait, from the text after an identifier on, in their order.

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
    """Give texts of a shard with parts that are out without an answer, or doubtful, by an index of just these."""
    found = (
        select(texts)
        .where(texts.c.final == literal_column("0"), text(PARTS_OUT[connection.dialect.name]))
        .where(texts.c.node == shard, texts.c.id > after)
        .order_by(texts.c.id)
        .limit(limit)
    )
    return [from_row(tuple(row)) for row in connection.execute(found)]
