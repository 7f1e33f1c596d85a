"""A disk that fails at a chosen operation, or loses power: `disk_shim.c`, built once and preloaded into a process."""

import ctypes
import errno
import mmap
import os
import random
import shutil
import tempfile
from pathlib import Path

from support.preloaded import library

OPEN, WRITE, FSYNC = 1, 2, 3
KINDS = {"open": OPEN, "write": WRITE, "fsync": FSYNC}
ERRORS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC}
_ARMED, _COUNTDOWN, _ERROR, _STAYS, _SEEN, _FIRED, _SIZE = 0, 1, 2, 3, 4, 8, 9
SECTOR = 512


class Disk:
    """The disk under one folder. `env` is what a process needs to run on it; with `power` its durable octets are kept apart."""

    def __init__(self, root, *, power=False):
        self.root = Path(root)
        self.root.mkdir(parents=True, exist_ok=True)
        self.work = Path(tempfile.mkdtemp(prefix="tpo-disk-"))
        control = self.work / "control"
        control.write_bytes(bytes(8 * _SIZE))
        with control.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8 * _SIZE)
        self._cells = (ctypes.c_int64 * _SIZE).from_buffer(self._map)
        self.durable = self.work / "durable" if power else None
        self.env = {
            "LD_PRELOAD": str(library("disk")),
            "TPO_DISK_ROOT": str(self.root),
            "TPO_DISK_CONTROL": str(control),
        }
        if self.durable is not None:
            self.durable.mkdir()
            self.env["TPO_DISK_DURABLE"] = str(self.durable)

    def open_to_all(self):
        """Let a process of another user share it."""
        self.work.chmod(0o755)
        (self.work / "control").chmod(0o666)

    def fail(self, kind, number, error, *, stays=False):
        """Have the n-th operation of a kind from now on fail; with `stays` all further ones too, until `mend`."""
        self._cells[_COUNTDOWN], self._cells[_ERROR], self._cells[_STAYS] = number, error, stays
        self._cells[_FIRED], self._cells[_ARMED] = 0, kind

    def mend(self):
        """Let nothing fail any more."""
        self._cells[_ARMED] = 0

    @property
    def fired(self):
        """How many operations have failed since `fail`."""
        return self._cells[_FIRED]

    def seen(self, kind):
        """How many operations of a kind there were."""
        return self._cells[_SEEN + kind]

    def cut(self, seed):
        """What a disk may hold after a power cut: every sector as it was synced last, or as it was written since.

        Gives a new folder, in the place of the old one, and begins anew with it. No process may run on it.
        """
        chance = random.Random(seed)
        found = self.work / "found"
        shutil.copytree(self.durable, found)
        for kept in sorted(path for path in found.rglob("*") if path.is_file()):
            live = self.root / kept.relative_to(found)
            if live.is_file():
                kept.write_bytes(_torn(kept.read_bytes(), live.read_bytes(), chance))
        shutil.rmtree(self.root)
        found.rename(self.root)
        shutil.rmtree(self.durable)
        self.durable.mkdir()

    @classmethod
    def here(cls):
        """The disk that this process runs on."""
        disk = cls.__new__(cls)
        with Path(os.environ["TPO_DISK_CONTROL"]).open("r+b") as file:
            disk._map = mmap.mmap(file.fileno(), 8 * _SIZE)
        disk._cells = (ctypes.c_int64 * _SIZE).from_buffer(disk._map)
        return disk

    def close(self):
        shutil.rmtree(self.work, ignore_errors=True)


def _torn(synced, written, chance):
    """Choose for each sector that differs; the file ends where either of them does."""
    likely = chance.choice((0.0, 0.1, 0.5, 0.9))
    size = len(written) if chance.random() < likely else len(synced)
    sectors = []
    for at in range(0, size, SECTOR):
        end = min(at + SECTOR, size)
        old, new = synced[at:end].ljust(end - at, b"\0"), written[at:end].ljust(end - at, b"\0")
        sectors.append(new if old != new and chance.random() < likely else old)
    return b"".join(sectors)
