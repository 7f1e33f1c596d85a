"""The section `provisioning`: the hosts that SIMs are activated at, and the texts that go with it."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from gateway.messaging.keywords.catalogue import placeholders_in
from gateway.settings.secrets import SecretValue
from gateway.settings.sections.operator import Operator
from gateway.settings.sections.section import MAX_NOTE, Section, split_url
from gateway.settings.values import Country, Duration, Endpoint, Id, ReadableFile, Remote


def _host_url(value: str) -> str:
    parts = split_url(value)
    if (
        parts is None
        or parts.scheme not in {"http", "https"}
        or not parts.hostname
        or "@" in parts.netloc
        or parts.query
        or parts.fragment
    ):
        # A name and a password would be shown wherever the address is; `token` is not.
        message = "must be http://HOST:PORT/PATH or https://, without a user, query or fragment"
        raise ValueError(message)
    return value.rstrip("/")


HostUrl = Annotated[str, AfterValidator(_host_url)]


class ProvisioningHost(Section):
    """One host operator's provisioning interface, and the plans whose lines it serves: what every adapter has."""

    name: Id
    plans: list[Id] = Field(default_factory=list)
    countries: Annotated[list[Country], Field(max_length=250)] | None = None
    rate: Annotated[int, Field(ge=0, le=100_000)] = 0
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 16
    timeout: Annotated[Duration, Field(ge=1, le=600)] = 10
    poll: Annotated[Duration, Field(ge=1, le=3600)] = 5
    verify: Annotated[Duration, Field(ge=1, le=86_400)] = 60

    @property
    def calls_back(self) -> bool:
        """Whether it is told an address of ours to tell us of changes."""
        return False

    def serves(self, operator: Operator) -> frozenset[str]:
        """Return the countries whose numbers and IMSIs it has: the operator's own if none are said; empty: any."""
        return frozenset([operator.country] if self.countries is None else self.countries)

    @property
    def remotes(self) -> dict[str, Endpoint]:
        """Where it listens, by the key that says so."""
        raise NotImplementedError


class OsmoHlrHost(ProvisioningHost):
    """An OsmoHLR, by its CTRL interface and its VTY."""

    adapter: Literal["osmohlr"]
    ctrl: Remote
    vty: Remote

    @property
    def remotes(self) -> dict[str, Endpoint]:
        """Where it listens, by the key that says so."""
        return {"ctrl": self.ctrl, "vty": self.vty}


class Tmf640Host(ProvisioningHost):
    """A service activation API (TMF640)."""

    adapter: Literal["tmf640"]
    url: HostUrl
    callback: HostUrl | None = None
    token: SecretValue | None = None
    ca: ReadableFile | None = None

    @property
    def calls_back(self) -> bool:
        """Whether it is told an address of ours to tell us of changes."""
        return self.callback is not None

    @property
    def remotes(self) -> dict[str, Endpoint]:
        """Where it listens, by the key that says so."""
        parts = urlsplit(self.url)
        return {"url": Endpoint(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))}


AnyHost = Annotated[OsmoHlrHost | Tmf640Host, Field(discriminator="adapter")]


def _note(value: str) -> str:
    if value and not value.isprintable():
        message = "must be printable text on one line, or empty for none"
        raise ValueError(message)
    if len(value) > MAX_NOTE:
        message = f"must be at most {MAX_NOTE} characters"
        raise ValueError(message)
    for name in placeholders_in(value):
        if name != "operator":
            message = f"unknown placeholder {{{name}}}; it may have {{operator}}"
            raise ValueError(message)
    return value


Note = Annotated[str, AfterValidator(_note)]


class Provisioning(Section):
    """The hosts where lines are made and ended, and what customers are told of it."""

    hosts: list[AnyHost] = Field(default_factory=list)
    quarantine: Annotated[Duration, Field(ge=0, le=3650 * 86_400)] = 90 * 86_400
    swap_notice: Annotated[Duration, Field(ge=0, le=86_400)] = 60
    welcome: Note = "Welcome to {operator}. Your line works now. Switch your phone off and on if it does not."
    swap_text: Note = "{operator}: your number is moving to a new SIM. If you did not ask for this, call us at once."

    @property
    def host_of(self) -> dict[str, str]:
        """The host of each plan, by name."""
        return {plan: host.name for host in self.hosts for plan in host.plans}
