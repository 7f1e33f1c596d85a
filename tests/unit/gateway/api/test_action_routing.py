from http import HTTPStatus

import msgspec
import pytest

from gateway.api.action import AsyncAction, Elsewhere, Everywhere, Somewhere
from gateway.api.action_routing import Router
from gateway.api.answers.nodes import NodeProblem
from gateway.api.callers import OPERATOR, VIEWER, Caller
from gateway.api.node_requests import NodeRequest, NoOthers, not_running
from gateway.api.problems import Problem, bad_request, conflict
from gateway.api.requests.texts import OrderLink
from gateway.store.errors import StoreUnavailable
from gateway.store.node_requests import KnownNode

WHO, READER = Caller("socket:0", OPERATOR), Caller("api:reader", VIEWER)
ONE, TWO, THREE = "ocs1", "ocs2", "ocs3"
NOWHERE = Elsewhere(HTTPStatus.NOT_FOUND, "link.unknown", "there is no link here")
SILENT = Problem(HTTPStatus.GATEWAY_TIMEOUT, "node.silent", "the gateway ocs2 did not answer")
BROKEN = Problem(HTTPStatus.SERVICE_UNAVAILABLE, "store.unavailable", "ocs2 cannot write")


class Names(msgspec.Struct, frozen=True):
    """An answer: which gateways did it, what they were asked, and which said nothing."""

    names: list[str]
    asked: str = ""
    silent: list[NodeProblem] = []


class Others:
    """Other gateways that answer as a script says: by name an answer, or a Problem, or one after the other."""

    alone = False
    name = ONE

    def __init__(self, **answers):
        self.answers, self.asked = answers, []

    async def known(self):
        return [KnownNode(number, name, runs=True) for number, name in enumerate(self.answers, 2)]

    async def ask(self, node, request, kind, seconds):
        assert kind is Names
        assert 0 < seconds < 10
        self.asked.append((node.name, request.params))
        answer = self.answers[node.name]
        answer = answer.pop(0) if isinstance(answer, list) else answer
        if isinstance(answer, Exception):
            raise answer
        return answer


def join(found, silent):
    return Names([name for each in found for name in each.names], found[0].asked, list(silent))


class Place:
    """A gateway with one action, `what`, that does `own`; its others are given by name."""

    def __init__(self, where, own=None, role=VIEWER, **others):
        self.own, self.done = own, []
        self.others = Others(**others)
        self.router = Router({"what": AsyncAction(self.run, role, OrderLink, where)}, self.others)

    async def run(self, request, _caller):
        self.done.append(request)
        if self.own is not None:
            raise self.own
        return Names([ONE], request.order)

    async def ask(self, caller=WHO, **params):
        return await self.router.actions()["what"].perform(params, caller)


everywhere = Everywhere(Names, join, quiet=frozenset({"trace.unknown"}))


async def test_what_is_for_all_is_joined_the_own_answer_first_and_who_says_nothing_is_named():
    place = Place(everywhere, ocs2=SILENT, ocs3=Names([THREE]))
    assert await place.ask(name="x") == Names(
        [ONE, THREE], "", [NodeProblem(TWO, "node.silent", "the gateway ocs2 did not answer")]
    )
    assert place.others.asked == [(TWO, {"name": "x", "order": ""}), (THREE, {"name": "x", "order": ""})]


async def test_all_are_asked_what_one_made_of_what_it_was_asked():
    def numbered(request):
        return msgspec.structs.replace(request, order="1-1-1")

    place = Place(msgspec.structs.replace(everywhere, prepare=numbered), ocs2=Names([TWO]))
    assert (await place.ask(name="x")).asked == "1-1-1"
    assert place.others.asked == [(TWO, {"name": "x", "order": "1-1-1"})]


async def test_one_that_was_not_asked_for_all_asks_nobody():
    place = Place(msgspec.structs.replace(everywhere, wanted=lambda request: request.order == "all"), ocs2=Names([TWO]))
    assert await place.ask() == Names([ONE])
    assert place.others.asked == []
    assert (await place.ask(order="all")).names == [ONE, TWO]


