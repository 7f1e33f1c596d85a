"""Asking another gateway on the same store, and answering one: an action crosses with who asks, and its answer comes back.

What crosses lies in the store (gateway.store.node_requests) for as long as the asking takes, sealed under the key that all
gateways of a store share and bound to who asks whom: the store's administrator neither reads numbers there nor can ask for
anything. The role of who asks is checked by the gateway that does what is asked, as if it had been asked itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from random import Random
from typing import Any, Final, Protocol, TypeVar

import msgspec

from gateway.api.action import Elsewhere
from gateway.api.callers import Caller
from gateway.api.problems import Problem, ProblemBody
from gateway.background import Background
from gateway.privacy.sealing import Sealer
from gateway.store.async_read import AsyncRead
from gateway.store.async_submit import submit
from gateway.store.batch import Unit
from gateway.store.errors import StoreError, StoreUnavailable
from gateway.store.node_requests import (
    MAX_ANSWER,
    MAX_REQUEST,
    Answered,
    AnswerNode,
    Asked,
    AskNode,
    CloseRequests,
    KnownNode,
    known_nodes,
    look,
)
from gateway.store.write_lane import WriteLane

AnswerType = TypeVar("AnswerType", bound=msgspec.Struct)
Log = Callable[[str, Mapping[str, object]], None]

MOST_ASKED: Final = 32
"""Requests of ours that wait for their answers at once; further ones wait for room."""
MOST_SERVED: Final = 16
"""Requests of others that are worked on at once."""
REMEMBERED: Final = 1024
"""Requests of others that are known again: none of them is done twice."""
KNOWN_SECONDS: Final = 2.0
"""How long the store may take to say which gateways there are."""
SECOND: Final = 1_000_000
"""Microseconds."""
DOWN: Final = "node.down"
SILENT: Final = "node.silent"
"""The codes of what a gateway cannot be asked, or was asked in vain."""
OTHER_KEY: Final = "node.key"
"""The code of what does not open under the key that all gateways of a store share."""


class NodeRequest(msgspec.Struct, frozen=True):
    """What one gateway asks of another: an action as its commands ask for it, and who it is that asks."""

    action: str
    params: dict[str, Any]
    caller: Caller


Perform = Callable[[NodeRequest, int], Awaitable[msgspec.Struct]]
"""Does here what another gateway, of this number, asks for; Problem where it is refused."""


class NodeAnswer(msgspec.Struct, frozen=True):
    """What became of it: the action's answer, encoded, or why there is none."""

    body: bytes = b""
    problem: ProblemBody | None = None
    elsewhere: bool = False
    """The problem is that it is not at that gateway (`Elsewhere`)."""


class OtherNodes(Protocol):
    """The other gateways on the same store, as routing needs them."""

    @property
    def name(self) -> str:
        """The name of this gateway."""

    @property
    def alone(self) -> bool:
        """Whether there can be no others."""

    async def known(self) -> Sequence[KnownNode]:
        """Return the others, those that do not run as well; StoreError where the store does not tell."""

    async def ask(self, node: KnownNode, request: NodeRequest, kind: type[AnswerType], seconds: float) -> AnswerType:
        """Have another one do an action; Problem where it refuses, does not run or does not answer."""


class NoOthers:
    """There is one gateway on this store: nothing is read, and nothing is waited for."""

    alone = True

    def __init__(self, name: str) -> None:
        """Take this gateway's name."""
        self.name = name

    async def known(self) -> Sequence[KnownNode]:
        """None."""
        return ()

    async def ask(self, node: KnownNode, request: NodeRequest, kind: type[AnswerType], seconds: float) -> AnswerType:
        """Nobody is there to be asked."""
        del request, kind, seconds
        raise not_running(node.name)


