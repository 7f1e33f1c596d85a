"""A copy of an SQLite store that is whole as of one moment, taken while the gateway charges on.

The copy is made under one read transaction: in WAL mode it neither waits for the write lane nor holds it up, and commits of
meanwhile do not make it begin again. The file appears under its name only when it is complete, checked and on disk.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from gateway.store.errors import StoreUnavailable
from gateway.store.files import family
from gateway.store.inspection import read_only

PAGES_A_STEP = 2000
"""Pages between two words of progress: 8 MB."""
INSTRUCTIONS_A_LOOK = 100_000
"""Of SQLite's machine, between two looks whether the check of a copy is to go on: some milliseconds."""


def backup(store: Path, target: Path, progress: Callable[[float], None]) -> int:
    """Copy the store to a new file that only its owner may read; its size in octets.

    `progress` is told the share that is done, 0 to 1. Raises FileExistsError where the target exists or is one of the store's
    own files, OSError where it cannot
    be written, and StoreUnavailable where the store cannot be read or the copy proves to be damaged.
    """
    if target.exists() or target.resolve() in family(store).values():
        raise FileExistsError(target)  # or SQLite would take it for a part of the store: a log, a journal
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        _copy(store, partial, progress)
        sync(partial)
        target.hardlink_to(partial)  # which fails where somebody else made the file meanwhile
        sync(target.parent)
    finally:
        partial.unlink()
    return target.stat().st_size


def _copy(store: Path, partial: Path, progress: Callable[[float], None]) -> None:
    try:
        source = read_only(store)
        try:
            source.execute("BEGIN")
            # Only now does the transaction see one moment.
            source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            copy_snapshot(source, partial, progress)
        finally:
            source.close()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{store} cannot be copied: {error}") from error


class CopyStopped(Exception):
    """Nobody wants the copy any more that is being made."""


def copy_snapshot(
    source: sqlite3.Connection,
    target: Path,
    progress: Callable[[float], None] = lambda _share: None,
    wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Copy what a connection sees in its transaction to a file, and look whether that is whole.

    Raises StoreUnavailable where it is damaged, CopyStopped soon after it is not `wanted` any more, sqlite3.Error.
    """

    def told(_status: int, remaining: int, total: int) -> None:
        progress(1.0 if not total else (total - remaining) / total)
        if not wanted():
            raise CopyStopped

    copy = sqlite3.connect(target, isolation_level=None)
    copy.set_progress_handler(lambda: not wanted(), INSTRUCTIONS_A_LOOK)
    try:
        source.backup(copy, pages=PAGES_A_STEP, progress=told)
        found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError:
        if wanted():
            raise
        raise CopyStopped from None  # the check was interrupted
    finally:
        copy.close()
    if found != "ok":
        raise StoreUnavailable(f"the copy of the store is damaged: {found}")


def sync(path: Path) -> None:
    """Have a file's octets, or a folder's names, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
