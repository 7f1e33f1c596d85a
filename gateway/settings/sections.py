"""The sections of gateway.yaml: every key with its kind, its bounds and its default.

All durations are whole seconds once read, all paths absolute. config/gateway.yaml explains each key to the operator.
"""

import importlib.util
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from gateway.messaging.keywords.catalogue import placeholders_in
from gateway.settings.problems import did_you_mean
from gateway.settings.secrets import SecretValue
from gateway.settings.values import (
    MICRO,
    AddressOrNetwork,
    Country,
    Currency,
    Duration,
    Endpoint,
    FilePath,
    Host,
    Id,
    Identity,
    Listen,
    NumberPrefix,
    OwnNumber,
    Percent,
    Price,
    ReadableFile,
    Realm,
    Remote,
    ShortCode,
    SystemId,
    SystemType,
    Text,
    reading,
)
from protocols.smpp.receipts import stat_name
from provisioning.identifiers import calling_code

MAX_SLICE: Final = 1_000_000_000_000
"""Octets in one grant: a terabyte, which is a typing mistake already."""

MAX_SERVICE_CONTEXT: Final = 255
"""Characters of a Service-Context-Id that is given a service."""

MAX_NAME: Final = 48
"""Characters of a token's name, which stands beside all that its caller does."""

MAX_NOTE: Final = 480
"""Characters of a text of our own: more than three parts is no greeting."""


class Section(BaseModel):
    """A mapping of the file: nothing is converted silently, no unknown key is let in, and it doesn't change."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        known = available_timezones()
        hint = did_you_mean(value, known) if known else "; this machine has no time zone data (package tzdata)"
        message = f"there is no time zone `{value}`{hint}"
        raise ValueError(message) from None
    return value


TimeZone = Annotated[str, AfterValidator(_timezone)]


class Operator(Section):
    """Who runs this gateway, and the money and clock of its bills."""

    name: Text
    country: Country = "GB"
    currency: Currency = "GBP"
    timezone: TimeZone = "Europe/London"


def _take_password_out(section: Any) -> Any:  # noqa: ANN401  (raw YAML in, raw YAML out)
    """Move a password out of a URL, so that the URL can be shown."""
    url = section.get("url") if isinstance(section, dict) else None
    parts = _split(url) if isinstance(url, str) else None
    if parts is None or parts.password is None:
        return section
    if "password" in section:
        message = "has a password in url and in password; keep the latter"
        raise ValueError(message)
    user, _, host = parts.netloc.rpartition("@")
    bare = parts._replace(netloc=f"{user.partition(':')[0]}@{host}")
    return {**section, "url": bare.geturl(), "password": unquote(parts.password)}


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # read only to learn whether it is a port
    except ValueError:
        return None
    return parts


def _store_url(value: str, info: ValidationInfo) -> str:
    scheme, separator, rest = value.partition(":///")
    if scheme == "sqlite" and separator:
        return _sqlite_url(rest, reading(info).folder)
    parts = _split(value)
    if (
        parts is None
        or parts.scheme != "postgresql"
        or not parts.hostname
        or "@" in parts.path
        or not parts.path.strip("/")
    ):
        message = "must be sqlite:///PATH or postgresql://USER@HOST/DATABASE"
        raise ValueError(message)
    if any("password" in name.lower() for name, _ in parse_qsl(parts.query)):
        message = "must not carry a password in its query; use the key password"
        raise ValueError(message)
    if importlib.util.find_spec("psycopg") is None:
        message = "needs the PostgreSQL driver: install tpo-gateway[postgresql]"
        raise ValueError(message)
    return value


def _sqlite_url(path: str, folder: Path) -> str:
    if not path or path.startswith(":memory:") or "?" in path:
        message = "must name a file, like sqlite:///var/tpo.db: what is charged has to survive a restart"
        raise ValueError(message)
    return f"sqlite:///{folder / path}"


SHORTEST_TAKEOVER: Final = 3
"""Seconds: a lease is renewed by each commit, and within a fifth of it where nothing is committed; a commit may take one."""


def _off(value: object) -> object:
    return 0 if value == "off" else value


def _takeover(seconds: int) -> int:
    if 0 < seconds < SHORTEST_TAKEOVER:
        message = f"must be off, or at least {SHORTEST_TAKEOVER}s"
        raise ValueError(message)
    return seconds


SHORTEST_SEALING: Final = 86_400
"""Seconds from a month's end until it may be sealed: a clock that is a little ahead ends no month too early."""


def _seal_after(seconds: int) -> int:
    if 0 < seconds < SHORTEST_SEALING:
        message = "must be off, or at least 1d"
        raise ValueError(message)
    return seconds


class StoreBackup(Section):
    """A continuous backup of an SQLite store: a whole copy now and then, and what changed since every few seconds."""

    folder: FilePath
    every: Annotated[Duration, Field(ge=1, le=3600)] = 5
    full: Annotated[Duration, Field(ge=600, le=31 * 86_400)] = 86_400
    keep: Annotated[Duration, Field(ge=0, le=366 * 86_400)] = 2 * 86_400


