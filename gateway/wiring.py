"""From the operator's settings to what the network sees: the Diameter node and the exchange of texts."""

import ssl
import time
from collections.abc import Callable
from random import random

import msgspec

from gateway.charging.answers import APPLICATION
from gateway.charging.desk import CREDIT_CONTROL, ChargingDesk, Observed
from gateway.house import House
from gateway.messaging.exchange import Exchange, Route
from gateway.messaging.office import Office
from gateway.settings.sections import Diameter, LinkTls, SmppLink, Tls
from protocols.diameter.checks import STANDARD, Profile
from protocols.diameter.identity import Application, NodeIdentity, PeerConfig
from protocols.diameter.node import Node
from protocols.diameter.node_events import NodeEvent
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.client import LinkConfig
from protocols.smpp.limits import Limits as SmppLimits
from protocols.smpp.link_events import LinkEvent
from protocols.smpp.receipts import IdForm

PRODUCT = "TPO gateway"


class Listening(msgspec.Struct, frozen=True):
    """Who is told: `observe` of each charging request, `alarm` of what a person should see, `on_event` of the network."""

    observe: Callable[[Observed], None]
    alarm: Callable[[str, dict[str, str]], None]
    on_event: Callable[[NodeEvent | LinkEvent], None]


def make_node(house: House, settings: Diameter, listening: Listening) -> Node:
    """Make the Diameter node with the charging desk as its one application."""
    lenient = Profile(STANDARD.grouped, lenient=True)
    desk = ChargingDesk(
        house.desk(),
        house.lane,
        origin_host=settings.identity,
        origin_realm=settings.realm,
        deadline=house.settings.charging.deadline,
        clock=house.clock,
        monotonic=time.monotonic,
        observe=listening.observe,
        alarm=listening.alarm,
        profiles={peer.identity: lenient for peer in settings.peers if peer.profile == "lenient"},
    )
    identity = NodeIdentity(
        origin_host=settings.identity,
        origin_realm=settings.realm,
        product_name=PRODUCT,
        origin_state_id=house.node.origin_state_id,
        aliases=tuple(settings.aliases),
        served_realms=tuple(settings.served_realms),
    )
    return Node(
        identity,
        _peers(settings),
        {APPLICATION: Application(desk.handle, frozenset({CREDIT_CONTROL}))},
        [(at.address.host, at.address.port, _server_context(at.tls) if at.tls else None) for at in settings.listen],
        clock=time.monotonic,
        random=random,
        on_event=listening.on_event,
    )


def make_exchange(house: House, office: Office, links: list[SmppLink], listening: Listening) -> Exchange:
    """Make the exchange of texts with all links; there may be none."""
    return Exchange(
        office,
        house.lane,
        [_route(link) for link in links],
        read=house.read,
        node=house.node.id,
        clock=house.clock,
        monotonic=time.monotonic,
        random=random,
        on_event=listening.on_event,
    )


def alphabet_of(links: list[SmppLink]) -> Alphabet:
    """Give the alphabet that texts are cut for: the first link's."""
    return Alphabet(links[0].default_alphabet) if links else Alphabet.GSM7


def _peers(settings: Diameter) -> list[PeerConfig]:
    return [
        PeerConfig(
            identity=peer.identity,
            realm=peer.realm,
            connect=(peer.connect.host, peer.connect.port) if peer.connect else None,
            tls=_client_context(peer.tls) if peer.tls else None,
            allowed_addresses=tuple(map(str, peer.addresses)),
            relay=peer.relay,
        )
        for peer in settings.peers
    ]


def _route(link: SmppLink) -> Route:
    """Turn a link's settings into what the exchange needs."""
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
    return Route(config, alphabet, form, link.doubtful, float(link.doubtful_wait))


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
