"""Who may use the HTTP interface on TCP: whose token a request shows, what names it may call us by, what guessing costs."""

import binascii
import re
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from typing import Final, Protocol, TypeVar

import msgspec

from gateway.api.problems import Problem, bad_request
from gateway.privacy.masks import Secret

API: Final = "/v1/"
"""What begins so asks everybody for a token; the rest only whoever comes from elsewhere than this machine."""
REALM: Final = "TPO gateway"
SINGLE: Final = ("Authorization", "Host", "Idempotency-Key", "Content-Encoding", "Content-Type")
"""Fields that we go by, and that stand in a request once: of two, an intermediary may have gone by the other one."""
ALLOWED: Final = 10
"""Wrong tokens of one address before it has to wait."""
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
"""Seconds; each further wrong token doubles the wait."""
FORGOTTEN: Final = 600.0
"""Seconds without a wrong token after which an address begins anew."""
_HOST: Final = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._~%!$&'()*+,;=-]+))(?::[0-9]*)?")
MAX_ADDRESSES: Final = 1024
IPV6_SITE: Final = 64
"""Bits of an IPv6 address that count as one: whoever has one address of such a network has them all."""


K = TypeVar("K")
V = TypeVar("V")


class NamedToken(Protocol):
    """One of `api.tokens`."""

    @property
    def name(self) -> str:
        """Whose it is."""

    @property
    def token(self) -> Secret:
        """What is shown."""


T = TypeVar("T", bound=NamedToken)


class Fields(Protocol):
    """A request's header."""

    def getall(self, key: str, default: list[str], /) -> list[str]:
        """Return every field of this name, whatever its case."""


def check_fields(fields: Fields) -> None:
    """Refuse a request that repeats a field of `SINGLE` (RFC 9110 §5.3)."""
    for name in SINGLE:
        if len(fields.getall(name, [])) > 1:
            raise bad_request(
                "header.repeated", f"the header {name} stands in the request more than once: give it once"
            )


def is_loopback(address: str | None) -> bool:
    """Return whether an address is this machine's own; of an unknown one it is not."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def check_host(host: str | None, names: Collection[str]) -> None:
    """Refuse a request to a name that is not ours: a foreign page may have its own name resolve to this machine.

    An address is nobody's to resolve, and a request without a name comes from no browser.
    """
    name = _name_of(host or "localhost")
    if name is None:
        raise bad_request("host.invalid", "the header Host is no name and no address: give it as the URL has it")
    ours = name == "localhost" or name.endswith(".localhost") or name in {each.lower() for each in names}
    if not (ours or _is_address(name)):
        detail = "the name in the header Host is not ours: use an address or localhost, or add the name to api.names"
        raise Problem(HTTPStatus.MISDIRECTED_REQUEST, "host.unknown", detail)


def _name_of(host: str) -> str | None:
    """Take the port from what the header Host says; None where it has no form of RFC 9110 §7.2."""
    found = _HOST.fullmatch(host)
    return found and (found["name"] or found["address"]).lower().removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def shown_token(authorization: str | None, *, page: bool) -> str | None:
    """Return the token that a request shows; None where it shows none.

    A page, which changes nothing, also takes it as the password of a login by a browser (RFC 7617). The interface does not:
    a browser sends such a password along with whatever another site's page makes it send.
    """
    scheme, _, given = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    if scheme.lower() == "basic" and page:
        try:
            return b64decode(given.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return None


def challenge(*, page: bool) -> str:
    """Say how a token can be shown (`WWW-Authenticate`); a browser asks its user by the first one that it knows."""
    bearer = f'Bearer realm="{REALM}"'
    return f'Basic realm="{REALM}", charset="UTF-8", {bearer}' if page else bearer


class Refusals(msgspec.Struct):
    """What one address has shown: wrong tokens since it began, and when its wait is over and it is forgotten.

    `waits`: the last token that it showed came while it had to wait, and was not counted.
    """

    wrong: int = 0
    waits: bool = False
    until: float = 0.0
    forgotten: float = 0.0


class Guard:
    """Looks at the tokens that are shown, and lets an address with many wrong ones wait, longer each time.

    A token that was right at an address before stays so while the address waits: behind one address there may be others
    than the one who guesses. Times are seconds of a clock that never goes back.
    """

    def __init__(self) -> None:
        """Begin without anybody."""
        self._refusals: OrderedDict[str, Refusals] = OrderedDict()
        self._right: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._in_clear: OrderedDict[str, None] = OrderedDict()

    def is_first_in_clear(self, address: str) -> bool:
        """Return whether nobody has logged in from an address in clear before."""
        first = address not in self._in_clear
        _keep(self._in_clear, address, None)
        return first

    def find(self, token: str, tokens: Sequence[T], address: str, now: float) -> T | Refusals:
        """Return whose token it is, or what its address has come to."""
        site = _site_of(address)
        refusals = self._refusals.get(site)
        if refusals is not None and refusals.forgotten <= now:
            del self._refusals[site]
            refusals = None
        waits = refusals is not None and refusals.until > now
        found = next((each for each in tokens if each.token.matches(token)), None)
        if found is not None and (not waits or (site, found.name) in self._right):
            _keep(self._right, (site, found.name), None)
            return found
        refusals = refusals or Refusals()
        refusals.waits = waits
        if not waits:
            refusals.wrong += 1
            beyond = refusals.wrong - ALLOWED
            if beyond >= 0:
                refusals.until = now + min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(beyond, 16))
        refusals.forgotten = now + FORGOTTEN
        _keep(self._refusals, site, refusals)
        return refusals


def _keep(table: OrderedDict[K, V], key: K, value: V) -> None:
    """Put something at the end of a table, and the oldest out of one that is full: addresses are anybody's to choose."""
    table[key] = value
    table.move_to_end(key)
    if len(table) > MAX_ADDRESSES:
        table.popitem(last=False)


def _site_of(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((address.partition("%")[0], IPV6_SITE), strict=False)) if found.version == 6 else address


def client_of(remote: str | None, fields: Mapping[str, str]) -> str:
    """Return the address that asks: of what a proxy on this machine brings, the one that it names."""
    named = fields.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return named if is_loopback(remote) and _is_address(named) else remote or ""


def was_forwarded(fields: Mapping[str, str]) -> bool:
    """Return whether a proxy brings the request: then its address is the proxy's, and says nothing of who asks."""
    return any(name in fields for name in ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"))


def is_in_clear(fields: Mapping[str, str]) -> bool:
    """Return whether a browser's login came over plain HTTP; a proxy says of what it brings whether it did."""
    basic = fields.get("Authorization", "").lower().startswith("basic ")
    return basic and fields.get("X-Forwarded-Proto", "").lower() != "https"