class Store(Section):
    """Where everything durable is kept."""

    url: Annotated[str, AfterValidator(_store_url)]
    password: SecretValue | None = None
    lane: Literal["process", "thread"] = "process"
    takeover: Annotated[Duration, BeforeValidator(_off), AfterValidator(_takeover), Field(ge=0, le=3600)] = 10
    backup: StoreBackup | None = None
    seal_after: Annotated[Duration, BeforeValidator(_off), AfterValidator(_seal_after)] = 0

    _split_url = model_validator(mode="before")(_take_password_out)

    @model_validator(mode="after")
    def _backup_of_a_file(self) -> "Store":
        if self.backup is not None and not self.url.startswith("sqlite:"):
            message = "backup is for an SQLite store; a server archives its own log (docs/restore.md)"
            raise ValueError(message)
        if self.seal_after and not self.url.startswith("sqlite:"):
            message = "seal_after is for an SQLite store; on a server a month is a partition (docs/sizing.md)"
            raise ValueError(message)
        return self

    @property
    def connect_url(self) -> str:
        """The URL with its password, for the driver only; never log it."""
        if self.password is None:
            return self.url
        scheme, _, rest = self.url.partition("://")
        user, at, host = rest.rpartition("@")
        return f"{scheme}://{user}:{quote(self.password.reveal(), safe='')}{at or '@'}{host}"


def _token_name(value: str) -> str:
    if len(value) > MAX_NAME:
        message = f"must be at most {MAX_NAME} characters"
        raise ValueError(message)
    return value


class Token(Section):
    """One caller of the HTTP interface, and what it may do."""

    name: Annotated[Text, AfterValidator(_token_name)]
    role: Literal["viewer", "operator", "admin", "auditor"]
    rights: list[Literal["causes"]] = []
    token: SecretValue


class Api(Section):
    """The HTTP interface, and the Unix socket of the `tpo` command."""

    listen: Listen = Endpoint("127.0.0.1", 8080)
    names: list[Host] = []
    socket: FilePath = Field(default=Path("var/tpo.sock"), validate_default=True)
    auditors: list[Text] = []
    """Users of this machine who are auditors by the socket, and not operators."""
    tokens: list[Token] = []


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
    addresses: list[AddressOrNetwork] = []
    relay: bool = False
    profile: Literal["standard", "lenient"] = "standard"


class Diameter(Section):
    """Our end of the Diameter network (RFC 6733), and who may be at the other end."""

    identity: Identity
    realm: Realm
    served_realms: list[Realm] = []
    aliases: list[Identity] = []
    listen: list[Annotated[Listener, BeforeValidator(_bare_address)]] = []
    peers: list[DiameterPeer] = []


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
    return {stat_name(str(stat)): state for stat, state in value.items()} if isinstance(value, dict) else value


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
    default_alphabet: Literal["gsm7", "latin1", "ascii", "ucs2"] = "gsm7"
    message_id: Literal["auto", "string", "hex", "decimal"] = "auto"
    doubtful: Literal["resend", "wait", "fail"] = "resend"
    doubtful_wait: Annotated[Duration, Field(ge=1, le=604_800)] = 300
    query_after: Annotated[Duration, Field(ge=0, le=604_800)] = 600
    receipts: Literal["by_class", "by_text"] = "by_class"
    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    no_route: list[Annotated[int, Field(ge=1, le=0xFFFF_FFFF)]] = []
    country: Annotated[Country, AfterValidator(_country_with_numbers)] | None = None
    receipt_states: Annotated[dict[Text, ReceiptState], BeforeValidator(_by_stat)] = {}

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
    prefixes: list[NumberPrefix] = []
    senders: list[Text] = []
    countries: list[Country] = []

    @property
    def catches_all(self) -> bool:
        """Whether it takes every text."""
        return not (self.prefixes or self.senders or self.countries)


class Smpp(Section):
    """The SMSCs that texts go to and come from."""

    links: list[SmppLink] = []
    routes: list[SmppRoute] = []


class Messaging(Section):
    """How texts are treated, whichever link they take."""

    short_codes: list[ShortCode] = []
    numbers: list[OwnNumber] = []
    answers_per_hour: Annotated[int, Field(ge=0, le=100)] = 5
    validity: Annotated[Duration, Field(ge=60, le=30 * 86_400)] = 48 * 3600
    max_parts: Annotated[int, Field(ge=1, le=255)] = 10
    receipts: bool = True
    reassembly: Annotated[Duration, Field(ge=10, le=7 * 86_400)] = 1800
    question: Annotated[Duration, Field(ge=30, le=86_400)] = 600


