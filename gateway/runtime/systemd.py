"""What the service manager is told: ready, alive, reloading, stopping (sd_notify(3)); nothing where nobody listens."""

import os
import socket
from collections.abc import Callable, Mapping

MICROSECONDS = 1_000_000


class Notify:
    """The line to the service manager by $NOTIFY_SOCKET; a manager that does not listen stops nobody."""

    def __init__(self, environment: Mapping[str, str] = os.environ, pid: int | None = None) -> None:
        """Read where it listens and how often it wants a sign of life; both may be absent."""
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        meant = environment.get("WATCHDOG_PID", "") in ("", str(pid or os.getpid()))
        limit = environment.get("WATCHDOG_USEC", "") if meant else ""
        self.interval = int(limit) / MICROSECONDS / 3 if limit.isdecimal() and int(limit) else None
        """Seconds between two signs of life, a third of the manager's patience; None: it wants none."""

    def ready(self) -> None:
        """Report that requests are answered: after the start, and after each reload."""
        self._send("READY=1")

    def reloading(self, monotonic: Callable[[], float]) -> None:
        """Report that the configuration is read again; `ready` ends it, whatever became of it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={int(monotonic() * MICROSECONDS)}")

    def alive(self) -> None:
        """Give the sign of life; one that is missing makes the manager restart us."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Report that we are on our way out."""
        self._send("STOPPING=1")

    def _send(self, words: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.settimeout(0)
                line.sendto(words.encode(), self._address)
        except OSError:
            return
