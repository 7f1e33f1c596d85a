"""The section `smpp`: the links to message centres, and which numbers go by which."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from gateway.settings.secrets import SecretValue
from gateway.settings.sections.section import Section
from gateway.settings.values import (
    Country,
    Duration,
    Endpoint,
    Host,
    Id,
    NumberPrefix,
    ReadableFile,
    SystemId,
    SystemType,
    Text,
)
from protocols.smpp.receipts import stat_name
from provisioning.identifiers import calling_code


class LinkTls(Section):
    """How an SMSC is reached by TLS: whom its certificate must come from, and ours where it asks for one."""

    ca: ReadableFile
    cert: ReadableFile | None = None
    key: ReadableFile | None = None


def _version(value: object) -> object:
    # YAML takes an unquoted 3.4 for a number.
    return str(value) if isinstance(value, Decimal) else value


ReceiptState = Literal[
    "delivered",
    "expired",
    "deleted",
    "undeliverable",
    "rejected",
    "accepted",
    "enroute",
    "scheduled",
    "skipped",
    "unknown",
]
"""message_state in words (SMPP 3.4 §5.2.28)."""


def _by_stat(value: object) -> object:
    # YAML takes an unquoted 2 for a number.
    if not isinstance(value, dict):
        return value
    named = {stat_name(str(stat)): state for stat, state in value.items()}
    if len(named) < len(value):
        message = "names a state twice: small and capital letters are the same"
        raise ValueError(message)
    return named


def _country_with_numbers(value: str) -> str:
    if not calling_code(value):
        message = f"there are no phone numbers of a country {value}"
        raise ValueError(message)
    return value


class SmppLink(Section):
    """One bind to an SMSC (SMPP 3.4 §4.1)."""

    name: Id
    host: Host
    port: Annotated[int, Field(ge=1, le=65_535)] = 2775
    system_id: SystemId
    password: SecretValue | None = None
    system_type: SystemType = ""
    bind: Literal["transceiver", "transmitter", "receiver"] = "transceiver"
    version: Annotated[Literal["3.4", "5.0"], BeforeValidator(_version)] = "3.4"
    window: Annotated[int, Field(ge=1, le=1000)] = 10
    rate: Annotated[int, Field(ge=0, le=100_000)] = 0
    enquire_link: Annotated[Duration, Field(ge=1, le=3600)] = 30
    response_timeout: Annotated[Duration, Field(ge=1, le=600)] = 10
    bind_timeout: Annotated[Duration, Field(ge=1, le=600)] = 30
    tlvs: Literal["auto", "always", "never"] = "auto"
    tls: LinkTls | None = None
    default_alphabet: Literal["gsm7", "gsm7-packed", "latin1", "ascii", "ucs2"] = "gsm7"
    message_id: Literal["auto", "string", "hex", "decimal"] = "auto"
    doubtful: Literal["resend", "wait", "fail"] = "resend"
    doubtful_wait: Annotated[Duration, Field(ge=1, le=604_800)] = 300
    query_after: Annotated[Duration, Field(ge=0, le=604_800)] = 600
    receipts: Literal["by_class", "by_text"] = "by_class"
    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    no_route: list[Annotated[int, Field(ge=1, le=0xFFFF_FFFF)]] = Field(default_factory=list)
    country: Annotated[Country, AfterValidator(_country_with_numbers)] | None = None
    receipt_states: Annotated[dict[Text, ReceiptState], BeforeValidator(_by_stat)] = Field(default_factory=dict)

    @property
    def address(self) -> Endpoint:
        """Where the SMSC listens."""
        return Endpoint(self.host, self.port)

    @property
    def receives(self) -> bool:
        """Whether texts in and receipts come by it."""
        return self.bind != "transmitter"


class SmppRoute(Section):
    """Which texts out take which links; what it does not name is any."""

    links: Annotated[list[Id], Field(min_length=1)]
    prefixes: list[NumberPrefix] = Field(default_factory=list)
    senders: list[Text] = Field(default_factory=list)
    countries: list[Country] = Field(default_factory=list)

    @property
    def catches_all(self) -> bool:
        """Whether it takes every text."""
        return not (self.prefixes or self.senders or self.countries)


class Smpp(Section):
    """The SMSCs that texts go to and come from."""

    links: list[SmppLink] = Field(default_factory=list)
    routes: list[SmppRoute] = Field(default_factory=list)
