"""The kinds of value that a setting may have: durations, addresses, names, files.

Each reads what an operator writes and says in one sentence what it would rather have. The validation context is a
`Reading`, against whose folder relative paths resolve.
"""

import ipaddress
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, BeforeValidator, PlainValidator, ValidationInfo

from gateway.ledger.currencies import CURRENCIES
from gateway.store.named_files import open_named

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"(0|[1-9][0-9]{0,8})([smhd])", re.ASCII)
_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?", re.ASCII)
_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?", re.ASCII)


MICRO: Final = 1_000_000
MAX_PRICE: Final = 1_000_000
"""Major units: no plan costs a million, and no wallet needs one."""

_WANTED_AMOUNT: Final = 'must be an amount in major units, like 0.01 or "7.50"'


def parse_price(value: object) -> int:
    """Turn an amount in major units (`7.50`, `"7.50"`, `3`) into micro-units; nothing is rounded."""
    if isinstance(value, str) and value.replace(".", "", 1).isdecimal() and value.isascii() and len(value) < 40:
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(_WANTED_AMOUNT)  # noqa: TRY004  (pydantic reports ValueError only)
    micro = Fraction(value) * MICRO
    if micro.denominator != 1:
        message = "has more than 6 decimal places, which can't be held exactly"
        raise ValueError(message)
    if not 0 <= micro <= MAX_PRICE * MICRO:
        message = f"must be between 0 and {MAX_PRICE}"
        raise ValueError(message)
    return micro.numerator


Price = Annotated[int, PlainValidator(parse_price)]


def parse_percent(value: object) -> int:
    """Turn a rate in percent (`20`, `17.5`) into hundredths of a percent."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        message = "must be a percentage, like 20 or 17.5"
        raise ValueError(message)  # noqa: TRY004  (pydantic reports ValueError only)
    points = Fraction(value) * 100
    if points.denominator != 1 or not 0 <= points <= 10_000:
        message = "must be between 0 and 100, with at most 2 decimal places"
        raise ValueError(message)
    return points.numerator


Percent = Annotated[int, PlainValidator(parse_percent)]


def parse_moment(value: object) -> int:
    """Turn a date (its first moment in UTC), or a time with its offset from UTC, into microseconds."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or not isinstance(value, str) or (found.tzinfo is None and "T" in value):
        message = "must be a date, like 2027-06-30, or a time with its offset, like 2027-06-30T00:00:00+01:00"
        raise ValueError(message)
    moment = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000


class Reading(NamedTuple):
    """What validation needs to know of the world: the config file's folder, and the environment for `{env: NAME}`.

    A client is a command that only talks to the gateway: the gateway's secrets and keys may be out of its reach.
    """

    folder: Path
    environ: Mapping[str, str]
    for_client: bool = False


def reading(info: ValidationInfo) -> Reading:
    """Return the context that the loader gave to pydantic."""
    context = info.context
    if not isinstance(context, Reading):
        message = "settings are validated with a Reading as context"
        raise TypeError(message)
    return context


class Endpoint(NamedTuple):
    """A host and a port, written `host:port` or `[IPv6]:port`; port 0 lets the system choose one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host == "localhost" or (_is_address(self.host) and ipaddress.ip_address(self.host).is_loopback)

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for every address of this machine."""
        return self.host in {"0.0.0.0", "::"}  # noqa: S104  (recognised here, not bound)

    def clashes(self, other: "Endpoint") -> bool:
        """Whether two listeners can't both have their port; a wildcard takes it from every address."""
        same_host = self.host == other.host or self.is_wildcard or other.is_wildcard
        return same_host and self.port == other.port != 0


def is_host_name(text: str) -> bool:
    """Whether `text` is a DNS name of letters, digits and hyphens (RFC 1123 §2.1; underscores are seen, so allowed)."""
    return len(text) <= 253 and all(_LABEL.fullmatch(label) for label in text.split("."))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def parse_duration(value: object) -> object:
    """Turn `30s`, `10m`, `48h` or `7d` into seconds; a whole number is seconds already."""
    if isinstance(value, int):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        message = "must be a duration: whole seconds, or like 30s, 10m, 48h, 7d"
        raise ValueError(message)
    return int(match[1]) * _UNITS[match[2]]


def parse_endpoint(value: object) -> Endpoint:
    """Turn `host:port` or `[IPv6]:port` into its two parts."""
    wanted = "must be host:port, like 127.0.0.1:3868 or [::1]:3868"
    if not isinstance(value, str):
        raise ValueError(wanted)  # noqa: TRY004  (pydantic reports ValueError only)
    host, colon, port = value.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if not colon or not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
        raise ValueError(wanted)
    if not (_is_address(host) if bracketed else is_host_name(host)):
        raise ValueError(wanted)
    return Endpoint(host, int(port))


def parse_remote(value: object) -> Endpoint:
    """Like `parse_endpoint`, for an address to connect to: it needs a real port."""
    endpoint = parse_endpoint(value)
    if endpoint.port == 0:
        message = "must name a port to connect to, not 0"
        raise ValueError(message)
    return endpoint


def check_identity(value: str) -> str:
    """Check a DiameterIdentity: a fully qualified domain name (RFC 6733 §4.3.1)."""
    if "." not in value or not is_host_name(value):
        message = "must be a fully qualified name, like ocs.tpo.example"
        raise ValueError(message)
    return value


def check_realm(value: str) -> str:
    """Check a realm (RFC 6733 §4.3.1): a domain name, of one label too, since Open5GS's own default is `localdomain`."""
    if not is_host_name(value):
        message = "must be a domain name, like tpo.example"
        raise ValueError(message)
    return value


