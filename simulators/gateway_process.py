"""The gateway beside the simulators, from outside: its commands as child processes, its health page."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 30.0
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
TAIL: Final = 6
"""Lines of the gateway's log that are shown when it ends by itself."""


class CommandRefused(Exception):
    """A command of the gateway failed: what it complained of, and `exit_code`, which is its own."""

    def __init__(self, what: str, exit_code: int) -> None:
        super().__init__(what)
        self.exit_code = exit_code


class Figures(msgspec.Struct, frozen=True):
    """What the books say: money charged and the tenth, by currency, the tenth by cause, too; amounts in major units."""

    charged: dict[str, Decimal]
    tenth: dict[tuple[str, str], Decimal]
    """(cause, currency) -> amount."""


class GatewayProcess:
    """One gateway as its configuration tells where to find it."""

    def __init__(self, config: Path, settings: Mapping[str, Any]) -> None:
        self._config = config
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self.log_file = Path(settings["api"]["socket"]).with_name("gateway.log")

    @classmethod
    async def read(cls, config: Path) -> GatewayProcess:
        """Read the configuration by `tpo config show`; CommandRefused if it is not a good one."""
        return cls(config, json.loads(await _command(config, "config", "show", "--json")))

    @staticmethod
    async def write_settings(folder: Path) -> None:
        """Have `tpo init` write the settings that it brings along; CommandRefused if it cannot."""
        await _command(folder / "gateway.yaml", "init", str(folder), "--json")

    @property
    def diameter(self) -> tuple[str, int] | None:
        """Where it listens for PGWs, if it does, with TLS left out."""
        for at in (self._settings.get("diameter") or {}).get("listen", ()):
            if at["tls"] is None:
                host, _, port = at["address"].rpartition(":")
                return host.strip("[]"), int(port)
        return None

    @property
    def peer(self) -> tuple[str, str] | None:
        """Identity and realm of the first peer that is to connect to it."""
        for peer in (self._settings.get("diameter") or {}).get("peers", ()):
            if peer["connect"] is None:
                return peer["identity"], peer["realm"]
        return None

    @property
    def smsc(self) -> tuple[str, int] | None:
        """Where its first link to a message centre on this machine goes, if it has one, with TLS left out."""
        for link in (self._settings.get("smpp") or {}).get("links", ()):
            if link["tls"] is None and link["host"] in LOOPBACK:
                return link["host"], int(link["port"])
        return None

    @property
    def activation_api(self) -> tuple[str, int] | None:
        """Where its first host with an activation API on this machine is, if it has one, with TLS left out."""
        for host in (self._settings.get("provisioning") or {}).get("hosts", ()):
            url = urlsplit(host["url"] or "")
            if host["adapter"] == "tmf640" and url.scheme == "http" and url.hostname in LOOPBACK and url.port:
                return url.hostname, url.port
        return None

    @property
    def short_code(self) -> str:
        """The first short code that customers text to; "" without."""
        return next(iter((self._settings.get("messaging") or {}).get("short_codes", ())), "")

    @property
    def page(self) -> str:
        """Where the status page is."""
        return f"http://{self._settings['api']['listen']}/"

    async def start(self) -> None:
        """Start `tpo run` and wait until it is ready; CommandRefused, with the end of its log, if it ends instead."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("wb" if self._process is None else "ab") as log:
            # A session of its own: Ctrl-C at the terminal comes to us alone, and we end all in order.
            self._process = await asyncio.create_subprocess_exec(
                *_tpo(self._config), "run", stdout=log, stderr=log, start_new_session=True
            )
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not await asyncio.to_thread(self._is_ready):
                    if self._process.returncode is not None:
                        raise CommandRefused(f"the gateway has ended:\n{self.log_tail()}", self._process.returncode)
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise CommandRefused(f"the gateway is not ready after {READY_SECONDS:g} s:\n{self.log_tail()}", 1) from None

    async def stop(self) -> int:
        """Stop the gateway that was started here, in order; returns its exit code."""
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        return process.returncode or 0

    async def kill(self) -> None:
        """End the gateway that was started here as a power cut would (SIGKILL)."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def ended(self) -> None:
        """Wait for the end of the gateway that was started here; for ever if none was."""
        if self._process is None:
            await asyncio.Event().wait()
        else:
            await self._process.wait()

    async def import_lines(self, file: Path) -> dict[str, Any]:
        """Bring the lines of a CSV in; unchanged ones pass. CommandRefused if some were not taken."""
        found: dict[str, Any] = await self.ask("subscriber", "import", str(file))
        return found

    async def figures(self) -> Figures:
        """Read the books by `tpo ledger balances`; CommandRefused if the gateway does not answer."""
        return _figures(await self.ask("ledger", "balances"))

    async def ask(self, *arguments: str) -> Any:  # noqa: ANN401  (whatever the command answers)
        """Run a command of the gateway with `--json` and give what it answers; CommandRefused if it fails."""
        return json.loads(await _command(self._config, *arguments, "--json"))

    async def read_usage(self) -> list[dict[str, Any]]:
        """Return all usage records, by `tpo usage export`."""
        out = await _command(self._config, "usage", "export", "--format", "json")
        return [json.loads(line) for line in out.splitlines()]

    def log_tail(self) -> str:
        """The last lines of the gateway's log."""
        try:
            return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-TAIL:])
        except OSError:
            return ""

    def _is_ready(self) -> bool:
        host, _, port = self._settings["api"]["listen"].rpartition(":")
        connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _figures(balances: list[dict[str, str]]) -> Figures:
    charged: dict[str, Decimal] = {}
    tenth: dict[tuple[str, str], Decimal] = {}
    for row in balances:
        account, currency, balance = row["account"], row["currency"], Decimal(row["balance"])
        if account == "revenue":
            charged[currency] = balance
        elif account == "unassigned" or account.startswith("cause:"):
            tenth[account.removeprefix("cause:"), currency] = balance
    return Figures(charged, tenth)


def _tpo(config: Path) -> list[str]:
    return [sys.executable, "-m", "gateway.cli", "--config", str(config)]


async def _command(config: Path, *arguments: str) -> bytes:
    """Run a command of the gateway to its end and give what it printed; CommandRefused says what it complained of."""
    process = await asyncio.create_subprocess_exec(
        *_tpo(config),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "NO_COLOR": "1"},
        start_new_session=True,  # Ctrl-C at the terminal comes to us alone
    )
    out, errors = await process.communicate()
    if process.returncode:
        raise CommandRefused(_complaint((errors or out).decode(errors="replace").strip()), process.returncode)
    return out


def _complaint(said: str) -> str:
    """Return the words of a problem object as commands write it with --json; else what was said."""
    try:
        problem = json.loads(said)
        words = [problem["detail"], problem["where"], problem["to_do"]]
    except (ValueError, KeyError, TypeError):
        return said
    return "; ".join(word for word in words if word)
