"""What a write lane in a process of its own commits, for a continuous backup that is kept by the gateway (decisions 034, 038).

The lane's process reads the log, as it alone knows when nothing is being committed, and says what it found; the gateway keeps
that, and opens the snapshot that a whole copy is made of, at a moment at which the lane stands still for it.
"""

from collections import deque
from collections.abc import Callable
from pathlib import Path

from gateway.store.recovery.changes import ChangeReader, Changes

DIED = "the write lane's process died"


class SaidChanges(ChangeReader):
    """The lane's end. `say` tells the gateway what was found; `open_snapshot` has it open one, and gives what is wrong."""

    def __init__(self, store: Path, say: Callable[[Changes], None], open_snapshot: Callable[[], str]) -> None:
        """Take the store's file, and how the gateway is reached."""
        super().__init__(store)
        self.undelivered = _Said(say)
        self._open_snapshot = open_snapshot

    def _begin_snapshot(self) -> None:
        problem = self._open_snapshot()
        if problem:
            raise OSError(problem)


class _Said(deque[Changes]):
    """Says what is put into it, and keeps nothing."""

    def __init__(self, say: Callable[[Changes], None]) -> None:
        super().__init__()
        self._say = say

    def append(self, changes: Changes) -> None:
        self._say(changes)


class HeardChanges(ChangeReader):
    """The gateway's end."""

    def __init__(self, store: Path) -> None:
        """Take the store's file."""
        super().__init__(store)
        self._complete = False

    def open_snapshot(self) -> None:
        """Open a snapshot of the store as it is now; the lane stands still meanwhile."""
        self.snapshot = self._begin_snapshot()

    def hear(self, changes: Changes, *, last: bool) -> None:
        """Take what the lane found; `last`: it has ended, and nothing was committed since."""
        self.undelivered.append(changes)
        self._at, self._complete = changes.at, last

    def lose(self) -> None:
        """The lane's process is gone, and with it how far it had read."""
        self.undelivered.append(Changes(self._at, broken=DIED))

    def look(self, now: int, *, begin: bool) -> Changes:
        """Say, when the lane has ended, whether it has said everything."""
        assert not begin
        return Changes(now, broken="" if self._complete else DIED)
