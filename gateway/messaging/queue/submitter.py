"""Submitting parts: taken from the queue while links have room, written down, sent, and settled by the SMSC's answer."""

from collections.abc import Callable, Collection, Sequence
from itertools import chain
from typing import cast

from gateway.messaging import smpp_mapping
from gateway.messaging.lane_client import Post
from gateway.messaging.links import LinkSet
from gateway.messaging.queue.message_queue import MessageQueue
from gateway.messaging.queue.mt_status import Dispatch, SubmitOutcome, TakeForSending
from gateway.messaging.queue.outcome_writer import OutcomeWriter
from gateway.messaging.queue.resending import Resending
from gateway.messaging.queue.waiting_parts import Waiting
from gateway.messaging.receipts import reference_id
from gateway.messaging.routing import Rooms, RoutingTable, SmscLink, Way, elsewhere
from gateway.messaging.texts import Step
from protocols.errors import LocalProtocolError
from protocols.smpp.client import Result
from protocols.smpp.errors import CommandStatus
from protocols.smpp.events import Doubtful, Responded, Throttled
from protocols.smpp.messages import SubmitSmResp
from protocols.smpp.receipts import stored_id
from protocols.smpp.status_policy import Retry, is_no_route, retry_of

NO_ROUTE = "no route"


class Submitter:
    """Sends what waits in the queue. A part is written down as sent before it goes out."""

    def __init__(
        self,
        queue: MessageQueue,
        links: LinkSet,
        table: RoutingTable,
        *,
        post: Post,
        outcomes: OutcomeWriter,
        resending: Resending,
        may_send: Callable[[], bool],
        on_idle: Callable[[], None],
    ) -> None:
        """Take the queue, the links, the routes and the parts that it works with.

        `may_send` tells whether nobody else can be sending our texts by now (store.leases); `on_idle` is called when no text
        wants room.
        """
        self._queue, self._links, self._table, self._post = queue, links, table, post
        self._outcomes, self._resending, self._on_idle = outcomes, resending, on_idle
        self._may_send = may_send
        self._out: dict[tuple[int, int], tuple[Waiting, SmscLink]] = {}
        self.sent = 0
        """Parts that SMSCs took since the start."""

    @property
    def in_lane(self) -> int:
        """How many parts are being written down before they go out."""
        return len(self._out)

    def under_way(self) -> Collection[tuple[int, int]]:
        """Name the parts that left the queue and may come back to it."""
        return set(chain(self._out, self._outcomes.again, self._resending.paused))

    def pump(self) -> None:
        """Take as many parts as the links have room for; what room no text wants is left to others."""
        queue = self._queue
        if queue.stopped:
            return
        dispatches, hungry = self._choose()
        if dispatches:  # they are written down before they go
            unit = TakeForSending(dispatches)
            self._post(unit, lambda taken: self._taken(dispatches, taken), lambda: self._not_taken(dispatches))
        if queue.more:
            queue.refill(hungry=hungry)
        if not (dispatches or queue.filling):
            self._on_idle()

    def way_of(self, waiting: Waiting) -> Way | None:
        """Return the way of a part by the routes in force, None if none takes it."""
        return self._table.way(waiting.text, waiting.came_by, waiting.no_route)

    def no_route(self, waiting: Waiting) -> None:
        """No route takes a part: have it written down; it waits until one does."""
        if waiting.text.parts[waiting.part].error != NO_ROUTE:
            self._outcomes.record(SubmitOutcome(*waiting.key, "", Step.WAITING, error=NO_ROUTE))

    def _choose(self) -> tuple[list[Dispatch], bool]:
        """Take parts from the queue for the room that links have; tells, too, whether room is left."""
        queue, out, rooms = self._queue, self._out, Rooms(self._links)
        dispatches: list[Dispatch] = []
        blocked: set[Way] = set()
        while (way := queue.first(blocked)) is not None:
            link = rooms.find(way, queue.peek(way).refused_by)
            if link is None:
                blocked.add(way)
                continue
            waiting = queue.pop(way)
            key = waiting.key
            if key in out:
                continue
            rooms.take(link)
            dispatches.append(Dispatch(*key, link.name))
            out[key] = waiting, link
        return dispatches, rooms.widest() is not None

    def _taken(self, dispatches: Sequence[Dispatch], taken: Sequence[Dispatch]) -> None:
        """Send what was written down as going out; the rest has come to its end."""
        if not self._may_send():  # this process stood still since: another gateway may have taken them over
            self._not_taken(dispatches)
            return
        allowed = set(taken)
        for dispatch in dispatches:
            waiting, link = self._out.pop((dispatch.text_id, dispatch.part))
            link.release()
            if dispatch in allowed:
                self._submit(waiting, link, dispatch)

    def _submit(self, waiting: Waiting, link: SmscLink, dispatch: Dispatch) -> None:
        waiting.attempts += 1
        try:
            message = smpp_mapping.submit_sm(waiting.text, dispatch.part, link.route.alphabet)
            waiting.out = link.link.submit(message, (waiting, dispatch))
        except LocalProtocolError as error:
            waiting.attempts -= 1
            self._unreachable(waiting, dispatch.link, f"cannot be sent: {error}"[:64])
            return
        if not waiting.out:
            waiting.attempts -= 1
            self._outcomes.send_again(waiting, dispatch.link)

    def _not_taken(self, dispatches: Sequence[Dispatch]) -> None:
        """Nothing went out, but it may stand written down that it did: say that the parts wait, then queue them again."""
        parts: list[tuple[Waiting, str]] = []
        for dispatch in dispatches:
            waiting, link = self._out.pop((dispatch.text_id, dispatch.part))
            link.release()
            parts.append((waiting, dispatch.link))
        self._outcomes.send_again_later(parts)

    def resulted(self, link: SmscLink, result: Result) -> None:
        """Take what became of a submit_sm."""
        waiting, dispatch = cast("tuple[Waiting, Dispatch]", result.context)
        if isinstance(result, Doubtful):
            waiting.out = False
            self._resending.doubt(waiting, dispatch.link)
            return
        if not result.late:
            waiting.out = False
            waiting.attempts -= 1
        match result:
            case Responded():
                self._responded(link, waiting, dispatch.link, result)
            case Throttled() if not waiting.out:
                waiting.cancel()
                self._outcomes.send_again(waiting, dispatch.link, _status(result.command_status), refused=True)

    def _responded(self, link: SmscLink, waiting: Waiting, name: str, result: Responded) -> None:
        retry = retry_of(result.command_status)
        if retry in (Retry.LATER, Retry.THROTTLED):
            if not waiting.out:  # it is out again where this answer came too late for its first sending
                self._put_off(waiting, name, _status(result.command_status))
            return
        waiting.cancel()
        if retry is Retry.NEVER:
            self._refused(link, waiting, result.command_status)
            return
        self.sent += 1
        message_id = result.message.message_id if isinstance(result.message, SubmitSmResp) else ""
        if message_id.strip():
            kept = stored_id(message_id, link.route.form)
        else:
            text, message_id = waiting.text, ""
            kept = reference_id(text.destination, text.part_reference(waiting.part))
        stated = message_id if message_id != kept else ""
        self._outcomes.record(SubmitOutcome(*waiting.key, link.smsc, Step.ACCEPTED, kept, stated=stated))

    def _put_off(self, waiting: Waiting, link: str, error: str) -> None:
        """The SMSC wants a part later: another link takes it now if one can, else it pauses."""
        waiting.refused_by.add(link)
        way = self.way_of(waiting)
        if way is not None and elsewhere(way, self._links, waiting.refused_by):
            waiting.cancel()
            self._outcomes.send_again(waiting, link, error, refused=True)
        else:
            self._resending.put_off(waiting, link, error)

    def _refused(self, link: SmscLink, waiting: Waiting, command_status: int) -> None:
        """The SMSC does not take a part: it fails, unless there is another way to its number."""
        error = _status(command_status)
        if is_no_route(command_status) or command_status in link.route.no_route:
            self._unreachable(waiting, link.name, error)
        else:
            self._failed(waiting, link.name, error)

    def _unreachable(self, waiting: Waiting, link: str, error: str) -> None:
        """A link cannot carry a part: the next way has it, and after the last it fails."""
        waiting.no_route.add(link)
        if self.way_of(waiting):
            self._outcomes.send_again(waiting, link, error)
        else:
            self._failed(waiting, link, error)

    def _failed(self, waiting: Waiting, link: str, error: str) -> None:
        self._outcomes.record(SubmitOutcome(*waiting.key, link, Step.FAILED, error=error))


def _status(command_status: int) -> str:
    try:
        return CommandStatus(command_status).name
    except ValueError:
        return f"0x{command_status:08X}"
