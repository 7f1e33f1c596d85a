"""The queue: parts in memory in the order in which their texts were accepted; those that do not fit wait in the store."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial

import msgspec

from gateway.background import Background
from gateway.messaging.queue.open_texts import texts_out, waiting_notices, waiting_texts
from gateway.messaging.queue.waiting_parts import Waiting
from gateway.messaging.routing import ANY, Way
from gateway.messaging.texts import Step, Text
from gateway.store.async_read import AsyncRead

PAGE = 2000
"""Texts that are read at once when the queue is filled from the store."""
Key = tuple[int, int]


OnDoubtful = Callable[[Waiting, str, bool], None]
"""Called for a part that may have been sent, with its link and whether it was doubtful before."""


class Unread(msgspec.Struct):
    """How far a shard that was adopted is read: the last text, and whether this is the way through for doubtful parts."""

    after: int = 0
    for_doubtful: bool = True


def one_way(_waiting: Waiting) -> Way | None:
    """Route nothing: all parts have the same way."""
    return ANY


class MessageQueue:
    """Parts that wait to be sent, in a row for each way that they may take: one that has no room holds up no other.

    All texts up to an id have been read or queued. What comes after it is in the store, however much that is, and is read page
    by page as memory runs low, or while a link has room that nothing in memory can fill. What does not fit in its row waits in
    the store alone, and is read when the row runs low, before anything newer of that way. The store is read again after a batch
    of unknown outcome. Parts that have no way (None) wait until the routes change.

    Texts of shards that were adopted are apart from that order: their identifiers tell nothing of their age beside our own.
    They are read page by page when there is room, and stand behind what is in memory then.
    """

    def __init__(
        self,
        *,
        read: AsyncRead,
        node: int,
        unknown_outcomes: Callable[[], int],
        on_ready: Callable[[], None],
        way_of: Callable[[Waiting], Way | None] = one_way,
        under_way: Callable[[], Collection[Key]] = frozenset,
        on_no_route: Callable[[Waiting], None] = lambda _: None,
    ) -> None:
        """Take a function that reads the store, the lane's number of batches of unknown outcome, and the way of a part.

        `on_ready` is called when parts have come, or when it is seen that the store has no more; `under_way` names the parts
        that left the queue and may come back; `on_no_route` is told of a part that no route takes.
        """
        self._read, self._node = read, node
        self._unknown_outcomes, self._on_ready = unknown_outcomes, on_ready
        self._way_of, self._under_way, self._on_no_route = way_of, under_way, on_no_route
        self._rows: dict[Way | None, deque[Waiting]] = {}
        self._behind: dict[Way | None, int] = {}
        self._read_up_to = self._recovered = 0
        self._more = self._filling = self._hungry = False
        self._noticed: dict[int, int] = {}
        """By shard the last notice that was looked at."""
        self._unread: dict[int, Unread] = {}
        self._left: set[int] = set()
        """Shards that were adopted, some of whose parts have no way and are in the store alone."""
        self._on_doubtful: OnDoubtful = lambda _waiting, _link, _before: None
        self.stopped = False
        self._wanted = asyncio.Event()
        self._filler: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Count the parts in memory that have a way."""
        return sum(len(row) for way, row in self._rows.items() if way is not None)

    @property
    def more(self) -> bool:
        """Whether the store has more, or is being read."""
        return self._more or self._filling or bool(self._unread) or any(way is not None for way in self._behind)

    def by_way(self) -> dict[Way, int]:
        """Count the parts in memory by their way, but for those without any."""
        return {way: len(row) for way, row in self._rows.items() if way is not None and row}

    @property
    def filling(self) -> bool:
        """Whether the store is being read."""
        return self._filling

    def without_route(self, now: int) -> int:
        """Count the parts in memory that no route takes and whose time is not over; `now` in microseconds."""
        return sum(waiting.text.valid_until > now for waiting in self._rows.get(None, ()))

    def first(self, blocked: Collection[Way] = ()) -> Way | None:
        """Return the way whose first part is the oldest, but for those that are blocked; None if there is no part."""
        ways = [way for way, row in self._rows.items() if row and way is not None and way not in blocked]
        return min(ways, key=lambda way: self._rows[way][0].text.id) if len(ways) > 1 else ways[0] if ways else None

    def peek(self, way: Way) -> Waiting:
        """Return the part whose turn it is on a way, and leave it there."""
        return self._rows[way][0]

    def pop(self, way: Way | None = None) -> Waiting:
        """Take the part whose turn it is, on a way or of all."""
        way = way or self.first()
        row = self._rows[way]
        waiting = row.popleft()
        if not row and way != ANY:
            del self._rows[way]
        return waiting

    def put_first(self, waiting: Waiting) -> None:
        """Queue a part again, before anything newer."""
        self._row(self._route(waiting)).appendleft(waiting)

    def reroute(self) -> None:
        """The routes have changed: find the way of each part anew."""
        parts = sorted((waiting for row in self._rows.values() for waiting in row), key=lambda waiting: waiting.key)
        again = min(self._behind.values(), default=None)
        self._rows, self._behind = {}, {}
        if again is not None:  # what only the store has is read again, and all that came after it
            self._read_up_to, self._more = again - 1, True
            parts = [waiting for waiting in parts if waiting.text.id < again or not self._is_own(waiting)]
        self._unread.update((shard, Unread(for_doubtful=False)) for shard in self._left - self._unread.keys())
        self._left.clear()
        for waiting in parts:
            waiting.no_route.clear()
            self._put(waiting)
        self.refill()
        self._on_ready()

    def _route(self, waiting: Waiting) -> Way | None:
        way = self._way_of(waiting)
        if way is None:
            self._on_no_route(waiting)
        return way

    def _row(self, way: Way | None) -> deque[Waiting]:
        return self._rows.setdefault(way, deque())

    def _is_own(self, waiting: Waiting) -> bool:
        return waiting.text.node == self._node

    def _put(self, waiting: Waiting) -> None:
        """Queue a part at the end of its row; if that is full, or older ones are in the store alone, it is so as well."""
        way = self._route(waiting)
        row = self._row(way)
        full = len(row) > 2 * PAGE and row[-1].text.id != waiting.text.id
        if not self._is_own(waiting):
            if full and way is None:
                self._left.add(waiting.text.node)
            else:
                row.append(waiting)
        elif way in self._behind or full:
            self._behind[way] = min(self._behind.get(way, waiting.text.id), waiting.text.id)
        else:
            row.append(waiting)

    def enqueue(self, texts: Sequence[Text]) -> None:
        """Queue texts that were committed."""
        if not texts:
            return
        for text in texts:
            if text.id <= self._read_up_to:  # the store was read after the commit and before this call
                continue
            if self._more or self._filling:
                self._more = True  # the store has it; it is read when its turn comes
                continue
            self._read_up_to = text.id
            for part in range(len(text.parts)):
                self._put(Waiting(text, part))
        self._on_ready()

    async def start(self, background: Background, on_doubtful: OnDoubtful) -> None:
        """Decide on what may have gone out, queue the oldest that wait, and keep the queue filled from then on."""
        self._recovered, self._on_doubtful = self._unknown_outcomes(), on_doubtful
        after: int | None = 0
        while after is not None:
            after = await self._doubt_page(self._node, after)
        await self._refill()
        self._filler = background.keep("refill the queue", self._keep_filled)

    def adopt(self, shards: Iterable[int]) -> None:
        """Queue what waits in shards that another gateway has left, and decide on what it may have sent."""
        self._unread.update((shard, Unread()) for shard in shards)
        self._wanted.set()

    def stop(self) -> None:
        """Give nothing further, and read no more."""
        self.stopped = True
        if self._filler is not None:
            self._filler.cancel()

    def refill(self, *, hungry: bool = False) -> None:
        """Have the next texts read, if the store has more and there is a place for them.

        `hungry`: a link has room that no part in memory can take; what it could carry may stand behind many of another way.
        """
        self._hungry = hungry
        if not self._filling and (self._reads_on or self._adopts or self._dry() is not None):
            self._wanted.set()

    @property
    def _reads_on(self) -> bool:
        """Whether texts that nobody has read yet are to be read now."""
        return self._more and (self._hungry or len(self) <= PAGE)

    @property
    def _adopts(self) -> bool:
        """Whether texts of an adopted shard are to be read now: for doubtful parts at once, else as there is room."""
        return any(unread.for_doubtful or len(self) <= PAGE for unread in self._unread.values())

    def _dry(self) -> Way | None:
        """A way of which the store has parts, and memory few or none."""
        low = PAGE // 4
        return next((way for way in self._behind if way is not None and len(self._rows.get(way, ())) <= low), None)

    async def _keep_filled(self) -> None:
        """Refill the queue whenever a row runs dry and the store has more, for as long as the gateway runs."""
        while True:
            self._wanted.clear()
            dry = self._dry()
            if self.stopped or not (self._reads_on or self._adopts or dry is not None):
                await self._wanted.wait()
            elif self._adopts:
                await self._read_adopted()
            elif dry is not None:
                await self._refill_row(dry)
            else:
                await self._refill()

    async def _refill(self) -> None:
        """Read the next texts that nobody queued. What is accepted meanwhile waits in the store, lest any be passed over."""
        self._filling, self._hungry = True, False
        try:
            known = self._known()
            texts = await self._next_page()
            known |= self._known()
            for text in texts:
                self._take(text, known)
        finally:
            self._filling = False
        self._on_ready()

    async def _read_adopted(self) -> None:
        """Read the next texts of an adopted shard: those of all shards for doubtful parts first, then for what waits."""
        shard = min(self._unread, key=lambda each: not self._unread[each].for_doubtful)
        unread = self._unread[shard]
        if unread.for_doubtful:
            after = await self._doubt_page(shard, unread.after)
            self._unread[shard] = Unread(for_doubtful=False) if after is None else Unread(after)
        else:
            known = self._known()
            texts = await self._page(unread.after, shard)
            known |= self._known()
            for text in texts:
                self._take(text, known)
                unread.after = text.id
            if len(texts) < PAGE:
                del self._unread[shard]
        self._on_ready()

    async def _doubt_page(self, shard: int, after: int) -> int | None:
        """Have it decided on parts of a shard that may have been sent; gives the text to go on after, None if that was all."""
        known = self._known()
        texts = await self._read(lambda connection: texts_out(connection, shard, after, PAGE))
        known |= self._known()
        for text in texts:
            self._doubt(text, known)
        return texts[-1].id if len(texts) == PAGE else None

    async def _refill_row(self, way: Way) -> None:
        """Read the next texts of a way whose row ran dry."""
        self._filling = True
        try:
            while way in self._behind and len(self._row(way)) <= PAGE:
                known, up_to = self._known(), self._read_up_to
                texts = await self._page(self._behind[way] - 1)
                known |= self._known()
                for text in texts:
                    if text.id <= up_to:
                        self._row(way).extend(part for part in _waiting(text, known) if self._way_of(part) == way)
                if len(texts) < PAGE or texts[-1].id >= up_to:
                    del self._behind[way]
                else:
                    self._behind[way] = texts[-1].id + 1
        finally:
            self._filling = False
        self._on_ready()

    async def _next_page(self) -> list[Text]:
        """Read the next open texts that nobody queued; `_more` tells whether there may be more after them."""
        self._more = False
        try:
            texts = await self._page(self._read_up_to)
        except BaseException:
            self._more = True  # they are still there
            raise
        self._read_up_to = max([self._read_up_to, *(text.id for text in texts)])
        self._more = self._more or len(texts) == PAGE
        return texts

    async def _page(self, after: int, shard: int | None = None) -> list[Text]:
        read_from = self._node if shard is None else shard
        return await self._read(lambda connection: waiting_texts(connection, read_from, after, PAGE))

    def _take(self, text: Text, known: Collection[Key]) -> None:
        """Queue the parts of a text that wait and are not known."""
        for waiting in _waiting(text, known):
            self._put(waiting)

    def _doubt(self, text: Text, known: Collection[Key]) -> None:
        """Have it decided what is done with the parts of a text that may have been sent and are not known."""
        for number, part in enumerate(text.parts):
            if part.step in (Step.SENT, Step.DOUBTFUL) and (text.id, number) not in known:
                self._on_doubtful(Waiting(text, number, part.attempts), text.link, part.step is Step.DOUBTFUL)

    async def take_notices(self, shards: Iterable[int]) -> None:
        """Queue notices that were written since the last look, before all else: nobody tells of them but the store.

        Whatever unit found them due wrote them with its own rows. The first look of a shard finds those that still wait.
        """
        if self.stopped:
            return
        for shard in shards:
            after, known = self._noticed.get(shard, 0), self._known()
            texts, self._noticed[shard] = await self._read(partial(waiting_notices, shard=shard, after=after))
            known |= self._known()
            for waiting in [part for text in texts for part in _waiting(text, known)][::-1]:
                self.put_first(waiting)
            if texts:
                self._on_ready()

    async def recover(self) -> None:
        """Queue what waits in the store and not here: texts of batches that were committed after all, unknown to anybody."""
        unknown = self._unknown_outcomes()
        if unknown == self._recovered or self.stopped:
            return
        after, up_to, known = 0, self._read_up_to, self._known()
        while True:
            texts = await self._page(after)
            known |= self._known()
            for text in texts:
                if text.id <= up_to:
                    self._take(text, known)
            if len(texts) < PAGE or texts[-1].id >= up_to:
                break
            after = texts[-1].id
        self._recovered, self._more = unknown, True  # what came after `up_to` is read by its turn
        self._on_ready()

    def _known(self) -> set[Key]:
        """Name the parts in memory, and those that left it and may come back."""
        return {waiting.key for row in self._rows.values() for waiting in row}.union(self._under_way())


def _waiting(text: Text, known: Collection[Key]) -> list[Waiting]:
    """Return the parts of a text that wait and are not known."""
    return [
        Waiting(text, number, part.attempts)
        for number, part in enumerate(text.parts)
        if part.step is Step.WAITING and (text.id, number) not in known
    ]
