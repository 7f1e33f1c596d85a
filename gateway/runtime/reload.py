"""Taking over a changed configuration while the gateway runs: all of it, or nothing.

What is new is loaded, checked and made ready first; then everything that decides is exchanged in one tick of the loop; only
then are links and peers that changed left in order and made anew. Those that did not change notice nothing.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping

import msgspec

from gateway.api.actions import ADMIN, AsyncAction, Caller, RunningAction
from gateway.api.answers import ReloadOutcome
from gateway.api.requests import Nothing
from gateway.charging.gy.peer_restarts import PeerRestarts
from gateway.charging.gy.reauth_abort import SessionRequests
from gateway.charging.gy.server import CreditControlServer
from gateway.context import GatewayContext, OpenAccounts
from gateway.messaging.routing import Route
from gateway.messaging.smsc_client import SmscClient
from gateway.runtime import factories
from gateway.settings import ConfigInvalid, Settings, Severity, load
from gateway.settings.diff import Changes, compare
from gateway.settings.sections import LinkTls, Tls
from gateway.sims.host_runtime import HostRuntime
from gateway.sims.order_executor import OrderExecutor
from gateway.store.async_submit import submit
from gateway.store.errors import StoreError
from protocols.diameter.identity import PeerConfig
from protocols.diameter.node import Node

LEAVE_SECONDS = 10.0
"""How long a link or a peer that goes may take for what is owed either way."""


class Running(msgspec.Struct, frozen=True):
    """What runs by the configuration; the last four are there where Diameter is configured."""

    context: GatewayContext
    smsc_client: SmscClient
    executor: OrderExecutor
    charging: CreditControlServer | None = None
    node: Node | None = None
    session_requests: SessionRequests | None = None
    peer_restarts: PeerRestarts | None = None


class _Ready(msgspec.Struct, frozen=True):
    """What was made before anything is exchanged."""

    settings: Settings
    changes: Changes
    accounts: Mapping[str, int]
    routes: dict[str, Route]
    peers: dict[str, PeerConfig]
    hosts: dict[str, HostRuntime]
    marks: Mapping[str, bytes]


class Reload:
    """Reloads, one after the other."""

    def __init__(self, running: Running, alarm: Callable[[str, Mapping[str, object]], None]) -> None:
        """Take what runs, by the settings of its context."""
        self._running, self._alarm = running, alarm
        self._turn = asyncio.Lock()
        self._marks: Mapping[str, bytes] = _marks(running.context.settings)

    def actions(self) -> dict[str, RunningAction]:
        """Give what `tpo reload` asks for."""

        async def act(_request: Nothing, _caller: Caller) -> ReloadOutcome:
            return await self.reload()

        return {"gateway.reload": AsyncAction(act, ADMIN, Nothing)}

    async def reload(self) -> ReloadOutcome:
        """Read the files again and take over what they say; what is wrong with them is told, and changes nothing."""
        async with self._turn:
            if self._running.context.draining:
                return self._refused(
                    problems=("the gateway is on its way out, and reads its configuration when it starts",)
                )
            try:
                ready = await self._prepare()
            except ConfigInvalid as invalid:
                errors = (problem for problem in invalid.problems if problem.severity is Severity.ERROR)
                return self._refused(problems=tuple(map(str, errors)))
            except (OSError, ValueError, StoreError) as error:
                return self._refused(problems=(str(error) or type(error).__name__,))
            if isinstance(ready, ReloadOutcome):
                return ready
            self._apply(ready)
            await self._reconnect(ready)
            found = ready.changes
            self._alarm("config.reloaded", {"changed": ", ".join(found.sections) or "nothing"})
            for warning in ready.settings.warnings:
                self._alarm("config.warning", {"problem": str(warning)})
            return ReloadOutcome(
                applied=True, changed=found.sections, links=found.links, peers=found.peers, hosts=found.hosts
            )

    async def end(self) -> None:
        """Let the reload at hand come to its end; the gateway drains, so no other begins."""
        async with self._turn:
            pass

    def _refused(self, *, problems: tuple[str, ...] = (), restart: tuple[str, ...] = ()) -> ReloadOutcome:
        for problem in problems:
            self._alarm("config.refused", {"problem": problem})
        for key in restart:
            self._alarm("config.restart.needed", {"setting": key})
        return ReloadOutcome(applied=False, problems=problems, restart=restart)

    async def _prepare(self) -> _Ready | ReloadOutcome:
        """Make everything that can fail; nothing that runs has noticed yet."""
        context = self._running.context
        new = await context.in_thread(load, context.settings.file)
        marks = await context.in_thread(_marks, new)
        stale = [name for name, mark in marks.items() if self._marks.get(name, mark) != mark]
        found = compare(context.settings, new, stale)
        if found.restart:
            return self._refused(restart=found.restart)
        links = {link.name: link for link in new.smpp.links}
        peers = {peer.identity.lower(): peer for peer in new.diameter.peers} if new.diameter else {}
        hosts = {host.name: host for host in new.provisioning.hosts}
        return _Ready(
            new,
            found,
            await submit(context.lane, OpenAccounts(list(new.causes))),
            {name: factories.route(links[name]) for name in (*found.links.added, *found.links.changed)},
            {name: factories.peer_config(peers[name]) for name in (*found.peers.added, *found.peers.changed)},
            {
                name: factories.make_host_runtime(hosts[name], context)
                for name in (*found.hosts.added, *found.hosts.changed)
            },
            marks,
        )

    def _apply(self, ready: _Ready) -> None:
        """SmscClient what decides: from here on everything goes by the new settings. Nothing in here waits, or can fail."""
        running, new = self._running, ready.settings
        context, self._marks = running.context, ready.marks
        context.apply_settings(new, ready.accounts)
        kept = {host.name: running.executor.host_runtimes.get(host.name) for host in new.provisioning.hosts}
        running.executor.apply_settings(
            {name: host_runtime for name, host_runtime in (kept | ready.hosts).items() if host_runtime is not None},
            notice=float(new.provisioning.swap_notice),
        )
        if new.diameter is None:
            return
        if running.charging is not None:
            running.charging.apply_settings(
                deadline=float(new.charging.deadline),
                profiles=factories.profiles_of(new.diameter),
                country=new.operator.country,
            )
        if running.session_requests is not None:
            running.session_requests.apply_settings(factories.realms_of(new.diameter))
        if running.peer_restarts is not None:
            running.peer_restarts.apply_settings(factories.relays_of(new.diameter))

    async def _reconnect(self, ready: _Ready) -> None:
        """Leave what went, make anew what changed, dial what came: all at once, each link and peer by itself."""
        smsc_client, node = self._running.smsc_client, self._running.node
        links, peers = ready.changes.links, ready.changes.peers
        leaving = [smsc_client.remove_link(name, LEAVE_SECONDS) for name in links.removed]
        leaving += [self._relink(name, ready.routes[name]) for name in links.changed]
        for name in links.added:
            smsc_client.add_link(ready.routes[name])
        if node is not None:
            leaving += [node.remove_peer(name, LEAVE_SECONDS) for name in peers.removed]
            for name in peers.changed:
                node.replace_peer(ready.peers[name])
            for name in peers.added:
                node.add_peer(ready.peers[name])
        await asyncio.gather(*leaving)

    async def _relink(self, name: str, route: Route) -> None:
        """Bind anew only after the old bind has ended: few SMSCs take two of one system_id."""
        await self._running.smsc_client.remove_link(name, LEAVE_SECONDS)
        self._running.smsc_client.add_link(route)


def _marks(settings: Settings) -> dict[str, bytes]:
    """Give a mark of the certificates of each link and peer, by its name: renewed files keep their path."""
    marks = {link.name: _mark(link.tls) for link in settings.smpp.links if link.tls}
    peers = settings.diameter.peers if settings.diameter else []
    return marks | {peer.identity.lower(): _mark(peer.tls) for peer in peers if peer.tls}


def _mark(tls: Tls | LinkTls) -> bytes:
    files = [path.read_bytes() for path in (tls.ca, tls.cert, tls.key) if path is not None]
    return hashlib.sha256(b"\0".join(files)).digest()
