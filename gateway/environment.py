"""What the gateway takes from the machine that it runs on: time, chance, threads, network. A simulation gives its own."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, ParamSpec, Protocol, TypeVar

import msgspec

from protocols.network import SOCKETS, Network

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


NEW_OBJECTS: Final = 20_000
"""After so many that were not freed the garbage collector looks at the new ones: a few MB at most."""


class InThread(Protocol):
    """Runs a function that may block beside the event loop, and gives what it returns."""

    def __call__(
        self, function: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Awaitable[Result]:
        """Run it with these arguments."""


def keep_what_lives() -> None:
    """Tell the garbage collector that whatever lives by now does so as long as the process, and to look at the rest seldom.

    Nearly all that a request makes is freed as it goes; to look for what was not, at the usual 700 objects, costs a fiftieth
    of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)


def wall_clock() -> int:
    """Return the time in UTC microseconds."""
    return time.time_ns() // 1000


class Environment(msgspec.Struct, frozen=True):
    """The clocks, the source of chance and the threads of one gateway.

    Attributes:
        clock: UTC microseconds.
        monotonic: seconds of a clock that never goes back.
        random: for jitter and names that are no secret; what protects anything is drawn from the system.
        in_thread: runs a function that may block.
        network: what connections to peers and SMSCs are made by, and theirs to us.
    """

    clock: Callable[[], int] = wall_clock
    monotonic: Callable[[], float] = time.monotonic
    random: Random = msgspec.field(default_factory=Random)
    in_thread: InThread = asyncio.to_thread
    network: Network = SOCKETS
