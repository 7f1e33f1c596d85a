"""From the operator's settings to what the network sees: the Diameter node and the client of the SMSCs."""

import asyncio
import ssl
from collections.abc import Callable, Mapping

import msgspec

from gateway.background import Background
from gateway.charging.gy.cca import APPLICATION
from gateway.charging.gy.peer_restarts import PeerRestarts
from gateway.charging.gy.reauth_abort import SessionRequests
from gateway.charging.gy.server import CREDIT_CONTROL, CreditControlServer, Observed
from gateway.context import GatewayContext
from gateway.messaging.policy import MessagingPolicy
from gateway.messaging.queue.query_sm import QueryEvent
from gateway.messaging.routing import Route
from gateway.messaging.smsc_client import SmscClient
from gateway.messaging.text_events import TextEvent
from gateway.settings.sections import Diameter, DiameterPeer, LinkTls, ProvisioningHost, SmppLink, Tls
from gateway.sims.host_runtime import HostRuntime, callback_secret
from gateway.sims.order_executor import OrderExecutor
from protocols.diameter.avp_validation import STANDARD, Profile
from protocols.diameter.identity import NodeIdentity, PeerConfig
from protocols.diameter.inbound import Application
from protocols.diameter.node import Node
from protocols.diameter.node_events import NodeEvent
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.client import LinkConfig
from protocols.smpp.limits import Limits as SmppLimits
from protocols.smpp.node_events import LinkEvent
from protocols.smpp.receipts import IdForm
from provisioning.hosts.interface import Host
from provisioning.hosts.osmohlr import OsmoHlr
from provisioning.hosts.tmf640 import Tmf640

PRODUCT = "TPO gateway"


class Listening(msgspec.Struct, frozen=True):
    """Who is told: `observe` of each charging request, `observe_session_request` of each RAR and ASR, `alarm` of what a person
    should see, `on_event` of the network; and `background`, who watches what runs beside it."""

    observe: Callable[[Observed], None]
    observe_session_request: Callable[[str, str], None]
    alarm: Callable[[str, Mapping[str, object]], None]
    on_event: Callable[[NodeEvent | LinkEvent | QueryEvent | TextEvent], None]
    background: Background | None = None


def make_credit_control_server(
    context: GatewayContext, settings: Diameter, listening: Listening
) -> CreditControlServer:
    """Make the Credit-Control application."""
    return CreditControlServer(
        context.lane,
        origin_host=settings.identity,
        origin_realm=settings.realm,
        deadline=float(context.settings.charging.deadline),
        clock=context.clock,
        monotonic=context.monotonic,
        observe=listening.observe,
        alarm=listening.alarm,
        profiles=profiles_of(settings),
        country=context.settings.operator.country,
    )


def make_node(
    context: GatewayContext, settings: Diameter, host_runtime: CreditControlServer, listening: Listening
) -> Node:
    """Make the Diameter node with credit control as its one application."""
    return Node(
        _identity(context, settings),
        [peer_config(peer) for peer in settings.peers],
        {APPLICATION: Application(host_runtime.handle, frozenset({CREDIT_CONTROL}))},
        [(at.address.host, at.address.port, _server_context(at.tls) if at.tls else None) for at in settings.listen],
        clock=context.monotonic,
        random=context.environment.random.random,
        on_event=listening.on_event,
    )


def make_session_requests(
    context: GatewayContext, settings: Diameter, node: Node, listening: Listening
) -> SessionRequests:
    """Make what sends RAR and ASR by the node."""
    return SessionRequests(
        node,
        context.lane,
        identity=_identity(context, settings),
        realms=realms_of(settings),
        read=context.read_async,
        clock=context.clock,
        observe=listening.observe_session_request,
        alarm=listening.alarm,
    )


def make_peer_restarts(context: GatewayContext, settings: Diameter, listening: Listening) -> PeerRestarts:
    """Make what closes the sessions of peers that restarted."""
    return PeerRestarts(
        context.lane,
        context.node.id,
        relays_of(settings),
        read=context.read_async,
        clock=context.clock,
        alarm=listening.alarm,
        background=listening.background,
    )


