"""The queue: parts in memory in the order in which their texts were accepted; those that do not fit wait in the store."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any

from gateway.background import Background
from gateway.messaging.queue.mt_status import open_texts
from gateway.messaging.queue.waiting_parts import Waiting
from gateway.messaging.texts import Step, Text, from_row
from gateway.store.async_read import AsyncRead

PAGE = 2000
"""Texts that are read at once when the queue is filled from the store."""
Key = tuple[int, int]


class MessageQueue:
    """Parts that wait to be sent. It is refilled when it runs dry, and read again after a batch of unknown outcome.

    All texts up to an id have been read or queued; newer ones are in memory only if nothing older waits in the store alone.
    """

    def __init__(
        self,
        *,
        read: AsyncRead,
        node: int,
        unknown_outcomes: Callable[[], int],
        on_ready: Callable[[], None],
    ) -> None:
        """Take a function that reads the store, and the lane's number of batches of unknown outcome.

        `on_ready` is called when parts have come, or when it is seen that the store has no more.
        """
        self._read, self._node = read, node
        self._unknown_outcomes, self._on_ready = unknown_outcomes, on_ready
        self._parts: deque[Waiting] = deque()
        self._read_up_to = self._recovered = 0
        self._more = self._filling = False
        self.stopped = False
        self._wanted = asyncio.Event()
        self._filler: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Count the parts in memory."""
        return len(self._parts)

    @property
    def more(self) -> bool:
        """Whether the store has more, or is being read."""
        return self._more or self._filling

    def pop(self) -> Waiting:
        """Take the part whose turn it is."""
        return self._parts.popleft()

    def put_first(self, waiting: Waiting) -> None:
        """Queue a part again, before anything newer."""
        self._parts.appendleft(waiting)

    def enqueue(self, texts: Sequence[Text]) -> None:
        """Queue texts that were committed."""
        for text in texts:
            if text.id <= self._read_up_to:  # the store was read after the commit and before this call
                continue
            if self._more or self._filling or len(self._parts) > 2 * PAGE:
                self._more = True  # the store has it; it is read when its turn comes
                continue
            self._read_up_to = text.id
            self._parts.extend(Waiting(text, part) for part in range(len(text.parts)))
        self._on_ready()

    async def start(self, background: Background, on_doubtful: Callable[[Waiting, str, bool], None]) -> None:
        """Queue what was left open, and keep the queue filled from then on.

        `on_doubtful` is called for each part that may have been sent, with its link and whether it was doubtful before.
        """
        self._recovered = self._unknown_outcomes()

        def take(text: Text) -> None:
            self._take_waiting(text)
            for number, part in enumerate(text.parts):
                if part.step in (Step.SENT, Step.DOUBTFUL):
                    on_doubtful(Waiting(text, number, part.attempts), text.link, part.step is Step.DOUBTFUL)

        while await self._fill(take):
            pass
        self._on_ready()
        self._filler = background.keep("refill the queue", self._keep_filled)

    def stop(self) -> None:
        """Give nothing further, and read no more."""
        self.stopped = True
        if self._filler is not None:
            self._filler.cancel()

    def refill(self) -> None:
        """Have the next texts read, if the store has more."""
        if self._more and not self._filling:
            self._wanted.set()

    async def _keep_filled(self) -> None:
        """Refill the queue whenever it runs dry and the store has more, for as long as the gateway runs."""
        while True:
            self._wanted.clear()
            if self._more and not self._parts and not self.stopped:
                await self._refill()
            else:
                await self._wanted.wait()

    async def _refill(self) -> None:
        """Read the next texts that did not fit. What is accepted meanwhile waits in the store, lest any be passed over."""
        self._more, self._filling = False, True
        try:
            await self._fill(self._take_waiting)
        except BaseException:
            self._more = True  # they are still there
            raise
        finally:
            self._filling = False
        self._on_ready()

    async def _fill(self, take: Callable[[Text], None]) -> bool:
        """Read the next page of open texts; tell whether there may be more."""
        rows = await self._page(self._read_up_to)
        for row in rows:
            text = from_row(tuple(row))
            self._read_up_to = max(self._read_up_to, text.id)
            take(text)
        full = len(rows) == PAGE
        self._more = full or self._more
        return full

    async def _page(self, after: int) -> Sequence[Any]:
        return await self._read(lambda connection: open_texts(connection, self._node, after, PAGE))

    def _take_waiting(self, text: Text) -> None:
        """Queue the parts of a text that wait."""
        for number, part in enumerate(text.parts):
            if part.step is Step.WAITING:
                self._parts.append(Waiting(text, number, part.attempts))

    async def recover(self, under_way: Callable[[], Collection[Key]]) -> None:
        """Queue what waits in the store and not here: texts of batches that were committed after all, unknown to anybody.

        `under_way` names the parts that left the queue and may come back.
        """
        unknown = self._unknown_outcomes()
        if unknown == self._recovered or self.stopped:
            return
        after, up_to, known = 0, self._read_up_to, self._keys().union(under_way())
        while True:
            rows = await self._page(after)
            known |= self._keys().union(under_way())
            for row in rows:
                self._take_unknown(from_row(tuple(row)), up_to, known)
            if len(rows) < PAGE or rows[-1][0] >= up_to:
                break
            after = rows[-1][0]
        self._recovered, self._more = unknown, True  # what came after `up_to` is read by its turn
        self._on_ready()

    def _take_unknown(self, text: Text, up_to: int, known: Collection[Key]) -> None:
        if text.id > up_to:
            return
        for number, part in enumerate(text.parts):
            if part.step is Step.WAITING and (text.id, number) not in known:
                self._parts.append(Waiting(text, number))

    def _keys(self) -> set[Key]:
        return {waiting.key for waiting in self._parts}
