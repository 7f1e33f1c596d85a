"""Clients that restarted: a greater Origin-State-Id than before says that a peer's sessions are lost (RFC 6733 §8.16)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from gateway.background import Background
from gateway.charging.queries import PAGE, open_at
from gateway.charging.session_expiry import CloseLost
from gateway.store.async_submit import submit
from gateway.store.engine import Read
from gateway.store.errors import StoreError
from gateway.store.lane import Lane
from protocols.diameter.node_events import PeerUp


class PeerRestarts:
    """Closes, page by page, what restarted peers have lost.

    A value is remembered as long as this process lives: what is not noticed, because we restarted as well, is left to Tcc. A
    late report of a closed session is charged all the same. Relays are left out: their sessions are those of others.

    Args:
        node: this gateway's number. Sessions that were last reported to another gateway are that one's to close: the peer may
            have gone there after its restart, before it came back to us.
        relays: the identities of peers that are relays.
        read: runs a function with a connection for reading.
        clock: microseconds.
    """

    def __init__(
        self,
        lane: Lane,
        node: int,
        relays: frozenset[str],
        *,
        read: Read,
        clock: Callable[[], int],
        alarm: Callable[[str, dict[str, str]], None],
        background: Background | None = None,
    ) -> None:
        """Start without knowing any peer."""
        self._lane, self._node, self._relays = lane, node, relays
        self._read, self._clock, self._alarm = read, clock, alarm
        self._states: dict[str, int] = {}
        self._background = background or Background()

    def apply_settings(self, relays: frozenset[str]) -> None:
        """Take these peers for relays from now on."""
        self._relays = relays

    def record(self, event: object) -> None:
        """Hear an event of the node; if a peer came up after a restart, begin to close what it lost."""
        if not isinstance(event, PeerUp) or not event.origin_state_id or event.identity in self._relays:
            return
        before = self._states.get(event.identity, event.origin_state_id)
        self._states[event.identity] = max(before, event.origin_state_id)
        if event.origin_state_id > before:
            self._background.once("close lost sessions", partial(self._close, event.identity, self._clock()))

    async def _close(self, peer: str, came_back: int) -> None:
        closed, after = 0, 0
        with suppress(StoreError):  # Tcc closes what is left
            while True:
                page = await asyncio.to_thread(self._read, lambda c: open_at(c, peer, self._node, came_back, after))  # noqa: B023  (run before the next turn)
                units = (CloseLost(session.session_id, came_back) for session in page)
                closed += sum(await asyncio.gather(*(submit(self._lane, unit) for unit in units)))
                if len(page) < PAGE:
                    break
                after = page[-1].id
        self._alarm("charging.client.restarted", {"peer": peer, "sessions": str(closed)})
