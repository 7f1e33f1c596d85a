"""The inventory while the gateway stands still: the import, and what is told of cards and orders."""

import os

import msgspec
import pytest
from support.sims_context_fixture import KI, card, serve_plans, settings_of

from gateway.api.actions.table import ACTIONS
from gateway.api.callers import ADMIN, Caller
from gateway.api.problems import Problem
from gateway.context import GatewayContext
from gateway.policies import make_policies
from gateway.sims import queries
from gateway.sims.accept_order import AcceptOrder, Asked
from gateway.sims.order_steps import BeginStep, RefuseStep
from gateway.sims.orders import from_row
from gateway.sims.policy import SimsPolicy
from gateway.store.tables import orders
from provisioning.orders import Kind, OrderRequest, next_move

NUMBER = "447700900123"


@pytest.fixture
def context(tmp_path):
    context = GatewayContext(settings_of(tmp_path), make_policies)
    serve_plans(context, **{"payg-gb": "lab"})
    yield context
    context.close()


@pytest.fixture
def act(context):
    caller = Caller("local:0", ADMIN)
    return lambda name, **params: msgspec.to_builtins(ACTIONS[name].perform(context, params, caller))


def activate(context, iccid, msisdn=NUMBER):
    """Accept an order, with no conductor to carry it out."""
    asked = Asked(Kind.ACTIVATE, iccid, OrderRequest(msisdn=msisdn, plan="payg-gb", cause="wwf"), "socket:0")
    return context.lane.run(AcceptOrder("socket", None, asked)).order_id


def stored(context, order_id):
    """The order as it is on disk."""
    with context.reading() as connection:
        return from_row(tuple(connection.execute(orders.select().where(orders.c.id == order_id)).one()))


def test_rows_are_imported_each_by_itself_and_their_order_is_kept(act):
    rows = [
        card(1),
        {"iccid": "1"},
        card(2, keys=False),
        {**card(3), "imsi": card(1)["imsi"]},
        {},
        {**card(4), "eid": None},
    ]
    told = act("sim.import", rows=rows)["results"]
    assert [row["outcome"] for row in told] == ["created", "refused", "created", "refused", "refused", "created"]
    assert "another card has it" in told[3]["message"]
    assert act("sim.show", iccid=card(1)["iccid"])["keys"] is True
    assert act("sim.show", iccid=card(2)["iccid"])["keys"] is False


@pytest.mark.parametrize("rows", [None, "rows", [1], [{"iccid": 5}], [{}] * 5001])
def test_what_is_no_list_of_rows_is_refused_and_not_repeated(act, rows):
    with pytest.raises(Problem) as refused:
        act("sim.import", rows=rows)
    assert refused.value.code == "import.rows"


def test_two_cards_with_one_opc_are_named_by_their_lines(act):
    rows = [card(1), {**card(2), "opc": card(1)["opc"]}]
    told = act("sim.import", rows=rows, first_line=502)["results"]
    assert "row 503 is that of row 502" in told[1]["message"]
    assert KI.format(1)[:-2] not in str(told)


def test_cards_are_listed_by_pages_and_by_state_with_their_lines_numbers_masked(act, context):
    act("sim.import", rows=[card(n) for n in range(5)], accept_checksum=True)
    iccids = [card(n)["iccid"] for n in range(5)]
    activate(context, iccids[1])
    first = act("sim.list", limit=3)
    assert [row["iccid"] for row in first["rows"]] == iccids[:3]
    assert first["next"] == iccids[2]
    assert [row["iccid"] for row in act("sim.list", limit=3, after=first["next"])["rows"]] == iccids[3:]
    [row] = act("sim.list", state="reserved")["rows"]
    assert (row["msisdn"], row["imsi"], row["plan"], row["host"]) == ("44********23", "23********01", "payg-gb", "lab")
    assert act("sim.list", state="destroyed") == {"rows": [], "next": None}


def test_a_card_is_shown_in_full_with_its_history(act, context):
    act("sim.import", rows=[card(1)])
    order_id = activate(context, card(1)["iccid"])
    told = act("sim.show", iccid=f"{card(1)['iccid']}F")
    assert (told["imsi"], told["msisdn"], told["order"]) == (card(1)["imsi"], NUMBER, str(order_id))
    assert (told["observed"], told["observed_at"], told["subscriber_id"]) == ("unknown", None, None)
    assert told["created_at"].endswith("Z")
    [row] = act("sim.history", iccid=card(1)["iccid"])["rows"]
    assert (row["trigger"], row["before"], row["after"], row["order"]) == (
        "reserve",
        "in_stock",
        "reserved",
        str(order_id),
    )
    assert (row["actor"], row["reason"]) == ("socket:0", None)


def test_an_import_of_a_stopped_gateway_names_who_did_it(act, context):
    house_row = ("447700900001", "234150000000001", card(1)["iccid"], "payg-gb", "", "0")
    columns = ("msisdn", "imsi", "iccid", "plan", "cause", "balance")
    act("subscriber.import", rows=[dict(zip(columns, house_row, strict=True))])
    act("sim.import", rows=[{**card(1), "imsi": house_row[1]}])
    [row] = act("sim.history", iccid=card(1)["iccid"])["rows"]
    assert (row["trigger"], row["after"], row["actor"]) == ("adopt", "active", f"local:{os.getuid()}")


