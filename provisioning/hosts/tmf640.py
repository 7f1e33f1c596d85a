"""A host operator's activation API by TMF640 v4: each line is one Service there, brought to what is wanted and read back.

Nothing that the host says about its own work is believed, only what its Service shows: an answer 202 may come with or
without a body, its Monitor's address stands in Location, in Link or in the body, or nowhere, and callbacks get lost. The
Monitor is asked for one thing alone: whether the work has failed, and why. Keys are never sent.
"""

import ssl
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import suppress
from http import HTTPStatus
from itertools import count
from typing import Final, NamedTuple
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from protocols.tap import Tap
from provisioning.errors import HostRefused, HostUnavailable
from provisioning.hosts import http_text
from provisioning.hosts import tmf640_service as service_of
from provisioning.hosts.bounded_dict import BoundedDict
from provisioning.hosts.interface import (
    ABSENT,
    UNLISTED,
    Access,
    Condition,
    HeldLine,
    Holding,
    HostLine,
    HostReading,
    Pending,
)
from provisioning.hosts.ownership import FOREIGN, check_unchanged
from provisioning.hosts.pace import Pace
from provisioning.hosts.tmf640_service import LATER, MAX_BODY, Resource
from provisioning.hosts.wire_tap import WireTap

KEPT: Final = 10_000
"""Lines whose service id, or Monitor, is kept in mind."""
PAGE: Final = 50
MAX_PAGES: Final = 200_000
"""Pages of a host's list; ten million lines, where the host gives as many to a page as are asked for."""
LISTEN_AGAIN: Final = 60.0
"""Seconds until a host that did not take our callback address is asked again."""
_CREDENTIALS: Final = frozenset({401, 403, 407})
_NOT_THERE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_NO_DELETE: Final = frozenset({HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})


