"""Where an action is done when several gateways share a store: what an action of the table says of it (`AsyncAction.where`)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from gateway.api.answers.nodes import NodeProblem
from gateway.api.callers import Caller
from gateway.api.conversion import Request
from gateway.api.problems import Problem

Answer = TypeVar("Answer", bound=msgspec.Struct)


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
