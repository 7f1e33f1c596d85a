"""Has actions done where they belong: by the gateway that was asked, by all on its store, or by the one that has what is meant.

Who asks may also name a gateway: `node` beside the parameters of an action that has a `where`. Where there is one gateway,
nothing is read and nobody is waited for.
"""

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from gateway.api.action import AsyncAction, Elsewhere, Everywhere, Params, RunningAction, Somewhere, Where
from gateway.api.answers.nodes import NodeProblem
from gateway.api.callers import Caller, need
from gateway.api.conversion import to_request
from gateway.api.node_requests import SILENT, Log, NodeRequest, OtherNodes
from gateway.api.problems import Problem, bad_request, conflict, not_found
from gateway.api.requests.fields import MAX_TEXT
from gateway.store.errors import StoreError
from gateway.store.node_requests import KnownNode

EVERYWHERE_SECONDS: Final = 3.0
"""How long the others may take for what all are asked at once."""
SOMEWHERE_SECONDS: Final = 8.0
"""How long one other may take for what concerns it: of these a client has five for its answer to a RAR or ASR."""
SEARCH_SECONDS: Final = 12.0
"""How long the rest are asked one after the other; with the first one and the own one, less than a command waits."""
OTHERS: Final = "others"
"""Stands for the gateways that are not known, since the store does not tell."""
NODE: Final = "node"
"""The parameter that names a gateway."""
Found = msgspec.Struct | Problem
"""What a gateway answered, or why it gave no answer."""


class Router:
    """The actions of one gateway among others on its store."""

    def __init__(
        self, actions: Mapping[str, RunningAction], others: OtherNodes, log: Log = lambda _event, _fields: None
    ) -> None:
        """Take all actions by their names, and the way to the other gateways; `log` is told what is changed for these."""
        self._actions, self._others, self._log = actions, others, log

    def actions(self) -> dict[str, RunningAction]:
        """Return the same actions, done where they belong."""
        return {name: _routed(self, name, action) for name, action in self._actions.items()}

    async def serve(self, asked: NodeRequest, from_node: int) -> msgspec.Struct:
        """Do here what another gateway asks for; Problem where it is refused. Only what has a `where` is done for others."""
        action = self._actions.get(asked.action)
        if not isinstance(action, AsyncAction) or action.where is None:
            raise not_found("action.unknown", f"no gateway does {asked.action!r} for another one")
        answer = await action.perform(asked.params, asked.caller)
        if _changes(action.where, to_request(asked.params, action.request)):
            self._log("node.request.done", {"action": asked.action, "by": asked.caller.name, "from": from_node})
        return answer

    async def perform(self, name: str, action: AsyncAction[Any], params: Params, caller: Caller) -> msgspec.Struct:
        """Do an action where it belongs, for whoever asks; Problem where it is refused, or cannot be had."""
        need(caller.role, action.role)
        rest = {key: value for key, value in params.items() if key != NODE}
        call = _Call(name, action, rest, to_request(rest, action.request), caller)
        if node := _named(params):
            return await self._at(call, node)
        if isinstance(action.where, Everywhere):
            return await self._everywhere(call, action.where)
        assert action.where is not None
        return await self._somewhere(call, action.where)

    async def _at(self, call: "_Call", name: str) -> msgspec.Struct:
        """Have it done by the gateway that was named, this one or another."""
        own = self._others.name
        if name == own:
            return await call.here()
        known = await self._others.known()
        for node in known:
            if node.name == name:
                return await self._ask(node, call, SOMEWHERE_SECONDS)
        names = ", ".join(sorted([own, *(node.name for node in known)]))
        raise not_found("node.unknown", f"node: there is no gateway {name} on this store; there are: {names}")

    async def _everywhere(self, call: "_Call", where: Everywhere[Any, Any]) -> msgspec.Struct:
        """Have it done by all that there are."""
        if not where.wanted(call.request):
            return await call.here()
        try:
            others = await self._others.known()
        except StoreError as error:  # what this gateway is asked for most while its store is in trouble
            return _joined(where, [await call.here()], [NodeProblem(OTHERS, error.code, str(error))])
        if not others:
            return await call.here()
        return await self._by_all(call.with_request(where.prepare(call.request)), where, others)

    async def _by_all(self, call: "_Call", where: Everywhere[Any, Any], others: Sequence[KnownNode]) -> msgspec.Struct:
        """Have it done by this gateway and these at once, and join what they answer."""
        own, *theirs = await asyncio.gather(
            _caught(call.here()), *(_caught(self._ask(node, call, EVERYWHERE_SECONDS)) for node in others)
        )
        names = [self._others.name, *(node.name for node in others)]
        found = dict(zip(names, [own, *theirs], strict=True))
        answers = [answer for answer in found.values() if not isinstance(answer, Problem)]
        told = {name: problem for name, problem in found.items() if isinstance(problem, Problem)}
        problems = [_told(name, problem) for name, problem in told.items() if problem.code not in where.quiet]
        if isinstance(own, Problem) and not answers:
            raise _nowhere(own, problems)
        return _joined(where, answers, problems)

    async def _somewhere(self, call: "_Call", where: Somewhere[Any, Any]) -> msgspec.Struct:
        """Have it done by the first gateway that has what is meant."""
        problems: list[NodeProblem] = []
        first = await self._first(call, where)
        if first is not None and (found := await self._try(first, call, SOMEWHERE_SECONDS, problems)) is not None:
            return found
        try:
            return await call.here()
        except Elsewhere as refused:
            own = refused
        others = [node for node in await self._others.known() if first is None or node.id != first.id]
        found = await (self._probe if where.probe else self._one_by_one)(call, where, others, problems)
        if found is not None:
            return found
        if where.otherwise is not None:
            otherwise: msgspec.Struct = await where.otherwise(call.request, call.caller, problems)
            return otherwise
        raise _nowhere(own, problems)

    async def _first(self, call: "_Call", where: Somewhere[Any, Any]) -> KnownNode | None:
        """Return the gateway to begin with, if it is another one that is known."""
        if where.first is None or self._others.alone:
            return None
        number = await where.first(call.request)
        if number is None:
            return None
        return next((node for node in await self._others.known() if node.id == number), None)

    async def _one_by_one(
        self, call: "_Call", _where: object, others: Sequence[KnownNode], problems: list[NodeProblem]
    ) -> msgspec.Struct | None:
        """Ask one after the other, since each of them might do it."""
        clock = asyncio.get_running_loop().time
        until = clock() + SEARCH_SECONDS
        for node in others:
            left = min(SOMEWHERE_SECONDS, until - clock())
            if left > 0 and (found := await self._try(node, call, left, problems)) is not None:
                return found
        return None

    async def _probe(
        self, call: "_Call", where: Somewhere[Any, Any], others: Sequence[KnownNode], problems: list[NodeProblem]
    ) -> msgspec.Struct | None:
        """Ask all at once who has it, and have it done by the one that does; Problem where more than one does."""
        assert where.probe is not None
        probe = call.with_request(where.probe(call.request))
        found = await asyncio.gather(*(self._try(node, probe, EVERYWHERE_SECONDS, problems) for node in others))
        having = [(node, answer) for node, answer in zip(others, found, strict=True) if answer is not None]
        if len(having) > 1:
            names = ", ".join(node.name for node, _ in having)
            raise conflict("node.many", f"more than one gateway has it: {names}; name one of them as the node")
        if not having:
            return None
        ((node, answer),) = having
        return answer if probe.request == call.request else await self._ask(node, call, SOMEWHERE_SECONDS)

    async def _try(
        self, node: KnownNode, call: "_Call", seconds: float, problems: list[NodeProblem]
    ) -> msgspec.Struct | None:
        """Ask another gateway; None where it does not have what is meant, or gives no answer, which is noted then."""
        try:
            return await self._ask(node, call, seconds)
        except Elsewhere:
            return None
        except Problem as problem:
            if problem.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            problems.append(_told(node.name, problem))
            return None

    async def _ask(self, node: KnownNode, call: "_Call", seconds: float) -> msgspec.Struct:
        assert call.action.where is not None
        kind: type[msgspec.Struct] = call.action.where.answer
        request = NodeRequest(call.name, dict(call.params), call.caller)
        return await self._others.ask(node, request, kind, seconds)


