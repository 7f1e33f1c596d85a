"""Networks apart from the machine's own: a thread or process enters one by setns(2), which Python has from 3.12 on only."""

import ctypes
from pathlib import Path

_CLONE_NEWNET = 0x40000000


def enter_network(name):
    """Have this thread, and whatever it starts, be in a network; `name` is the file that stands for it."""
    with Path(name).open() as network:
        if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter the network {name}: it takes root")
