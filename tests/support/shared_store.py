"""Gateways that share one PostgreSQL and one message centre, and the networks that they reach these by."""

import json
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from support import postgres
from support.namespaces import enter_network
from support.patience import PATIENCE
from support.sim_gateway import SimGateway
from support.sms_gateway import SmsGateway

TAKEOVER = int(os.environ.get("TPO_TAKEOVER", "5"))
"""Seconds of a lease."""


class SharingGateway(SmsGateway):
    """One of several gateways on a store; `address` is where its message centre is."""

    def __init__(self, folder, name, store, port, *, takeover=TAKEOVER, address="127.0.0.1", extra="", **link):
        super().__init__(folder / name, port, store=store, identity=f"{name}.tpo.example", **link)
        config = self.config.read_text().replace(f'{{url: "{store}"', f'{{url: "{store}", takeover: {takeover}s')
        config = config.replace(f"host: 127.0.0.1, port: {port}", f"host: {address}, port: {port}")
        self.config.write_text(f"{config}{extra}")

    def halt(self):
        """SIGSTOP: it stands still with all that it holds."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    def events(self, name):
        """The lines of its log with this event."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def ended(self, seconds=30):
        """Wait for the end of its process; gives the exit code and what it said last."""
        code = self.process.wait(seconds)
        return code, self.log.read_text().splitlines()[-3:]

    def nodes(self):
        """Name -> the row of `tpo node list`."""
        return {row["name"].removesuffix(".tpo.example"): row for row in self.json("node", "list")}


class OrderingGateway(SharingGateway):
    """One that is asked by its socket, as SIM orders are."""

    act, import_cards = SimGateway.act, SimGateway.import_cards


class Network:
    """A network namespace with one wire to the database and another one to everything else; needs root."""

    def __init__(self):
        number = os.getpid()
        self.name = f"tpo{number}"
        self._wires = (f"d{number}", f"o{number}")
        self.database, self.others = (f"10.{64 + number % 64}.{number // 64 % 128 * 2 + wire}.1" for wire in (0, 1))

    def __enter__(self):
        self._ip("netns", "add", self.name)
        self._ip("-n", self.name, "link", "set", "lo", "up")
        for wire, address in zip(self._wires, (self.database, self.others), strict=True):
            far = address[:-1] + "2"
            self._ip("link", "add", wire, "type", "veth", "peer", "name", f"{wire}n", "netns", self.name)
            self._ip("addr", "add", f"{address}/24", "dev", wire)
            self._ip("link", "set", wire, "up")
            self._ip("-n", self.name, "addr", "add", f"{far}/24", "dev", f"{wire}n")
            self._ip("-n", self.name, "link", "set", f"{wire}n", "up")
        return self

    def __exit__(self, *_):
        for wire in self._wires:
            self._ip("link", "del", wire)
        self._ip("netns", "del", self.name)

    def cut(self):
        """Cut the wire to the database: what is sent is lost, and nobody is told."""
        self._ip("link", "set", self._wires[0], "down")

    def mend(self):
        """Put it together again."""
        self._ip("link", "set", self._wires[0], "up")

    def inside(self, *command):
        """A command as it is run in this network."""
        return ("ip", "netns", "exec", self.name, *command)

    @staticmethod
    def _ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True, timeout=20)


class RemoteGateway(SharingGateway):
    """A gateway in a network of its own: whoever asks it by HTTP does so from there."""

    def __init__(self, network, folder, name, store, port, **options):
        super().__init__(folder, name, store, port, address=network.others, **options)
        self.network, self.under = network, network.inside()

    def get(self, path):
        ask = super().get
        with ThreadPoolExecutor(1, initializer=enter_network, initargs=(f"/run/netns/{self.network.name}",)) as inside:
            return inside.submit(ask, path).result()


def server_on(address):
    """A PostgreSQL that is reached at an address too (`postgres.server`)."""
    return postgres.server(listen=address)


def wait_until(holds, seconds=PATIENCE, every=0.05):
    """Wait until something holds; gives what it gave, and after how many seconds."""
    began = time.monotonic()
    while not (found := holds()):
        assert time.monotonic() - began < seconds, "it did not happen in time"
        time.sleep(every)
    return found, time.monotonic() - began
