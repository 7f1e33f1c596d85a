"""The last message of each link and peer that could not be read, whole: what its operator asks for first."""

from collections import OrderedDict
from typing import Final

import msgspec

from protocols.diameter import node_events as diameter
from protocols.smpp import node_events as smpp

MAX_NAMES: Final = 64
"""Names that are kept; whoever comes in before it is known may claim any. The one that was quiet longest is forgotten."""


class Unread(msgspec.Struct, frozen=True):
    """A message that could not be read. `message`: MAX_UNDECODABLE octets of it at most; `at`: UTC microseconds."""

    at: int
    protocol: str
    name: str
    reason: str
    message: bytes


class Undecodable:
    """What was kept of each link and peer since the start."""

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[str, str], Unread] = OrderedDict()

    def record(self, event: object, at: int) -> None:
        """Keep what an event of the network tells of such a message; every other event is passed over."""
        match event:
            case smpp.Undecodable(name=name, address=address) | diameter.Undecodable(identity=name, address=address):
                name = name or address
            case smpp.MessageRejected(name=name) | diameter.MessageRejected(identity=name):
                pass
            case _:
                return
        if event.message:
            protocol = "smpp" if isinstance(event, smpp.Undecodable | smpp.MessageRejected) else "diameter"
            self._last[protocol, name] = Unread(at, protocol, name, event.reason, event.message)
            self._last.move_to_end((protocol, name))
            if len(self._last) > MAX_NAMES:
                self._last.popitem(last=False)

    def all(self) -> list[Unread]:
        """Give them, the latest first."""
        return list(reversed(self._last.values()))
