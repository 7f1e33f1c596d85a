"""Texts: the links to the SMSCs, and the queue and the intake behind them."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import ClassVar, Final

from prometheus_client.core import Metric

from gateway.messaging import addresses
from gateway.messaging.policy import MessagingPolicy
from gateway.messaging.routing import Route, RouteRule
from gateway.messaging.smsc_client import SmscClient
from gateway.metrics.sources import link_metrics
from gateway.runtime import tls
from gateway.runtime.component import Change, Component, Prepared, Services, Stage
from gateway.settings.diff import Sorted
from gateway.settings.sections.smpp import SmppLink, SmppRoute
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.client import LinkConfig
from protocols.smpp.limits import Limits
from protocols.smpp.receipts import STATS, IdForm, MessageState
from protocols.tap import Tap

TLVS: Final = {"auto": None, "always": True, "never": False}
LEAVE_SECONDS = 10.0
"""How long a link that goes may take for what is owed either way."""


class TextsComponent(Component):
    """The client of the SMSCs with all links; there may be none."""

    name: ClassVar[str] = "texts"
    stage: ClassVar[Stage] = Stage.CONNECTIONS

    def __init__(self, services: Services) -> None:
        """Make it from the settings in force; nothing is dialled before `start`."""
        context = services.context
        self.client = SmscClient(
            lambda: context.policy(MessagingPolicy),
            context.lane,
            [route(link, context.settings.operator.country) for link in context.settings.smpp.links],
            [rule(entry, context.settings.operator.country) for entry in context.settings.smpp.routes],
            read=context.read_async,
            node=context.node.id,
            shards=lambda: context.node.owned,
            may_send=lambda: context.may_send,
            clock=context.clock,
            monotonic=context.monotonic,
            random=context.environment.random.random,
            on_event=services.on_network,
            background=services.background,
            network=context.environment.network,
        )

    async def start(self) -> None:
        """Look through what was left open, then dial."""
        await self.client.start()

    async def stop(self) -> None:
        """Send nothing further, take the answers to what is out, unbind."""
        await self.client.stop(LEAVE_SECONDS)

    async def prepare(self, change: Change) -> Prepared:
        """Make the routes of links that came or changed; OSError where their certificates do not load."""
        wanted = {link.name: link for link in change.settings.smpp.links}
        links = change.changes.links
        routes = {
            name: route(wanted[name], change.settings.operator.country) for name in (*links.added, *links.changed)
        }
        rules = [rule(entry, change.settings.operator.country) for entry in change.settings.smpp.routes]
        return Prepared(lambda: self.client.set_routes(rules), lambda: self._reconnect(links, routes, rules))

    async def _reconnect(self, links: Sorted, routes: dict[str, Route], rules: Sequence[RouteRule]) -> None:
        """Leave what went, make anew what changed, dial what came, each link by itself; then nothing waits for what went."""
        leaving: list[Awaitable[None]] = [self.client.remove_link(name, LEAVE_SECONDS) for name in links.removed]
        leaving += [self._relink(name, routes[name]) for name in links.changed]
        for name in links.added:
            self.client.add_link(routes[name])
        await asyncio.gather(*leaving)
        self.client.set_routes(rules)

    async def _relink(self, name: str, changed: Route) -> None:
        """Bind anew only after the old bind has ended: few SMSCs take two of one system_id."""
        await self.client.remove_link(name, LEAVE_SECONDS)
        self.client.add_link(changed)

    def metrics(self) -> Iterable[Metric]:
        """Return the figures of each link."""
        return link_metrics(self.client)

    def set_tap(self, tap: Tap | None) -> None:
        """Copy each PDU of every link."""
        self.client.set_tap(tap)


def route(link: SmppLink, country: str) -> Route:
    """Turn the settings of a link, of an operator in this country, into its route.

    OSError (ssl.SSLError) where its certificates do not load.
    """
    config = LinkConfig(
        name=link.name,
        host=link.host,
        port=link.port,
        system_id=link.system_id,
        password=link.password.reveal() if link.password is not None else "",
        system_type=link.system_type,
        bind=link.bind,
        interface_version=0x50 if link.version == "5.0" else 0x34,
        tls=tls.client_context(link.tls) if link.tls else None,
        tlvs=TLVS[link.tlvs],
        limits=Limits(
            session_init=float(link.bind_timeout),
            window=link.window,
            rate=float(link.rate),
            enquire_link=float(link.enquire_link),
            response_timeout=float(link.response_timeout),
        ),
    )
    alphabet, form = Alphabet(link.default_alphabet), IdForm(link.message_id)
    return Route(
        config,
        alphabet,
        form,
        link.doubtful,
        float(link.doubtful_wait),
        float(link.query_after),
        by_text=link.receipts == "by_text",
        attempts=link.attempts,
        no_route=frozenset(link.no_route),
        country=link.country or country,
        stats={**STATS, **{stat: MessageState[name.upper()] for stat, name in link.receipt_states.items()}},
    )


def rule(entry: SmppRoute, country: str) -> RouteRule:
    """Turn an entry of smpp.routes, of an operator in this country, into its rule: senders in the form that texts have."""
    senders = frozenset(addresses.sender(sender, country) for sender in entry.senders)
    return RouteRule(tuple(entry.links), tuple(entry.prefixes), senders, frozenset(entry.countries))
