"""A real osmo-hlr (Debian's package) of the tests' own, on a loopback address of its own, since its ports are fixed."""

import random
import shutil
import socket
import sqlite3
import subprocess
import time
from contextlib import closing, contextmanager

from support.patience import PATIENCE

PROGRAM = shutil.which("osmo-hlr", path="/usr/bin:/usr/sbin")
CTRL, VTY, GSUP = 4259, 4258, 4222
ADDRESSES_TRIED = 5


class OsmoHlrProcess:
    """One HLR over a folder; killed and started again it holds the same subscribers."""

    def __init__(self, folder):
        self.folder = folder
        self.database, self.log = folder / "hlr.db", folder / "hlr.log"
        self.address = None
        self._process = None

    @property
    def ctrl(self):
        return (self.address, CTRL)

    @property
    def vty(self):
        return (self.address, VTY)

    @property
    def gsup(self):
        return (self.address, GSUP)

    def begin(self):
        """Start on an address that nobody has."""
        for _ in range(ADDRESSES_TRIED):
            # A thread's or a fixed seed would give two workers of a test run the same address.
            self.address = "127.{}.{}.{}".format(*(random.SystemRandom().randint(2, 250) for _ in range(3)))
            if self.start():
                return self
        raise AssertionError(self.log.read_text())

    def start(self):
        """Start, and wait until all three ports are open; False if another one has them."""
        config = self.folder / "hlr.cfg"
        config.write_text(
            f"line vty\n bind {self.address}\nctrl\n bind {self.address}\nhlr\n gsup\n  bind ip {self.address}\n"
        )
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-c", config, "-l", self.database], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        end = time.monotonic() + PATIENCE
        while not all(self._open(port) for port in (CTRL, VTY, GSUP)):
            if self._process.poll() is not None:
                return False
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.01)
        return self._process.poll() is None

    def kill(self):
        self._process.kill()
        self._process.wait()

    def subscribers(self):
        """Read {imsi: row} from its database: msisdn, nam_cs, nam_ps, k, opc, sqn and all else that it keeps."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            rows = database.execute("SELECT * FROM subscriber LEFT JOIN auc_3g ON subscriber_id = id").fetchall()
        return {row["imsi"]: dict(row) for row in rows}

    def dump(self):
        """Read {imsi: all that its database has of it}, as bytes that are equal when nothing was changed."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as database:
            subscribers = database.execute("SELECT id, imsi, * FROM subscriber").fetchall()
            keys = {
                table: database.execute(f"SELECT subscriber_id, * FROM {table}").fetchall()
                for table in ("auc_2g", "auc_3g")
            }
        return {
            imsi: repr([rest, *(row for rows in keys.values() for row in rows if row[0] == number)]).encode()
            for number, imsi, *rest in subscribers
        }

    def write(self, statement, *values):
        """Change its database behind its back."""
        with closing(sqlite3.connect(self.database)) as database, database:
            database.execute(statement, values)

    def _open(self, port):
        with socket.socket() as probe:
            return probe.connect_ex((self.address, port)) == 0


@contextmanager
def osmo_hlr(folder):
    """Run an HLR until the block ends."""
    process = OsmoHlrProcess(folder)
    try:
        yield process.begin()
    finally:
        process.kill()
