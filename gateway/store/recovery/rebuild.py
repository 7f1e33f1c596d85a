"""Make a store again of a backup: a single copy, or the folder of a continuous backup as of a moment."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from gateway.store.backup import copy_snapshot, sync
from gateway.store.errors import StoreUnavailable
from gateway.store.files import family
from gateway.store.inspection import read_only
from gateway.store.private_files import FILE
from gateway.store.recovery.changes import Changes
from gateway.store.recovery.folder import Part, chains, changes_after, complete_until, copies, moment, read_changes


class Rebuilt(msgspec.Struct, frozen=True):
    """What a store was made of, and until when all that was committed is in it: UTC microseconds, None where nobody knows."""

    source: Path
    until: int | None
    changes: int = 0


def rebuild(source: Path, target: Path, until: int | None = None) -> Rebuilt:
    """Make the store in a new file; `until` is the latest moment that counts, UTC microseconds, for a folder alone.

    Raises StoreUnavailable where the backup is damaged, has nothing as of that moment, or is none; OSError.
    """
    if source.exists() and not (source.is_dir() or source.is_file()):
        raise StoreUnavailable(f"{source} is no backup: it is neither a regular file nor a folder")
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE))
    if not source.is_dir():
        _copy(source, target)
        sync(target)
        return Rebuilt(source, None)
    chain, copy = _choose(source, until)
    _copy(copy.file, target)
    parts = changes_after(chain, copy.number, until)
    with target.open("r+b") as store:
        for part in parts:
            _apply(store.fileno(), read_changes(part.file))
    sync(target)
    reached = parts[-1].at if parts else copy.at
    if until is None:
        reached = max(reached, complete_until(chain))
    elif complete_until(chain) >= until:
        reached = until
    return Rebuilt(chain, reached, len(parts))


def _choose(folder: Path, until: int | None) -> tuple[Path, Part]:
    """Give the newest whole copy that is not of later than `until`, and its chain."""
    found = [(chain, copy) for chain in chains(folder) for copy in copies(chain)]
    if not found:
        raise StoreUnavailable(f"there is no whole copy of a store in {folder}")
    fitting = [place for place in found if until is None or place[1].at <= until]
    if not fitting:
        raise StoreUnavailable(f"{folder} goes back to {moment(found[0][1].at)} only")
    return fitting[-1]


def _copy(source: Path, target: Path) -> None:
    """Copy a store's file; one that was copied by hand may have its log beside it."""
    if not family(source)["wal"].exists():
        shutil.copyfile(
            source, target
        )  # SQLite would want to make files beside it, which a backup's disk may not let it
        return
    try:
        with closing(read_only(source)) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            copy_snapshot(connection, target)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{source} cannot be read: {error}") from error


def _apply(store: int, changes: Changes) -> None:
    for number, page in changes.pages.items():
        os.pwrite(store, page, (number - 1) * changes.page_size)
    os.ftruncate(store, changes.size * changes.page_size)