class NodeRequests:
    """The way to the other gateways on this store, and theirs to this one.

    Args:
        node: the number and the name of this gateway.
        log: is told what failed here that others asked for.
    """

    alone = False

    def __init__(
        self,
        node: tuple[int, str],
        lane: WriteLane,
        sealer: Sealer,
        *,
        read: AsyncRead,
        clock: Callable[[], int],
        random: Random,
        background: Background,
        log: Log,
    ) -> None:
        """Take the store's both ends; `serve` says how others are answered, before the first look."""
        (self._node, self.name), self._lane, self._sealer = node, lane, sealer
        self._read, self._clock, self._random, self._background, self._log = read, clock, random, background, log
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._served: dict[int, None] = {}
        self._room, self._hands = asyncio.Semaphore(MOST_ASKED), asyncio.Semaphore(MOST_SERVED)
        self._perform: Perform | None = None
        self._reading: asyncio.Future[list[KnownNode]] | None = None
        """The last look for who there is."""

    def serve(self, perform: Perform) -> None:
        """Answer others from now on, by what this does."""
        self._perform = perform

    async def known(self) -> Sequence[KnownNode]:
        """Return the others; StoreError where the store cannot be read, or does not answer soon.

        A store that stands still has one thread waiting for it, however many ask meanwhile.
        """
        if self._reading is None or self._reading.done():
            self._reading = asyncio.ensure_future(self._read(known_nodes))
            self._reading.add_done_callback(lambda reading: reading.cancelled() or reading.exception())
        try:
            async with asyncio.timeout(KNOWN_SECONDS):
                found = await asyncio.shield(self._reading)
        except TimeoutError:
            raise StoreUnavailable(
                f"the store did not say within {KNOWN_SECONDS:.0f} s which gateways there are"
            ) from None
        return [node for node in found if node.name != self.name]

    async def ask(self, node: KnownNode, request: NodeRequest, kind: type[AnswerType], seconds: float) -> AnswerType:
        """Have another gateway do an action within so many seconds, and give its answer.

        Problem where it refuses, does not run (`node.down`), or does not answer in time (`node.silent`): what was asked may be
        done all the same then. StoreError where the request cannot be put down.
        """
        if not node.runs:
            raise not_running(node.name)
        body = msgspec.msgpack.encode(request)
        async with self._room:
            sealed = await self._cross(node, body, seconds)
        try:
            answer = msgspec.msgpack.decode(sealed, type=NodeAnswer)
            if answer.problem is not None:
                raise _as_problem(answer.problem, elsewhere=answer.elsewhere)
            return msgspec.msgpack.decode(answer.body, type=kind)
        except msgspec.MsgspecError:
            detail = f"{node.name} answered with something unexpected: is it of another version?"
            raise Problem(HTTPStatus.BAD_GATEWAY, "node.answer", detail) from None

    async def look(self) -> None:
        """Take the answers that have come, and begin with what others ask; StoreError where the store cannot be read."""
        inbox = await self._read(lambda connection: look(connection, self._node, self._clock()))
        forgotten = [answered.id for answered in inbox.answered if not self._settle(answered)]
        for asked in inbox.asked:
            if asked.id not in self._served:
                self._remember(asked.id)
                self._background.once("answer a gateway", lambda asked=asked: self._answer(asked))  # type: ignore[misc]
        if forgotten:
            await submit(self._lane, CloseRequests(forgotten))

    async def _cross(self, node: KnownNode, body: bytes, seconds: float) -> bytes:
        """Put a request down, wait for its answer, and delete it, whatever became of it."""
        number = self._random.getrandbits(62)
        sealed = self._sealer.seal(body, _request_of(number, self._node, node.id))
        if len(sealed) > MAX_REQUEST:
            detail = f"this is too much to ask of another gateway: at most {MAX_REQUEST} octets"
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "node.request", detail)
        answered = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await submit(self._lane, AskNode(number, node.id, int(seconds * SECOND), sealed))
                return self._opened(await answered, _answer_of(number, node.id, self._node), node.name)
        except TimeoutError:
            raise _silent(node.name, seconds) from None
        finally:
            del self._waiting[number]
            self._post(CloseRequests([number]))

    def _settle(self, answered: Answered) -> bool:
        """Hand an answer to who waits for it; False where nobody does."""
        future = self._waiting.get(answered.id)
        if future is None:
            return False
        if not future.done():
            future.set_result(answered.body)
        return True

    def _remember(self, number: int) -> None:
        self._served[number] = None
        if len(self._served) > REMEMBERED:
            del self._served[next(iter(self._served))]

    async def _answer(self, asked: Asked) -> None:
        """Do what another gateway asks, and put the answer down; nothing where it waits no longer."""
        began = self._clock()
        async with self._hands:
            left = asked.left - (self._clock() - began)
            if left <= 0:
                return
            try:
                async with asyncio.timeout(left / SECOND):
                    answer = await self._done(asked)
            except TimeoutError:
                return
        body = msgspec.msgpack.encode(answer)
        if len(body) > MAX_ANSWER:
            body = msgspec.msgpack.encode(NodeAnswer(problem=_too_large(self.name).body()))
        sealed = self._sealer.seal(body, _answer_of(asked.id, self._node, asked.from_node))
        await submit(self._lane, AnswerNode(asked.id, asked.from_node, sealed))

    async def _done(self, asked: Asked) -> NodeAnswer:
        """Do it; what goes wrong here is told there, without anything of our inside."""
        action = ""
        try:
            opened = self._opened(asked.body, _request_of(asked.id, asked.from_node, self._node), self.name)
            request = msgspec.msgpack.decode(opened, type=NodeRequest)
            action = request.action
            assert self._perform is not None
            answer = await self._perform(request, asked.from_node)
            return NodeAnswer(msgspec.msgpack.encode(answer))
        except Problem as problem:
            if problem.code == OTHER_KEY:
                self._log("node.request.refused", {"from": asked.from_node})
            return NodeAnswer(problem=problem.body(), elsewhere=isinstance(problem, Elsewhere))
        except StoreError as error:
            return NodeAnswer(problem=Problem(HTTPStatus.SERVICE_UNAVAILABLE, error.code, str(error)).body())
        except Exception as error:  # noqa: BLE001  (as at the HTTP face: the other side learns that it failed)
            self._log("node.request.failed", {"action": action, "detail": type(error).__name__, "exc_info": error})
            detail = f"{self.name} failed, and its log says where: look how things stand before you ask again"
            return NodeAnswer(problem=Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "node.failed", detail).body())

    def _opened(self, sealed: bytes, owner: str, name: str) -> bytes:
        """Open what another gateway sealed; Problem where it was not sealed so, or is nothing sealed."""
        try:
            return self._sealer.open(sealed, owner)
        except ValueError:  # SealBroken, and what the cipher says of octets that are too few
            raise _other_key(name) from None

    def _post(self, unit: Unit) -> None:
        """Have something done that nobody waits for: the sweeper does it where the lane cannot."""
        self._background.once("close a request", lambda: submit(self._lane, unit))


