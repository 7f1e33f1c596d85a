"""The HTTP faces: health, metrics and the API on TCP, the commands' actions on the Unix socket, the status page."""

from typing import ClassVar

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


class ApiComponent(Component):
    """Everything that the gateway answers by HTTP."""

    name: ClassVar[str] = "api"
    stage: ClassVar[Stage] = Stage.API

    def __init__(
        self,
        services: Services,
        health: Health,
        *,
        texts: TextsComponent,
        diameter: DiameterComponent | None,
        events: EventsComponent | None,
        backup: BackupComponent | None,
        sealed: SealedMonthsComponent | None,
        bills: BillsComponent,
        orders: OrdersComponent,
        traces: TracesComponent,
        leases: LeasesComponent,
        periodic: PeriodicWork,
        reload: Reload,
        drain: Drain,
        nodes: NodesComponent,
        undecodable: Undecodable,
        recent_alarms: RecentAlarms,
        started_at: float,
    ) -> None:
        """Take what is spoken for; nothing is bound before `start`."""
        context = services.context
        node = diameter.node if diameter is not None else None
        forwarder = events.forwarder if events is not None else None
        sms, sims = SmsActions(context, texts.client), OrderActions(context, orders.executor)
        session_requests = diameter.session_requests if diameter is not None else None
        sessions = SessionActions(context, session_requests)
        spending = SpendingActions(context, services.background, session_requests)
        tracing = TraceActions(context, traces.traces, undecodable, texts.client, orders.executor, node)
        parts = Parts(
            texts.client,
            orders.executor,
            node,
            forwarder,
            lag=lambda: periodic.lag,
            open_texts=lambda: periodic.open_texts,
            held_reports=lambda: periodic.held_reports,
            fraud_cases=lambda: periodic.fraud_cases,
            giving_due=lambda: periodic.giving_due.days,
            failing=lambda: services.background.failing,
            nodes_gone=lambda: [gone.node.name for gone in leases.gone],
            backup=backup.concerns if backup is not None else tuple,
            sealed=sealed.concerns if sealed is not None else tuple,
        )
        collector = StatusCollector(context, services.metrics, recent_alarms, parts, started_at)
        self._page = StatusPage(collector, services.background)

        def status() -> GatewayStatus:
            return gateway_status(
                context,
                node,
                forwarder,
                orders.executor,
                started_at=started_at,
                ready=health.ready(),
                drain=drain.state(),
                traces=traces.traces.running,
                concerns=collector.concerns(),
                backup=backup.view() if backup is not None else None,
            )

        own: dict[str, RunningAction] = status_actions(status)
        for source in (sms, sessions, spending, sims, tracing, reload, drain, bills):
            own |= source.actions()
        router = Router(own, nodes.others, services.log)
        actions = router.actions()
        nodes.serve(router.serve)
        if session_requests is not None and not nodes.others.alone:
            session_requests.set_others(by_others(actions, context.node_name))
        self._server = Server(
            context,
            services.metrics,
            sms,
            actions=actions,
            routes=[
                *SubscriberRoutes(context, sims, spending, orders.executor).routes(),
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