def make_smsc_client(context: GatewayContext, links: list[SmppLink], listening: Listening) -> SmscClient:
    """Make the client of the SMSCs with all links; there may be none."""
    return SmscClient(
        lambda: context.policy(MessagingPolicy),
        context.lane,
        [route(link) for link in links],
        read=context.read_async,
        node=context.node.id,
        clock=context.clock,
        monotonic=context.monotonic,
        random=context.environment.random.random,
        on_event=listening.on_event,
        background=listening.background,
    )


def make_order_executor(
    context: GatewayContext, smsc_client: SmscClient, session_requests: SessionRequests | None, listening: Listening
) -> OrderExecutor:
    """Make what carries out orders, with all hosts; there may be none."""
    settings = context.settings.provisioning
    return OrderExecutor(
        context,
        {host.name: make_host_runtime(host, context) for host in settings.hosts},
        notice=float(settings.swap_notice),
        reauthorise=session_requests.reauthorise if session_requests is not None else _nobody,
        abort=session_requests.end if session_requests is not None else _nobody,
        enqueue=smsc_client.enqueue,
        alarm=listening.alarm,
        background=listening.background,
    )


def make_host_runtime(host: ProvisioningHost, context: GatewayContext) -> HostRuntime:
    """Make what speaks with a host."""
    return HostRuntime(_host(host, context), asyncio.Semaphore(host.concurrency), float(host.poll), float(host.verify))


async def _nobody(_subscriber_id: int) -> None:
    """Without Diameter there are no sessions to tell of."""


def _host(host: ProvisioningHost, context: GatewayContext) -> Host:
    if host.adapter == "osmohlr":
        assert host.ctrl is not None
        assert host.vty is not None
        return OsmoHlr(
            host.name,
            (host.ctrl.host, host.ctrl.port),
            (host.vty.host, host.vty.port),
            timeout=float(host.timeout),
            rate=float(host.rate),
            clock=context.monotonic,
        )
    assert host.url is not None
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
        clock=context.monotonic,
    )


def _identity(context: GatewayContext, settings: Diameter) -> NodeIdentity:
    return NodeIdentity(
        origin_host=settings.identity,
        origin_realm=settings.realm,
        product_name=PRODUCT,
        origin_state_id=context.node.origin_state_id,
        aliases=tuple(settings.aliases),
        served_realms=tuple(settings.served_realms),
    )


def profiles_of(settings: Diameter) -> dict[str, Profile]:
    """Give the peers whose requests are read leniently."""
    lenient = Profile(STANDARD.grouped, lenient=True)
    return {peer.identity: lenient for peer in settings.peers if peer.profile == "lenient"}


def realms_of(settings: Diameter) -> dict[str, str]:
    """Give the realm of each peer."""
    return {peer.identity: peer.realm for peer in settings.peers}


def relays_of(settings: Diameter) -> frozenset[str]:
    """Give the peers that are relays."""
    return frozenset(peer.identity for peer in settings.peers if peer.relay)


def peer_config(peer: DiameterPeer) -> PeerConfig:
    """Turn a peer's settings into what the node needs; OSError (ssl.SSLError) where its certificates do not load."""
    return PeerConfig(
        identity=peer.identity,
        realm=peer.realm,
        connect=(peer.connect.host, peer.connect.port) if peer.connect else None,
        tls=_client_context(peer.tls) if peer.tls else None,
        allowed_addresses=tuple(map(str, peer.addresses)),
        relay=peer.relay,
    )


def route(link: SmppLink) -> Route:
    """Turn a link's settings into its route; OSError (ssl.SSLError) where its certificates do not load."""
    config = LinkConfig(
        name=link.name,
        host=link.host,
        port=link.port,
        system_id=link.system_id,
        password=link.password.reveal() if link.password is not None else "",
        system_type=link.system_type,
        bind=link.bind,
        interface_version=0x50 if link.version == "5.0" else 0x34,
        tls=_client_context(link.tls) if link.tls else None,
        limits=SmppLimits(
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
    )


def _server_context(tls: Tls) -> ssl.SSLContext:
    """Ask every client for a certificate of the authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tls.ca))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(tls.cert, tls.key)
    return context


def _client_context(tls: Tls | LinkTls) -> ssl.SSLContext:
    """Check the server's certificate, and show ours where we have one."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(tls.ca))
    if tls.cert is not None and tls.key is not None:
        context.load_cert_chain(tls.cert, tls.key)
    return context
