"""The tables of public-safe sums and of looks at causes; no number stands beside a cause in clear any more."""

import hashlib
import hmac
import json

import msgspec
import sqlalchemy as sa
from alembic import context, op

from gateway.store.errors import SchemaMismatch

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CHUNK = 1000
COLUMN_DIGITS = 16


def upgrade() -> None:
    """Make them, carry on what was held back, and take from old rows what is not needed."""
    _create()
    connection = op.get_bind()
    _carry_on(connection)
    op.drop_table("held_accruals")
    _digest_keys(connection)
    _forget_causes(connection)


def _create() -> None:
    op.create_table(
        "publications",
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("node", sa.Integer(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("period", name=op.f("pk_publications")),
    )
    op.create_table(
        "public_sums",
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("cause", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("period", "cause", "currency", name=op.f("pk_public_sums")),
    )
    op.create_table(
        "unpublished_sums",
        sa.Column("cause", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("parts", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("cause", "currency", name=op.f("pk_unpublished_sums")),
    )
    op.create_table(
        "access_log",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_log")),
    )


def _carry_on(connection: sa.Connection) -> None:
    """Sums of minutes that had too few givers are carried on to the first month; whose part was how large is not known."""
    found: dict[tuple[str, str], tuple[int, dict[int, int]]] = {}
    rows = connection.execute(
        sa.text(
            "SELECT a.name, h.currency, h.amount, h.subscribers FROM held_accruals h JOIN accounts a ON a.id = h.account"
        )
    )
    for name, currency, amount, subscribers in rows:
        cause = str(name).removeprefix("cause:")
        total, parts = found.get((cause, currency), (0, {}))
        members = msgspec.msgpack.decode(subscribers)
        for subscriber in members:
            parts[subscriber] = parts.get(subscriber, 0) + amount // len(members)
        found[cause, currency] = (total + amount, parts)
    table = sa.table("unpublished_sums", *map(sa.column, ("cause", "currency", "amount", "parts")))
    for (cause, currency), (amount, parts) in found.items():
        values = {"cause": cause, "currency": currency, "amount": amount, "parts": msgspec.msgpack.encode(parts)}
        connection.execute(sa.insert(table).values(values))


def _digest_keys(connection: sa.Connection) -> None:
    """Put a digest under the key in place of each plain one, of the row of an import, and of a bulk's key made of a cause."""
    of_causes = _orders_with_causes(connection)
    renamed: list[tuple[str, str]] = []
    columns = ("scope", "key", "digest", "result")
    table = sa.table("idempotency_keys", *map(sa.column, columns))
    scope, key = table.c.scope, table.c.key
    after: tuple[str, str] | None = None
    while True:
        later = sa.true() if after is None else sa.or_(scope > after[0], sa.and_(scope == after[0], key > after[1]))
        chunk = sa.select(table).where(later, scope.not_like("topup:%")).order_by(scope, key).limit(CHUNK)
        rows = connection.execute(chunk).all()
        if not rows:
            break
        for row in rows:
            if row.key.startswith("bulk:") and row.scope.startswith("order:") and int(row.result) in of_causes:
                renamed.append((row.scope, row.key))
            result = _without_row(row.key, row.result) if row.scope == "import" else row.result
            values = {"digest": _keyed(row.digest), "result": result}
            connection.execute(sa.update(table).where(scope == row.scope, key == row.key).values(values))
        after = (rows[-1].scope, rows[-1].key)
    for old_scope, old_key in renamed:
        same = (scope == old_scope, key == old_key)
        connection.execute(sa.update(table).where(*same).values(key=f"bulk:{_keyed(old_key)}"))


def _orders_with_causes(connection: sa.Connection) -> set[int]:
    table = sa.table("orders", *map(sa.column, ("id", "request")))
    rows = connection.execute(
        sa.select(table.c.id, table.c.request).order_by(table.c.id).execution_options(yield_per=CHUNK)
    )
    return {row.id for row in rows if msgspec.msgpack.decode(row.request).get("cause")}


def _without_row(iccid: str, result: bytes) -> bytes:
    kept = json.loads(result)
    columns = {
        name: _keyed(hashlib.sha256("\x1f".join((iccid, name, str(value))).encode()).hexdigest())[:COLUMN_DIGITS]
        for name, value in kept["row"].items()
    }
    return json.dumps({"subscriber_id": kept["subscriber_id"], "columns": columns}, separators=(",", ":")).encode()


def _keyed(digest: str) -> str:
    key = context.config.attributes.get("digest_key")
    if key is None:
        raise SchemaMismatch("this store has rows that the privacy key is needed for; run `tpo db upgrade`")
    return hmac.digest(key, digest.encode(), "sha256").hex()


def _forget_causes(connection: sa.Connection) -> None:
    """Take the cause out of the orders that have ended; one that failed half-way may be tried again."""
    table = sa.table("orders", *map(sa.column, ("id", "kind", "state", "request", "open")))
    ended = (
        table.c.open == 0,
        sa.or_(table.c.state != "failed", table.c.kind.not_in(("activate", "swap"))),
    )
    after = -1
    while True:
        chunk = (
            sa.select(table.c.id, table.c.request).where(*ended, table.c.id > after).order_by(table.c.id).limit(CHUNK)
        )
        rows = connection.execute(chunk).all()
        if not rows:
            return
        for row in rows:
            request = msgspec.msgpack.decode(row.request)
            if request.pop("cause", None) is not None:
                values = {"request": msgspec.msgpack.encode(request)}
                connection.execute(sa.update(table).where(table.c.id == row.id).values(values))
        after = rows[-1].id
