"""Texts from handsets in: each goes to the lane as a unit, its redelivery meanwhile waits for the same answer."""

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from gateway.messaging.inbound import deliver_sm
from gateway.messaging.inbound.mo_delivery import Arrival, Arrived, TakeArrival, opts
from gateway.messaging.inbound.pending_requests import Known, LostAnswers, PendingRequests
from gateway.messaging.inbound.redelivery import Drops
from gateway.messaging.inbound.responses import acknowledge, drop, refuse
from gateway.messaging.inbound.senders import last_arrival
from gateway.messaging.lane_client import Post
from gateway.messaging.policy import MessagingPolicy
from gateway.messaging.routing import SmscLink
from gateway.messaging.text_events import AnswersLimited, SwitchingAsked
from gateway.messaging.texts import Text
from gateway.store.async_read import AsyncRead
from protocols.smpp.client import Request
from protocols.smpp.messages import DataSm, DeliverSm
from protocols.smpp.node_events import LinkDown, LinkEvent, LinkUp


class TextIntake:
    """Takes texts and parts from handsets to the lane, answers them, and has the answers of services queued."""

    def __init__(
        self,
        policy: Callable[[], MessagingPolicy],
        *,
        post: Post,
        clock: Callable[[], int],
        enqueue: Callable[[Sequence[Text]], None],
        on_event: Callable[[AnswersLimited | SwitchingAsked], None],
    ) -> None:
        """Take the policy of the moment, the lane, a clock in microseconds, the queue of texts out, and who hears of events."""
        self._policy, self._post, self._clock = policy, post, clock
        self._enqueue, self._on_event = enqueue, on_event
        self._drops, self._pending, self._lost_answers = Drops(), PendingRequests(), LostAnswers()
        self.arrived = 0
        """Texts and parts that came since the start."""
        self.silences: Counter[str] = Counter()
        """Texts to our services that got no answer, by the reason."""

    async def start(self, read: AsyncRead, node: int) -> None:
        """Find when this node was alive last: what was answered just before may come again."""
        last = await read(lambda connection: last_arrival(connection, node))
        if last is not None:
            self._drops.restarted(last)

    async def adopt(self, read: AsyncRead, node: int) -> None:
        """Take over from another gateway: what it answered just before its end may come again, by our links."""
        last = await read(lambda connection: last_arrival(connection, node))
        if last is not None:
            self._drops.taken_over(last, self._clock())

    def happened(self, event: LinkEvent) -> None:
        """Take note of binds and drops: after a drop texts may come again."""
        if isinstance(event, LinkUp):
            self._drops.bound(event.name, self._clock())
        elif isinstance(event, LinkDown):
            self._drops.dropped(event.name, self._clock())

    def take(self, link: SmscLink, message: DeliverSm | DataSm, request: Request) -> None:
        """Hand a text to the lane, unless the same one is there already."""
        self.arrived += 1
        came = self._read(link, message)
        known, place = (link.smsc, came.digest), 0
        if self._pending.has(known):  # by whatever link
            if not opts(came, self._policy()):
                self._pending.join(known, request)
                return
            place = self.arrived  # the lane sees whether another STOP or START came in between
        if known in self._lost_answers:
            came = msgspec.structs.replace(came, unanswered=True)
        key, end = self._pending.begin(known, request, place), self._pending.end
        self._post(
            TakeArrival(came),
            lambda arrived: self._done(came, known, arrived, end(key)),
            lambda: refuse(end(key)),
            lambda: drop(end(key)),
        )

    def _read(self, link: SmscLink, message: DeliverSm | DataSm) -> Arrival:
        name, now = link.name, self._clock()
        return deliver_sm.arrival(
            name,
            link.smsc,
            message,
            link.route.alphabet,
            came_at=now,
            bound_at=self._drops.bound_at(name),
            drops=self._drops.after(name, now),
            country=link.route.country,
        )

    def _done(self, came: Arrival, known: Known, arrived: Arrived, requests: Sequence[Request]) -> None:
        """Answer a text that is on disk, and queue what the service says to it."""
        self._lost_answers.record(known, reached=acknowledge(requests))
        if arrived.silent:
            self.silences[arrived.silent] += 1
        if arrived.limited:
            self._on_event(AnswersLimited(came.link, came.destination, arrived.limited))
        if arrived.switching:
            self._on_event(SwitchingAsked(came.link, arrived.switching, came.destination, arrived.subject))
        self._enqueue(arrived.answers)