def not_running(name: str) -> Problem:
    """Refuse what only a gateway could do that does not run."""
    detail = f"the gateway {name} does not run: nothing listens for it on this store"
    return Problem(HTTPStatus.GATEWAY_TIMEOUT, DOWN, detail)


def _silent(name: str, seconds: float) -> Problem:
    detail = f"the gateway {name} did not answer within {seconds:.0f} s; what was asked may be done all the same"
    return Problem(HTTPStatus.GATEWAY_TIMEOUT, SILENT, detail)


def _too_large(name: str) -> Problem:
    detail = f"the answer of {name} is too large to cross: ask it itself"
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "node.answer", detail)


def _other_key(name: str) -> Problem:
    detail = f"{name} and this gateway cannot read each other: give all gateways of a store the same privacy.key"
    return Problem(HTTPStatus.BAD_GATEWAY, OTHER_KEY, detail)


def _as_problem(body: ProblemBody, *, elsewhere: bool) -> Problem:
    try:
        status = HTTPStatus(body.status)
    except ValueError:
        status = HTTPStatus.BAD_GATEWAY
    return (Elsewhere if elsewhere else Problem)(status, body.code, body.detail)


def _request_of(number: int, from_node: int, to_node: int) -> str:
    return f"node request {number} of {from_node} to {to_node}"


def _answer_of(number: int, from_node: int, to_node: int) -> str:
    return f"node answer {number} of {from_node} to {to_node}"
