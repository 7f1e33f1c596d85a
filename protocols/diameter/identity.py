"""Who we are, who our peers are, and how much any of them may ask of us."""

import ssl
from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from protocols.diameter.inbound import Request

TGPP_VENDOR_ID: Final = 10415


class NodeIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """What this node says of itself in CER and CEA, and which destinations it takes for its own.

    Attributes:
        host_ip_addresses: as text; empty: the local address of the connection at hand.
        origin_state_id: one value for the life of the process, greater after each restart (RFC 6733 §8.16).
        aliases: other DiameterIdentities that we answer for (a request after a failover names the old host).
        served_realms: Destination-Realms that are ours beside `origin_realm`.
    """

    origin_host: str
    origin_realm: str
    host_ip_addresses: tuple[str, ...] = ()
    vendor_id: int = 0
    product_name: str = "TPO gateway"
    firmware_revision: int = 1
    origin_state_id: int = 0
    aliases: tuple[str, ...] = ()
    served_realms: tuple[str, ...] = ()
    supported_vendor_ids: tuple[int, ...] = (TGPP_VENDOR_ID,)


class PeerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One peer that we know by name.

    Attributes:
        connect: host and port to dial; None: the peer connects to us.
        tls: dial with this context; whoever dials, a connection without TLS is refused once this is set.
        allowed_addresses: IP addresses and networks that it may connect from; empty: any.
        relay: it may bring requests of other Origin-Hosts than its own (a DRA).
    """

    identity: str
    realm: str
    connect: tuple[str, int] | None = None
    tls: ssl.SSLContext | None = None
    allowed_addresses: tuple[str, ...] = ()
    relay: bool = False


class Application(msgspec.Struct, frozen=True):
    """One application of ours: what takes its requests, and which commands it has (others are answered 3001)."""

    handler: "Callable[[Request], None]"
    commands: frozenset[int]
    vendor_id: int = 0
    """Not 0: advertised inside a Vendor-Specific-Application-Id (RFC 6733 §6.11)."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a peer may take of us: seconds, octets, counts."""

    cer_deadline: float = 5.0
    """From the connection to its CER (or CEA); the TLS handshake before it may take as long again."""
    connect_deadline: float = 10.0
    half_open: int = 64
    """Connections without an exchange of capabilities; one more pushes out the oldest."""
    half_open_per_address: int = 16
    outstanding_per_peer: int = 1024
    """Requests of a peer that we owe an answer; more are answered 3004."""
    message_deadline: float = 10.0
    """From the first octet of a message to its last."""
    write_deadline: float = 10.0
    """How long a peer may leave our answers unread once `write_high_water` octets wait."""
    write_high_water: int = 256 * 1024
    """Octets that wait to be sent before we stop reading from that peer."""
    write_buffer: int = 4 * 1024 * 1024
    """Octets that wait to be sent before we cut the connection."""
    probe_deadline: float = 2.0
    """How long an old connection may take to prove that it lives when its peer connects anew."""
    drain_deadline: float = 2.0
    """How long a peer that sent DPR is kept waiting for answers that we still owe it."""
    closing_deadline: float = 5.0
    """From DPR or DPA to the end of the connection."""
    tw: float = 30.0
    """Interval of the watchdog (RFC 3539)."""
    reconnect_first: float = 1.0
    """The first retry of a lost connection; each further one waits twice as long..."""
    reconnect_last: float = 30.0
    """... up to Tc (RFC 6733 §2.1)."""


def fold(identity: str) -> str:
    """A DiameterIdentity as a key: it compares as DNS names do (RFC 6733 §5.6.4)."""
    return identity.lower().rstrip(".")


def encode_address(address: str) -> bytes:
    """An IP address as the data of an Address AVP (RFC 6733 §4.3.1)."""
    ip = ip_address(address.partition("%")[0])
    return (b"\0\1" if ip.version == 4 else b"\0\2") + ip.packed


def certificate_names(certificate: dict[str, tuple[tuple[str, str], ...]]) -> tuple[str, ...]:
    """The DNS names of a certificate as `ssl` hands it out."""
    return tuple(fold(name) for kind, name in certificate.get("subjectAltName", ()) if kind == "DNS")


def is_named_by(identity: str, names: tuple[str, ...]) -> bool:
    """Whether a certificate with these names may speak for the identity; `*.realm` covers one label."""
    folded = fold(identity)
    return folded in names or "*." + folded.partition(".")[2] in names
