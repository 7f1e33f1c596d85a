"""The kinds of actions: what runs, the least role that may ask, the request type, and which gateways of a store do it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from gateway.api.answers.nodes import NodeProblem
from gateway.api.callers import Caller, need
from gateway.api.conversion import Request, to_request
from gateway.api.problems import Problem
from gateway.context import GatewayContext

Answer = TypeVar("Answer", bound=msgspec.Struct)
Params = Mapping[str, object]
"""What is said with an action, as it came: JSON values by name."""


class Elsewhere(Problem):
    """What was asked for is not at this gateway, and may be at another one: the refusal of a gateway that has no others."""


class Everywhere(msgspec.Struct, Generic[Request, Answer], frozen=True):
    """An action that all gateways do at once.

    Attributes:
        answer: its answer type.
        join: makes one answer of those that came, the own one first, and of why others gave none.
        wanted: whether this request is for all, and not for the gateway that was asked alone.
        prepare: makes what all are asked of what one was asked.
        quiet: codes of refusals that say no more than that there is nothing at a gateway: these are told to nobody.
    """

    answer: type[Answer]
    join: Callable[[Sequence[Answer], Sequence[NodeProblem]], Answer]
    wanted: Callable[[Request], bool] = lambda _request: True
    prepare: Callable[[Request], Request] = lambda request: request
    quiet: frozenset[str] = frozenset()


class Somewhere(msgspec.Struct, Generic[Request, Answer], frozen=True):
    """An action that one gateway does, the first that does not say `Elsewhere`: the one asked, then the others.

    Attributes:
        answer: its answer type.
        first: gives the number of the gateway to begin with, if it is not the one asked.
        probe: makes a request that changes nothing of one that names what several others may have: then none is chosen.
        otherwise: what the gateway that was asked does where nobody has it; it is told why others gave no answer.
    """

    answer: type[Answer]
    first: Callable[[Request], Awaitable[int | None]] | None = None
    probe: Callable[[Request], Request] | None = None
    otherwise: Callable[[Request, Caller, Sequence[NodeProblem]], Awaitable[Answer]] | None = None


Where = Everywhere[Any, Any] | Somewhere[Any, Any]
"""Where an action is done when several gateways share a store."""


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
