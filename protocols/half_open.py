"""Half-open connections: those of strangers that have not shown yet who they are (no CER, no bind, or still in TLS).

There are few of them in all, and fewer of one address. A flood of silent connections pushes out its own oldest; a peer that
says at once who it is gets through.
"""

from collections import Counter
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

C = TypeVar("C", bound=Hashable)


class HalfOpen(Generic[C]):
    """The half-open connections of one node or server, the oldest first.

    Args:
        limit: how many there may be; per_address: how many of one address.
        evict: ends the connection that has to make room; it may call `discard` meanwhile.
    """

    def __init__(self, limit: int, per_address: int, evict: Callable[[C], None]) -> None:
        self._limit = limit
        self._per_address = per_address
        self._evict = evict
        self._address_of: dict[C, str] = {}
        self._addresses: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._address_of)

    def __contains__(self, connection: C) -> bool:
        return connection in self._address_of

    def add(self, connection: C, address: str) -> None:
        """Count one more, and evict the one that it pushes out: the oldest of its address, else of all."""
        if self._addresses[address] >= self._per_address:
            self._push_out(next(other for other, theirs in self._address_of.items() if theirs == address))
        elif len(self._address_of) >= self._limit:
            self._push_out(next(iter(self._address_of)))
        self._address_of[connection] = address
        self._addresses[address] += 1

    def discard(self, connection: C) -> None:
        """It is half-open no more; may be called again."""
        address = self._address_of.pop(connection, None)
        if address is not None:
            count_down(self._addresses, address)

    def _push_out(self, connection: C) -> None:
        self._evict(connection)
        self.discard(connection)


def count_down(counter: Counter[str], key: str) -> None:
    """Count one less; what is at nought is forgotten, because addresses are the peer's to choose."""
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
