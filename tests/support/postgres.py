"""A PostgreSQL server of the tests' own, from Debian's package, on a socket in a temporary folder."""

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from gateway.store import schema
from gateway.store.engine import open_writer
from support.made_once import VARIABLE, made_once
from support.patience import PATIENCE

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
SOCKET_PORT = 5432
"""Only the name of the socket file, where the server listens on no address."""


@contextmanager
def server(on_disk=None, listen=""):
    """Run a server until the block ends; gives a function that makes a fresh database, its tables made, and returns its URL;
    one that is to be `empty` has none.

    `on_disk` gets the folder of its data before it starts, and gives the environment that it runs in. `listen` is an address
    that it is reached at by TCP as well, by whoever is in its network of 24 bits.
    """
    with _folder() as folder:
        _as_owner("cp", "-a", _new_cluster(), folder / "data")
        if listen:
            with (folder / "data" / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {listen}/24 trust\n")
        with _running(folder, env=on_disk(folder / "data") if on_disk else None, listen=listen):
            yield lambda name, empty=False: _database(folder, name, "--template", "template0" if empty else "migrated")


class ArchivedServer:
    """A server whose log is archived, as docs/restore.md sets it up, and what an operator does with it."""

    def __init__(self, folder):
        self._folder, self._data, self._base = folder, folder / "data", folder / "base"
        archive = folder / "archive"
        archive.mkdir()
        archive.chmod(0o777)
        command = f"test ! -f {archive}/%f && cp %p {archive}/.%f && mv {archive}/.%f {archive}/%f"
        self._set({"archive_mode": "on", "archive_command": command, "restore_command": f"cp {archive}/%f %p"})
        start(folder)
        self.url = _database(folder, "tpo", "--template", "migrated")

    def base_copy(self):
        _run(
            "pg_basebackup",
            "-h",
            self._folder,
            "-p",
            SOCKET_PORT,
            "-U",
            "tpo",
            "-D",
            self._base,
            "-c",
            "fast",
            "-X",
            "none",
        )

    def archive_the_rest(self):
        """What `archive_timeout` does after its time."""
        self.ask("SELECT pg_switch_wal()")
        self._until("SELECT last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 1) FROM pg_stat_archiver")

    def lose(self):
        """The server dies, and its data with it."""
        self.stop()
        _as_owner("rm", "-rf", self._data)

    def restore(self, at):
        """Put the base copy in place, and have the archive replayed until a moment."""
        _as_owner("cp", "-a", self._base, self._data)
        self._set({"recovery_target_time": at, "recovery_target_action": "promote"})
        _as_owner("touch", self._data / "recovery.signal")
        start(self._folder)
        self._until("SELECT NOT pg_is_in_recovery()")

    def stop(self):
        _run("pg_ctl", "-D", self._data, "-w", "-m", "immediate", "stop")

    def ask(self, statement):
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(statement).fetchone()[0]

    def _until(self, statement):
        deadline = time.monotonic() + PATIENCE
        while not self.ask(statement):
            assert time.monotonic() < deadline, statement
            time.sleep(0.05)

    def _set(self, settings):
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())


@contextmanager
def archived_server():
    """Run a server whose log is archived until the block ends; it has a database of its own, `url`."""
    with _folder() as folder:
        _as_owner("cp", "-a", _new_cluster(), folder / "data")
        archived = ArchivedServer(folder)
        try:
            yield archived
        finally:
            archived.stop()


@cache
def _new_cluster():
    """The files of a server that has one database, with the tables of a new store; made once a run and copied."""
    if VARIABLE in os.environ:
        return made_once("cluster", _make_cluster) / "data"
    making = _folder()
    folder = making.__enter__()
    atexit.register(making.__exit__, None, None, None)
    _make_cluster(folder)
    return folder / "data"


def _make_cluster(folder):
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    _run("initdb", "-D", folder / "data", "-A", "trust", "-U", "tpo", "--no-sync", "-E", "UTF8")
    with _running(folder, end="fast"):
        engine = open_writer(_database(folder, "migrated"))
        schema.prepare(engine)
        engine.dispose()


@contextmanager
def _folder():
    folder = Path(tempfile.mkdtemp(prefix="tpo-pg-"))
    folder.chmod(0o777)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def start(folder, env=None, listen=""):
    """Start the server of a folder."""
    options = (
        f"-c listen_addresses='{listen}' -c unix_socket_directories={folder} -p {SOCKET_PORT} -c max_connections=60"
    )
    try:
        _run("pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start", env=env)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{(folder / 'log').read_text()[-2000:]}") from None


@contextmanager
def _running(folder, end="immediate", env=None, listen=""):
    start(folder, env, listen)
    try:
        yield
    finally:
        _run("pg_ctl", "-D", folder / "data", "-w", "-m", end, "stop")


def _database(folder, name, *options):
    _run("createdb", "-h", folder, "-p", SOCKET_PORT, "-U", "tpo", *options, name)
    return f"postgresql://tpo@localhost/{name}?host={folder}&port={SOCKET_PORT}"


def drop(url):
    """Take a database away, whoever is still connected to it."""
    name = make_url(url).database
    with psycopg.connect(url.replace(f"/{name}?", "/postgres?"), autocommit=True) as server:
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _run(program, *arguments, env=None):
    _as_owner(BINARIES[-1] / program, *arguments, env=env)


def _as_owner(*command, env=None):
    command = [*map(str, command)]
    if os.geteuid() == 0:  # the server refuses to run as root
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *command]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd="/tmp", timeout=300, stdin=subprocess.DEVNULL,
        env=None if env is None else {**os.environ, **env},
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
