"""Taking over a changed configuration while the gateway runs: all of it, or nothing (decision 013).

What is new is loaded, checked, and made ready by every component; then everything that decides is exchanged in one tick of the
loop; only then are links and peers that changed left in order and made anew. Those that did not change notice nothing.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import msgspec

from gateway.api.action import AsyncAction, RunningAction
from gateway.api.answers.nodes import ReloadOutcome
from gateway.api.callers import ADMIN, Caller
from gateway.api.requests.fields import Nothing
from gateway.context import GatewayContext
from gateway.runtime import tls
from gateway.runtime.component import Change, Component, Prepared, Stage
from gateway.settings import ConfigInvalid, Severity, load
from gateway.settings.diff import compare
from gateway.store.errors import StoreError


class _Ready(msgspec.Struct, frozen=True):
    """A change that every component is ready for."""

    change: Change
    prepared: list[Prepared]
    fingerprints: Mapping[str, bytes]


class Reload(Component):
    """Reloads, one after the other, of the components in their order."""

    name: ClassVar[str] = "reload"
    stage: ClassVar[Stage] = Stage.INITIATORS

    def __init__(
        self,
        context: GatewayContext,
        components: Sequence[Component],
        log: Callable[[str, Mapping[str, object]], None],
    ) -> None:
        """Take what runs, by the settings of its context."""
        self._context, self._components, self._log = context, components, log
        self._turn = asyncio.Lock()
        self._waiting: asyncio.Task[ReloadOutcome] | None = None
        self._fingerprints: Mapping[str, bytes] = tls.fingerprints(context.settings)

    def actions(self) -> dict[str, RunningAction]:
        """Return what `tpo reload` asks for."""

        async def act(_request: Nothing, _caller: Caller) -> ReloadOutcome:
            return await self.reload()

        return {"gateway.reload": AsyncAction(act, ADMIN, Nothing)}

    async def reload(self) -> ReloadOutcome:
        """Read the files again and take over what they say; what is wrong with them is logged, and changes nothing.

        While one runs, all who ask share the next one: it reads the files as they are after the last of them has asked.
        """
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_task(self._take_turn(), name="reload")
        return await asyncio.shield(self._waiting)

    @property
    def waits(self) -> bool:
        """Whether a reload was asked for that has not begun yet."""
        return self._waiting is not None

    async def _take_turn(self) -> ReloadOutcome:
        async with self._turn:
            self._waiting = None
            if self._context.draining:
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
            await asyncio.gather(*(each.reconnect() for each in ready.prepared if each.reconnect is not None))
            return self._applied(ready.change)

    async def stop(self) -> None:
        """Let the reload at hand come to its end; the gateway drains, so no other begins."""
        async with self._turn:
            pass

    async def _prepare(self) -> _Ready | ReloadOutcome:
        """Make everything that can fail; nothing that runs has noticed yet."""
        context = self._context
        new = await context.in_thread(load, context.settings.file)
        fingerprints = await context.in_thread(tls.fingerprints, new)
        known = self._fingerprints
        renewed = [name for name, print_ in fingerprints.items() if known.get(name, print_) != print_]
        found = compare(context.settings, new, renewed)
        if found.restart:
            return self._refused(restart=found.restart)
        change = Change(new, found)
        prepared = [await component.prepare(change) for component in self._components]
        return _Ready(change, [each for each in prepared if each is not None], fingerprints)

    def _apply(self, ready: _Ready) -> None:
        """Exchange what decides, in the order of the components. Nothing in here waits, or can fail."""
        self._fingerprints = ready.fingerprints
        for each in ready.prepared:
            each.apply()

    def _applied(self, change: Change) -> ReloadOutcome:
        found = change.changes
        self._log("config.reloaded", {"changed": ", ".join(found.sections) or "nothing"})
        for warning in change.settings.warnings:
            self._log("config.warning", {"problem": str(warning)})
        return ReloadOutcome(
            applied=True, changed=found.sections, links=found.links, peers=found.peers, hosts=found.hosts
        )

    def _refused(self, *, problems: tuple[str, ...] = (), restart: tuple[str, ...] = ()) -> ReloadOutcome:
        for problem in problems:
            self._log("config.refused", {"problem": problem})
        for key in restart:
            self._log("config.restart.needed", {"setting": key})
        return ReloadOutcome(applied=False, problems=problems, restart=restart)
