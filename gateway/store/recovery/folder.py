"""The folder of a continuous backup: whole copies of a store, and the pages that changed since, in files that are only added.

    2026-11-26T16-35-00.123456Z/           a chain: one run of a gateway, from its start to its end
        chain.json                         which store
        0000000000-1795711442247826.db     a whole copy, as of this microsecond; changes from number 1 on come on top
        0000000001-1795711447311902.pages  what changed until then: a line of JSON, then zlib of (number, page) ...
        complete                           until when all that was committed is in here

Every file appears under its name when it is complete and on the disk, so the folder may be copied elsewhere at any moment.
"""

import errno
import hashlib
import os
import shutil
import sqlite3
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from gateway.store.backup import copy_snapshot, sync
from gateway.store.errors import StoreUnavailable
from gateway.store.private_files import FILE
from gateway.store.recovery.changes import Changes

FOLDER: Final = 0o700
FORMAT: Final = 1
MOST_COPIES: Final = 12
"""Whole copies that are kept at most."""
MICROSECONDS: Final = 1_000_000
_NUMBER: Final = struct.Struct(">I")
_LEVEL: Final = 1
"""Of zlib: pages shrink to a quarter at 100 MB a second."""


class ChainHead(msgspec.Struct):
    """chain.json: which store this is a backup of."""

    format: int
    store: str
    began: int


class PagesHead(msgspec.Struct):
    """The first line of a file of changes."""

    format: int
    at: int
    page_size: int
    size: int
    count: int
    sha256: str


class Part(NamedTuple):
    """A file of a chain: its number in the chain and as of when it is, UTC microseconds."""

    number: int
    at: int
    file: Path


class Chain:
    """One chain, being written. OSError where the folder cannot be written."""

    def __init__(self, folder: Path, store: Path, now: int) -> None:
        """Begin it; FileExistsError where the folder has chains of another store. What a killed run left unfinished goes."""
        folder.mkdir(mode=FOLDER, parents=True, exist_ok=True)
        for known in chains(folder):
            if (other := _head_of(known).store) != str(store):
                raise FileExistsError(errno.EEXIST, f"it has the backup of another store, {other}", str(folder))
        for known in chains(folder):
            if copies(known):
                _remove_unfinished(known)
            else:
                shutil.rmtree(known)  # changes without a whole copy below them
        self.path = folder / datetime.fromtimestamp(now / MICROSECONDS, UTC).strftime("%Y-%m-%dT%H-%M-%S.%fZ")
        self.path.mkdir(mode=FOLDER)
        self.number = 0
        write_file(self.path / "chain.json", msgspec.json.encode(ChainHead(FORMAT, str(store), now)))

    def add(self, changes: Changes) -> int:
        """Write changes down as the next part; gives the octets of its file."""
        plain = b"".join(part for number, page in changes.pages.items() for part in (_NUMBER.pack(number), page))
        body = zlib.compress(plain, _LEVEL)
        digest = hashlib.sha256(body).hexdigest()
        head = PagesHead(FORMAT, changes.at, changes.page_size, changes.size, len(changes.pages), digest)
        octets = msgspec.json.encode(head) + b"\n" + body
        write_file(self.path / f"{self.number + 1:010}-{changes.at}.pages", octets)
        self.number += 1
        return len(octets)

    def complete(self, at: int) -> None:
        """Note that all that was committed until then is here."""
        write_file(self.path / "complete", str(at).encode(), durable=False)

    def copy(self, snapshot: sqlite3.Connection, number: int, at: int, wanted: Callable[[], bool]) -> int:
        """Write a whole copy of what a connection sees, to which changes above a number belong; gives its octets.

        Raises CopyStopped when it is not `wanted` any more, StoreUnavailable where it proves to be damaged, OSError or
        sqlite3.Error.
        """
        file = self.path / f"{number:010}-{at}.db"
        partial = file.with_name(f".{file.name}")
        try:
            os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE))
            copy_snapshot(snapshot, partial, wanted=wanted)
            sync(partial)
            partial.replace(file)
            sync(self.path)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        return file.stat().st_size


