"""Which messages a trace is about: those of one name, or those of one subscriber's numbers and what belongs to them.

What is remembered of messages seen (requests that wait for their answers, sessions) is bounded: the oldest is forgotten.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Final, Protocol

from gateway.tracing import diameter_offsets, smpp_offsets
from gateway.tracing.number_mask import runs
from protocols.diameter.codec import HEADER_SIZE as DIAMETER_HEADER
from protocols.smpp.codec import HEADER_SIZE as SMPP_HEADER
from protocols.tap import Captured

MAX_REQUESTS: Final = 4096
MAX_SESSIONS: Final = 1024
MAX_HELD: Final = 64
"""Hosts' requests that are held until their answers tell whether they are about the numbers."""
_ADDRESSES: Final = frozenset({"source_addr", "destination_addr", "dest_address", "esme_addr"})


class Matching(Protocol):
    """Says of each message that goes by which ones the trace takes on account of it."""

    def take(self, captured: Captured) -> list[Captured]:
        """Return what is to be traced now: nothing, the message itself, or also one that was held before it."""


class ByName:
    """Everything of one link, peer or host."""

    def __init__(self, name: str) -> None:
        """Take the name; a Diameter identity's case means nothing."""
        self._name = name.casefold()

    def take(self, captured: Captured) -> list[Captured]:
        """Return the message if it is of the name."""
        return [captured] if captured.name.casefold() == self._name else []


class _Memory:
    """The latest keys, `size` at most."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._keys: OrderedDict[Hashable, None] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._keys

    def add(self, key: Hashable) -> None:
        self._keys[key] = None
        self._keys.move_to_end(key)
        if len(self._keys) > self._size:
            self._keys.popitem(last=False)

    def pop(self, key: Hashable) -> bool:
        return self._keys.pop(key, self) is None


class ByNumbers:
    """All messages of a subscriber: with one of the numbers in a field of its own, and what answers or continues those."""

    def __init__(self, forms: Iterable[str]) -> None:
        """Take every number in every form in which it may be written, digits alone."""
        self._forms = frozenset(form.encode() for form in forms)
        self._requests = _Memory(MAX_REQUESTS)
        self._sessions = _Memory(MAX_SESSIONS)
        self._held: OrderedDict[Hashable, list[tuple[Captured, bool]]] = OrderedDict()

    def take(self, captured: Captured) -> list[Captured]:
        """Return what is about the numbers."""
        match captured.protocol:
            case "smpp":
                return [captured] if self._smpp(captured) else []
            case "diameter":
                return [captured] if self._diameter(captured) else []
            case _:
                return self._host(captured)

    def _smpp(self, captured: Captured) -> bool:
        message = captured.message
        if len(message) < SMPP_HEADER:
            return False
        connection = (captured.name, captured.local, captured.remote)
        if message[4] & 0x80:
            return self._requests.pop((*connection, not captured.outgoing, message[12:16]))
        if not self._is_addressed(message):
            return False
        self._requests.add((*connection, captured.outgoing, message[12:16]))
        return True

    def _is_addressed(self, message: bytes) -> bool:
        """Whether a number stands in an address, not within a text."""
        for part in smpp_offsets.parts(message):
            if part.name not in _ADDRESSES:
                continue
            digits = b"".join(runs(message[part.start : part.end]))
            if digits in self._forms:
                return True
        return False

    def _diameter(self, captured: Captured) -> bool:
        message = captured.message
        if len(message) < DIAMETER_HEADER:
            return False
        connection = (captured.name.casefold(), captured.local, captured.remote)
        if not message[4] & 0x80:
            return self._requests.pop((*connection, not captured.outgoing, message[12:16]))
        leaves = diameter_offsets.leaves(message)
        session = next((message[leaf.start : leaf.end] for leaf in leaves if leaf.name == "Session-Id"), b"")
        about = self._has_number(message) and any(self._is_number(message[leaf.start : leaf.end]) for leaf in leaves)
        if not about and session not in self._sessions:
            return False
        if session:
            self._sessions.add(session)
        self._requests.add((*connection, captured.outgoing, message[12:16]))
        return True

    def _host(self, captured: Captured) -> list[Captured]:
        key = (captured.protocol, captured.name, captured.local, captured.remote, captured.exchange)
        about = self._has_number(captured.message) and self._is_number(captured.message)
        if _asks(captured):
            self._hold(key, captured, matched=about)
            return [captured] if about else []
        asked, before = self._release(key)
        if before:
            return [captured]
        return [*asked, captured] if about else []

    def _hold(self, key: Hashable, captured: Captured, *, matched: bool) -> None:
        self._held.setdefault(key, []).append((captured, matched))
        self._held.move_to_end(key)
        if len(self._held) > MAX_HELD:
            self._held.popitem(last=False)
        elif len(self._held[key]) > MAX_HELD:
            del self._held[key][0]

    def _release(self, key: Hashable) -> tuple[list[Captured], bool]:
        """Return the oldest request that this answers, and whether it was traced already."""
        waiting = self._held.get(key)
        if not waiting:
            return [], False
        captured, matched = waiting.pop(0)
        if not waiting:
            del self._held[key]
        return [captured], matched

    def _has_number(self, message: bytes) -> bool:
        """Look quickly whether it is worth a closer look."""
        return any(form in message for form in self._forms)

    def _is_number(self, data: bytes) -> bool:
        return any(run in self._forms for run in runs(data))


def _asks(captured: Captured) -> bool:
    """Whether it is a request: over HTTP either side may send one, else only we do."""
    if captured.protocol == "http":
        return not captured.message.startswith(b"HTTP/")
    return captured.outgoing
