"""The lease of this gateway on a server's store: kept by renewing it, and others' work taken over when theirs is over."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from prometheus_client.core import Metric

from gateway.messaging.smsc_client import SmscClient
from gateway.metrics.sources import lease_metrics
from gateway.runtime.component import Component, Services, Stage
from gateway.store.async_submit import submit
from gateway.store.backends import STALL_SHARE, end_backends, end_stalled
from gateway.store.leases import RENEW_SHARE, Other, Sightings
from gateway.store.takeover import AdoptNode, Gone, RenewLease, Standing, look_around, look_closer

MOST_SECONDS: Final = 1.0
"""Between two looks at the own lease, and at those of others; a short lease is looked at more often."""


class LeasesComponent(Component):
    """Renews the lease while nothing else is committed, and adopts gateways whose lease is over and whose rows wait.

    Whatever another gateway, a command, or this one has adopted for it is found in the store by the next look: so it is taken
    up once, and also where the outcome of the adoption was unknown.
    """

    name: ClassVar[str] = "leases"
    stage: ClassVar[Stage] = Stage.API
    # What the stages before it finish is committed under the lease.

    def __init__(self, services: Services, smsc_client: SmscClient) -> None:
        """Take who sends the texts that come with an adoption; orders and events are found by those who look for them."""
        self._context, self._log, self._background = services.context, services.log, services.background
        self._smsc_client = smsc_client
        self._lease = services.context.lane.lease
        self._taken_up = set(services.context.node.owned)
        self._tasks: list[asyncio.Task[None]] = []
        self._sightings = Sightings()
        self.gone: list[Gone] = []
        """Gateways that are gone, whose rows wait, and that nobody has adopted, at the last look."""

    async def start(self) -> None:
        """Begin to renew and to look around; the lease of an only writer holds by itself."""
        if self._lease.seconds:
            seconds = min(MOST_SECONDS, self._lease.seconds * RENEW_SHARE / 2)
            self._tasks = [
                self._background.every("renew_lease", seconds, self._renew),
                self._background.every("watch_gateways", seconds, self._watch),
            ]

    async def stop(self) -> None:
        """Let the lease run out."""
        for task in self._tasks:
            task.cancel()

    def metrics(self) -> Iterable[Metric]:
        """Return whether the lease holds, and who is gone."""
        return lease_metrics(self._lease.holds(self._context.monotonic()), len(self.gone))

    async def _renew(self) -> None:
        if self._lease.due(self._context.monotonic()):
            await submit(self._context.lane, RenewLease())

    async def _watch(self) -> None:
        """Take up what came to be ours, and adopt who is gone."""
        found = await self._look_around()
        wanted = [gone.node for gone in self.gone if self._is_able(gone)] if self._may_adopt() else []
        for other in wanted:
            await self._adopt(other)
        if wanted:
            found = await self._look_around()
        await self._take_up(found.owned)

    async def _look_around(self) -> Standing:
        """Return how things stand, and note who is gone.

        One for whom nothing waits is left alone, and goes on under its number when it is back.
        """
        context = self._context
        found = await context.read_async(lambda connection: look_around(connection, context.node.id))
        stalled_after = self._lease.seconds * STALL_SHARE
        ended = await context.read_async(lambda connection: end_stalled(connection, context.node.id, stalled_after))
        if ended:
            self._log("node.stalled", {"numbers": ", ".join(map(str, ended)), "seconds": stalled_after})
        silent = self._sightings.silent(found.others, context.monotonic())
        gone = await context.read_async(lambda connection: look_closer(connection, silent)) if silent else []
        # Without a broker here there may be none at all: then events wait for nobody.
        unwanted = {"events"} if context.settings.events.mqtt is None else set()
        self.gone = [each for each in gone if each.waiting - unwanted]
        return found

    def _may_adopt(self) -> bool:
        context = self._context
        wanted = context.settings.store.takeover > 0 and not context.draining
        return wanted and self._lease.may_adopt(context.monotonic())

    def _is_able(self, gone: Gone) -> bool:
        """Whether this gateway has links for the texts of another one, and hosts for its orders; else a better one may come."""
        settings = self._context.settings
        links = any(link.bind != "receiver" for link in settings.smpp.links)
        return ("texts" not in gone.waiting or links) and (
            "orders" not in gone.waiting or bool(settings.provisioning.hosts)
        )

    async def _adopt(self, other: Other) -> None:
        """End what the server still runs for a gateway, so that it holds no row, then take its shards."""
        await self._context.read_async(lambda connection: end_backends(connection, other.node))
        await submit(self._context.lane, AdoptNode(other.node, other.epoch, other.renewed_at))

    async def _take_up(self, owned: Mapping[int, str]) -> None:
        """Begin with the work of shards that came to be ours."""
        self._context.node.owned = tuple(owned)
        new = [shard for shard in owned if shard not in self._taken_up]
        if new:
            await self._smsc_client.adopt(new)
            self._taken_up.update(new)
            names = sorted({owned[shard] for shard in new})
            self._log("node.adopted", {"nodes": ", ".join(names), "shards": len(new)})
