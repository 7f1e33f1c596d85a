"""What goes over a connection, as somebody sees it who listens in: whole messages, in the order in which they came or went.

Nobody listens most of the time: a connection without a tap does no work for it but to look whether it has one.
"""

from collections.abc import Callable
from typing import Final

import msgspec

Endpoint = tuple[str, int]
"""An address and a port; port 0 where it is not known."""
NOWHERE: Final[Endpoint] = ("", 0)
"""The endpoint of what is not connected."""
MAX_UNDECODABLE: Final = 4096
"""Octets at most that are kept of what could not be decoded."""


class Captured(msgspec.Struct, frozen=True, gc=False):
    """One whole message on its way.

    Attributes:
        protocol: "smpp", "diameter", "http", "ctrl" or "vty".
        name: of the link, of the peer (its identity, or what it claims to be) or of the provisioning host.
        outgoing: it left this node.
        message: all of its octets, TLS taken off.
        exchange: what a request and its answer have in common, where the protocol numbers neither; 0: they come in order.
    """

    protocol: str
    name: str
    local: Endpoint
    remote: Endpoint
    outgoing: bool
    message: bytes
    exchange: int = 0


Tap = Callable[[Captured], None]
"""Whoever listens in; it must not raise, and must not keep the loop."""
FrameTap = Callable[[bool, bytes], None]
"""What a session without its connection tells: whether the message goes out, and all of its octets."""


def endpoint(name: object) -> Endpoint:
    """Return the endpoint that a socket names itself or its peer by; NOWHERE for a socket of another family."""
    return (name[0], name[1]) if isinstance(name, tuple) else NOWHERE
