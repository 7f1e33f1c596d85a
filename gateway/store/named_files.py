"""Open what a person or a setting names as a file: a device has no end, and a pipe may have no writer."""

import errno
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

MAX_LINE: Final = 1 << 20
"""Characters that are read as one line; a longer one comes in pieces."""


def open_named(path: Path, *, pipe: bool = True) -> io.BufferedReader:
    """Open a regular file for reading, or with `pipe` one end of a pipe, such as a shell's `<(command)`.

    Raises OSError for everything else, whose `strerror` says what stands there, and for a pipe that nobody writes into.
    """
    _check(path.stat().st_mode, pipe=pipe)  # before it is opened: opening alone does something to some devices
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check(os.fstat(descriptor).st_mode, pipe=pipe)
        os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    file = os.fdopen(descriptor, "rb")
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode) and not file.peek(1):
        file.close()
        raise OSError(errno.EINVAL, "it is a pipe, and nothing comes out of it")
    return file


def read_named(path: Path, most: int) -> bytes:
    """Read all of such a file; OSError also for one of more than `most` octets."""
    with open_named(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} octets")
    return content


def lines_of(file: TextIO) -> Iterator[str]:
    """Return a file's lines as `csv` wants them, and never one that does not end."""
    return iter(lambda: file.readline(MAX_LINE), "")


def _check(mode: int, *, pipe: bool) -> None:
    if stat.S_ISREG(mode) or (pipe and stat.S_ISFIFO(mode)):
        return
    kinds = {"a folder": stat.S_ISDIR, "a pipe": stat.S_ISFIFO, "a socket": stat.S_ISSOCK}
    kind = next((name for name, is_kind in kinds.items() if is_kind(mode)), "a device")
    raise OSError(errno.EINVAL, f"it is {kind}, and a regular file is wanted")
