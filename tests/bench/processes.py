"""The processes that the bench measures: started here, their CPU read from /proc, ended by their own id."""

import http.client
import json
import os
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from tests.bench import frames

ROOT = Path(__file__).resolve().parents[2]
PLANS = """
bench:
  name: Bench
  currency: GBP
  data: {price: 0.01, per: 1000000}
  voice: {price: 0.03, per: 60}
  sms: {price: 0.02, per: 1}
"""
CONFIG = """
operator: {{name: Bench, country: GB, currency: GBP}}
store: {{{store}}}
api:
  listen: 127.0.0.1:{api}
  socket: var/tpo.sock
  tokens: [{{name: bench, role: operator, token: "{token}"}}]
diameter:
  identity: {identity}
  realm: tpo.example
  listen: [127.0.0.1:{diameter}]
  peers: [{peers}]
plans: plans.yaml
causes: {root}/config/causes.yaml
privacy: {{key: YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYiE=}}
{extra}
"""
TOKEN = "bench-token-0123456789"
SECONDS_TO_START, SECONDS_TO_STOP = 60, 60


class Failed(Exception):
    """The bench cannot go on, and why."""


class Gateway:
    """A `tpo run` of its own in a folder of its own: on a fresh SQLite store, or on the store of a URL.

    `lane` is `store.lane` of its configuration, the product's own choice where it is empty; `profile` a file that it is
    profiled into. Several on one store need identities of their own.
    """

    def __init__(
        self,
        folder,
        lines,
        profile=None,
        *,
        store="sqlite:///var/tpo.db",
        lane="",
        identity=frames.SERVER,
        peers=(frames.CLIENT,),
        extra="",
    ):
        folder.mkdir(exist_ok=True)
        self.folder, self.port, self.api = folder, free_port(), free_port()
        (folder / "plans.yaml").write_text(PLANS)
        (folder / "gateway.yaml").write_text(
            CONFIG.format(
                root=ROOT,
                store=f'url: "{store}"' + (f", lane: {lane}" if lane else ""),
                api=self.api,
                token=TOKEN,
                identity=identity,
                diameter=self.port,
                peers=", ".join(f"{{identity: {peer}, realm: {frames.CLIENT_REALM}}}" for peer in peers),
                extra=extra,
            )
        )
        self._write_lines(lines)
        self.store = folder / "var" / "tpo.db"
        self._module = ["gateway.cli"] if profile is None else ["tests.bench.profiled", str(profile)]
        self.process = None

    def tpo(self, *arguments):
        """Run a command and return what it printed."""
        command = [sys.executable, "-m", "gateway.cli", "--config", str(self.folder / "gateway.yaml"), *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"tpo {' '.join(arguments)} ended with {done.returncode}: {done.stderr}{done.stdout[:2000]}")
        return done.stdout

    def import_lines(self):
        """Import every line, while the gateway is down."""
        counts = json.loads(
            self.tpo("subscriber", "import", str(self.folder / "lines.csv"), "--accept-checksum", "--json")
        )
        if counts["faults"]:
            raise Failed(f"the import has faults: {counts['faults'][:3]}")

    @contextmanager
    def running(self):
        """Run the gateway; it is stopped in order, and must end with 0."""
        log = (self.folder / "gateway.log").open("wb")
        command = [sys.executable, "-m", *self._module, "--config", str(self.folder / "gateway.yaml"), "run"]
        with log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
            try:
                self._await_ready()
                yield
            except BaseException:
                self.process.kill()
                self.process.wait()
                raise
        self._stop()

    def cpu(self):
        """CPU seconds so far of all its threads and processes."""
        return cpu_seconds(self.process.pid)

    def status(self):
        return json.loads(self.tpo("status", "--json"))

    def checkpoint(self):
        """Bring the write-ahead log home and return the octets on disk."""
        connection = sqlite3.connect(self.store, timeout=30)
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()
        wal = self.store.with_name(self.store.name + "-wal")
        return self.store.stat().st_size + (wal.stat().st_size if wal.exists() else 0)

    def log(self):
        return (self.folder / "gateway.log").read_text(errors="replace")[-2000:]

    def _await_ready(self):
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failed(f"the gateway ended with {self.process.returncode}: {self.log()}")
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.api, timeout=1)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            finally:
                connection.close()
            time.sleep(0.05)
        raise Failed(f"the gateway is not ready after {SECONDS_TO_START} s: {self.log()}")

    def _stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failed(f"the gateway did not stop: {self.log()}") from None
        if code:
            raise Failed(f"the gateway ended with {code}: {self.log()}")

    def _write_lines(self, lines):
        causes = ("wateraid", "wwf", "trussell-trust", "")
        with (self.folder / "lines.csv").open("w") as file:
            file.write("msisdn,imsi,iccid,plan,cause,balance\n")
            for i, (imsi, msisdn) in enumerate(lines):
                file.write(f"{msisdn},{imsi},8944{i:015d},bench,{causes[i % 4]},100000.00\n")


@contextmanager
def server(command, folder):
    """Run a server that a command starts, `{port}` in it being the port that it is to listen on; gives its port and process id.

    It is ready when it takes a connection, and is ended with all that it started.
    """
    port = free_port()
    words = shlex.split(command.replace("{port}", str(port)))
    if shutil.which(words[0]) is None:
        raise Failed(f"REFERENCE begins with {words[0]}, and there is no such program")
    log = folder / "reference.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        _await_connection(process, port, lambda: f"{command}: {log.read_text(errors='replace')[-2000:]}")
        yield port, process.pid
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await_connection(process, port, described):
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failed(f"the reference ended with {process.returncode}: {described()}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise Failed(f"the reference takes no connection on port {port} after {SECONDS_TO_START} s: {described()}")


def database_process(url):
    """The process id of the server behind a PostgreSQL URL: all its backends descend from it."""
    with psycopg.connect(url) as connection:
        return _stat(Path(f"/proc/{connection.info.backend_pid}/stat"))[1]


def cpu_seconds(pid):
    """User and system time of a process and all that descends from it, those that ended included."""
    children, times = defaultdict(list), {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            number, parent, ticks = _stat(path)
            children[parent].append(number)
            times[number] = ticks
    ticks, family = 0, [pid]
    while family:
        member = family.pop()
        ticks += times.get(member, 0)
        family += children[member]
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(path):
    """Process id, its parent's, and the ticks of it and of its children that were waited for (proc(5), fields 4, 14 to 17)."""
    before, _, after = path.read_text().rpartition(")")
    fields = after.split()
    return int(before.partition(" ")[0]), int(fields[1]), sum(map(int, fields[11:15]))


def busy_seconds():
    """CPU seconds that the whole machine has worked so far, and those that its host kept from it (steal)."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = ticks[:8]
    hertz = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / hertz, steal / hertz


def fsync_seconds(folder, count=200):
    """Seconds of each of `count` appends of 4 KiB with fdatasync: what this disk asks for a commit, at best."""
    times = []
    path = folder / "fsync"
    with path.open("wb", buffering=0) as file:
        for _ in range(count):
            file.write(bytes(4096))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - started)
    path.unlink()
    return sorted(times)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
