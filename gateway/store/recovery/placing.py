"""Put a restored file in the place of an SQLite store, and keep what was there."""

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.store.backup import sync
from gateway.store.errors import StoreUnavailable
from gateway.store.files import family
from gateway.store.sealed_months.records import folder_of

_WITH_ITS_OWN: Final = ("wal", "shm", "journal")


def aside(store: Path, now: int) -> Path:
    """Name the file that what is in a store's place is kept as; `now` in UTC microseconds."""
    at = datetime.fromtimestamp(now / 1_000_000, UTC)
    return store.with_name(f"{store.name}.before-{at:%Y%m%dT%H%M%SZ}")


def _give(like: Path, *files: Path) -> None:
    """Give files to whoever owns another one: the gateway must open what root has put there."""
    if os.geteuid() == 0:
        owner = like.stat()
        for file in files:
            if file.exists():
                os.chown(file, owner.st_uid, owner.st_gid)


def put_in_place(restored: Path, store: Path, now: int) -> Path | None:
    """Move the store that is there aside, with its log, and the restored file in its place; gives where the old one is kept.

    The caller has the store's lock. Killed at any point, this leaves the old store, the new one, or a note beside the store
    with which no gateway takes a missing store for an empty one (files.StoreFiles.prove). OSError where it cannot be;
    StoreUnavailable where the restored file is not closed.
    """
    log = restored.with_name(f"{restored.name}-wal")
    if log.exists() and log.stat().st_size:
        raise StoreUnavailable(f"{restored} is still open: its last commits are in {log}")
    files = family(store)
    kept = aside(files["store"], now)
    note = files["damaged"]
    note.write_text(f"a restore of {now} is under way: run it again\n")
    sync(note.parent)
    had_store = files["store"].exists()
    sealed = folder_of(store)
    _give(files["store"] if had_store else note.parent, restored, files["lock"], sealed, *sealed.glob("*"))
    if had_store:
        files["store"].rename(kept)
    sync(note.parent)  # before its log goes: what is left behind must not be taken for a store without one
    for name in _WITH_ITS_OWN:
        with suppress(FileNotFoundError):
            files[name].rename(kept.with_name(kept.name + files[name].name.removeprefix(files["store"].name)))
    restored.rename(files["store"])
    sync(note.parent)
    note.unlink()
    return kept if had_store else None
