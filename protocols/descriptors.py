"""The process's file descriptors: how many of them connections that came in may have, and one that is held in reserve.

The limit is the process's (RLIMIT_NOFILE), so all its listeners share it. Connections leave some of it to what the process
itself opens. Where it comes to the limit all the same, the reserve is given up for a moment: a connection can be accepted
then, to be closed or to be kept in place of one that needs it less, instead of waiting unheard.
"""

import errno
import os
import resource
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

OWN: Final = 96
"""Descriptors that are left to files, connections that we make, and the database; of a small limit a half."""
NO_ROOM: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Spender(Protocol):
    """What holds connections that came in."""

    def __len__(self) -> int:
        """How many."""

    def spare(self) -> int:
        """How many of them could be closed at once: half-open ones, and then idle ones."""

    def close_spare(self) -> bool:
        """Close the one that is needed least; False where none can be."""


class Descriptors:
    """The descriptors of this process."""

    def __init__(self, limit: Callable[[], int] | None = None) -> None:
        """Hold nothing before the first listener is there."""
        self._limit = limit or (lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self._spenders: list[Spender] = []
        self._reserve: int | None = None

    def add(self, spender: Spender) -> None:
        """Count the connections of one listener more; may be called again."""
        self.hold_reserve()
        if spender not in self._spenders:
            self._spenders.append(spender)

    def remove(self, spender: Spender) -> None:
        """It listens no more; after the last one nothing is held."""
        if spender in self._spenders:
            self._spenders.remove(spender)
        if not self._spenders:
            self.give_up_reserve()

    def has_room(self) -> bool:
        """Return whether connections have left enough for the process itself; those that are being closed count."""
        limit = self._limit()
        return sum(map(len, self._spenders)) < max(limit - OWN, limit // 2)

    def make_room(self) -> bool:
        """Close the connection that is needed least, where most of its kind are; False where none can be."""
        return max(self._spenders, key=lambda each: each.spare()).close_spare() if self._spenders else False

    def hold_reserve(self) -> None:
        """Take a descriptor in reserve, if there is none and one is free."""
        if self._reserve is None:
            with suppress(OSError):
                self._reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def give_up_reserve(self) -> bool:
        """Let somebody have the reserve; False where there is none."""
        held, self._reserve = self._reserve, None
        if held is not None:
            os.close(held)
        return held is not None


DESCRIPTORS: Final = Descriptors()
