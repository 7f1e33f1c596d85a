"""Reading an SQLite store back from the disk, to notice what its page cache hides: overwritten pages, an overwritten log.

Two looks, both beside the lane and without a lock that it waits for: SQLite's own quick_check, table by table, by a connection
with an empty cache; and the write-ahead log's header and frame headers (sqlite.org/fileformat2.html §4), which SQLite itself
reads only after a crash: a log that is not whole then costs all that was committed since the last checkpoint. What neither
sees is a changed octet inside a row: that is found by `tpo ledger check`.
"""

import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gateway.store.driver_errors import classify
from gateway.store.errors import StoreCorrupt

HEADER: Final = struct.Struct(">IIIIIIII")
"""Of the log: magic, version, page size, checkpoint number, two salts, two checksums."""
FRAME: Final = struct.Struct(">IIIIII")
"""Of a frame: page number, size of the store after a commit, two salts, two checksums."""
MAGIC: Final = 0x377F0682
"""Its lowest bit tells whether checksums are big-endian."""
VERSION: Final = 3_007_000
MOST_FRAMES: Final = 8192
"""Frames of a log that are looked at; of one that is longer every second, third, ..."""


def read_only(store: Path, *, check_same_thread: bool = True) -> sqlite3.Connection:
    """Open a connection that neither writes nor makes a file; sqlite3.Error where there is none."""
    address = f"file:{quote(str(store))}?mode=ro"
    return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=check_same_thread)


def inspect(store: Path) -> None:
    """Read everything once; StoreCorrupt says what is damaged, another StoreError why it cannot be read now."""
    if (found := check_log(store.with_name(store.name + "-wal"))) is not None:
        raise StoreCorrupt(found)
    try:
        with closing(read_only(store)) as connection:
            for found in check_tables(connection):
                raise StoreCorrupt(f"{store}: {found}")
    except sqlite3.Error as error:
        raise classify(error) from error


def check_tables(connection: sqlite3.Connection) -> Iterator[str]:
    """Give what quick_check finds, table by table, so that no read transaction is long."""
    tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    for (name,) in connection.execute(tables).fetchall():
        quoted = name.replace("'", "''")
        (found,) = connection.execute(f"PRAGMA quick_check('{quoted}')").fetchone()
        if found != "ok":
            yield f"{name}: {found}".replace("\n", " ")


def check_log(log: Path) -> str | None:
    """Say what is wrong with a write-ahead log; None if nothing is, or if it is begun anew while it is read."""
    try:
        file = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        head = os.pread(file, HEADER.size, 0)
        found = _check_frames(file, head) if head else None
        return found and f"{log}: {found}" if os.pread(file, HEADER.size, 0) == head else None
    finally:
        os.close(file)  # SQLite keeps no lock on this file, so closing it takes none away


def check_header(head: bytes) -> str | None:
    """Say what is wrong with the first octets of a log; None if nothing is."""
    if len(head) < HEADER.size:
        return "its header is cut off"
    magic, version, _, _, *rest = HEADER.unpack(head)
    if magic & ~1 != MAGIC or version != VERSION or checksum(head[:24], big=bool(magic & 1)) != tuple(rest[2:]):
        return "its header was overwritten"
    return None


def _check_frames(file: int, head: bytes) -> str | None:
    if (found := check_header(head)) is not None:
        return found
    _, _, page, _, *rest = HEADER.unpack(head)
    salts, step = tuple(rest[:2]), FRAME.size + page
    frames, strange = (os.fstat(file).st_size - HEADER.size) // step, None

    def salts_of(number: int) -> tuple[int, ...] | None:
        frame = os.pread(file, FRAME.size, HEADER.size + number * step)
        return FRAME.unpack(frame)[2:4] if len(frame) == FRAME.size else None

    for number in range(0, frames, max(1, frames // MOST_FRAMES)):
        these = salts_of(number)
        if these is None:
            return None  # cut while it was read
        if these != salts:
            strange = number if strange is None else strange  # left of an older log, if nothing newer follows
        elif strange is not None:
            if salts_of(strange) != salts:
                return f"frame {strange + 1} was overwritten"
            strange = None  # both were written just now, one after the other, between the two looks
    return None


def checksum(octets: bytes, *, big: bool) -> tuple[int, int]:
    """Give the two checksums of a log over whole pairs of 32-bit words, from their beginning."""
    first = second = 0
    words = struct.unpack(f"{'>' if big else '<'}{len(octets) // 4}I", octets)
    for one, two in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second
