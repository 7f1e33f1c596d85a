"""A PostgreSQL server that loses its power and gets it back."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from support.postgres import _run


def crash(url):
    """End the server of a database without a checkpoint or a goodbye, and start it again."""
    folder = Path(parse_qs(urlsplit(url).query)["host"][0])
    _run("pg_ctl", "-D", folder / "data", "-w", "-m", "immediate", "-l", folder / "log", "restart")
