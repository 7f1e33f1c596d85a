"""Asking the SMSC by query_sm what became of parts that it took and never told of (SMPP 3.4 §4.8).

A part is asked for when its text has stood still for the link's `query_after`, again after twice that time for each answer
that settled nothing, and once more at the end of its validity. What an answer means stands in the store, in the part and in
its text's `updated_at`; what is in memory is only what is out at this moment, so a killed process just asks again.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, select

from gateway.messaging import smpp_mapping
from gateway.messaging.lane_client import Post
from gateway.messaging.text_units import OnTexts
from gateway.messaging.texts import NEVER_AGAIN, Step, Text, TextRows, TextState, from_row
from gateway.store import tables
from gateway.store.async_read import AsyncRead
from gateway.store.batch import Batch
from protocols.errors import LocalProtocolError
from protocols.smpp.client import Link, Result
from protocols.smpp.errors import CommandStatus
from protocols.smpp.events import Doubt, Doubtful, Responded, Throttled
from protocols.smpp.messages import GenericNack, QuerySmResp
from protocols.smpp.receipts import IdForm
from protocols.smpp.status_policy import Retry, retry_of

PAGE = 1000
"""Texts that are looked through at a time."""
BATCH = 100
"""Parts that are asked for at a time, the further ones of the last text apart."""
SHARE = 4
"""Questions take a quarter of the window at most: an SMSC that never answers them must not hold up texts for long."""
MOST_DOUBLINGS = 16


class PendingQuery(msgspec.Struct, frozen=True):
    """A part that waits for its receipt: how it is kept, how its SMSC wrote its id, and the link that it was sent by."""

    text_id: int
    part: int
    source: str
    message_id: str
    stated: str
    link: str

    @property
    def key(self) -> tuple[int, int]:
        """The part."""
        return self.text_id, self.part


class QueryFinding(msgspec.Struct, frozen=True):
    """What a question led to: a final step, or None: then the part is asked for again later, unless it was in vain."""

    text_id: int
    part: int
    message_id: str
    step: Step | None = None
    error: str = ""
    in_vain: bool = False


class QueryRefused(msgspec.Struct, frozen=True):
    """The SMSC would not tell of a message."""

    name: str
    text_id: int
    command_status: int


class QueriesUnsupported(msgspec.Struct, frozen=True):
    """The SMSC has no query_sm; the link asks nothing more until it binds again."""

    name: str
    command_status: int


QueryEvent = QueryRefused | QueriesUnsupported


class RecordFinding(OnTexts):
    """Settle a part by what the SMSC answered, as its receipt would have.

    Its awaited receipt stays: one that comes after all is then known as a double, and not kept as an early one.
    """

    finding: QueryFinding

    def text_ids(self, _batch: Batch) -> Iterable[int]:
        """Name the text."""
        return (self.finding.text_id,)

    def decide(self, batch: Batch) -> bool:
        """Return whether the part came to its end; one that moved meanwhile is left as it is."""
        finding, text = self.finding, batch.row_set(TextRows).get(self.finding.text_id)
        part = text.parts[finding.part] if text is not None else None
        if text is None or part is None or part.step is not Step.ACCEPTED or part.message_id != finding.message_id:
            return False
        if finding.step is None:
            part.asked = NEVER_AGAIN if finding.in_vain else part.asked + 1
        else:
            part.go(finding.step, finding.error)
        self.finish(batch, text)
        return finding.step is not None


def due_at(text: Text, asked: int, after: int) -> int:
    """When a part is to be asked for, in microseconds; at the end of its validity the SMSC knows what became of it."""
    doubled = text.updated_at + (after << min(asked, MOST_DOUBLINGS))
    if text.updated_at >= text.valid_until:
        return doubled
    return min(doubled, max(text.valid_until, text.updated_at + after))


def silent_parts(
    connection: Connection, shards: Collection[int], cursor: int, now: int, afters: Mapping[str, int]
) -> tuple[list[PendingQuery], int]:
    """Find parts of these shards' texts that are due, from the text after `cursor` on, and the cursor to go on from.

    `afters`: microseconds of silence by link. A text that was sent by another link waits.
    """
    texts, soonest = tables.texts, min(afters.values())
    rows = connection.execute(
        select(texts)
        .where(texts.c.final == 0, texts.c.node.in_(shards), texts.c.id > cursor)
        .where(texts.c.state == TextState.SUBMITTED, texts.c.updated_at <= now - soonest)
        .order_by(texts.c.id)
        .limit(PAGE)
    ).all()
    found: list[PendingQuery] = []
    for row in rows:
        text = from_row(tuple(row))
        if text.link in afters:
            found += _due(text, afters[text.link], now)
        if len(found) >= BATCH:
            return found, text.id
    return found, rows[-1][0] if len(rows) == PAGE else 0


def _due(text: Text, after: int, now: int) -> list[PendingQuery]:
    return [
        PendingQuery(text.id, number, text.source, part.message_id, part.stated or part.message_id, text.link)
        for number, part in enumerate(text.parts)
        if part.step is Step.ACCEPTED and part.message_id and part.asked >= 0 and due_at(text, part.asked, after) <= now
    ]


def centres_of(
    connection: Connection, questions: Sequence[PendingQuery], centres: Collection[str]
) -> dict[PendingQuery, str]:
    """Return the SMSC that took each part, if it is one of these. A part whose id means a newer message by now has none."""
    rows = tables.awaited_receipts
    ids = {question.message_id for question in questions}
    known = connection.execute(
        select(rows.c.link, rows.c.message_id, rows.c.text_id, rows.c.part).where(
            rows.c.link.in_(centres), rows.c.message_id.in_(ids)
        )
    ).all()
    newest = {(link, message_id): part for link, message_id, *part in sorted(map(tuple, known))}
    took = {tuple(part): centre for (centre, _), part in newest.items()}
    return {question: took[question.key] for question in questions if question.key in took}


class QueryLink(msgspec.Struct, frozen=True):
    """A link that asks: the SMSC behind it, how that writes ids, after how many microseconds, and the room that texts leave."""

    link: Link
    centre: str
    form: IdForm
    after: int
    room: Callable[[], int]


class QueryScheduler:
    """Finds the silent parts, asks for them with the room that texts leave, and has noted what comes of it."""

    def __init__(
        self,
        query_links: Mapping[str, QueryLink],
        *,
        read: AsyncRead,
        post: Post,
        shards: Callable[[], Collection[int]],
        clock: Callable[[], int],
        may_send: Callable[[], bool],
        on_ready: Callable[[], None],
        on_event: Callable[[QueryEvent], None],
    ) -> None:
        """Take the links that ask, a function that reads, one that hands a unit to the lane, and one that names our shards.

        `may_send` tells whether no other gateway can have taken these over (store.leases). `on_ready` is told when there may
        be something to ask, or room to ask it: it calls `pump` once no text waits.
        """
        self._query_links, self._shards = dict(query_links), shards
        self._read, self._post, self._clock = read, post, clock
        self._may_send, self._on_ready, self._on_event = may_send, on_ready, on_event
        self._cursor = 0
        self._waiting: list[PendingQuery] = []
        self._out: dict[tuple[int, int], str] = {}
        self._mute: set[str] = set()
        self.results: Counter[tuple[str, str]] = Counter()
        """Questions by link and what came of them: the message's state, or a word of ours for why there is none."""

    @property
    def pending(self) -> int:
        """How many parts wait to be asked for, are asked for, or have the answer written down."""
        return len(self._waiting) + len(self._out)

    def add(self, name: str, query_link: QueryLink) -> None:
        """Ask by one more link."""
        self._mute.discard(name)
        self._query_links[name] = query_link

    def remove(self, name: str) -> None:
        """Ask by a link no more; what it was to ask is found again when it is back."""
        self._query_links.pop(name, None)

    def bound(self, name: str) -> None:
        """A link is bound anew; maybe to an SMSC that knows query_sm now."""
        self._mute.discard(name)

    async def look(self) -> None:
        """Find what has been silent for too long. What still waits to be asked comes first."""
        self._waiting = [question for question in self._waiting if self._may_ask(question.link)]
        asking = {name: query_link for name, query_link in self._query_links.items() if self._may_ask(name)}
        if asking and not self._waiting:
            found = await self._read(lambda connection: self._find(connection, asking))
            self._waiting = [question for question in found if question.key not in self._out]
        self._on_ready()

    def _find(self, connection: Connection, asking: Mapping[str, QueryLink]) -> list[PendingQuery]:
        """Read what is due, and whose SMSC is there; a part that went by another SMSC than its text is asked for there."""
        afters = {name: query_link.after for name, query_link in asking.items()}
        found, self._cursor = silent_parts(connection, self._shards(), self._cursor, self._clock(), afters)
        by_centre = {query_link.centre: name for name, query_link in asking.items()}
        questions = []
        for question, centre in centres_of(connection, found, by_centre).items():
            link = question.link if asking[question.link].centre == centre else by_centre[centre]
            questions.append(msgspec.structs.replace(question, link=link))
        return questions

    def _may_ask(self, name: str) -> bool:
        query_link = self._query_links.get(name)
        return query_link is not None and query_link.link.bound and name not in self._mute and self._may_send()

    def pump(self) -> None:
        """Send what there is room for. What a link that went away was to ask is found again when it is back."""
        waiting, self._waiting = self._waiting, []
        left = [question for question in waiting if self._may_ask(question.link) and not self._ask(question)]
        self._waiting += left

    def _room(self, name: str) -> int:
        query_link = self._query_links[name]
        most = max(1, query_link.link.config.limits.window // SHARE)
        return min(query_link.room(), most - sum(link == name for link in self._out.values()))

    def _ask(self, question: PendingQuery) -> bool:
        """Send one; False if there is no room."""
        if self._room(question.link) <= 0:
            return False
        self._out[question.key] = question.link
        try:
            message = smpp_mapping.query_sm(question.source, question.stated)
            sent = self._query_links[question.link].link.submit(message, question)
        except LocalProtocolError:  # an id that cannot be written
            self._note(question, "refused", in_vain=True)
            return True
        if not sent:
            del self._out[question.key]
        return sent

    def resulted(self, question: PendingQuery, result: Result) -> None:
        """Take what became of a question; an answer that comes late is as good as any."""
        match result:
            case Responded() if result.command_status:
                self._refused(question, result)
            case Responded():
                self._answered(question, result)
            case Throttled():
                self._drop(question, "throttled")
            case Doubtful(doubt=Doubt.TIMEOUT):
                self._note(question, "unanswered")
            case Doubtful():
                self._drop(question, "unanswered")

    def _answered(self, question: PendingQuery, result: Responded) -> None:
        answer, query_link = result.message, self._query_links.get(question.link)
        if query_link is None:
            self._drop(question, "unanswered")
            return
        form = query_link.form
        if isinstance(answer, QuerySmResp) and smpp_mapping.is_about(answer, question.message_id, form):
            name, step, error = smpp_mapping.queried(answer)
            self._note(question, name, step, error)
        else:
            self._note(question, "mismatched")

    def _refused(self, question: PendingQuery, result: Responded) -> None:
        name, status = question.link, result.command_status
        if status == CommandStatus.ESME_RINVCMDID or isinstance(result.message, GenericNack):
            if name not in self._mute:
                self._mute.add(name)
                self._on_event(QueriesUnsupported(name, status))
            self._drop(question, "unsupported")
        elif retry_of(status) is Retry.NEVER:
            self._note(question, "refused", in_vain=True)
            self._on_event(QueryRefused(name, question.text_id, status))
        else:
            self._note(question, "put_off")

    def _drop(self, question: PendingQuery, result: str) -> None:
        """Nothing was learned: the part is as due as before."""
        self.results[question.link, result] += 1
        self._out.pop(question.key, None)
        self._on_ready()

    def _note(
        self, question: PendingQuery, result: str, step: Step | None = None, error: str = "", *, in_vain: bool = False
    ) -> None:
        """Have it written down; until then the part is not asked for again."""
        self.results[question.link, result] += 1
        finding = QueryFinding(question.text_id, question.part, question.message_id, step, error, in_vain)
        self._out[question.key] = question.link

        def done(_settled: object = None) -> None:
            self._out.pop(question.key, None)
            self._on_ready()

        self._post(RecordFinding(finding), done, done)
