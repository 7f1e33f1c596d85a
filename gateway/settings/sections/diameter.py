"""The section `diameter`: our identity, where we listen, and the peers that charge by us."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from gateway.settings.sections.section import Section
from gateway.settings.values import AddressOrNetwork, Identity, Listen, ReadableFile, Realm, Remote


class Tls(Section):
    """A certificate and its key in PEM files, and the authority that the other end's certificate must come from."""

    ca: ReadableFile
    cert: ReadableFile
    key: ReadableFile


def _bare_address(value: object) -> object:
    return {"address": value} if isinstance(value, str) else value


class Listener(Section):
    """One port that Diameter peers connect to."""

    address: Listen
    tls: Tls | None = None


class DiameterPeer(Section):
    """A PGW, SMF or routing agent that may talk to us; one without `connect` connects to us."""

    identity: Identity
    realm: Realm
    connect: Remote | None = None
    tls: Tls | None = None
    addresses: list[AddressOrNetwork] = Field(default_factory=list)
    relay: bool = False
    profile: Literal["standard", "lenient"] = "standard"


class Diameter(Section):
    """Our end of the Diameter network (RFC 6733), and who may be at the other end."""

    identity: Identity
    realm: Realm
    served_realms: list[Realm] = Field(default_factory=list)
    aliases: list[Identity] = Field(default_factory=list)
    listen: list[Annotated[Listener, BeforeValidator(_bare_address)]] = Field(default_factory=list)
    peers: list[DiameterPeer] = Field(default_factory=list)
