"""Files and folders that only the gateway's user, and at most its group, may look into, whatever the umask is.

The store holds numbers, wallets and choices of causes side by side, so its files are their owner's alone: a member of the
group, who is an operator at the socket, must not read from the file what the socket keeps from an operator.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

FILE: Final = 0o600
FOLDER: Final = 0o750
UMASK: Final = 0o027
"""Permissions that nothing gets that the process makes: none for others, no writing for the group."""
_BESIDE: Final = ("-wal", "-shm", "-journal")
"""What SQLite puts beside its file; it gives new ones the file's own mode (os_unix.c, findCreateFileMode)."""


def narrow_umask() -> None:
    """Keep others from everything that this process makes from now on; a narrower umask stays as it is."""
    os.umask(os.umask(0o077) | UMASK)


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, open to the owner and, for reading, to the group."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(FOLDER, exist_ok=True)


def keep_private(store: Path, *, create: bool) -> None:
    """Make an SQLite file before SQLite does, with `create`, and take from what is there what others may do with it.

    Where that is not ours to do, nothing happens: whoever opens the file next hears of it.
    """
    if create:
        with suppress(
            OSError
        ):  # one that is there is not opened: closing it would let go of the locks that SQLite has on it
            os.close(os.open(store, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, FILE))
    for path in (store, *(store.with_name(store.name + end) for end in _BESIDE)):
        with suppress(OSError):
            mode = path.stat().st_mode & 0o777
            if mode & ~FILE:
                path.chmod(mode & FILE)


def open_private(path: Path, mode: str) -> IO[str]:
    """Open a text file to be written, as CSV needs it; a new one is its owner's alone."""
    return open(path, mode, newline="", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, FILE))