class _Call(msgspec.Struct, frozen=True):
    """An action that somebody asks for: what was said with it, as it came and as its request type."""

    name: str
    action: AsyncAction[Any]
    params: Params
    request: Any
    caller: Caller

    async def here(self) -> msgspec.Struct:
        """Do it at this gateway."""
        return await self.action.run(self.request, self.caller)

    def with_request(self, request: msgspec.Struct) -> "_Call":
        """Return the same call with another request."""
        params: dict[str, object] = msgspec.to_builtins(request)
        return msgspec.structs.replace(self, request=request, params=params)


class _Routed(msgspec.Struct, frozen=True):
    """A RunningAction that its router has done where it belongs."""

    router: Router
    name: str
    action: AsyncAction[Any]

    @property
    def role(self) -> str:
        """The least role that may ask."""
        return self.action.role

    async def perform(self, params: Params, caller: Caller) -> msgspec.Struct:
        """Do it, as RunningAction says."""
        return await self.router.perform(self.name, self.action, params, caller)


def _routed(router: Router, name: str, action: RunningAction) -> RunningAction:
    if not isinstance(action, AsyncAction) or action.where is None:
        return action
    return _Routed(router, name, action)


def _changes(where: Where, request: Any) -> bool:  # noqa: ANN401  (the action's own type)
    """Return whether a request is to change something at one gateway: what starts and ends at all of them logs it itself."""
    return isinstance(where, Somewhere) and (where.probe is None or where.probe(request) != request)


def _joined(
    where: Everywhere[Any, Any], answers: Sequence[msgspec.Struct], problems: Sequence[NodeProblem]
) -> msgspec.Struct:
    joined: msgspec.Struct = where.join(answers, problems)
    return joined


async def _caught(work: Any) -> Found:  # noqa: ANN401  (a coroutine of a Struct)
    """Return what it answers, or why it gives none."""
    try:
        answer: msgspec.Struct = await work
    except Problem as problem:
        return problem
    except StoreError as error:
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, error.code, str(error))
    return answer


def _named(params: Params) -> str:
    """Return the gateway that is named, if one is."""
    node = params.get(NODE) or ""
    if not isinstance(node, str) or len(node) > MAX_TEXT:
        raise bad_request("params.text", f"{NODE}: give the name of a gateway, as `tpo status` shows it")
    return node


def _told(node: str, problem: Problem) -> NodeProblem:
    return NodeProblem(node, problem.code, problem.detail)


def _nowhere(own: Problem, problems: Sequence[NodeProblem]) -> Problem:
    """Refuse what no gateway does, as far as is known: one that does not answer might."""
    detail = "; ".join([own.detail, *dict.fromkeys(problem.detail for problem in problems)])
    if any(problem.code == SILENT for problem in problems):
        return Problem(HTTPStatus.GATEWAY_TIMEOUT, SILENT, detail)
    return Problem(own.status, own.code, detail)
