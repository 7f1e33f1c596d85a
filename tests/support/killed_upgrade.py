"""Upgrade a store in processes that are killed: at the first statement, some later, ... and around the commit, until one lives.

Run as `python killed_upgrade.py URL KEY KILLS`: about so many are killed, as many statements apart. It prints, a JSON line a
process, where that was, the store's version after it, and a digest of all its rows.
A fork a kill: to begin a Python with Alembic for each would take most of a minute.
"""

import hashlib
import itertools
import json
import os
import signal
import sys

from sqlalchemy import event

from gateway.charity.sealed_causes import CauseSeals
from gateway.store import schema
from gateway.store.engine import open_reader, open_writer
from support.old_stores import everything


def kill_at(engine, place, told=None):
    """Have this process killed before its statement of that number; the last two are those before and after the commit.

    Without a number it is killed before the commit, and tells of which number that is.
    """
    passed = itertools.count(1)

    def step():
        if next(passed) == place:
            os.kill(os.getpid(), signal.SIGKILL)

    commit = engine.dialect.do_commit

    def do_commit(connection):
        if place is None:
            os.write(told, str(next(passed)).encode())
            os.kill(os.getpid(), signal.SIGKILL)
        step()
        commit(connection)
        step()

    event.listen(engine, "before_cursor_execute", lambda *_: step())
    engine.dialect.do_commit = do_commit


def upgrade(url, key, place, told):
    engine = open_writer(url, existing=True)
    kill_at(engine, place, told)
    schema.upgrade(engine, schema.Keys(key, key, CauseSeals(key)))


def killed(url, key, place, told=None):
    """Upgrade in a process of its own; tells whether it was killed."""
    child = os.fork()
    if not child:
        upgrade(url, key.encode(), place, told)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), f"it ended by itself: {status}"
    return bool(status)


def look(url):
    engine = open_reader(url)
    with engine.connect() as connection:
        version = schema.current(connection)
    rows = hashlib.sha256(repr(everything(engine)).encode()).hexdigest()
    engine.dispose()
    return {"version": version, "rows": rows}


def main(url, key, kills):
    from alembic import command, config  # noqa: F401  (once, before the forks)

    reading, told = os.pipe()
    assert killed(url, key, None, told)
    last = int(os.read(reading, 20))
    stride = max(last // int(kills), 1)
    for place in itertools.chain(range(1, last - 1, stride), itertools.count(last - 1)):
        again = killed(url, key, place)
        print(json.dumps({"place": place, "killed": again, **look(url)}))
        if not again:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
