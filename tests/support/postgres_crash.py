"""A PostgreSQL server that loses its power and gets it back."""

from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from support.postgres import _run, start


def linger_in_commit(url, microseconds):
    """Let every commit wait before it reaches the disk, so that a crash finds one under way."""
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text(f"ALTER SYSTEM SET commit_delay = {microseconds}"))
        connection.execute(text("ALTER SYSTEM SET commit_siblings = 0"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()


def crash(url):
    """End the server of a database without a checkpoint or a goodbye, and start it again."""
    folder = Path(parse_qs(urlsplit(url).query)["host"][0])
    _run("pg_ctl", "-D", folder / "data", "-w", "-m", "immediate", "-l", folder / "log", "restart")


def revive(url, env):
    """Start the server of a database in this environment, if it has ended; one that cannot start yet is asked again."""
    folder = Path(parse_qs(urlsplit(url).query)["host"][0])
    if not _runs(folder / "data" / "postmaster.pid"):
        with suppress(AssertionError):
            start(folder, env)


def _runs(note):
    """Whether the process runs that left this note; one whose disk failed may have left it behind."""
    try:
        return Path("/proc", note.read_text().split()[0]).exists()
    except (OSError, IndexError):
        return False