async def test_what_others_have_counts_where_the_own_gateway_has_nothing():
    nothing = bad_request("trace.unknown", "there is no such trace")
    place = Place(everywhere, own=nothing, ocs2=Names([TWO]), ocs3=nothing)
    assert await place.ask() == Names([TWO])


async def test_where_nobody_has_it_the_own_refusal_is_told_and_who_might_have_it():
    nothing = bad_request("trace.unknown", "there is no such trace")
    with pytest.raises(Problem) as told:
        await Place(everywhere, own=nothing, ocs2=nothing).ask()
    assert (told.value.code, told.value.detail) == ("trace.unknown", "there is no such trace")
    with pytest.raises(Problem) as told:
        await Place(everywhere, own=nothing, ocs2=SILENT).ask()
    assert (told.value.status, told.value.detail) == (504, "there is no such trace; the gateway ocs2 did not answer")


async def test_trouble_of_the_own_store_keeps_no_answer_back():
    place = Place(everywhere, ocs2=StoreUnavailable("the lane is in trouble"))
    assert (await place.ask()).silent == [NodeProblem(TWO, "store.unavailable", "the lane is in trouble")]


async def test_a_store_that_does_not_say_who_there_is_keeps_the_own_answer_from_nobody():
    place = Place(everywhere)

    async def known():
        raise StoreUnavailable("the server does not answer")

    place.others.known = known
    problem = NodeProblem("others", "store.unavailable", "the server does not answer")
    assert await place.ask() == Names([ONE], "", [problem])


async def test_what_is_here_is_done_here_and_nobody_else_is_asked():
    place = Place(Somewhere(Names), ocs2=Names([TWO]))
    assert await place.ask() == Names([ONE])
    assert place.others.asked == []


async def test_what_is_elsewhere_is_done_by_the_first_that_has_it():
    place = Place(Somewhere(Names), own=NOWHERE, ocs2=NOWHERE, ocs3=Names([THREE]))
    assert await place.ask(name="x") == Names([THREE])
    assert [name for name, _ in place.others.asked] == [TWO, THREE]


async def test_the_search_goes_on_past_one_in_trouble_and_ends_at_one_that_refuses():
    place = Place(Somewhere(Names), own=NOWHERE, ocs2=BROKEN, ocs3=Names([THREE]))
    assert await place.ask() == Names([THREE])
    place = Place(Somewhere(Names), own=NOWHERE, ocs2=conflict("session.closed", "it is over"), ocs3=Names([THREE]))
    with pytest.raises(Problem, match="it is over"):
        await place.ask()
    assert [name for name, _ in place.others.asked] == [TWO]


async def test_the_gateway_that_is_concerned_is_asked_before_the_own_one():
    async def third(_request):
        return 3

    place = Place(Somewhere(Names, first=third), ocs2=Names([TWO]), ocs3=Names([THREE]))
    assert await place.ask() == Names([THREE])
    place.others.answers[THREE] = NOWHERE
    assert await place.ask() == Names([ONE])
    assert place.done == [OrderLink()]


async def test_where_nobody_has_it_the_gateway_that_was_asked_does_what_it_does_then():
    async def otherwise(_request, _caller, silent):
        return Names([], "in vain", list(silent))

    place = Place(Somewhere(Names, otherwise=otherwise), own=NOWHERE, ocs2=BROKEN)
    assert await place.ask() == Names([], "in vain", [NodeProblem(TWO, "store.unavailable", "ocs2 cannot write")])
    with pytest.raises(Elsewhere, match="there is no link here"):
        await Place(None, own=NOWHERE).ask()


async def test_one_that_does_not_answer_may_have_what_nobody_else_has():
    for place, status, detail in (
        (Place(Somewhere(Names), own=NOWHERE, ocs2=NOWHERE), 404, "there is no link here"),
        (
            Place(Somewhere(Names), own=NOWHERE, ocs2=not_running(TWO)),
            404,
            "there is no link here; the gateway ocs2 does not run: nothing listens for it on this store",
        ),
        (
            Place(Somewhere(Names), own=NOWHERE, ocs2=SILENT),
            504,
            "there is no link here; the gateway ocs2 did not answer",
        ),
    ):
        with pytest.raises(Problem) as told:
            await place.ask()
        assert (told.value.status, told.value.detail) == (status, detail)


