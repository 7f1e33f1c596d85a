"""Ways to make a running gateway's reads of its store really fail for a while, each a context manager over (gateway, url)."""

import resource
import sqlite3
import threading
from contextlib import closing, contextmanager

import psycopg

TABLES = ("texts", "orders", "outbox", "sessions")


@contextmanager
def no_descriptors(gateway, _url):
    """The process may open no further file: new connections to SQLite fail, what is open works on. Reads alone fail."""
    pid = gateway.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def _rename(url, pairs):
    path = url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as store:
        store.execute("BEGIN IMMEDIATE")
        for old, new in pairs:
            store.execute(f"ALTER TABLE {old} RENAME TO {new}")
        store.execute("COMMIT")


@contextmanager
def tables_away(_gateway, url):
    """The tables are not there, for readers and for the write lane."""
    rename = _rename if url.startswith("sqlite") else _rename_on_server
    rename(url, [(name, f"{name}_away") for name in TABLES])
    try:
        yield
    finally:
        rename(url, [(f"{name}_away", name) for name in TABLES])


def _rename_on_server(url, pairs):
    with psycopg.connect(url, autocommit=True) as server:  # one by one: all at once would be a deadlock with the lane
        for old, new in pairs:
            server.execute(f"ALTER TABLE {old} RENAME TO {new}")


@contextmanager
def connections_cut(_gateway, url):
    """The server lets nobody in, and ends whoever is."""
    over = threading.Event()
    with psycopg.connect(url.replace("/reads", "/postgres"), autocommit=True) as server:

        def cut():
            while not over.wait(0.1):
                server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'reads'")

        server.execute("ALTER DATABASE reads ALLOW_CONNECTIONS false")
        cutting = threading.Thread(target=cut)
        cutting.start()
        try:
            yield
        finally:
            over.set()
            cutting.join()
            server.execute("ALTER DATABASE reads ALLOW_CONNECTIONS true")