def test_an_order_is_shown_step_by_step_and_its_error_is_the_last_one(act, context):
    act("sim.import", rows=[card(1), card(2)])
    ids = [activate(context, card(n)["iccid"], f"44770090012{n}") for n in (1, 2)]
    order = context.read(lambda connection: queries.show_order(connection, ids[0]))
    assert (order.state, order.msisdn, order.due_at is None) == ("accepted", "44********21", False)
    assert "wwf" not in str(order)
    assert [(step.name, step.mark, step.attempts) for step in order.steps] == [
        ("host.activate", "waiting", 0), ("line.enable", "waiting", 0),
    ]  # fmt: skip
    began = context.lane.run(BeginStep(ids[0], next_move(stored(context, ids[0]))))
    context.lane.run(RefuseStep(ids[0], next_move(began), "the host said no"))
    assert act("order.show", id=str(ids[0]))["error"] == "the host said no"
    told = act("order.states", ids=[str(ids[1]), str(ids[0]), "5", "no id"])["rows"]
    assert [(row["id"], row["error"]) for row in told] == [(str(ids[0]), "the host said no"), (str(ids[1]), None)]
    assert [row["id"] for row in act("order.list")["rows"]] == [str(ids[1]), str(ids[0])]
    assert [row["id"] for row in act("order.list", state="accepted")["rows"]] == [str(ids[1])]


def test_a_bulks_rows_are_checked_as_they_would_be_taken_while_the_gateway_stands_still(act, context):
    act("sim.import", rows=[card(n) for n in (1, 2, 3)])
    activate(context, card(1)["iccid"])
    rows = [
        {"iccid": card(2)["iccid"], "msisdn": NUMBER, "plan": "payg-gb"},
        {"iccid": card(2)["iccid"], "msisdn": "447700900124", "plan": "bundle-gb"},
        {"iccid": card(2)["iccid"], "msisdn": "0770090", "plan": "payg-gb"},
        {"iccid": card(1)["iccid"], "msisdn": "447700900124", "plan": "payg-gb"},
        {"iccid": card(9)["iccid"], "msisdn": "447700900124", "plan": "payg-gb"},
        {"iccid": card(3)["iccid"], "msisdn": "447700900124", "plan": "payg-gb"},
    ]
    results = act("sim.check", rows=[{"kind": "activate", **row} for row in rows])["results"]
    codes = ["order.msisdn", "order.plan", "identifier.msisdn", "order.busy", "sim.unknown", None]
    assert [result["code"] for result in results] == codes
    assert NUMBER not in str(results)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"msisdn": "14165550123"}, "msisdn: 14********23 is a number of another country"),
        ({"imsi": "302720000000001"}, "imsi: 30********01 is an IMSI of another country"),
    ],
)
def test_a_line_of_another_country_than_its_plans_host_is_not_imported(act, context, change, said):
    policy = msgspec.structs.replace(context.policy(SimsPolicy), countries={"lab": frozenset({"GB"})})
    context.lane.policies = {**context.lane.policies, SimsPolicy: policy}
    row = {"msisdn": NUMBER, "imsi": card(1)["imsi"], "iccid": card(1)["iccid"], "plan": "payg-gb"}
    (result,) = act("subscriber.import", rows=[row | change])["results"]
    assert (result["outcome"], result["message"][: len(said)]) == ("refused", said)
    (result,) = act("subscriber.import", rows=[row | change | {"plan": "payg-us"}])["results"]
    assert result["outcome"] == "created"  # a plan without a host has no country


def test_a_wrong_check_digit_is_refused_by_both_imports_unless_it_is_accepted(act):
    wrong = card(1)["iccid"][:-1] + str((int(card(1)["iccid"][-1]) + 1) % 10)
    rounded = card(2)["iccid"][:-4] + "0000"
    cards = [card(1) | {"iccid": wrong}, card(2) | {"iccid": rounded}]
    columns = ("msisdn", "imsi", "iccid", "plan", "cause", "balance")
    lines = [
        dict(zip(columns, (f"44770090000{n}", f"23415000000000{n}", iccid, "payg-gb", "", "0"), strict=True))
        for n, iccid in enumerate((wrong, rounded), 1)
    ]
    for action, rows in (("sim.import", cards), ("subscriber.import", lines)):
        refused = act(action, rows=rows)["results"]
        assert [row["outcome"] for row in refused] == ["refused", "refused"], action
        assert "(Luhn)" in refused[0]["message"]
        assert "spreadsheet" in refused[1]["message"]
        taken = act(action, rows=rows, accept_checksum=True)["results"]
        assert [row["outcome"] for row in taken] == ["created", "created"], action


def test_orders_of_a_card_of_a_number_and_of_a_time_are_listed(act, context):
    act("sim.import", rows=[card(n) for n in (1, 2, 3)])
    ids = [str(activate(context, card(n)["iccid"], f"44770090012{n}")) for n in (1, 2, 3)]

    def found(**params):
        return [row["id"] for row in act("order.list", **params)["rows"]]

    assert found(number="+447700900122") == found(number=card(2)["iccid"]) == found(number=card(2)["imsi"]) == [ids[1]]
    assert found(number="447700900122", until=1) == found(until=1) == []
    with pytest.raises(Problem, match="has or had this number"):
        found(number="447700999999")
    assert found(since=1, limit=2) == [ids[2], ids[1]]
