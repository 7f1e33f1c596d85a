"""Upgrade a store in processes that are killed: at the first statement, the second, ... and around the commit, until one lives.

Run as `python killed_upgrade.py URL KEY`: prints, a JSON line a process, where it was killed, the store's version after that,
and a digest of all its rows.
A fork a kill: to begin a Python with Alembic for each would take most of a minute.
"""

import hashlib
import json
import os
import signal
import sys

from sqlalchemy import event

from gateway.store import schema
from gateway.store.engine import open_reader, open_writer
from support.old_stores import everything


def kill_at(engine, place):
    """Have this process killed before its statement of that number; the last two are those before and after the commit."""
    passed = iter(range(1, 1 << 30))

    def step():
        if next(passed) == place:
            os.kill(os.getpid(), signal.SIGKILL)

    commit = engine.dialect.do_commit

    def do_commit(connection):
        step()
        commit(connection)
        step()

    event.listen(engine, "before_cursor_execute", lambda *_: step())
    engine.dialect.do_commit = do_commit


def upgrade(url, key, place):
    engine = open_writer(url, existing=True)
    kill_at(engine, place)
    schema.upgrade(engine, schema.Keys(key, key))


def look(url):
    engine = open_reader(url)
    with engine.connect() as connection:
        version = schema.current(connection)
    rows = hashlib.sha256(repr(everything(engine)).encode()).hexdigest()
    engine.dispose()
    return {"version": version, "rows": rows}


def main(url, key):
    from alembic import command, config  # noqa: F401  (once, before the forks)

    place, status = 0, 1
    while status:
        place += 1
        child = os.fork()
        if not child:
            upgrade(url, key.encode(), place)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        assert status in (0, signal.SIGKILL), f"it ended by itself: {status}"
        print(json.dumps({"place": place, "killed": bool(status), **look(url)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
