"""TCP ports for servers that are told theirs: each is ours alone for as long as the tests of this process may need it."""

import socket
from collections import deque

_KEPT = deque(maxlen=300)
"""Sockets that hold the latest ports: far more than one test takes."""


def free_port():
    """A port of 127.0.0.1 that nothing listens on, and that neither another test nor a connection of anybody is given.

    A socket that does not listen holds it. With SO_REUSEADDR, which servers set, whoever was told the port can listen on it;
    the kernel gives it to nobody who asks for any port, neither to bind nor to connect from. Set before `bind` the option would
    let the kernel choose a port that another one holds in this way.
    """
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _KEPT.append(held)
    return held.getsockname()[1]