def check_address(value: str) -> str:
    """Check an IP address or network (`192.0.2.7`, `192.0.2.0/24`)."""
    try:
        ipaddress.ip_network(value)
    except ValueError:
        message = "must be an IP address or a network without host bits, like 192.0.2.7 or 192.0.2.0/24"
        raise ValueError(message) from None
    return value


def check_id(value: str) -> str:
    """Check an id that stands in files, commands and account names."""
    if not _ID.fullmatch(value):
        message = "must be lower-case letters, digits and hyphens, like payg-gb"
        raise ValueError(message)
    return value


def check_country(value: str) -> str:
    """Check an ISO 3166 country code."""
    if not re.fullmatch(r"[A-Z]{2}", value):
        message = "must be a country code of two capital letters, like GB"
        raise ValueError(message)
    if value not in countries():
        message = f"there is no country `{value}` in ISO 3166; the United Kingdom is GB"
        raise ValueError(message)
    return value


@cache
def countries() -> frozenset[str]:
    """Return the country codes of ISO 3166, from the table that comes with the time zones."""
    table = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8")
    return frozenset(line[:2] for line in table.splitlines() if line and not line.startswith("#"))


def check_currency(value: str) -> str:
    """Check an ISO 4217 currency code."""
    if not re.fullmatch(r"[A-Z]{3}", value):
        message = "must be a currency code of three capital letters, like GBP"
        raise ValueError(message)
    if value not in CURRENCIES:
        swapped = [code for code in CURRENCIES if sorted(code) == sorted(value)]
        near = swapped or [code for code in CURRENCIES if code[:2] == value[:2]]  # the country's own
        message = f"there is no currency `{value}` in ISO 4217" + (f"; did you mean `{near[0]}`?" if near else "")
        raise ValueError(message)
    return value


def check_text(value: str) -> str:
    """Check a name that is shown to people: not empty, no control characters."""
    if not value.strip() or not value.isprintable():
        message = "must not be empty"
        raise ValueError(message if not value.strip() else "must be printable text on one line")
    return value


def check_host(value: str) -> str:
    """Check what stands for one machine: a DNS name or an IP address, without a port."""
    if not _is_address(value) and not is_host_name(value):
        message = "must be a host name or an IP address, like smsc.host.example or 192.0.2.7"
        raise ValueError(message)
    return value


def check_system_id(value: str) -> str:
    """Check a system_id: a C-Octet String of 15 octets and its NUL (SMPP 3.4 §4.1.1)."""
    if not value:
        message = "must not be empty"
        raise ValueError(message)
    return _check_octets(value, 15)


def check_system_type(value: str) -> str:
    """Check a system_type: a C-Octet String of 12 octets and its NUL (SMPP 3.4 §4.1.1)."""
    return _check_octets(value, 12)


def _check_octets(value: str, limit: int) -> str:
    if not value.isascii() or not value.isprintable() or len(value) > limit:
        message = f"must be at most {limit} printable ASCII characters (SMPP 3.4 §4.1.1)"
        raise ValueError(message)
    return value


def check_short_code(value: str) -> str:
    """Check a short code: the digits that customers send texts to."""
    if not re.fullmatch(r"[0-9]{3,8}", value):
        message = "must be a short code of 3 to 8 digits, like 70070"
        raise ValueError(message)
    return value


def check_own_number(value: str) -> str:
    """Check a long number of ours (E.164), and leave out its plus sign."""
    digits = value.removeprefix("+")
    if not re.fullmatch(r"[1-9][0-9]{8,14}", digits):
        message = "must be a phone number of 9 to 15 digits, country code first, like 447700900777"
        raise ValueError(message)
    return digits


def check_prefix(value: str) -> str:
    """Check the first digits of a phone number (E.164), and leave out its plus sign."""
    digits = value.removeprefix("+")
    if not re.fullmatch(r"[1-9][0-9]{0,14}", digits):
        message = "must be the first digits of a phone number, country code first, like 44 or 1202"
        raise ValueError(message)
    return digits


def parse_path(value: object, info: ValidationInfo) -> Path:
    """Resolve a path from the config file's folder."""
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        message = "must be the path of a file"
        raise ValueError(message)
    return reading(info).folder / Path(value).expanduser()


def parse_readable_file(value: object, info: ValidationInfo) -> Path:
    """Resolve a path and check that its file can be read."""
    path = parse_path(value, info)
    if reading(info).for_client:
        return path
    try:
        with open_named(path, pipe=False) as file:
            file.read(1)
    except OSError as error:
        message = f"can't be read: {path}: {error.strerror}"
        raise ValueError(message) from None
    return path


Duration = Annotated[int, BeforeValidator(parse_duration)]
Listen = Annotated[Endpoint, PlainValidator(parse_endpoint)]
Remote = Annotated[Endpoint, PlainValidator(parse_remote)]
Identity = Annotated[str, AfterValidator(check_identity)]
Realm = Annotated[str, AfterValidator(check_realm)]
AddressOrNetwork = Annotated[str, AfterValidator(check_address)]
Id = Annotated[str, AfterValidator(check_id)]
Country = Annotated[str, AfterValidator(check_country)]
Currency = Annotated[str, AfterValidator(check_currency)]
Text = Annotated[str, AfterValidator(check_text)]
FilePath = Annotated[Path, PlainValidator(parse_path)]
ReadableFile = Annotated[Path, PlainValidator(parse_readable_file)]
Host = Annotated[str, AfterValidator(check_host)]
SystemId = Annotated[str, AfterValidator(check_system_id)]
SystemType = Annotated[str, AfterValidator(check_system_type)]
ShortCode = Annotated[str, AfterValidator(check_short_code)]
OwnNumber = Annotated[str, AfterValidator(check_own_number)]
NumberPrefix = Annotated[str, AfterValidator(check_prefix)]
