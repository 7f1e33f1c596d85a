"""Clients that restarted: a greater Origin-State-Id than before says that a host's sessions are lost (RFC 6733 §8.16)."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial

from gateway.background import Background
from gateway.charging.queries import PAGE, open_at
from gateway.charging.session_expiry import CloseLost
from gateway.store.async_read import AsyncRead
from gateway.store.async_submit import submit
from gateway.store.errors import StoreError
from gateway.store.write_lane import WriteLane
from protocols.diameter.identity import fold
from protocols.diameter.node_events import PeerRestarted, PeerUp

MAX_HOSTS = 10_000
"""Hosts whose Origin-State-Id is remembered: a relay may bring any number of them."""


class PeerRestarts:
    """Closes, page by page, what restarted clients have lost, wherever they say so: in CER, CEA, DWR, DWA or CCR.

    A value is remembered as long as this process lives: what is not noticed, because we restarted as well, is left to Tcc. A
    late report of a closed session is charged all the same. Relays are left out: their sessions are those of others, who say
    by their own CCRs that they restarted.

    Args:
        shards: names this gateway's number, and those that it adopted. Sessions that were last reported to another gateway are
            that one's to close: the client may have gone there after its restart, before it came back to us.
        relays: the identities of peers that are relays.
        read: runs a function with a connection for reading.
        clock: microseconds.
    """

    def __init__(
        self,
        lane: WriteLane,
        shards: Callable[[], Collection[int]],
        relays: frozenset[str],
        *,
        read: AsyncRead,
        clock: Callable[[], int],
        alarm: Callable[[str, dict[str, str]], None],
        background: Background | None = None,
    ) -> None:
        """Start without knowing any client."""
        self._lane, self._shards, self._relays = lane, shards, relays
        self._read, self._clock, self._alarm = read, clock, alarm
        self._states: dict[str, int] = {}
        self._background = background or Background()

    def apply_settings(self, relays: frozenset[str]) -> None:
        """Take these peers for relays from now on."""
        self._relays = relays

    def record(self, event: object) -> None:
        """Take an event of the node; if a peer says that it restarted, begin to close what it lost."""
        if isinstance(event, PeerUp | PeerRestarted) and event.origin_state_id and event.identity not in self._relays:
            self.report(event.identity, event.origin_state_id)

    def report(self, origin_host: str, origin_state_id: int) -> None:
        """Take the Origin-State-Id that a host gave; if it grew, begin to close what the host lost."""
        before = self._states.get(origin_host, 0)
        if origin_state_id <= before:  # as nearly always; an old one may come late
            return
        host = fold(origin_host)
        before = max(before, self._states.get(host, 0))
        if len(self._states) >= MAX_HOSTS and origin_host not in self._states:
            del self._states[next(iter(self._states))]  # the one that has been known for longest
        self._states[origin_host] = self._states[host] = max(before, origin_state_id)
        if origin_state_id > before > 0:
            came_back = self._clock() - 1  # what is reported in this very moment is not lost
            self._background.once("close lost sessions", partial(self._close, host, came_back))

    async def _close(self, peer: str, came_back: int) -> None:
        closed, after = 0, 0
        with suppress(StoreError):  # Tcc closes what is left
            while True:
                page = await self._read(lambda c: open_at(c, peer, self._shards(), came_back, after))  # noqa: B023  (run before the next turn)
                units = (CloseLost(session.session_id, came_back) for session in page)
                closed += sum(await asyncio.gather(*(submit(self._lane, unit) for unit in units)))
                if len(page) < PAGE:
                    break
                after = page[-1].id
        self._alarm("charging.client.restarted", {"peer": peer, "sessions": str(closed)})
