"""Who we are and who our peers are: DiameterIdentities, addresses, names of certificates."""

import ssl
from ipaddress import ip_address
from typing import Final

import msgspec

TGPP_VENDOR_ID: Final = 10415


class NodeIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """What this node says of itself in CER and CEA, and which destinations it takes for its own.

    Attributes:
        host_ip_addresses: as text; empty: the local address of the connection at hand.
        origin_state_id: greater than before whenever our sessions were lost, and only then (RFC 6733 §8.16).
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
        realm: it has to say the same in its capabilities exchange.
        relay: it may bring requests of other Origin-Hosts than its own (a DRA), and takes ours to any host.
    """

    identity: str
    realm: str
    connect: tuple[str, int] | None = None
    tls: ssl.SSLContext | None = None
    allowed_addresses: tuple[str, ...] = ()
    relay: bool = False


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
