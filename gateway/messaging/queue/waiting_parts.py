"""Parts of texts in the queue, and the pauses of those that are to be sent again."""

import asyncio
from collections.abc import Callable

import msgspec

from gateway.messaging.texts import Text

FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 1.0, 300.0, 5.0
"""Seconds, and by how much each pause is longer than the one before."""


def pause_after(times: int) -> float:
    """Return the seconds to wait before a part is sent again that was sent, or put off, so many times in vain."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * GROWTH ** min(max(times - 1, 0), 8)))


class Waiting(msgspec.Struct, eq=False):
    """A part of a text in the queue.

    `attempts` counts its sendings that were never answered, the one that is out among them, as the store does
    (texts.Part.attempts); `put_off` how often the SMSC wanted it later. `out`: it is with the SMSC now. `refused_by` are the
    links whose SMSC wanted it later since it paused last, `no_route` those whose SMSC cannot reach its number.
    """

    text: Text
    part: int
    attempts: int = 0
    put_off: int = 0
    out: bool = False
    refused_by: set[str] = set()
    no_route: set[str] = set()
    _timer: asyncio.TimerHandle | None = None
    _over: Callable[[], None] | None = None

    @property
    def key(self) -> tuple[int, int]:
        """The part."""
        return self.text.id, self.part

    @property
    def came_by(self) -> str:
        """The link that the text came by which it answers; "": it answers none."""
        return self.text.parts[self.part].came_by

    def pause(self, seconds: float, again: Callable[[], None], over: Callable[[], None]) -> None:
        """Call `again` after so many seconds, unless `cancel` comes first; `over` is called with either."""
        self.cancel()

        def end() -> None:
            self.cancel()
            again()

        self._timer, self._over = asyncio.get_running_loop().call_later(seconds, end), over

    def cancel(self) -> None:
        """End a pause: something else has become of the part."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._over is not None:
            self._over()
            self._over = None
