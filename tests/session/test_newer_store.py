"""A gateway on a store that a later program has upgraded: it reads and writes where the steps allow it."""

import asyncio
import random

import pytest
from sqlalchemy import insert, inspect, text, update
from support import postgres
from support.audit import reckon
from support.charging_load import OPENING, under_load
from support.gateways import Gateway
from support.new_stores import place
from support.old_stores import store_at

from gateway.store import lock, schema
from gateway.store.engine import open_writer
from gateway.store.errors import SchemaMismatch
from gateway.store.nodes import PROGRAM
from gateway.store.tables import marks, nodes

LATER = "0999"


def upgrade_as_a_later_program(url):
    """A column more in every table, a table more, a later version, compatible from ours on."""
    engine = open_writer(url)
    with engine.begin() as connection:
        for table in inspect(connection).get_table_names():
            if table != "alembic_version":
                connection.execute(text(f"ALTER TABLE {table} ADD COLUMN of_later TEXT"))
        connection.execute(text("CREATE TABLE things_of_later (id INTEGER PRIMARY KEY)"))
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": LATER})
        connection.execute(update(marks).where(marks.c.name == schema.COMPATIBLE_FROM).values(value=int(schema.head())))
    engine.dispose()


async def test_a_program_that_was_rolled_back_charges_on_the_newer_store_and_the_books_are_right(tmp_path):
    file = tmp_path / "gw" / "var" / "tpo.db"
    place(file)
    upgrade_as_a_later_program(f"sqlite:///{file}")
    with Gateway(tmp_path / "gw") as gateway:
        assert '"store.schema.newer"' in gateway.log.read_text()

        async def a_while(pgw):
            while pgw.requests < 300:  # noqa: ASYNC110 (of the load)
                await asyncio.sleep(0.005)

        pgw = await under_load(gateway, random.Random(7), a_while)
        assert reckon(gateway, pgw, f"sqlite:///{file}", OPENING * 1_000_000)


@pytest.mark.skipif(not postgres.BINARIES, reason="PostgreSQL is not installed (package postgresql)")
def test_the_tables_are_not_changed_under_a_gateway_that_could_not_go_on_with_them():
    with postgres.server() as make:
        url = make("rolling", empty=True)
        writer = store_at(url, "0008")
        with writer.begin() as connection:
            connection.execute(insert(nodes).values(id=2, name="b", next_id=1 << 41, origin_state_id=1))
            connection.execute(insert(marks).values(node=2, name=PROGRAM, value=8))
        other = lock.take(url, "b")
        with pytest.raises(SchemaMismatch, match="gateway b runs on this store by a program that could not go on"):
            schema.upgrade(writer, node="a")
        with writer.begin() as connection:  # one of a program that can
            connection.execute(update(marks).where(marks.c.node == 2).values(value=int(schema.head())))
        assert schema.upgrade(writer, node="a") == ("0008", schema.head())
        other.release()
        writer.dispose()