def chains(folder: Path) -> list[Path]:
    """Give the chains in a folder, the oldest first."""
    return sorted(path.parent for path in folder.glob("*/chain.json"))


def copies(chain: Path) -> list[Part]:
    """Give the whole copies of a chain, the oldest first."""
    return sorted(_parts(chain, "db"))


def changes_after(chain: Path, number: int, until: int | None) -> list[Part]:
    """Give the changes of a chain above a number, up to a moment; StoreUnavailable where one of them is missing."""
    found: list[Part] = []
    later = sorted(part for part in _parts(chain, "pages") if part.number > number)
    for expected, part in enumerate(later, number + 1):
        if until is not None and part.at > until:
            break
        if part.number != expected:
            before = moment(found[-1].at) if found else "an earlier time"
            raise StoreUnavailable(f"{chain}: the changes number {expected} are missing; restore --at {before}")
        found.append(part)
    return found


def complete_until(chain: Path) -> int:
    """Give the moment until which all that was committed is in a chain; 0 where that is not known."""
    try:
        return int((chain / "complete").read_text())
    except (OSError, ValueError):
        return 0


def read_changes(file: Path) -> Changes:
    """Read a file of changes; StoreUnavailable where it is damaged."""
    try:
        line, _, body = file.read_bytes().partition(b"\n")
        head = msgspec.json.decode(line, type=PagesHead)
        if hashlib.sha256(body).hexdigest() != head.sha256:
            raise StoreUnavailable(f"{file} is damaged: restore --at a time before {moment(head.at)}")
        plain = zlib.decompress(body)
    except (msgspec.DecodeError, zlib.error, OSError) as error:
        raise StoreUnavailable(f"{file} cannot be read: {error}") from error
    step = _NUMBER.size + head.page_size
    pages = {
        _NUMBER.unpack_from(plain, start)[0]: plain[start + _NUMBER.size : start + step]
        for start in range(0, head.count * step, step)
    }
    return Changes(head.at, head.page_size, head.size, pages)


def prune(folder: Path, before: int) -> None:
    """Remove what is not needed to restore the store as of any moment since `before`; a whole copy always stays.

    Of more than MOST_COPIES the oldest go all the same: a gateway that starts again and again makes one each time.
    """
    every = [(chain, part) for chain in chains(folder) for part in copies(chain)]
    if not every:
        return
    older = sum(copy.at <= before for _, copy in every)
    chain, copy = every[max(older - 1, len(every) - MOST_COPIES, 0)]
    for known in chains(folder):
        if known < chain:
            shutil.rmtree(known)
    for part in (*_parts(chain, "db"), *_parts(chain, "pages")):
        if part.number < copy.number or (part.number == copy.number and part.at < copy.at):
            part.file.unlink(missing_ok=True)


def write_file(file: Path, octets: bytes, *, durable: bool = True) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    partial = file.with_name(f".{file.name}")
    try:
        with open(partial, "wb", opener=lambda name, flags: os.open(name, flags, FILE)) as out:
            out.write(octets)
            if durable:
                out.flush()
                os.fsync(out.fileno())
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    if durable:
        sync(file.parent)


def moment(at: int) -> str:
    """Write a time for people, RFC 3339."""
    return datetime.fromtimestamp(at / MICROSECONDS, UTC).isoformat().replace("+00:00", "Z")


def _parts(chain: Path, kind: str) -> Iterator[Part]:
    for file in chain.glob(f"[0-9]*-[0-9]*.{kind}"):
        number, _, at = file.stem.partition("-")
        yield Part(int(number), int(at), file)


def _remove_unfinished(chain: Path) -> None:
    for file in chain.glob(".*"):
        file.unlink()


def _head_of(chain: Path) -> ChainHead:
    try:
        return msgspec.json.decode((chain / "chain.json").read_bytes(), type=ChainHead)
    except msgspec.DecodeError as error:
        raise FileExistsError(errno.EEXIST, f"{chain.name} is no chain: {error}", str(chain)) from None
