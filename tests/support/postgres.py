"""A PostgreSQL server of the tests' own, from Debian's package, on a socket in a temporary folder."""

import atexit
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from gateway.store import schema
from gateway.store.engine import open_writer

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
SOCKET_PORT = 5432
"""Only the name of the socket file: the server listens on no TCP port."""


@contextmanager
def server(on_disk=None):
    """Run a server until the block ends; gives a function that makes a fresh database, its tables made, and returns its URL;
    one that is to be `empty` has none.

    `on_disk` gets the folder of its data before it starts, and gives the environment that it runs in.
    """
    with _folder() as folder:
        _as_owner("cp", "-a", _new_cluster(), folder / "data")
        with _running(folder, env=on_disk(folder / "data") if on_disk else None):
            yield lambda name, empty=False: _database(folder, name, "--template", "template0" if empty else "migrated")


@cache
def _new_cluster():
    """The files of a server that has one database, with the tables of a new store; made once a process and copied."""
    making = _folder()
    folder = making.__enter__()
    atexit.register(making.__exit__, None, None, None)
    _run("initdb", "-D", folder / "data", "-A", "trust", "-U", "tpo", "--no-sync", "-E", "UTF8")
    with _running(folder, end="fast"):
        engine = open_writer(_database(folder, "migrated"))
        schema.prepare(engine)
        engine.dispose()
    return folder / "data"


@contextmanager
def _folder():
    folder = Path(tempfile.mkdtemp(prefix="tpo-pg-"))
    folder.chmod(0o777)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def start(folder, env=None):
    """Start the server of a folder."""
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -p {SOCKET_PORT} -c max_connections=60"
    _run("pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start", env=env)


@contextmanager
def _running(folder, end="immediate", env=None):
    start(folder, env)
    try:
        yield
    finally:
        _run("pg_ctl", "-D", folder / "data", "-w", "-m", end, "stop")


def _database(folder, name, *options):
    _run("createdb", "-h", folder, "-p", SOCKET_PORT, "-U", "tpo", *options, name)
    return f"postgresql://tpo@localhost/{name}?host={folder}&port={SOCKET_PORT}"


def _run(program, *arguments, env=None):
    _as_owner(BINARIES[-1] / program, *arguments, env=env)


def _as_owner(*command, env=None):
    command = [*map(str, command)]
    if os.geteuid() == 0:  # the server refuses to run as root
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *command]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd="/tmp", timeout=60, stdin=subprocess.DEVNULL,
        env=None if env is None else {**os.environ, **env},
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