class _Answer(NamedTuple):
    """What the host answered; `body` is whole and within bounds."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Work(NamedTuple):
    """A call that the host took and works on, and the path of its Monitor."""

    call_id: str
    monitor: str


class Tmf640:
    """One host by TMF640; see `interface.Host` for what it offers.

    Args:
        name: the host's name in our configuration.
        url: of the API up to and with its version, such as `https://host/tmf-api/ServiceActivationAndConfiguration/v4`.
        token: a bearer token, if the host wants one.
        callback: the address that the host is asked to send its events to; None: it is only polled.
        ca: a file with the authorities to trust instead of the system's.
        timeout: seconds for one request and its answer.
        poll: seconds until reading back is worth while, where the host does not say.
        countries: those whose numbers it may write as they are dialled there; none: it writes the country code.
        session: the caller's own client session, which stays open; else one is made at the first call.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        token: str | None = None,
        callback: str | None = None,
        ca: str | None = None,
        timeout: float = 10.0,
        poll: float = 2.0,
        rate: float = 0.0,
        countries: Collection[str] = (),
        session: aiohttp.ClientSession | None = None,
        clock: Callable[[], float] = time.monotonic,
        kept: int = KEPT,
    ) -> None:
        self.name = name
        self.listening = False
        """The host has taken our callback address."""
        self._url, self._callback, self._poll, self._clock = url.rstrip("/"), callback, poll, clock
        self._pace, self._countries = Pace(rate, clock), countries
        self._wire_tap = WireTap("http")
        self._headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._tls = ssl.create_default_context(cafile=ca) if self._url.startswith("https:") else True
        self._session, self._lent = session, session is not None
        self._exchanges = count(1)
        self._listen_at = clock()
        self._ids: BoundedDict[str, str] = BoundedDict(kept)
        """The service id of a card, as learnt: a 404 forgets it."""
        self._works: BoundedDict[str, _Work] = BoundedDict(kept)
        self._calls: BoundedDict[str, str] = BoundedDict(kept)
        """The call id of a Monitor's path, for callbacks that name no more than that."""

    async def inspect(self, line: HostLine, msisdn: str | None = None) -> Holding:  # noqa: ARG002  (see below)
        """Return what Service the host holds for a card.

        Whose a number is cannot be asked: TMF640 has no filter that a host must offer for it. A host refuses a number that
        another Service has, and nothing is changed then.
        """
        return service_of.holding(await self._find(line), line, self._countries)

    async def bring(
        self, call_id: str, line: HostLine, wanted: Condition, *, before: Holding | None = None
    ) -> Pending | None:
        """Ask for a condition; see `interface.Host`."""
        await self._listen()
        if await self._works_on(call_id, line):
            return Pending(self._poll)
        service = await self._find(line)
        if before is not None:
            self._check_ours(call_id, line, service, wanted, before)
        if wanted.access is Access.ABSENT:
            return None if service is None else await self._end(call_id, line, service)
        if service is None:
            body, method, path = service_of.creation(call_id, line, wanted), "POST", "/service"
        else:
            patch = service_of.change(service, call_id, line, wanted, self._countries)
            if patch is None:
                return None
            body, method, path = patch, "PATCH", _path(service)
        answer = await self._ask(method, path, body)
        if answer.status == HTTPStatus.CONFLICT:
            return await self._settle(call_id, line, wanted, answer, before)
        if service is not None and answer.status in _NOT_THERE:
            raise self._gone(line)
        return self._taken(call_id, line, answer)

    async def restore(self, call_id: str, line: HostLine, wanted: Condition, before: Holding) -> Pending | None:
        """Delete the Service that the step created, or write back state, characteristics and specification."""
        if await self._works_on(call_id, line):
            return Pending(self._poll)
        service = await self._find(line)
        now = service_of.holding(service, line, self._countries)
        if now.record == before.record:
            return None
        self._check_ours(call_id, line, service, wanted, before)
        assert service is not None  # what went away meanwhile is no longer what the step made
        if not before.present:
            return await self._end(call_id, line, service)
        answer = await self._ask("PATCH", _path(service), service_of.restoration(service, call_id, before.record))
        if answer.status in _NOT_THERE:
            raise self._gone(line)
        if answer.status == HTTPStatus.CONFLICT and service_of.speaks_of(answer.body, call_id):
            return Pending(self._poll)
        return self._taken(call_id, line, answer)

    async def read(self, line: HostLine) -> HostReading:
        """Return how the host holds a line; see `interface.Host`. Keys are not told."""
        service = await self._find(line)
        work = self._works.get(line.iccid)
        if work is not None:
            # The Service is the truth, and it was read; a Monitor that can't be had takes nothing from it.
            with suppress(HostUnavailable):
                await self._check(line, work)
        return HostReading(service_of.condition(service, line, self._countries))

    async def lines(self) -> AsyncIterator[list[HeldLine]]:
        """List all Services that have not ended, page by page (TMF630 offset and limit).

        A host that gives pages in a circle, whatever the offset, is found out by one page that is kept, a later one each time
        as many pages have come again (Brent): no list of what was seen is needed.
        """
        offset, kept = 0, None
        for number in range(1, MAX_PAGES + 1):
            answer = await self._ask("GET", f"/service?offset={offset}&limit={PAGE}")
            if answer.status >= 400:
                raise HostRefused(f"the host does not list its services (HTTP {answer.status})", UNLISTED)
            page = service_of.parse(answer.body)
            if not isinstance(page, list):
                raise HostUnavailable("the host's list of services is no list", "host.garbage")
            if not page:
                return
            shown = [service_of.identifier(service) or service for service in page]
            if shown == kept:
                raise HostRefused("the host gives the same pages of its services again and again", UNLISTED)
            if number & (number - 1) == 0:
                kept = shown
            yield [line for service in page if (line := service_of.held_line(service, self._countries)) is not None]
            offset += len(page)
            if service_of.total(answer.headers) == offset:
                return
        raise HostRefused(f"the host's list of services has no end after {MAX_PAGES} pages", UNLISTED)

    def hinted(self, body: bytes) -> list[str]:
        """Name the call ids that an event speaks of: in its Service, in its Monitor's request, or by its Monitor."""
        calls, monitor = service_of.mentions(body)
        known = self._calls.get(monitor) if monitor else None
        return calls if known is None or known in calls else [*calls, known]

    def set_tap(self, tap: Tap | None) -> None:
        """Pass each request and each whole answer to a tap as HTTP/1.1 texts, our token left out; see `interface.Host`."""
        self._wire_tap.set_tap(tap, self.name)

    async def close(self) -> None:
        """Let go of all connections; our callback address stays with the host, for the next start."""
        if self._session is not None and not self._lent:
            await self._session.close()
        self._session = None

    # The line's Service

    async def _find(self, line: HostLine) -> Resource | None:
        """Return the card's Service; by its id if that was learnt, else by the card."""
        known = self._ids.get(line.iccid)
        if known is not None:
            answer = await self._ask("GET", f"/service/{quote(known, safe='')}")
            if answer.status not in _NOT_THERE:
                service = service_of.parse(_accepted(answer).body)
                if service_of.is_of(service, line.iccid) and service_of.is_live(service):
                    return dict(service)
            self._ids.pop(line.iccid, None)
        service = await self._search(line.iccid)
        if service is not None:
            self._learn(line, service)
        return service

    async def _search(self, iccid: str) -> Resource | None:
        query = f"?supportingResource.id={quote(iccid, safe='')}&limit={PAGE}"
        answer = await self._ask("GET", f"/service{query}")
        if answer.status in _NOT_THERE:
            raise HostUnavailable("there is no TMF640 at the host's address (HTTP 404)", "host.address")
        found = service_of.parse(_accepted(answer).body)
        if not isinstance(found, list):
            raise HostUnavailable("the host's list of services is no list", "host.garbage")
        if not all(service_of.is_of(service, iccid) for service in found):
            raise HostUnavailable("the host lists services of other cards: it can't search by card", "host.filter")
        live = [service for service in found if service_of.is_live(service)]
        if len(live) > 1:
            raise HostRefused(f"the host holds {len(live)} services for this card", "host.ambiguous")
        if not live and _is_part(answer, len(found)):
            raise HostRefused(
                f"the host shows {len(found)} ended services for this card, and has more", "host.ambiguous"
            )
        return live[0] if live else None

    def _learn(self, line: HostLine, service: object) -> None:
        identifier = service_of.identifier(service)
        if identifier:
            self._ids.keep(line.iccid, identifier)

    async def _end(self, call_id: str, line: HostLine, service: Resource) -> Pending | None:
        """Delete a Service, or have it terminated where the host deletes none."""
        path = _path(service)
        answer = await self._ask("DELETE", path)
        if answer.status in _NO_DELETE:
            answer = await self._ask("PATCH", path, service_of.termination(service, call_id))
        if answer.status in _NOT_THERE:
            self._ids.pop(line.iccid, None)
            return None
        if answer.status == HTTPStatus.CONFLICT:
            return await self._settle(call_id, line, ABSENT, answer)
        return self._taken(call_id, line, answer)

    def _check_ours(
        self, call_id: str, line: HostLine, service: Resource | None, wanted: Condition, before: Holding
    ) -> None:
        """HostRefused (FOREIGN) for a Service that is neither what stood there before the step nor what the step made."""
        check_unchanged(service_of.holding(service, line, self._countries), before, wanted)
        if (
            service is not None
            and not before.present
            and not service_of.is_made_by(service, call_id, line, wanted, self._countries)
        ):
            said = service_of.holding(service, line, self._countries).words
            raise HostRefused(
                f"somebody else has put this card into service meanwhile: {said}; it is left as it is", FOREIGN
            )

    def _gone(self, line: HostLine) -> HostUnavailable:
        self._ids.pop(line.iccid, None)
        return HostUnavailable("the host's service went away while it was changed (HTTP 404)")

    # What became of a call

    def _taken(self, call_id: str, line: HostLine, answer: _Answer) -> Pending | None:
        """Read the answer to a change: done, or taken (202)."""
        _accepted(answer)
        if answer.status != HTTPStatus.ACCEPTED:
            if answer.body:
                service = service_of.parse(answer.body)
                if service_of.is_of(service, line.iccid):
                    self._learn(line, service)
            return None
        monitor = service_of.monitor_path(answer.headers, answer.body)
        if monitor is not None:
            self._works.keep(line.iccid, _Work(call_id, monitor))
            self._calls.keep(monitor, call_id)
        after = service_of.retry_after(answer.headers)
        return Pending(self._poll if after is None else after)

    async def _settle(
        self, call_id: str, line: HostLine, wanted: Condition, answer: _Answer, before: Holding | None = None
    ) -> Pending | None:
        """Return a conflict with our own earlier try, which is no refusal, from one with somebody else's line."""
        service = await self._find(line)
        if before is not None:
            self._check_ours(call_id, line, service, wanted, before)
        if service_of.condition(service, line, self._countries) == wanted:
            return None
        if service_of.has_order(service, call_id) or service_of.speaks_of(answer.body, call_id):
            return Pending(self._poll)
        raise service_of.refusal(answer.status, answer.body)

    async def _works_on(self, call_id: str, line: HostLine) -> bool:
        """Whether the host still works on this very call; another call of the line makes an older one's Monitor pointless."""
        work = self._works.get(line.iccid)
        if work is None:
            return False
        if work.call_id != call_id:
            self._forget(line)
            return False
        # A Monitor that can't be had stops nothing: the call is made again under its id.
        with suppress(HostUnavailable):
            return await self._check(line, work)
        return False

    async def _check(self, line: HostLine, work: _Work) -> bool:
        """Whether a Monitor's work goes on; raises HostRefused, once, if it has failed."""
        answer = await self._ask("GET", work.monitor)
        monitor = service_of.parse(answer.body) if answer.status == HTTPStatus.OK else None
        if service_of.in_progress(monitor):
            return True
        if self._works.get(line.iccid) == work:
            self._forget(line)
        refusal = service_of.monitor_refusal(monitor)
        if refusal is not None:
            raise refusal
        return False

    def _forget(self, line: HostLine) -> None:
        work = self._works.pop(line.iccid)
        self._calls.pop(work.monitor, None)

    # The wire

    async def _listen(self) -> None:
        """Ask the host, once, for its events; that it may have none to give stops nothing."""
        if self._callback is None or self.listening or self._clock() < self._listen_at:
            return
        self._listen_at = self._clock() + LISTEN_AGAIN  # those who come meanwhile don't wait for it
        with suppress(HostUnavailable):
            answer = await self._ask("POST", "/hub", {"callback": self._callback})
            self.listening = answer.status < 300 or answer.status == HTTPStatus.CONFLICT

    async def _ask(self, method: str, path: str, body: Resource | None = None) -> _Answer:
        """Send one request; gives 2xx and 4xx about the line, raises HostUnavailable for all that is not about it."""
        await self._pace.turn()
        try:
            answer = await self._exchange(method, path, None if body is None else msgspec.json.encode(body))
        except TimeoutError:
            raise HostUnavailable("no answer in time", "host.timeout") from None
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as error:
            # Their texts may have the address, and the card's number in it.
            raise HostUnavailable(f"no answer: {type(error).__name__}") from None
        _check_status(method, answer)
        return answer

    async def _exchange(self, method: str, path: str, data: bytes | None) -> _Answer:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        headers = self._headers if data is None else {**self._headers, "Content-Type": "application/json"}
        url = URL(self._url + path, encoded=True)
        exchange, remote = next(self._exchanges), http_text.remote(url)
        if self._wire_tap.open:
            text = http_text.request(method, url, headers, data)
            self._wire_tap.record(text, outgoing=True, remote=remote, exchange=exchange)
        # What a coded answer unpacks to is known only when it is in memory; it is refused, as we asked for none.
        async with self._session.request(
            method,
            url,
            data=data,
            headers=headers,
            timeout=self._timeout,
            ssl=self._tls,
            allow_redirects=False,
            auto_decompress=False,
        ) as response:
            answer = _Answer(response.status, response.headers, await _whole(response))
            if self._wire_tap.open:
                text = http_text.response(answer.status, response.reason or "", answer.headers, answer.body)
                self._wire_tap.record(text, outgoing=False, remote=remote, exchange=exchange)
            return answer


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """Read an answer as it was sent, within bounds; HostUnavailable if it is larger, or coded (RFC 9110 §8.4).

    Of a refusal that is coded the status is answer enough.
    """
    if response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
        response.close()
        if response.status >= 300:
            return b""
        raise HostUnavailable("the host's answer is coded (Content-Encoding), which we did not ask for", "host.garbage")
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MAX_BODY:
            response.close()
            raise HostUnavailable(f"the host's answer has more than {MAX_BODY} octets", "host.garbage")
    return bytes(body)


