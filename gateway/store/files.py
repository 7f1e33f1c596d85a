"""What an open store stands on: that the files at its path are still those that were opened, and that they are whole.

SQLite goes on writing into a file that was unlinked or replaced, and serves from its cache what is no longer on the disk: both
would be acknowledged and gone at the next start. So the lane looks before each batch and again after its commit, readers look
before they read, and a slower inspection (gateway.store.inspection) reads the files themselves. What was once found stays
found until the gateway is started anew; a damage is also noted beside the store, and the next start proves that it is mended.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.store.errors import StoreCorrupt, StoreError, StoreReplaced

EVENTS: Final[dict[type[StoreError], str]] = {StoreCorrupt: "store.corrupt", StoreReplaced: "store.replaced"}
"""What is told, once, of an error that stays."""
Identity = tuple[int, int]
"""Device and inode."""


def family(store: Path) -> dict[str, Path]:
    """Give every file that belongs to an SQLite store, by what it is; symbolic links are followed as SQLite does."""
    store = store.resolve()
    beside = {"wal": "-wal", "shm": "-shm", "journal": "-journal", "lock": ".lock", "damaged": ".damaged"}
    return {"store": store} | {name: store.with_name(store.name + end) for name, end in beside.items()}


class StoreFiles:
    """The state of one open store. `alarm` is told of what stays wrong, once; threads may call everything.

    A server's store has no files (`store` is None): only what its errors say is kept.
    """

    def __init__(
        self,
        store: Path | None,
        alarm: Callable[[str, str], None] = lambda _event, _detail: None,
        identity: Identity | None = None,
    ) -> None:
        """Take the store's path; its file is the one of this `identity`, or else the one that is there now."""
        self._files = family(store) if store is not None else None
        self._paths = {name: str(file) for name, file in (self._files or {}).items()}
        self._alarm, self._turn = alarm, threading.Lock()
        self.identity = (identity or _identity(self._paths["store"])) if self._files else None
        """Which file it is, for another process that works on it; None for a server."""
        self._wal: Identity | None = None
        self.lost: StoreError | None = None
        """What was found, if anything: nothing is read or written any more."""

    @property
    def store(self) -> Path | None:
        """The file, None for a server."""
        return self._files["store"] if self._files else None

    def hold(self) -> None:
        """Note which write-ahead log a writing connection has opened; it is this one as long as the connection lives."""
        if self._files:
            self._wal = _identity(self._paths["wal"])

    def let_go(self) -> None:
        """The writing connection is closed: its log may be removed, and made anew."""
        self._wal = None

    def check(self) -> None:
        """Raise what was found, or is found now: StoreReplaced where a path leads to another file than it did."""
        if self.lost is not None:
            raise type(self.lost)(str(self.lost))
        if self._files:
            for name, known in (("store", self.identity), ("wal", self._wal)):
                if known is not None and (found := _identity(self._paths[name])) != known:
                    if name == "wal" and self._wal is None:
                        continue  # let go of meanwhile, by another thread
                    what = "is gone" if found is None else "is another file now"
                    raise self.lose(StoreReplaced(f"{self._files[name]} {what}, while the gateway had it open"))

    def lose(self, error: StoreError) -> StoreError:
        """Keep an error that will not pass by itself, and tell of it; others are let by. Gives what is to be raised."""
        event = EVENTS.get(type(error))
        if event is None:
            return error
        with self._turn:
            if self.lost is not None:
                return self.lost
            self.lost = error
        if self._files and isinstance(error, StoreCorrupt):
            with suppress(OSError):  # a full disk: the event is told all the same
                self._files["damaged"].write_text(f"{error}\n")
        self._alarm(event, str(error))
        return error

    def prove(self, inspect: Callable[[Path], None]) -> None:
        """Before a store is opened: where a damage was noted, `inspect` shows that it is mended, or raises what is damaged."""
        if self._files and self._files["damaged"].exists():
            if not self._files["store"].exists():
                note = self._files["damaged"]
                raise StoreCorrupt(f"it was, says {note}, and is gone: restore it, or remove {note} for an empty store")
            inspect(self._files["store"])
            self._files["damaged"].unlink(missing_ok=True)


def _identity(path: str) -> Identity | None:
    try:
        found = os.stat(path)  # noqa: PTH116  (a third of the time, before and after each batch)
    except OSError:
        return None
    return found.st_dev, found.st_ino
