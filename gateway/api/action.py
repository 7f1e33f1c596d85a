"""The kinds of actions: what runs, the least role that may ask for it, and the request type that it takes."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, Protocol

import msgspec

from gateway.api.callers import Caller, need
from gateway.api.conversion import Request, to_request
from gateway.api.where import Where
from gateway.context import GatewayContext

Params = Mapping[str, object]
"""What is said with an action, as it came: JSON values by name."""


class StoreAction(Protocol):
    """What needs the open store alone, whatever its request type is."""

    @property
    def role(self) -> str:
        """The least role that may ask."""

    def perform(self, context: GatewayContext, params: Params, caller: Caller) -> msgspec.Struct:
        """Do it for whoever asks; Problem where it may not, or `params` are not what the action is told."""


class RunningAction(Protocol):
    """What only the running gateway does, in its event loop, whatever its request type is."""

    @property
    def role(self) -> str:
        """The least role that may ask."""

    async def perform(self, params: Params, caller: Caller) -> msgspec.Struct:
        """Do it for whoever asks; Problem where it may not, or `params` are not what the action is told."""


class Action(msgspec.Struct, Generic[Request], frozen=True):
    """A StoreAction: what runs, the least role that may ask, and what is to be said with it."""

    run: Callable[[GatewayContext, Request], msgspec.Struct]
    role: str
    request: type[Request]

    def perform(self, context: GatewayContext, params: Params, caller: Caller) -> msgspec.Struct:
        """Do it, as StoreAction says."""
        need(caller.role, self.role)
        return self.run(context, to_request(params, self.request))


class CallerAction(msgspec.Struct, Generic[Request], frozen=True):
    """A StoreAction that depends on who asks, such as on the right to see causes: `run` also gets the caller."""

    run: Callable[[GatewayContext, Request, Caller], msgspec.Struct]
    role: str
    request: type[Request]

    def perform(self, context: GatewayContext, params: Params, caller: Caller) -> msgspec.Struct:
        """Do it, as StoreAction says."""
        need(caller.role, self.role)
        return self.run(context, to_request(params, self.request), caller)


class AsyncAction(msgspec.Struct, Generic[Request], frozen=True):
    """A RunningAction; `run` also gets who asks.

    `where` says which of several gateways on one store do it (gateway.api.action_routing); None: the one that was asked.
    """

    run: Callable[[Request, Caller], Awaitable[msgspec.Struct]]
    role: str
    request: type[Request]
    where: Where | None = None

    async def perform(self, params: Params, caller: Caller) -> msgspec.Struct:
        """Do it, as RunningAction says."""
        need(caller.role, self.role)
        return await self.run(to_request(params, self.request), caller)
