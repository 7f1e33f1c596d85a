"""The wall clock of other processes: the machine's, and seconds that a test adds (`clock_shim.c`).

Run as `python -m support.clock 2026-12-31T23:59:40+00:00 python -m pytest tests/session` a command begins at another time,
such as the end of a month: whatever fails then fails in a CI that runs at such a time.
"""

import ctypes
import mmap
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from support.preloaded import library


class Clock:
    """One clock; whoever runs with `env` sees it step at the same moment."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "clock"
        file.write_bytes(bytes(8))
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), 8)
        self._seconds = ctypes.c_int64.from_buffer(self._map)
        self.env = {"LD_PRELOAD": str(library("clock")), "TPO_CLOCK": str(file)}
        self.under = ("env", *(f"{name}={value}" for name, value in self.env.items()))

    def set(self, seconds):
        self._seconds.value = seconds


def main(moment, *command):
    """Become a command that begins at a moment."""
    clock = Clock(Path(tempfile.mkdtemp(prefix="tpo-clock-")))
    clock.set(round((datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds()))
    os.execvpe(command[0], command, os.environ | clock.env)


if __name__ == "__main__":
    main(*sys.argv[1:])