class Review(Section):
    """Which usage reports are believed: more than was granted and more than a network carries waits for somebody's decision."""

    octets_per_second: Annotated[int, Field(ge=1, le=MAX_SLICE)] = 1_250_000_000
    tolerance: Annotated[int, Field(ge=0, le=1000)] = 1
    most: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000


def _small_letters(value: str) -> str:
    if not value or len(value) > MAX_SERVICE_CONTEXT:
        message = f"a Service-Context-Id has 1 to {MAX_SERVICE_CONTEXT} characters"
        raise ValueError(message)
    return value.lower()


class Credit(Section):
    """How long money that is paid in holds, what tax is in it when it ends unused, and when credit of the company pays."""

    days: Annotated[int, Field(ge=0, le=3660)] = 0
    vat: Percent = 2_000
    promotions: Literal["first", "last"] = "first"


class Charging(Section):
    """How much is granted at a time, for how long, what is believed, and how much money a wallet may take."""

    service_contexts: dict[Annotated[str, AfterValidator(_small_letters)], Literal["data", "voice", "sms"]] = {}

    slice: Annotated[int, Field(ge=1, le=MAX_SLICE)] = 10_000_000
    slice_seconds: Annotated[Duration, Field(ge=1, le=86_400)] = 300
    slice_units: Annotated[int, Field(ge=1, le=10_000)] = 10
    validity: Annotated[Duration, Field(ge=1, le=604_800)] = 3600
    threshold: Annotated[int, Field(ge=0, le=90)] = 20
    quota_holding: Annotated[Duration, Field(ge=0, le=604_800)] = 600
    deadline: Annotated[Duration, Field(ge=1, le=60)] = 5
    abort_wait: Annotated[Duration, Field(ge=1, le=86_400)] = 60
    review: Review = Review()
    topup_limit: Price = 500 * MICRO
    wallet_limit: Price = 5_000 * MICRO
    cap_abroad: Price = 0
    credit: Credit = Credit()


def _host_url(value: str) -> str:
    parts = _split(value)
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
    plans: list[Id] = []
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
        """Give the countries whose numbers and IMSIs it has: the operator's own if none are said; empty: any."""
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

    hosts: list[AnyHost] = []
    quarantine: Annotated[Duration, Field(ge=0, le=3650 * 86_400)] = 90 * 86_400
    swap_notice: Annotated[Duration, Field(ge=0, le=86_400)] = 60
    welcome: Note = "Welcome to {operator}. Your line works now. Switch your phone off and on if it does not."
    swap_text: Note = "{operator}: your number is moving to a new SIM. If you did not ask for this, call us at once."

    @property
    def host_of(self) -> dict[str, str]:
        """The host of each plan, by name."""
        return {plan: host.name for host in self.hosts for plan in host.plans}


def _mqtt_url(value: str) -> str:
    parts = _split(value)
    if parts is None or parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname or not _only_host(parts):
        message = "must be mqtt://HOST:PORT, or mqtts:// for TLS"
        raise ValueError(message)
    return value


def _only_host(parts: SplitResult) -> bool:
    # A name and a password have keys of their own.
    return "@" not in parts.netloc and not parts.path.strip("/") and not parts.query and not parts.fragment


def _mqtt_topic(value: str) -> str:
    if not value or value != value.strip("/") or any(character in value for character in "+#$\0"):
        message = "must be a plain topic, like tpo or mvno/tpo"
        raise ValueError(message)
    return value


class Mqtt(Section):
    """The broker that events are published to."""

    url: Annotated[str, AfterValidator(_mqtt_url)]
    topic: Annotated[str, AfterValidator(_mqtt_topic)] = "tpo"
    username: Text | None = None
    password: SecretValue | None = None
    ca: ReadableFile | None = None

    @property
    def broker(self) -> Endpoint:
        """Where the broker listens."""
        parts = urlsplit(self.url)
        return Endpoint(parts.hostname or "", parts.port or (8883 if self.tls else 1883))

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.url.startswith("mqtts:")


class Events(Section):
    """What the company hears of; without a broker, events stay readable with `tpo events`."""

    mqtt: Mqtt | None = None


class Privacy(Section):
    """The key that pseudonyms and sealed secrets come from; without one the daemon makes var/tpo.key once."""

    key: SecretValue | None = None


class Retention(Section):
    """How long each kind of record is kept, from the moment when it is finished with."""

    answers: Annotated[Duration, Field(ge=600)] = 48 * 3600
    outbox: Annotated[Duration, Field(ge=60)] = 24 * 3600
    sessions: Annotated[Duration, Field(ge=3600)] = 400 * 86_400
    usage: Annotated[Duration, Field(ge=86_400)] = 400 * 86_400
    texts: Annotated[Duration, Field(ge=3600)] = 30 * 86_400
    orders: Annotated[Duration, Field(ge=86_400)] = 400 * 86_400
    access_log: Annotated[Duration, Field(ge=86_400)] = 400 * 86_400
