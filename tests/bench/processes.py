"""The processes that the bench measures: started here, watched in /proc, ended by their own id."""

import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLANS = """
bench:
  name: Bench
  currency: GBP
  data: {price: 0.01, per: 1000000}
  voice: {price: 0.03, per: 60}
  sms: {price: 0.02, per: 1}
"""
CAUSES = """
wateraid: {name: WaterAid, country: GB}
wwf: {name: WWF-UK, country: GB}
trussell-trust: {name: Trussell, country: GB}
"""
CONFIG = """
operator: {{name: Bench, country: GB, currency: GBP}}
store: {{url: sqlite:///var/tpo.db}}
api: {{listen: 127.0.0.1:{api}, socket: var/tpo.sock}}
diameter:
  identity: ocs.tpo.example
  realm: tpo.example
  listen: [127.0.0.1:{diameter}]
  peers: [{{identity: pgw.host.example, realm: host.example}}]
plans: plans.yaml
causes: causes.yaml
"""


class Failed(Exception):
    """The bench cannot go on, and why."""


def customers(count):
    """IMSI and MSISDN of each line: of the test network 00101, behind +44 7700 as the regulator's examples are."""
    return [(f"00101{i:010d}", f"447700{i:06d}") for i in range(count)]


class Gateway:
    """A `tpo run` of its own, in a folder of its own, on a fresh SQLite store."""

    def __init__(self, folder, lines, profile=None):
        self.folder, self.port, self.api = folder, _free_port(), _free_port()
        (folder / "plans.yaml").write_text(PLANS)
        (folder / "causes.yaml").write_text(CAUSES)
        (folder / "gateway.yaml").write_text(CONFIG.format(api=self.api, diameter=self.port))
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
        """CPU seconds of the process so far, all threads."""
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
        deadline = time.monotonic() + 30
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
        raise Failed(f"the gateway is not ready after 30 s: {self.log()}")

    def _stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
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
def echo():
    """Run the echo; gives its port and its process id."""
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.echo"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        if not line:
            raise Failed("the echo did not start")
        yield int(line), process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def cpu_seconds(pid):
    """User and system time of a process, all threads (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
