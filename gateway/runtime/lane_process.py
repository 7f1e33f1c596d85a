"""The process of the write lane: how it is started, and what it does first (decision 038).

The first one is forked before the gateway has a thread, an open file or an event loop: it has imported everything by then, and
shares that memory. One that takes the place of a dead one is a new program, since a process with threads cannot be forked.
"""

import os
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from pickle import loads
from typing import Final

import msgspec

from gateway.charity.sealed_causes import CauseSeals
from gateway.context import GatewayContext, digests_of, pickled
from gateway.policies import make_policies
from gateway.privacy.pseudonyms import Pseudonyms
from gateway.privacy.sealing import Sealer
from gateway.settings import Settings
from gateway.store.batch import Policies
from gateway.store.idempotency import Digests
from gateway.store.lane_messages import Begin, socket_pair
from gateway.store.lane_server import MakePolicies, serve
from gateway.store.leases import Lease
from gateway.store.recovery.changes import ChangeReader
from gateway.units import ANY_UNIT

MODULE: Final = "gateway.runtime.lane_process"
PR_SET_PDEATHSIG: Final = 1
"""prctl(2): which signal a process gets when its parent ends."""
NAME: Final = Path("/proc/self/comm")
"""What `top` calls this process."""
LEFT_TO_THE_GATEWAY: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that mean the gateway: it tells the lane when to end."""


class LaneProcess(msgspec.Struct, frozen=True):
    """A process that waits at the other end of a pair of sockets to be told what to do."""

    pid: int
    stream: socket.socket


class LaneSettings(msgspec.Struct, frozen=True):
    """What policies are made from in the lane's process."""

    settings: Settings
    accounts: Mapping[str, int]
    node_name: str
    digests: Digests
    sealer: Sealer
    cause_seals: CauseSeals
    pseudonyms: Pseudonyms
    change_reader: ChangeReader | None


def fork() -> LaneProcess:
    """Start the first one; before there is any thread."""
    ours, theirs = socket_pair()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        theirs.close()
        return LaneProcess(pid, ours)
    ours.close()
    code = 1
    try:
        _work(theirs, parent)
        code = 0
    except BaseException:  # noqa: BLE001  (the gateway finds that this has ended; a person wants to know why)
        traceback.print_exc()
    finally:
        # Whatever it came to: the rest of this program is the gateway's, not the lane's.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def spawn() -> LaneProcess:
    """Start one in place of one that has died."""
    ours, theirs = socket_pair()
    with theirs:
        theirs.set_inheritable(True)
        command = (sys.executable, "-m", MODULE, str(theirs.fileno()), str(os.getpid()))
        no_input = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
        pid = os.posix_spawn(sys.executable, command, os.environ, file_actions=no_input)
    return LaneProcess(pid, ours)


def _work(stream: socket.socket, parent: int) -> None:
    os.setsid()
    for number in LEFT_TO_THE_GATEWAY:
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError):
        NAME.write_text("tpo-lane")
    _go_on_without_parent()
    if os.getppid() == parent:
        serve(stream, ANY_UNIT, policies_for)


def _go_on_without_parent() -> None:
    """Have a lane that somebody has stopped go on when its gateway ends: it finds the end of its stream, and lets the lock go.

    Where no memory may be both written and run (MemoryDenyWriteExecute= of systemd) ctypes does not load; there the service
    manager ends what is left of a gateway.
    """
    with suppress(ImportError, MemoryError, OSError):
        import ctypes  # noqa: PLC0415  (as above)

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGCONT)


def beginning(context: GatewayContext, lease: Lease, resumed: bool) -> Begin:  # noqa: FBT001  (its only one)
    """Make the first message to a lane; `resumed`: one has worked for this node before, since the gateway was started."""
    return Begin(
        context.settings.store.connect_url,
        context.label,
        context.node,
        resumed,
        lease.seconds,
        context.ground.identity,
        context.master_key,
        context.evidence_key,
        pickled(context.settings, context.accounts),
        lends=context.change_reader is not None,
    )


def policies_for(begin: Begin) -> MakePolicies:
    """Return what makes policies of settings as they crossed."""
    key = begin.keys
    return partial(_made, begin.node.name, digests_of(key), Sealer(key), CauseSeals(key), Pseudonyms(key))


def _made(
    name: str, digests: Digests, sealer: Sealer, cause_seals: CauseSeals, pseudonyms: Pseudonyms, settings: bytes
) -> Policies:
    found, accounts = loads(settings)  # noqa: S301  (of the gateway, by a stream that it made; nobody else can write there)
    return make_policies(LaneSettings(found, accounts, name, digests, sealer, cause_seals, pseudonyms, None))


if __name__ == "__main__":
    _work(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