def _check_status(method: str, answer: _Answer) -> None:
    """Raise HostUnavailable for a status that says nothing about the line."""
    status = answer.status
    if status in _CREDENTIALS:
        raise HostUnavailable(f"the host does not take our credentials (HTTP {status})", "host.credentials")
    if 300 <= status < 400:
        raise HostUnavailable(f"the host sends us elsewhere (HTTP {status}): give its new address", "host.redirect")
    wait = service_of.retry_after(answer.headers)
    if (
        status in LATER
        or (status >= 400 and "Retry-After" in answer.headers)
        or (status >= 500 and not (method == "DELETE" and status in _NO_DELETE))
    ):
        one_line = status == HTTPStatus.INTERNAL_SERVER_ERROR
        raise HostUnavailable(f"the host can't do it now (HTTP {status})", after=wait, one_line=one_line)


def _accepted(answer: _Answer) -> _Answer:
    """Return an answer of success; HostRefused if it is none."""
    if answer.status >= 400:
        raise service_of.refusal(answer.status, answer.body)
    return answer


def _is_part(answer: _Answer, shown: int) -> bool:
    """Whether a list goes on behind what an answer shows of it (TMF630: X-Total-Count, or 206)."""
    total = service_of.total(answer.headers)
    if total is not None:
        return total > shown
    return answer.status == HTTPStatus.PARTIAL_CONTENT or shown >= PAGE


def _path(service: Resource) -> str:
    identifier = service_of.identifier(service)
    if not identifier:
        raise HostUnavailable("the host's service has no usable id", "host.garbage", one_line=True)
    return f"/service/{quote(identifier, safe='')}"
