"""The gateway as a client of SMSCs: the links, the queue of texts out and the intake of texts in, put together.

A text is written down before it goes out and when anything becomes of it; what is in memory can be lost at any instant. Parts
that were out without an answer when the process or the link died are doubtful, and each link's policy says what then.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

from gateway.background import Background
from gateway.messaging.inbound.intake import Intake
from gateway.messaging.inbound.lost_parts import overdue_parts
from gateway.messaging.inbound.receipt_intake import ReceiptIntake
from gateway.messaging.inbound.text_intake import TextIntake
from gateway.messaging.inbound.unfinished import EndUnfinished
from gateway.messaging.lane_client import LaneClient
from gateway.messaging.links import LinkSet, Losses
from gateway.messaging.policy import MessagingPolicy
from gateway.messaging.queue.crossed_receipts import SettleCrossed, crossed_receipts
from gateway.messaging.queue.message_queue import MessageQueue
from gateway.messaging.queue.outcome_writer import OutcomeWriter
from gateway.messaging.queue.query_sm import PendingQuery, QueryEvent, QueryLink, QueryScheduler
from gateway.messaging.queue.resending import Resending
from gateway.messaging.queue.sms_expiry import ExpireTexts, overdue_texts
from gateway.messaging.queue.submitter import Submitter
from gateway.messaging.queue.waiting_parts import Waiting
from gateway.messaging.routing import Route, RouteRule, RoutingTable, SmscLink, Way
from gateway.messaging.submit import Accepted, AcceptTexts, Draft, Refusal
from gateway.messaging.text_events import TextEvent, UnmatchedReceipt
from gateway.messaging.texts import Text
from gateway.store.async_read import AsyncRead
from gateway.store.errors import StoreError
from gateway.store.write_lane import WriteLane
from protocols.network import SOCKETS, Network
from protocols.smpp.client import Link, Result
from protocols.smpp.node_events import LinkEvent, LinkUp
from protocols.tap import Tap


class SmscClient:
    """Texts out and in over all links of this gateway."""

    def __init__(
        self,
        policy: Callable[[], MessagingPolicy],
        lane: WriteLane,
        routes: Sequence[Route],
        rules: Sequence[RouteRule] = (),
        *,
        read: AsyncRead,
        node: int,
        shards: Callable[[], Collection[int]] | None = None,
        may_send: Callable[[], bool] = lambda: True,
        clock: Callable[[], int],
        monotonic: Callable[[], float],
        random: Callable[[], float],
        on_event: Callable[[LinkEvent | QueryEvent | TextEvent], None],
        background: Background | None = None,
        network: Network = SOCKETS,
    ) -> None:
        """Take the policy of the moment, the lane, the links' routes and the rules of who takes which.

        `read` runs a function with a reading connection. `shards` names what this node owns, by default its own shard alone;
        `may_send` tells whether it surely does so still (store.leases).
        """
        self._policy, self._lane, self._read, self._node = policy, lane, read, node
        self._shards = shards or (lambda: (node,))
        self._clock, self._monotonic, self._on_event = clock, monotonic, on_event
        self._losses = Losses()
        self._background = background or Background()
        self._lane_client = LaneClient(lane)
        self._queue = MessageQueue(
            read=read,
            node=node,
            unknown_outcomes=lambda: lane.counters.unknown,
            on_ready=self._pump,
            way_of=self._way_of,
            under_way=self._under_way,
            on_no_route=self._no_route,
        )
        self._texts = TextIntake(
            policy, post=self._lane_client.post, clock=clock, enqueue=self._queue.enqueue, on_event=on_event
        )
        self._receipts = receipts = ReceiptIntake(
            self._lane_client, clock=clock, is_owed=self._is_owed, on_event=on_event
        )
        self._links = LinkSet(
            routes,
            on_request=Intake(receipts, self._texts).requested,
            on_result=self._resulted,
            on_ready=self._pump,
            on_event=self._happened,
            monotonic=monotonic,
            random=random,
            network=network,
        )
        self._table = RoutingTable(lambda: list(self._links), rules)
        self._outcomes = OutcomeWriter(self._lane_client, on_again=self._queue.put_first, on_written=self._pump)
        self._lane_client.flush_in_order(self._outcomes.flush, receipts.flush)
        self._resending = Resending(self._links, self._outcomes, on_event)
        self._query_scheduler = self._make_query_scheduler(may_send)
        self._submitter = Submitter(
            self._queue,
            self._links,
            self._table,
            post=self._lane_client.post,
            outcomes=self._outcomes,
            resending=self._resending,
            may_send=may_send,
            on_idle=self._query_scheduler.pump,
        )

    def _make_query_scheduler(self, may_send: Callable[[], bool]) -> QueryScheduler:
        return QueryScheduler(
            {link.name: _query_link(link) for link in self._links if link.route.asks},
            read=self._read,
            post=self._lane_client.post,
            shards=self._shards,
            clock=self._clock,
            may_send=may_send,
            on_ready=self._pump,
            on_event=self._on_event,
        )

    # What is seen from outside

    @property
    def depth(self) -> int:
        """How many parts wait in memory."""
        return len(self._queue)

    @property
    def busy(self) -> int:
        """How many parts wait in memory, are being written down, or are out without an answer; 1 if the store has more.

        What came of a part counts as well until it is written down.
        """
        at_work = self._submitter.in_lane + self._links.unanswered + self._outcomes.unwritten
        return len(self._queue) + at_work + int(self._queue.more)

    @property
    def without_route(self) -> int:
        """How many parts in memory no route takes."""
        return self._queue.without_route(self._clock())

    @property
    def stranded(self) -> int:
        """How many parts in memory no link would take if all that are wanted were up."""
        there = [link for link in self._links if link.route.sends and not link.link.away]
        return sum(count for way, count in self._queue.by_way().items() if not any(map(way.leads_by, there)))

    @property
    def losses(self) -> Mapping[str, int]:
        """How often links were lost within the last ten minutes, by name."""
        return self._losses.lately(self._monotonic())

    @property
    def sent(self) -> int:
        """Parts that SMSCs took since the start."""
        return self._submitter.sent

    @property
    def arrived(self) -> int:
        """Texts and parts that came from handsets since the start."""
        return self._texts.arrived

    @property
    def silences(self) -> Mapping[str, int]:
        """Texts to our services that got no answer, by the reason."""
        return self._texts.silences

    @property
    def unmatched_receipts(self) -> Mapping[tuple[str, str], int]:
        """Delivery receipts that settled no text, by link and reason."""
        return self._receipts.unmatched

    def latest_unmatched(self, link: str) -> Sequence[tuple[int, UnmatchedReceipt]]:
        """Return the last receipts of a link that settled no text, and when they came."""
        return self._receipts.latest.get(link, ())

    @property
    def queries(self) -> Mapping[tuple[str, str], int]:
        """How many query_sm came to what, by link and result."""
        return self._query_scheduler.results

    @property
    def queries_pending(self) -> int:
        """How many parts wait to be asked for, are asked for, or have the answer written down."""
        return self._query_scheduler.pending

    def links(self) -> Mapping[str, Link]:
        """Return the links by name."""
        return self._links.by_name()

    def count_parts(self, body: str) -> int:
        """Count the parts that a text takes; LocalProtocolError where it cannot be sent at all."""
        return self._policy().segments(body)

    # What is done with it

    async def start(self) -> None:
        """Look through what was left open, then dial."""
        await self._texts.start(self._read, self._node)
        await self._queue.start(self._background, self._resending.doubt)
        self._queue.adopt(shard for shard in self._shards() if shard != self._node)
        self._links.start()

    async def adopt(self, shards: Sequence[int]) -> None:
        """Go on with the texts of another gateway that is gone.

        What waits is sent by our links, what it may have sent is decided on by the policy of its link, and what it took from
        handsets is known if it comes again.
        """
        for shard in shards:
            await self._texts.adopt(self._read, shard)
        self._queue.adopt(shards)

    async def stop(self, deadline: float) -> None:
        """Send nothing further, take the answers to what is out, unbind."""
        self._queue.stop()
        await self._links.stop(deadline)
        self._outcomes.release()  # the lane may take them now
        self._lane_client.flush()

    def set_tap(self, tap: Tap | None) -> None:
        """Have each PDU of every link copied to a tap from now on, also of links to come; None ends it."""
        self._links.set_tap(tap)

    def set_routes(self, rules: Sequence[RouteRule]) -> None:
        """Route by other rules from now on, what waits as well."""
        self._table.rules = tuple(rules)
        self._queue.reroute()

    def add_link(self, route: Route) -> None:
        """Carry texts by one more link, and dial it; LocalProtocolError if there is one of its name."""
        link = self._links.add(route)
        if route.asks:
            self._query_scheduler.add(link.name, _query_link(link))

    async def remove_link(self, name: str, deadline: float) -> None:
        """Give a link nothing new, take the answers to what is out within `deadline` seconds, unbind, and forget it."""
        self._query_scheduler.remove(name)
        await self._links.remove(name, deadline)

    async def accept(self, client: str, drafts: list[Draft]) -> Accepted | Refusal:
        """Commit the drafts of one request and queue them; StoreError where that cannot be."""
        future: asyncio.Future[Accepted | Refusal] = asyncio.get_running_loop().create_future()

        def done(answer: Accepted | Refusal | None, error: StoreError | None) -> None:
            if isinstance(answer, Accepted):
                self.enqueue(answer.new)
            if not future.cancelled():
                future.set_exception(error) if error is not None or answer is None else future.set_result(answer)  # type: ignore[arg-type]  # one of both

        self._lane.post(AcceptTexts(client, drafts), done)
        return await future

    def enqueue(self, texts: Sequence[Text]) -> None:
        """Queue texts that were committed."""
        self._queue.enqueue(texts)

    async def expire(self) -> None:
        """Bring texts to their end whose time is over."""
        now = self._clock()
        ids = await self._read(lambda connection: overdue_texts(connection, now))
        if ids:
            self._lane_client.post(ExpireTexts(ids), lambda _: None)

    async def end_unfinished(self) -> None:
        """Wait no longer for the rest of texts from handsets whose time is over: a STOP in what is there is heard."""
        before = self._clock() - self._policy().reassembly
        found = await self._read(lambda connection: overdue_parts(connection, before))
        if found:
            self._lane_client.post(EndUnfinished(found), self.enqueue)

    async def settle_crossed(self) -> None:
        """Settle texts whose receipts another gateway of the store took at the moment of their acceptance."""
        now, shards = self._clock(), self._shards()
        crossed = await self._read(lambda connection: crossed_receipts(connection, shards, now))
        if crossed:
            self._lane_client.post(SettleCrossed(crossed), lambda _: None)

    async def recover(self) -> None:
        """Queue what waits in the store and not here: texts of batches that were committed after all, unknown to anybody."""
        await self._queue.recover()

    async def take_notices(self) -> None:
        """Queue the notices to customers that were written since the last look, before all other texts."""
        await self._queue.take_notices(self._shards())

    async def inquire(self) -> None:
        """Ask the SMSCs for texts that they took and never told of."""
        if not self._queue.stopped:
            await self._query_scheduler.look()

    # What the links tell

    def _pump(self) -> None:
        self._submitter.pump()

    def _way_of(self, waiting: Waiting) -> Way | None:
        return self._submitter.way_of(waiting)

    def _under_way(self) -> Collection[tuple[int, int]]:
        return self._submitter.under_way()

    def _no_route(self, waiting: Waiting) -> None:
        self._submitter.no_route(waiting)

    def _resulted(self, link: SmscLink, result: Result) -> None:
        if isinstance(result.context, PendingQuery):
            self._query_scheduler.resulted(result.context, result)
        else:
            self._submitter.resulted(link, result)

    def _is_owed(self, link: SmscLink) -> bool:
        """Whether the SMSC behind a link has a text of ours without an answer, or one whose answer is not with the lane yet."""
        same = (other.link.state().waiting for other in self._links if other.smsc == link.smsc)
        return self._outcomes.unwritten > 0 or any(same)

    def _happened(self, event: LinkEvent) -> None:
        self._texts.happened(event)
        self._losses.record(event, self._monotonic())
        if isinstance(event, LinkUp):
            self._query_scheduler.bound(event.name)
        self._on_event(event)


def _query_link(link: SmscLink) -> QueryLink:
    route = link.route
    return QueryLink(link.link, link.smsc, route.form, int(route.query_after * 1_000_000), lambda: link.room)
