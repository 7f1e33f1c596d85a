"""A store with every table, made once a run by the migrations and copied for each test that begins with an empty one."""

import os
import tempfile
from functools import cache
from pathlib import Path

from gateway.store import private_files, schema
from gateway.store.engine import open_writer, sqlite_path
from support.made_once import VARIABLE, made_once


def place(path):
    """Put a new store where there is none yet: who opens it need not make its tables."""
    private_files.make_folder(path.parent)
    private_files.keep_private(path, create=True)
    if not path.stat().st_size:
        path.write_bytes(_made_by_the_migrations())


def prepare(engine):
    """As `schema.prepare`, which makes the tables of an SQLite file in a tenth of a second: here by a copy of such a file."""
    path = sqlite_path(engine.url.render_as_string(hide_password=False))
    if path is None or path.stat().st_size:
        schema.prepare(engine)
    else:
        path.write_bytes(_made_by_the_migrations())


@cache
def _made_by_the_migrations():
    if VARIABLE in os.environ:
        return made_once("new.db", _make).read_bytes()
    with tempfile.TemporaryDirectory(prefix="tpo-store-") as folder:
        _make(Path(folder) / "new.db")
        return (Path(folder) / "new.db").read_bytes()


def _make(file):
    engine = open_writer(f"sqlite:///{file}")
    schema.prepare(engine)
    with engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    assert not [*file.parent.glob(f"{file.name}-*")], "a part of it is elsewhere"
