"""A store with every table, made once a process by the migrations and copied for each test that begins with an empty one."""

import tempfile
from functools import cache
from pathlib import Path

from gateway.store import private_files, schema
from gateway.store.engine import open_writer, sqlite_path


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
    with tempfile.TemporaryDirectory(prefix="tpo-store-") as folder:
        file = Path(folder) / "new.db"
        engine = open_writer(f"sqlite:///{file}")
        schema.prepare(engine)
        with engine.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        engine.dispose()
        assert [each.name for each in Path(folder).iterdir()] == [file.name], "a part of it is elsewhere"
        return file.read_bytes()
