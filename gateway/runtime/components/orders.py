"""Orders: what carries them out, with the hosts that they go to."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final

from prometheus_client.core import Metric

from gateway.context import GatewayContext
from gateway.messaging.smsc_client import SmscClient
from gateway.metrics.sources import order_metrics
from gateway.runtime.component import Change, Component, Prepared, Services, Stage
from gateway.runtime.components.diameter import DiameterComponent
from gateway.settings.sections.provisioning import OsmoHlrHost, ProvisioningHost, Tmf640Host
from gateway.sims.host_reach import LOOK_SECONDS, HostReach
from gateway.sims.host_runtime import HostRuntime, callback_secret
from gateway.sims.order_executor import OrderExecutor
from protocols.tap import Tap
from provisioning.hosts.interface import Host
from provisioning.hosts.osmohlr import OsmoHlr
from provisioning.hosts.tmf640 import Tmf640


class OrdersComponent(Component):
    """The order executor with all hosts; there may be none."""

    name: ClassVar[str] = "orders"
    stage: ClassVar[Stage] = Stage.INITIATORS
    # An order's steps speak with the clients of sessions and send texts: none begins while those are left.

    def __init__(self, services: Services, smsc_client: SmscClient, diameter: DiameterComponent | None) -> None:
        """Make it from the settings in force; without Diameter there are no sessions to tell of."""
        context = services.context
        settings = context.settings.provisioning
        self._context = context
        self.executor = OrderExecutor(
            context,
            {host.name: make_host_runtime(host, context) for host in settings.hosts},
            notice=float(settings.swap_notice),
            reauthorise=diameter.session_requests.reauthorise if diameter is not None else _nobody,
            abort=diameter.session_requests.end if diameter is not None else _nobody,
            enqueue=smsc_client.enqueue,
            alarm=services.log,
            background=services.background,
        )
        self._reach = HostReach(context, self.executor.report_reach)
        self._background = services.background
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Go on with every open order, and look from time to time whether the hosts are there."""
        self.executor.start()
        self._looking = self._background.every("look_at_hosts", LOOK_SECONDS, self._reach.look)

    async def stop(self) -> None:
        """Leave every order where it stands."""
        if self._looking is not None:
            self._looking.cancel()
        await self.executor.stop()

    async def prepare(self, change: Change) -> Prepared:
        """Make what speaks with hosts that came or changed; OSError where a certificate does not load."""
        settings, hosts = change.settings.provisioning, change.changes.hosts
        wanted = {host.name: host for host in settings.hosts}
        made = {name: make_host_runtime(wanted[name], self._context) for name in (*hosts.added, *hosts.changed)}

        def apply() -> None:
            known = {name: runtime for name, runtime in self.executor.host_runtimes.items() if name in wanted}
            self.executor.apply_settings(known | made, notice=float(settings.swap_notice))

        return Prepared(apply)

    def metrics(self) -> Iterable[Metric]:
        """Return what becomes of orders, and which hosts answer."""
        return order_metrics(self.executor)

    def set_tap(self, tap: Tap | None) -> None:
        """Copy each message to a host and from it."""
        self.executor.set_tap(tap)


async def _nobody(_subscriber_id: int) -> None:
    """Without Diameter there are no sessions to tell of."""


def make_host_runtime(host: ProvisioningHost, context: GatewayContext) -> HostRuntime:
    """Make what speaks with a host."""
    adapter = ADAPTERS[type(host)](host, context)
    return HostRuntime(adapter, asyncio.Semaphore(host.concurrency), float(host.poll), float(host.verify))


def _osmohlr(host: OsmoHlrHost, context: GatewayContext) -> Host:
    return OsmoHlr(
        host.name,
        (host.ctrl.host, host.ctrl.port),
        (host.vty.host, host.vty.port),
        timeout=float(host.timeout),
        rate=float(host.rate),
        clock=context.monotonic,
    )


def _tmf640(host: Tmf640Host, context: GatewayContext) -> Host:
    callback = None
    if host.callback is not None:
        secret = callback_secret(context, host.name)
        callback = f"{host.callback.rstrip('/')}/v1/hosts/{host.name}/listener/{secret}"
    return Tmf640(
        host.name,
        host.url,
        token=host.token.reveal() if host.token is not None else None,
        callback=callback,
        ca=str(host.ca) if host.ca is not None else None,
        timeout=float(host.timeout),
        poll=float(host.poll),
        rate=float(host.rate),
        countries=host.serves(context.settings.operator),
        clock=context.monotonic,
    )


ADAPTERS: Final[dict[type[ProvisioningHost], Callable[[Any, GatewayContext], Host]]] = {
    OsmoHlrHost: _osmohlr,
    Tmf640Host: _tmf640,
}
"""What makes the adapter of a host, by the type of its settings; a new adapter is a row here."""