def without_order(request):
    return msgspec.structs.replace(request, order="")


async def test_a_name_is_looked_for_before_anything_is_changed():
    where = Somewhere(Names, probe=without_order)
    place = Place(where, own=NOWHERE, ocs2=NOWHERE, ocs3=[Names([]), Names([THREE])])
    assert await place.ask(name="x", order="down") == Names([THREE])
    look, down = {"name": "x", "order": ""}, {"name": "x", "order": "down"}
    assert place.others.asked == [(TWO, look), (THREE, look), (THREE, down)]
    place = Place(where, own=NOWHERE, ocs2=NOWHERE, ocs3=[Names([THREE])])
    assert await place.ask(name="x") == Names([THREE])


async def test_a_name_that_several_others_have_is_refused_until_one_is_named():
    place = Place(Somewhere(Names, probe=without_order), own=NOWHERE, ocs2=Names([TWO]), ocs3=Names([THREE]))
    with pytest.raises(Problem, match="more than one gateway has it: ocs2, ocs3") as told:
        await place.ask(name="x", order="down")
    assert told.value.code == "node.many"
    assert await place.ask(name="x", order="down", node=THREE) == Names([THREE])
    assert place.others.asked[-1] == (THREE, {"name": "x", "order": "down"})


async def test_the_gateway_that_is_named_does_it_alone():
    place = Place(everywhere, ocs2=Names([TWO]), ocs3=Names([THREE]))
    assert await place.ask(node=ONE) == Names([ONE])
    assert await place.ask(node=TWO) == Names([TWO])
    assert [name for name, _ in place.others.asked] == [TWO]
    with pytest.raises(Problem, match="no gateway ocs9 on this store; there are: ocs1, ocs2, ocs3"):
        await place.ask(node="ocs9")
    for wrong in (1, ["ocs2"], "x" * 256):
        with pytest.raises(Problem, match="node: give the name of a gateway"):
            await place.ask(node=wrong)


async def test_who_may_not_ask_here_has_nobody_asked():
    for where in (everywhere, Somewhere(Names)):
        place = Place(where, role=OPERATOR, ocs2=Names([TWO]))
        with pytest.raises(Problem, match="this needs the role operator, yours is viewer"):
            await place.ask(READER)
        assert (place.done, place.others.asked) == ([], [])


async def test_what_is_changed_for_another_gateway_is_logged_with_who_asked_there_and_what_is_looked_at_is_not():
    logged = []
    place = Place(Somewhere(Names, probe=without_order))
    actions = {"link.show": AsyncAction(place.run, VIEWER, OrderLink, Somewhere(Names, probe=without_order))}
    actions["link.list"] = AsyncAction(place.run, VIEWER, OrderLink, everywhere)
    router = Router(actions, place.others, lambda event, fields: logged.append((event, fields)))
    for name, params in (
        ("link.show", {"name": "x"}),
        ("link.list", {}),
        ("link.show", {"name": "x", "order": "down"}),
    ):
        await router.serve(NodeRequest(name, params, WHO), 7)
    assert logged == [("node.request.done", {"action": "link.show", "by": "socket:0", "from": 7})]


async def test_a_gateway_that_is_alone_does_everything_itself_and_reads_nothing():
    async def never(_request):
        raise AssertionError("it was read")

    place = Place(Somewhere(Names, first=never))
    for where in (everywhere, Somewhere(Names, first=never)):
        router = Router({"what": AsyncAction(place.run, VIEWER, OrderLink, where)}, NoOthers(ONE))
        assert await router.actions()["what"].perform({}, WHO) == Names([ONE])
        with pytest.raises(Problem, match="there is no gateway ocs2 on this store; there are: ocs1"):
            await router.actions()["what"].perform({"node": TWO}, WHO)
