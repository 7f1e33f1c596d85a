"""Where somebody may listen in on what is said to a host, and does no harm by it."""

from protocols.tap import NOWHERE, Captured, Endpoint, Tap


class WireTap:
    """One connection's place to listen in; what it tells is raw, keys and whole numbers included: masking is the listener's."""

    def __init__(self, protocol: str) -> None:
        """Take the word of `Captured.protocol`."""
        self._protocol = protocol
        self._name = ""
        self._tap: Tap | None = None

    @property
    def open(self) -> bool:
        """Whether anybody listens: what it takes to tell a message need not be done else."""
        return self._tap is not None

    def set_tap(self, tap: Tap | None, name: str) -> None:
        """Pass everything from now on to a tap under the host's name; None ends it."""
        self._tap, self._name = tap, name

    def record(
        self,
        message: bytes,
        *,
        outgoing: bool,
        local: Endpoint = NOWHERE,
        remote: Endpoint = NOWHERE,
        exchange: int = 0,
    ) -> None:
        """Report one whole message; a listener that raises is taken away, and the call that it listened to goes on."""
        if self._tap is None:
            return
        try:
            self._tap(Captured(self._protocol, self._name, local, remote, outgoing, message, exchange))
        except Exception:  # noqa: BLE001  (whoever listens must not be able to stop a step of an order)
            self._tap = None
