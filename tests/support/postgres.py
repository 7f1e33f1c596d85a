"""A PostgreSQL server of the tests' own, from Debian's package, on a socket in a temporary folder."""

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
SOCKET_PORT = 5432
"""Only the name of the socket file: the server listens on no TCP port."""


@contextmanager
def server():
    """Run a server until the block ends; gives a function that makes a fresh database and returns its URL."""
    folder = Path(tempfile.mkdtemp(prefix="tpo-pg-", dir="/tmp"))
    folder.chmod(0o777)
    try:
        _run("initdb", "-D", folder / "data", "-A", "trust", "-U", "tpo", "--no-sync", "-E", "UTF8")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -p {SOCKET_PORT} -c max_connections=60"
        _run("pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start")
        try:
            yield lambda name: _database(folder, name)
        finally:
            _run("pg_ctl", "-D", folder / "data", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _database(folder, name):
    _run("createdb", "-h", folder, "-p", SOCKET_PORT, "-U", "tpo", name)
    return f"postgresql://tpo@localhost/{name}?host={folder}&port={SOCKET_PORT}"


def _run(program, *arguments):
    command = [str(BINARIES[-1] / program), *map(str, arguments)]
    if os.geteuid() == 0:  # the server refuses to run as root
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *command]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd="/tmp", timeout=60, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
