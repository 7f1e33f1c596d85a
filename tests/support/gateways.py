"""A gateway as its operators run it: `tpo run` in a process of its own, asked by its commands and its HTTP face."""

import contextlib
import csv
import json
import os
import select
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from support import new_stores, warm_start
from support.keys import SHARED_KEY
from support.patience import PATIENCE
from support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
LANE = os.environ.get("TPO_LANE", "process")
"""`process` or `thread`: where the write lane is, in tests that do not say it themselves (`store.lane`)."""


def lanes_of(pid):
    """The processes of the write lane that a gateway's process has: one, but while it is being started anew."""
    found, looking = [], [pid]
    while looking:
        of = looking.pop()
        with contextlib.suppress(FileNotFoundError):  # it has ended meanwhile
            found += [of] if Path(f"/proc/{of}/comm").read_text() == "tpo-lane\n" else []
            for thread in Path(f"/proc/{of}/task").iterdir():
                looking += [int(child) for child in (thread / "children").read_text().split()]
    return found


def kill_lanes(lanes):
    """End processes of the write lane at once."""
    for lane in lanes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(lane, signal.SIGKILL)


def wait_for_end(pid, timeout=PATIENCE):
    """Wait until a process that is not our child is gone."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([watched], [], [], timeout)[0], f"process {pid} has not ended"
    finally:
        os.close(watched)


class Gateway:
    """One gateway process over a folder; `kill` and `start` may follow each other as often as a test likes."""

    def __init__(
        self,
        folder,
        *,
        store=None,
        identity="ocs.tpo.example",
        peers=None,
        extra="",
        diameter="",
        charging="",
        backup=None,
        lane=LANE,
    ):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.identity = identity
        self.http_port, self.diameter_port = free_port(), free_port()
        self.config = self.folder / "gateway.yaml"
        self.log = self.folder / "gateway.log"
        self.process = None
        self.cuts = self.kills = 0
        # A new store that is put there before the first start; None: the gateway makes its own.
        self.new_store = None if store else self.folder / "var" / "tpo.db"
        self.disk = None  # a `support.disk.Disk` over var/: with `power`, each kill is a power cut
        self.under = ()  # a program that runs it, such as strace with its options
        known = peers or ["{identity: pgw.host.example, realm: host.example}"]
        listed = "".join(f"\n    - {peer}" for peer in known)
        kept = f", backup: {{folder: {backup}, every: 1s}}" if backup else ""
        self.config.write_text(
            f"""operator: {{name: Test operator}}
store: {{url: "{store or "sqlite:///var/tpo.db"}", lane: {lane}{kept}}}
api: {{listen: "127.0.0.1:{self.http_port}", socket: var/tpo.sock}}
diameter:
  identity: {identity}
  realm: tpo.example
  listen: ["127.0.0.1:{self.diameter_port}"]
{diameter}
  peers:{listed}
charging: {{{charging}}}
{f'privacy: {{key: "{SHARED_KEY}"}}' if store and "privacy:" not in extra else ""}
plans: {ROOT}/config/plans.yaml
causes: {ROOT}/config/causes.yaml
{extra}
"""
        )

    def lane_as(self, kind):
        """Have the write lane in a process of its own, or on a thread, from the next start on."""
        told = self.config.read_text()
        self.config.write_text(told.replace("lane: process", f"lane: {kind}").replace("lane: thread", f"lane: {kind}"))

    def start(self, *options):
        """Start `tpo run`, with these options, and wait until it says that it is ready."""
        if self.new_store and not self.new_store.exists():
            new_stores.place(self.new_store)
        with self.log.open("ab") as log:
            words = ("--config", str(self.config), "run", *options)
            if self.under:
                command = [*self.under, sys.executable, "-m", "gateway.cli", *words]
                self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT)
            else:
                preloaded = None if self.disk is None else self.disk.env
                self.process = warm_start.Process(words, stdout=log, stderr=log, cwd=ROOT, preloaded=preloaded)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the gateway ended:\n{self.log.read_text()[-3000:]}"
            if self.get("/readyz")[0] == 200:
                return self
            time.sleep(0.02)
        raise AssertionError(f"the gateway is not ready:\n{self.log.read_text()[-3000:]}")

    def kill(self):
        """SIGKILL, which keeps what the system has not written yet; a power cut does not.

        Every second time the process of the write lane is killed, too, as by a power cut; else it ends by itself.
        """
        lanes, both = lanes_of(self.process.pid), self.kills % 2 == 1 or self.disk is not None
        self.kills += 1
        if both:
            kill_lanes(lanes)
        self.process.kill()
        self.process.wait()
        for lane in lanes:
            wait_for_end(lane)
        if self.disk is not None and self.disk.durable is not None:
            self.disk.cut(self.cuts)
            self.cuts += 1

    def kill_lane(self):
        """SIGKILL for the process of the write lane alone."""
        kill_lanes(lanes_of(self.process.pid))

    def stop(self, timeout=PATIENCE):
        """SIGTERM, and wait for the orderly end; gives the exit code."""
        if self.process is None or self.process.poll() is not None:
            return None if self.process is None else self.process.returncode
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.disk is not None:
            warm_start.end(self.disk.env)

    def get(self, path):
        """GET from the HTTP face: (status, text); status 0 if nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def tpo(self, *arguments, ok=(0,)):
        """Run a `tpo` command with this gateway's configuration; gives the finished process."""
        words = ("--config", str(self.config), *map(str, arguments))
        done = warm_start.run(words, timeout=300, cwd=ROOT, env={**os.environ, "NO_COLOR": "1"})
        assert done.returncode in ok, f"tpo {arguments} -> {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def json(self, *arguments):
        """Run a `tpo` command with --json and give what it printed."""
        return json.loads(self.tpo(*arguments, "--json").stdout)

    def enrol(self, rows):
        """Import rows of (msisdn, imsi, iccid, plan, cause, balance)."""
        file = self.folder / "subscribers.csv"
        with file.open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(["msisdn", "imsi", "iccid", "plan", "cause", "balance"])
            writer.writerows(rows)
        return self.json("subscriber", "import", str(file), "--accept-checksum")

    def usage(self):
        """Every usage record, as `tpo usage export` writes them."""
        return list(csv.DictReader(self.tpo("usage", "export").stdout.splitlines()))

    def balances(self):
        """Account -> balance, as `tpo ledger balances` tells."""
        return {row["account"]: row["balance"] for row in self.json("ledger", "balances")}

    def check(self):
        """`tpo ledger check` finds nothing wrong."""
        report = self.json("ledger", "check")
        assert report["ok"], report
        return report


def subscribers(number, plan="payg-gb", cause="wateraid", balance="10.00", first=0):
    """Rows for `enrol`: numbers of Ofcom's range for drama, IMSIs of a test network."""
    return [
        (f"4477009{i:05d}", f"23415{i:010d}", f"894410{i:013d}", plan, cause, balance)
        for i in range(first, first + number)
    ]
