"""The section `store`: the database, its write lane, its backup, and the files of sealed months."""

import importlib.util
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qsl, quote, unquote

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from gateway.settings.secrets import SecretValue
from gateway.settings.sections.section import Section, split_url
from gateway.settings.values import Duration, FilePath, reading


def _take_password_out(section: Any) -> Any:  # noqa: ANN401  (raw YAML in, raw YAML out)
    """Move a password out of a URL, so that the URL can be shown."""
    url = section.get("url") if isinstance(section, dict) else None
    parts = split_url(url) if isinstance(url, str) else None
    if parts is None or parts.password is None:
        return section
    if "password" in section:
        message = "has a password in url and in password; keep the latter"
        raise ValueError(message)
    user, _, host = parts.netloc.rpartition("@")
    bare = parts._replace(netloc=f"{user.partition(':')[0]}@{host}")
    return {**section, "url": bare.geturl(), "password": unquote(parts.password)}


def _store_url(value: str, info: ValidationInfo) -> str:
    scheme, separator, rest = value.partition(":///")
    if scheme == "sqlite" and separator:
        return _sqlite_url(rest, reading(info).folder)
    parts = split_url(value)
    if (
        parts is None
        or parts.scheme != "postgresql"
        or not parts.hostname
        or "@" in parts.path
        or not parts.path.strip("/")
    ):
        message = "must be sqlite:///PATH or postgresql://USER@HOST/DATABASE"
        raise ValueError(message)
    if any("password" in name.lower() for name, _ in parse_qsl(parts.query)):
        message = "must not carry a password in its query; use the key password"
        raise ValueError(message)
    if importlib.util.find_spec("psycopg") is None:
        message = "needs the PostgreSQL driver: install tpo-gateway[postgresql]"
        raise ValueError(message)
    return value


def _sqlite_url(path: str, folder: Path) -> str:
    if not path or path.startswith(":memory:") or "?" in path:
        message = "must name a file, like sqlite:///var/tpo.db: what is charged has to survive a restart"
        raise ValueError(message)
    return f"sqlite:///{folder / path}"


SHORTEST_TAKEOVER: Final = 3
"""Seconds: a lease is renewed by each commit, and within a fifth of it where nothing is committed; a commit may take one."""


def _off(value: object) -> object:
    return 0 if value == "off" else value


def _takeover(seconds: int) -> int:
    if 0 < seconds < SHORTEST_TAKEOVER:
        message = f"must be off, or at least {SHORTEST_TAKEOVER}s"
        raise ValueError(message)
    return seconds


SHORTEST_SEALING: Final = 86_400
"""Seconds from a month's end until it may be sealed: a clock that is a little ahead ends no month too early."""


def _seal_after(seconds: int) -> int:
    if 0 < seconds < SHORTEST_SEALING:
        message = "must be off, or at least 1d"
        raise ValueError(message)
    return seconds


class StoreBackup(Section):
    """A continuous backup of an SQLite store: a whole copy now and then, and what changed since every few seconds."""

    folder: FilePath
    every: Annotated[Duration, Field(ge=1, le=3600)] = 5
    full: Annotated[Duration, Field(ge=600, le=31 * 86_400)] = 86_400
    keep: Annotated[Duration, Field(ge=0, le=366 * 86_400)] = 2 * 86_400


class Store(Section):
    """Where everything durable is kept."""

    url: Annotated[str, AfterValidator(_store_url)]
    password: SecretValue | None = None
    lane: Literal["process", "thread"] = "process"
    takeover: Annotated[Duration, BeforeValidator(_off), AfterValidator(_takeover), Field(ge=0, le=3600)] = 10
    backup: StoreBackup | None = None
    seal_after: Annotated[Duration, BeforeValidator(_off), AfterValidator(_seal_after)] = 0

    _split_url = model_validator(mode="before")(_take_password_out)

    @model_validator(mode="after")
    def _backup_of_a_file(self) -> "Store":
        if self.backup is not None and not self.url.startswith("sqlite:"):
            message = "backup is for an SQLite store; a server archives its own log (docs/restore.md)"
            raise ValueError(message)
        if self.seal_after and not self.url.startswith("sqlite:"):
            message = "seal_after is for an SQLite store; on a server a month is a partition (docs/sizing.md)"
            raise ValueError(message)
        return self

    @property
    def connect_url(self) -> str:
        """The URL with its password, for the driver only; never log it."""
        if self.password is None:
            return self.url
        scheme, _, rest = self.url.partition("://")
        user, at, host = rest.rpartition("@")
        return f"{scheme}://{user}:{quote(self.password.reveal(), safe='')}{at or '@'}{host}"
