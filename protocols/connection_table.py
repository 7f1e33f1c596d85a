"""The connections that a server has accepted: how many, from which addresses, and which are half-open.

A half-open connection has not shown yet who it is (no CER, no bind, no whole HTTP header, or still in the handshake of TLS).
There are few of them in all, and fewer of one address. A flood of silent connections pushes out its own oldest; a peer that
says at once who it is gets through. One that never does is cut off in time.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from enum import Enum
from typing import Generic, TypeVar

from protocols.limits import ConnectionLimits

C = TypeVar("C", bound=Hashable)


class Eviction(Enum):
    """Why a half-open connection is closed."""

    CROWDED = "too many half-open connections"
    LATE = "no first message in time"
    DESCRIPTORS = "no descriptor is left for others"


class ByAddress(Generic[C]):
    """Connections and the address of each, the oldest first."""

    def __init__(self) -> None:
        self._address_of: dict[C, str] = {}
        self.counts: Counter[str] = Counter()
        """How many there are of each address."""

    def __len__(self) -> int:
        return len(self._address_of)

    def __iter__(self) -> Iterator[C]:
        return iter(self._address_of)

    def __contains__(self, connection: C) -> bool:
        return connection in self._address_of

    def add(self, connection: C, address: str) -> None:
        """Count one more."""
        self._address_of[connection] = address
        self.counts[address] += 1

    def discard(self, connection: C) -> None:
        """Count one less; may be called again. An address without any is forgotten: addresses are the peer's to choose."""
        address = self._address_of.pop(connection, None)
        if address is not None:
            self.counts[address] -= 1
            if not self.counts[address]:
                del self.counts[address]

    def oldest_of(self, address: str) -> C:
        """The oldest of this address."""
        return next(connection for connection, theirs in self._address_of.items() if theirs == address)


class ConnectionTable(Generic[C]):
    """All connections of one server, the oldest first.

    Args:
        first_message: seconds from the accept to the first message; a handshake of TLS before it may take as long again.
        evict: closes a half-open connection, which is still in the table then; it may call `discard` meanwhile.
    """

    def __init__(self, limits: ConnectionLimits, first_message: float, evict: Callable[[C, Eviction], None]) -> None:
        self.half_open = ByAddress[C]()
        self.all = ByAddress[C]()
        self._limits = limits
        self._first_message = first_message
        self._evict = evict
        self._due: dict[C, float] = {}

    def __len__(self) -> int:
        return len(self.all)

    def __iter__(self) -> Iterator[C]:
        return iter(self.all)

    def __contains__(self, connection: C) -> bool:
        return connection in self.all

    def refusal(self, address: str) -> str:
        """Why no further connection of this address is taken; "" if one is."""
        if len(self.all) >= self._limits.connections:
            return "too many connections"
        if self.all.counts[address] >= self._limits.connections_per_address:
            return "too many connections of one address"
        return ""

    def add(self, connection: C, address: str, now: float, *, tls: bool = False) -> None:
        """Count one more, half-open, and evict the one that it pushes out: the oldest of its address, else of all."""
        if self.half_open.counts[address] >= self._limits.half_open_per_address:
            self._push_out(self.half_open.oldest_of(address), Eviction.CROWDED)
        elif len(self.half_open) >= self._limits.half_open:
            self._push_out(next(iter(self.half_open)), Eviction.CROWDED)
        self.all.add(connection, address)
        self.half_open.add(connection, address)
        self._due[connection] = now + self._first_message * (2 if tls else 1)

    def leave_half_open(self, connection: C) -> None:
        """It has shown who it is, or is on its way out; may be called again."""
        self.half_open.discard(connection)
        self._due.pop(connection, None)

    def discard(self, connection: C) -> None:
        """Nothing is left of it; may be called again."""
        self.leave_half_open(connection)
        self.all.discard(connection)

    def evict_oldest(self) -> bool:
        """Evict the oldest half-open connection to make room for others; False where there is none."""
        oldest = next(iter(self.half_open), None)
        if oldest is not None:
            self._push_out(oldest, Eviction.DESCRIPTORS)
        return oldest is not None

    def deadline(self) -> float | None:
        """When `expire` wants to be called."""
        return min(self._due.values(), default=None)

    def expire(self, now: float) -> None:
        """Evict the half-open connections whose time is over."""
        for connection in [connection for connection, due in self._due.items() if due <= now]:
            self._push_out(connection, Eviction.LATE)

    def _push_out(self, connection: C, eviction: Eviction) -> None:
        self._evict(connection, eviction)
        self.leave_half_open(connection)
