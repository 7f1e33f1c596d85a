"""Causes beside customers are sealed: choices, open questions, orders, and what is carried on of published sums (decision 057).

There come tables of gifts that are held before they are made, and of Gift Aid declarations.

Choices go to a table of their own, which has the evidence of each customer's consent, too. They are proved there, each that was
as its digest says; one that was not has none afterwards, and one that was gone has a digest alone: `ledger check` names both.
All of it is one transaction. An SQLite store overwrites what it deletes; a server's old files are the operator's to see to.
A program of before would write causes in clear, so that it may not write the store any more.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import context, op

from gateway.ledger.constraints import constrain
from gateway.store.append_only import recreate
from gateway.store.errors import SchemaMismatch
from gateway.store.evidence import DIGEST_SIZE, Digester, Evidence
from gateway.store.evidence_reading import Chain, nodes_of
from gateway.store.nodes import SPAN_BITS
from gateway.store.releases import released

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

CHUNK = 4096
CHOICES = sa.table("choices", *map(sa.column, ("id", "subscriber_id", "cause", "share", "valid_from")))
SEALED = sa.table(
    "sealed_choices",
    *map(sa.column, ("id", "subscriber_id")),
    sa.column("cause", sa.LargeBinary()),
    *map(sa.column, ("share", "valid_from")),
)


def upgrade() -> None:
    """Seal them."""
    connection = op.get_bind()
    _create_choices()
    _seal_choices(connection)
    op.drop_table("choices")
    recreate(connection, "sealed_choices")
    _seal_questions(connection)
    _seal_carried(connection)
    _seal_orders(connection)
    _create_gifts()
    _create_declarations()
    constrain(connection)


def _create_choices() -> None:
    op.create_table(
        "sealed_choices",
        sa.Column("id", _identifier(), autoincrement=False, nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.LargeBinary(), nullable=False),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("consent_at", sa.BigInteger()),
        sa.Column("consent_channel", sa.String(32)),
        sa.Column("consent_wording", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sealed_choices")),
    )
    op.create_index(op.f("ix_sealed_choices_subscriber_id"), "sealed_choices", ["subscriber_id"])


def _create_gifts() -> None:
    op.create_table(
        "gifts",
        sa.Column("id", _identifier(), autoincrement=False, nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.LargeBinary(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("reference", sa.String(255), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gifts")),
    )
    held = sa.text("state = 'held'")
    op.create_index(op.f("ix_gifts_subscriber_id"), "gifts", ["subscriber_id"])
    op.create_index("uq_gifts_reference", "gifts", ["channel", "reference"], unique=True)
    op.create_index("ix_gifts_held", "gifts", ["due_at"], sqlite_where=held, postgresql_where=held)
    op.create_table(
        "matched_sums",
        sa.Column("campaign", sa.String(64), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign", name=op.f("pk_matched_sums")),
    )


def _create_declarations() -> None:
    op.create_table(
        "gift_aid_declarations",
        sa.Column("id", _identifier(), autoincrement=False, nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("declared_at", sa.BigInteger(), nullable=False),
        sa.Column("covers_from", sa.BigInteger(), nullable=False),
        sa.Column("details", sa.LargeBinary(), nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("wording", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("cancelled_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gift_aid_declarations")),
    )
    op.create_index(op.f("ix_gift_aid_declarations_subscriber_id"), "gift_aid_declarations", ["subscriber_id"])


def _seal_choices(connection: sa.Connection) -> None:
    first = connection.execute(sa.select(CHOICES.c.id).limit(1)).first()
    unproved = context.config.attributes.get("choices_unproved", False)
    said = {} if unproved or first is None else _said(connection)
    for number in released(connection).choices:  # of customers who were erased
        said.pop(number, None)
    if first is None and not said:
        return
    at = int(connection.execute(sa.text("SELECT coalesce(max(at), 0) FROM transfers")).scalar_one())
    chains: dict[int, Evidence] = {}
    for rows in _chunks(connection, CHOICES):
        sealed = [(row.id, row.subscriber_id, _sealed(row), row.share, row.valid_from) for row in rows]
        names = ("id", "subscriber_id", "cause", "share", "valid_from")
        connection.execute(sa.insert(SEALED), [dict(zip(names, row, strict=True)) for row in sealed])
        right = {row.id for row in rows if unproved or said.pop(row.id, None) == _digest(tuple(row))}
        _prove(connection, chains, [row for row in sealed if row[0] in right], at)
    _prove(connection, chains, [(number, 0, b"", 0, 0) for number in sorted(said)], at)


def _sealed(row: sa.Row[Any]) -> bytes:
    sealed: bytes = _seals().seal(row.cause, f"choice/{row.subscriber_id}/{row.id}")
    return sealed


def _prove(connection: sa.Connection, chains: dict[int, Evidence], rows: list[tuple[Any, ...]], at: int) -> None:
    """Append links for rows, to the chain of the node that numbered each."""
    by_node: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows:
        by_node.setdefault(row[0] >> SPAN_BITS, []).append((*row, None, None, None))
    for node, of_node in by_node.items():
        if node not in chains:
            chains[node] = Evidence(_key(), node)
        chains[node].append(connection, {"sealed_choices": of_node}, at)


def _said(connection: sa.Connection) -> dict[int, bytes]:
    """Give what the chains say of each choice: its digest by its number."""
    found: dict[int, bytes] = {}
    for node in nodes_of(connection):
        for link in Chain(connection, node, Digester(_key())):
            found.update(
                (number, digest) for each in link.rows if each.table == "choices" for number, digest, _ in each
            )
    return found


def _digest(row: tuple[Any, ...]) -> bytes:
    """Give the digest of a choice as it was made before this step."""
    return hashlib.blake2b(msgspec.msgpack.encode(row), key=_key(), digest_size=DIGEST_SIZE, person=b"choices").digest()


def _seal_questions(connection: sa.Connection) -> None:
    """Make the table anew, which a column of another kind takes in SQLite; it has few rows."""
    names = (
        "msisdn",
        "short_code",
        "id",
        "kind",
        "cause",
        "amount",
        "currency",
        "asked_at",
        "expires_at",
        "subscriber_id",
    )
    rows = [dict(row) for row in connection.execute(sa.text(f"SELECT {', '.join(names)} FROM questions")).mappings()]  # noqa: S608  (names of ours)
    op.drop_table("questions")
    table = op.create_table(
        "questions",
        sa.Column("msisdn", sa.String(21), nullable=False),
        sa.Column("short_code", sa.String(21), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("cause", sa.LargeBinary(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger()),
        sa.PrimaryKeyConstraint("msisdn", "short_code", name=op.f("pk_questions")),
    )
    for row in rows:
        row["cause"] = _seals().seal(row["cause"], f"question/{row['id']}")
    if rows:
        connection.execute(sa.insert(table), rows)


def _seal_carried(connection: sa.Connection) -> None:
    rows = connection.execute(sa.text("SELECT cause, currency, parts FROM unpublished_sums")).all()
    for cause, currency, parts in rows:
        sealed = _seals().seal_octets(parts, f"carried/{cause}/{currency}")
        change = sa.text("UPDATE unpublished_sums SET parts = :parts WHERE cause = :cause AND currency = :currency")
        connection.execute(change, {"parts": sealed, "cause": cause, "currency": currency})


def _seal_orders(connection: sa.Connection) -> None:
    """Seal what orders still say of causes: those that have ended say none."""
    table = sa.table("orders", sa.column("id"), sa.column("request", sa.LargeBinary()))
    for rows in _chunks(connection, table):
        for row in rows:
            request = msgspec.msgpack.decode(row.request)
            if request.get("cause"):
                request["cause"] = b64encode(_seals().seal(request["cause"], f"order/{row.id}")).decode()
                change = sa.update(table).where(table.c.id == row.id)
                connection.execute(change.values(request=msgspec.msgpack.encode(request)))


def _chunks(connection: sa.Connection, table: Any) -> Iterator[list[sa.Row[Any]]]:  # noqa: ANN401  (any table)
    after = -1
    while rows := list(
        connection.execute(sa.select(table).where(table.c.id > after).order_by(table.c.id).limit(CHUNK))
    ):
        yield rows
        after = rows[-1].id


def _seals() -> Any:  # noqa: ANN401  (schema.Seals)
    return _attribute("cause_seals")


def _key() -> bytes:
    key: bytes = _attribute("evidence_key")
    return key


def _attribute(name: str) -> Any:  # noqa: ANN401  (of the keys)
    found = context.config.attributes.get(name)
    if found is None:
        raise SchemaMismatch("the store has causes to be sealed: upgrade it by `tpo db upgrade`, which has the key")
    return found


def _identifier() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
