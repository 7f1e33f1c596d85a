"""A freeDiameter relay (Debian's package) between the tests' clients and gateways."""

import shutil
import subprocess
import time
from pathlib import Path

from support.diameter_rig import Authority
from support.patience import PATIENCE
from support.ports import free_port

PROGRAM = shutil.which("freeDiameterd")
EXTENSIONS = Path("/usr/lib/freeDiameter")
LOADED = ("dict_nasreq", "dict_dcca", "dict_dcca_3gpp")


class FreeDiameter:
    """A DRA named `identity` that dials `servers` (identity -> port) and lets the clients of a realm dial it."""

    def __init__(self, folder, servers, *, identity="dra.core.example", clients="*.host.example"):
        self.identity, self.servers = identity, servers
        self.port = free_port()
        self.log = folder / "freeDiameter.log"
        certificate, key, authority = Authority().issue(folder, identity)
        allowed = folder / "allowed.conf"
        allowed.write_text(f"ALLOW_IPSEC {clients}\n")
        loaded = "".join(f'LoadExtension = "{EXTENSIONS}/{name}.fdx";\n' for name in LOADED)
        dialled = "".join(
            f'ConnectPeer = "{server}" {{ ConnectTo = "127.0.0.1"; Port = {port}; No_TLS; TcTimer = 1; }};\n'
            for server, port in servers.items()
        )
        self._config = folder / "freeDiameter.conf"
        self._config.write_text(
            f"""Identity = "{identity}";
Realm = "{identity.partition(".")[2]}";
Port = {self.port};
SecPort = 0;
No_SCTP;
No_IPv6;
ListenOn = "127.0.0.1";
TwTimer = 6;
TcTimer = 1;
TLS_Cred = "{certificate}", "{key}";
TLS_CA = "{authority}";
{loaded}LoadExtension = "{EXTENSIONS}/acl_wl.fdx" : "{allowed}";
{dialled}"""
        )
        self._process = None

    def __enter__(self):
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-c", str(self._config)], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )
        for server in self.servers:
            self.wait_for(server)
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait_for(self, server, times=1):
        """Wait until the connection to a server has been opened so many times."""
        said = f"'{server}'"
        deadline = time.monotonic() + PATIENCE
        while sum(said in line and "-> 'STATE_OPEN'" in line for line in self._lines()) < times:
            assert self._process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.05)

    def _lines(self):
        return self.log.read_text(errors="replace").splitlines()
