"""The HTTP faces: health, metrics and the API on TCP, the commands' actions on the Unix socket, the status page."""

from functools import partial
from typing import ClassVar

import msgspec

from gateway.api.action import RunningAction
from gateway.api.action_routing import Router
from gateway.api.actions.orders import OrderActions
from gateway.api.actions.sessions import SessionActions, by_others
from gateway.api.actions.spending import SpendingActions
from gateway.api.actions.texts import SmsActions
from gateway.api.actions.traces import TraceActions
from gateway.api.answers.nodes import GatewayStatus
from gateway.api.routes.audit import AuditRoutes
from gateway.api.routes.charity import CharityRoutes
from gateway.api.routes.ledger import LedgerRoutes
from gateway.api.routes.subscribers import LISTENER, SubscriberRoutes
from gateway.api.server import Server
from gateway.charging.gy.reauth_abort import SessionRequests
from gateway.context import GatewayContext
from gateway.events.forwarder import Forwarder
from gateway.runtime.component import Component, Services, Stage
from gateway.runtime.components.backup import BackupComponent
from gateway.runtime.components.bills import BillsComponent
from gateway.runtime.components.diameter import DiameterComponent
from gateway.runtime.components.events import EventsComponent
from gateway.runtime.components.leases import LeasesComponent
from gateway.runtime.components.nodes import NodesComponent
from gateway.runtime.components.orders import OrdersComponent
from gateway.runtime.components.sealed_months import SealedMonthsComponent
from gateway.runtime.components.texts import TextsComponent
from gateway.runtime.components.traces import TracesComponent
from gateway.runtime.drain import Drain
from gateway.runtime.health import Health
from gateway.runtime.periodic import PeriodicWork
from gateway.runtime.reload import Reload
from gateway.runtime.status import gateway_status, status_actions
from gateway.status_page.alarms import RecentAlarms
from gateway.status_page.collect import Parts, StatusCollector
from gateway.status_page.routes import StatusPage
from gateway.tracing.undecodable import Undecodable
from protocols.diameter.node import Node


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What the API speaks for: the running parts of the gateway, and since when (Unix time) it runs."""

    texts: TextsComponent
    diameter: DiameterComponent | None
    events: EventsComponent | None
    backup: BackupComponent | None
    sealed: SealedMonthsComponent | None
    bills: BillsComponent
    orders: OrdersComponent
    traces: TracesComponent
    leases: LeasesComponent
    periodic: PeriodicWork
    reload: Reload
    drain: Drain
    nodes: NodesComponent
    undecodable: Undecodable
    recent_alarms: RecentAlarms
    started_at: float

    @property
    def node(self) -> Node | None:
        """The Diameter node, where there is one."""
        return self.diameter.node if self.diameter is not None else None

    @property
    def forwarder(self) -> Forwarder | None:
        """What publishes events, where there is a broker."""
        return self.events.forwarder if self.events is not None else None

    @property
    def session_requests(self) -> SessionRequests | None:
        """What asks the clients of sessions, where there is Diameter."""
        return self.diameter.session_requests if self.diameter is not None else None


class ApiComponent(Component):
    """Everything that the gateway answers by HTTP."""

    name: ClassVar[str] = "api"
    stage: ClassVar[Stage] = Stage.API

    def __init__(self, services: Services, health: Health, served: Served) -> None:
        """Take what is spoken for; nothing is bound before `start`."""
        context = services.context
        collector = _collector(services, served)
        self._page = StatusPage(collector, services.background)
        sms, sims = SmsActions(context, served.texts.client), OrderActions(context, served.orders.executor)
        spending = SpendingActions(context, services.background, served.session_requests)
        own = status_actions(partial(_status, context, health, served, collector))
        sessions = SessionActions(context, served.session_requests)
        for source in (
            sms,
            sessions,
            spending,
            sims,
            _traces(context, served),
            served.reload,
            served.drain,
            served.bills,
        ):
            own |= source.actions()
        self._server = Server(
            context,
            services.metrics,
            sms,
            actions=_routed(services, served, own),
            routes=[
                *SubscriberRoutes(context, sims, spending, served.orders.executor).routes(),
                *LedgerRoutes(context).routes(),
                *AuditRoutes(context).routes(),
                *CharityRoutes(context).routes(),
                *self._page.routes(),
            ],
            open_paths=(LISTENER,),
            live=health.live,
            ready=health.ready,
            concerns=collector.concerns,
            alarm=services.log,
        )

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._server.port

    async def start(self) -> None:
        """Bind the TCP port and the Unix socket, and begin to take samples for the page."""
        await self._server.start()
        self._page.start()

    async def stop(self) -> None:
        """Finish the requests at hand and unbind."""
        self._page.stop()
        await self._server.stop()


def _collector(services: Services, served: Served) -> StatusCollector:
    """Make what looks at all parts for the status page."""
    periodic, backup, sealed = served.periodic, served.backup, served.sealed
    parts = Parts(
        served.texts.client,
        served.orders.executor,
        served.node,
        served.forwarder,
        lag=lambda: periodic.lag,
        open_texts=lambda: periodic.open_texts,
        held_reports=lambda: periodic.held_reports,
        fraud_cases=lambda: periodic.fraud_cases,
        giving_due=lambda: periodic.giving_due.days,
        failing=lambda: services.background.failing,
        nodes_gone=lambda: [gone.node.name for gone in served.leases.gone],
        backup=backup.concerns if backup is not None else tuple,
        sealed=sealed.concerns if sealed is not None else tuple,
    )
    return StatusCollector(services.context, services.metrics, served.recent_alarms, parts, served.started_at)


def _status(context: GatewayContext, health: Health, served: Served, collector: StatusCollector) -> GatewayStatus:
    """Return how this gateway does."""
    return gateway_status(
        context,
        served.node,
        served.forwarder,
        served.orders.executor,
        started_at=served.started_at,
        ready=health.ready(),
        drain=served.drain.state(),
        traces=served.traces.traces.running,
        concerns=collector.concerns(),
        backup=served.backup.view() if served.backup is not None else None,
    )


def _traces(context: GatewayContext, served: Served) -> TraceActions:
    client, executor = served.texts.client, served.orders.executor
    return TraceActions(context, served.traces.traces, served.undecodable, client, executor, served.node)


def _routed(services: Services, served: Served, own: dict[str, RunningAction]) -> dict[str, RunningAction]:
    """Return the actions as they are done where they belong: at this gateway, or at another one on its store."""
    others, session_requests = served.nodes.others, served.session_requests
    router = Router(own, others, services.log)
    actions = router.actions()
    served.nodes.serve(router.serve)
    if session_requests is not None and not others.alone:
        session_requests.set_others(by_others(actions, services.context.node_name))
    return actions
