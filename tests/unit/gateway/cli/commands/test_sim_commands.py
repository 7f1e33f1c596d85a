"""`tpo sim` and `tpo order`: what they ask of the gateway, what they print, how they exit."""

import json

import msgspec
import pytest
import typer
from support.scripted_gateway import ICCID, Refuse, card, order, scripted, step, write_config

from gateway.cli import main
from gateway.cli.follow_order import finish
from gateway.sims.views import OrderView

NEW = "8944100000000000021"
TAKEN = {"order": "77", "state": "accepted", "repeated": False, "iccid": ICCID}


@pytest.fixture
def folder(tmp_path):
    write_config(tmp_path)
    return tmp_path


def tpo(folder, *arguments):
    return main(["--config", str(folder / "gateway.yaml"), *arguments])


ACTIVATE = ("sim", "activate", ICCID, "--msisdn", "447700900123", "--plan", "payg-gb")


def test_activate_orders_and_says_how_to_follow(folder, capsys):
    with scripted(folder, sim__activate=TAKEN) as script:
        assert tpo(folder, *ACTIVATE, "--cause", "wateraid", "--key", "shop-1") == 0
    assert script.asked == [
        (
            "sim.activate",
            {"iccid": ICCID, "msisdn": "447700900123", "plan": "payg-gb", "cause": "wateraid", "key": "shop-1"},
        )
    ]
    told = capsys.readouterr()
    assert "order     77\n" in told.out
    assert "`tpo order show 77`" in told.err


def test_what_is_not_said_is_not_asked_for_and_json_is_all_that_is_printed(folder, capsys):
    with scripted(folder, sim__activate=TAKEN) as script:
        assert tpo(folder, *ACTIVATE, "--json") == 0
    assert script.params("sim.activate") == [{"iccid": ICCID, "msisdn": "447700900123", "plan": "payg-gb"}]
    told = capsys.readouterr()
    assert (json.loads(told.out), told.err) == (TAKEN, "")


def test_what_the_host_holds_already_is_taken_over_only_if_that_is_said(folder):
    with scripted(folder, sim__activate=TAKEN) as script:
        assert tpo(folder, *ACTIVATE, "--adopt") == 0
    [asked] = script.params("sim.activate")
    assert asked["adopt"] is True


def test_waiting_tells_each_change_of_a_step_once_and_exits_0_when_done(folder, capsys, monkeypatch):
    monkeypatch.setattr("gateway.cli.follow_order.POLL", 0)
    first = order("running", step("host.activate", "sent", 1), step("line.enable", "waiting"))
    again = order("running", step("host.activate", "sent", 2, "busy\x1b[2J"), step("line.enable", "waiting"))
    with scripted(folder, sim__activate=TAKEN, order__show=[first, first, again, again, order()]):
        assert tpo(folder, *ACTIVATE, "--wait", "--json") == 0
    told = capsys.readouterr()
    assert told.err.splitlines() == [
        "host.activate: sent",
        "order 77: running",
        "host.activate: sent, try 2: busy�[2J",
        "host.activate: done",
        "line.enable: done",
        "order 77: done",
    ]
    assert json.loads(told.out)["state"] == "done"


@pytest.mark.parametrize(
    ("state", "advice"),
    [("failed", "tpo order retry 77"), ("compensated", "order it again"), ("cancelled", "order it again")],
)
def test_waiting_for_what_does_not_succeed_exits_1_and_says_why_and_what_to_do(folder, capsys, state, advice):
    ended = order(state, step("host.activate", "undone", 0, "the host said no"), error="the host said no")
    with scripted(folder, sim__activate=TAKEN, order__show=ended):
        assert tpo(folder, *ACTIVATE, "--wait") == 1
    told = capsys.readouterr().err
    assert f"the order is {state}: the host said no" in told
    assert advice in told


def test_ctrl_c_leaves_the_order_running_and_says_so(capsys):
    def interrupt(_seconds):
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as ended:
        finish(lambda *_: msgspec.convert(order("running"), OrderView), "77", as_json=False, sleep=interrupt)
    assert ended.value.exit_code == 75
    assert "order 77 goes on without you; see it with `tpo order show 77`" in capsys.readouterr().err


def test_a_refusal_exits_1_with_the_reason(folder, capsys):
    with scripted(folder, sim__activate=Refuse(409, "sim.state", "the card is active")):
        assert tpo(folder, *ACTIVATE, "--wait") == 1
    assert "the card is active" in capsys.readouterr().err


def test_orders_without_a_gateway_exit_69(folder, capsys):
    assert tpo(folder, *ACTIVATE) == 69
    assert tpo(folder, "order", "retry", "77", "--wait") == 69
    assert capsys.readouterr().err.count("the gateway is not running") == 2


def test_resume_finds_the_only_reason(folder):
    with scripted(folder, sim__show=card(state="suspended", suspended_for=["credit"]), sim__resume=TAKEN) as script:
        assert tpo(folder, "sim", "resume", ICCID) == 0
    assert script.params("sim.resume") == [{"iccid": ICCID, "reason": "credit"}]


def test_resume_asks_which_reason_where_several_hold_and_orders_nothing(folder, capsys):
    with scripted(folder, sim__show=card(state="suspended", suspended_for=["credit", "fraud"])) as script:
        assert tpo(folder, "sim", "resume", ICCID) == 64
    assert [name for name, _ in script.asked] == ["sim.show"]
    assert "suspended for credit and fraud" in capsys.readouterr().err


def test_resume_of_an_active_card_is_refused(folder, capsys):
    with scripted(folder, sim__show=card()):
        assert tpo(folder, "sim", "resume", ICCID) == 1
    assert "the card is active, and suspended for nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("sim", "terminate", ICCID),
        ("sim", "suspend", ICCID),
        ("sim", "suspend", ICCID, "--reason", "boredom"),
        ("sim", "activate", ICCID, "--plan", "payg-gb"),
        ("sim", "swap", ICCID),
        ("sim", "list", "--state", "lost"),
        ("order", "list", "--state", "lost"),
    ],
)
def test_what_is_not_said_right_exits_64_before_anything_is_asked(folder, arguments):
    with scripted(folder) as script:
        assert tpo(folder, *arguments) == 64
    assert script.asked == []


@pytest.mark.parametrize(
    ("arguments", "action", "params"),
    [
        (("suspend", ICCID, "--reason", "fraud"), "sim.suspend", {"iccid": ICCID, "reason": "fraud"}),
        (("resume", ICCID, "--reason", "fraud"), "sim.resume", {"iccid": ICCID, "reason": "fraud"}),
        (("swap", ICCID, NEW), "sim.swap", {"iccid": ICCID, "new_iccid": NEW}),
        (("terminate", ICCID, "--yes", "--reason", "moved"), "sim.terminate", {"iccid": ICCID, "reason": "moved"}),
    ],
)
def test_each_order_asks_for_its_action(folder, arguments, action, params):
    with scripted(folder, **{action.replace(".", "__"): TAKEN}) as script:
        assert tpo(folder, "sim", *arguments) == 0
    assert script.asked == [(action, params)]


def test_reconcile_exits_75_while_differences_remain(folder, capsys):
    row = {"iccid": ICCID, "host": "hlr", "state": "active", "wanted": "open", "found": "barred", "repaired": False}
    answers = [{"rows": [each], "strangers": [], "unreachable": []} for each in (row, row | {"repaired": True})]
    with scripted(folder, sim__reconcile=answers) as script:
        assert tpo(folder, "sim", "reconcile") == 75
        assert tpo(folder, "sim", "reconcile", "--host", "hlr", "--repair") == 0
    assert script.params("sim.reconcile") == [{"host": None, "repair": False}, {"host": "hlr", "repair": True}]
    assert "1 card differs; --repair" in capsys.readouterr().err


LINE = {
    "iccid": "",
    "host": "hlr",
    "state": "not ours",
    "wanted": "absent",
    "found": "open",
    "repaired": False,
    "imsi": "23",
}
DOWN = {"host": "hlr", "detail": "127.0.0.1:4259 was not reached: Connection refused"}


def test_reconcile_says_once_that_a_host_is_down_and_exits_69(folder, capsys):
    row = {"iccid": ICCID, "host": "b", "state": "active", "wanted": "open", "found": "barred", "repaired": False}
    answers = [
        {"rows": rows, "strangers": [], "unreachable": [DOWN, DOWN | {"host": "c"}]} for rows in ([], [row], [row])
    ]
    with scripted(folder, sim__reconcile=answers):
        assert tpo(folder, "sim", "reconcile") == 69
        nothing = capsys.readouterr()
        assert tpo(folder, "sim", "reconcile") == 69
        assert ICCID in capsys.readouterr().out
        assert tpo(folder, "sim", "reconcile", "--json") == 69
    assert nothing.out == ""
    assert nothing.err.count("the host hlr was not reached: 127.0.0.1:4259 was not reached: Connection refused") == 1
    assert "--repair" not in nothing.err
    assert [each["iccid"] for each in json.loads(capsys.readouterr().out)] == [ICCID]


def test_reconcile_lists_lines_that_are_not_ours_and_exits_75(folder, capsys):
    with scripted(folder, sim__reconcile={"rows": [], "strangers": [LINE], "unreachable": []}):
        assert tpo(folder, "sim", "reconcile", "--json") == 75
        assert json.loads(capsys.readouterr().out) == [LINE]
        assert tpo(folder, "sim", "reconcile") == 75
    assert "1 line at the hosts is not ours; ask the hosts whose" in capsys.readouterr().err


def test_a_long_list_is_read_page_by_page(folder, capsys):
    def page(params):
        first = int(params["after"] or 0)
        rows = [card(str(number)) for number in range(first + 1, first + params["limit"] + 1)]
        return {"rows": rows, "next": rows[-1]["iccid"]}

    with scripted(folder, sim__list=page) as script:
        assert tpo(folder, "sim", "list", "--limit", "2500", "--state", "active", "--json") == 0
    assert [row["iccid"] for row in json.loads(capsys.readouterr().out)] == [str(n) for n in range(1, 2501)]
    assert [(p["after"], p["limit"], p["state"]) for p in script.params("sim.list")] == [
        ("", 1000, "active"),
        ("1000", 1000, "active"),
        ("2000", 500, "active"),
    ]


def test_show_tells_the_card_then_its_history(folder, capsys):
    history = {"iccid": ICCID, "rows": [{"at": "t", "trigger": "reserve", "order": "77"}]}
    with scripted(folder, sim__show={"iccid": ICCID, "state": "active"}, sim__history=history):
        assert tpo(folder, "sim", "show", ICCID) == 0
        plain = capsys.readouterr().out
        assert tpo(folder, "sim", "show", ICCID, "--json") == 0
    assert plain.index("active") < plain.index("reserve")
    assert json.loads(capsys.readouterr().out)["history"] == history["rows"]


def test_order_list_show_cancel_and_retry(folder, capsys):
    with scripted(
        folder, order__list={"rows": [order()]}, order__show=order(), order__cancel=order(), order__retry=order()
    ) as script:
        assert tpo(folder, "order", "list", "--state", "done") == 0
        assert tpo(folder, "order", "show", "77") == 0
        assert tpo(folder, "order", "cancel", "77") == 0
        assert tpo(folder, "order", "retry", "77") == 0
        assert tpo(folder, "order", "retry", "77", "--wait", "--json") == 0
    assert script.params("order.list") == [{"limit": 20, "state": "done"}]
    assert script.params("order.cancel") == [{"id": "77"}]
    assert script.params("order.retry") == [{"id": "77"}, {"id": "77"}]
    assert capsys.readouterr().out.count("line.enable") == 4


# Putting a mistake right

CHANGED = {"subscriber_id": "12", "order": None, "state": "done"}
WHY = ("--reason", "mistyped")
AMENDED = {"iccid": ICCID, "amended": ["keys"], "state": "in_stock"}


def test_amend_takes_keys_from_the_cards_row_of_a_file_and_prints_none(folder, capsys):
    file, ki, opc = folder / "cards.csv", "0f" * 16, "f0" * 16
    file.write_text(f"iccid,imsi,ki,opc\n{NEW},1,{'1' * 32},{'2' * 32}\n{ICCID}F,1,{ki},{opc}\n")
    with scripted(folder, sim__amend=AMENDED) as script:
        assert tpo(folder, "sim", "amend", ICCID, "--keys", str(file), "--imsi", "234150000000013", *WHY, "--json") == 0
    asked = {"iccid": ICCID, "reason": "mistyped", "imsi": "234150000000013", "eid": "", "ki": ki, "opc": opc}
    assert script.params("sim.amend") == [asked]
    told = capsys.readouterr()
    assert json.loads(told.out) == AMENDED
    assert not any(key in told.out + told.err for key in (ki, opc))


def test_amend_of_a_card_that_the_file_has_not_asks_for_nothing(folder, capsys):
    file = folder / "cards.csv"
    file.write_text(f"iccid,ki,opc\n{NEW},{'1' * 32},{'2' * 32}\n")
    with scripted(folder, sim__amend=AMENDED) as script:
        assert tpo(folder, "sim", "amend", ICCID, "--keys", str(file), *WHY) == 1
    assert script.params("sim.amend") == []
    assert "the file has no row of this card" in capsys.readouterr().err


def test_scrap_asks_with_the_reason(folder, capsys):
    scrapped = {"iccid": ICCID, "amended": [], "state": "destroyed"}
    with scripted(folder, sim__scrap=scrapped) as script:
        assert tpo(folder, "sim", "scrap", ICCID, *WHY) == 0
    assert script.params("sim.scrap") == [{"iccid": ICCID, "reason": "mistyped"}]
    assert "destroyed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ("sim", "amend", ICCID, "--imsi", "234150000000013"),
        ("sim", "scrap", ICCID),
        ("subscriber", "plan", "447700900123", "payg-gb"),
        ("subscriber", "number", "447700900123", "447700900124"),
    ],
)
def test_nothing_is_put_right_without_a_reason(folder, arguments):
    assert tpo(folder, *arguments) == 64


def test_plan_and_number_ask_with_the_reason_and_print_what_came_of_it(folder, capsys):
    with scripted(folder, subscriber__plan=CHANGED, subscriber__number=CHANGED) as script:
        assert tpo(folder, "subscriber", "plan", "447700900123", "bundle-gb", *WHY, "--json") == 0
        assert json.loads(capsys.readouterr().out) == CHANGED
        assert tpo(folder, "subscriber", "number", "447700900123", "447700900124", *WHY, "--returning") == 0
    line = {"number": "447700900123", "reason": "mistyped", "key": ""}
    assert script.params("subscriber.plan") == [line | {"plan": "bundle-gb", "effective": ""}]
    assert script.params("subscriber.number") == [line | {"msisdn": "447700900124", "returning": True}]


@pytest.mark.parametrize(("state", "code"), [("done", 0), ("compensated", 1)])
def test_a_change_at_a_host_is_followed_if_that_is_wanted(folder, capsys, monkeypatch, state, code):
    taken = {"subscriber_id": None, "order": "77", "state": "accepted"}
    with scripted(folder, subscriber__number=taken, order__show=order(state)):
        assert tpo(folder, "subscriber", "number", "447700900123", "447700900124", *WHY) == 0
        assert "tpo order show 77" in capsys.readouterr().err
        assert tpo(folder, "subscriber", "number", "447700900123", "447700900124", *WHY, "--wait") == code


def test_the_history_of_a_subscriber_is_listed(folder, capsys):
    row = {"at": "t", "change": "plan", "before": "a", "after": "b", "actor": "alice", "reason": "r", "order": None}
    with scripted(folder, subscriber__history={"subscriber_id": "12", "rows": [row]}):
        assert tpo(folder, "subscriber", "history", "447700900123", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [row]


def test_a_number_comes_out_of_quarantine_with_a_reason(folder, capsys):
    with scripted(folder, sim__activate=TAKEN) as script:
        assert tpo(folder, *ACTIVATE, "--returning", "--reason", "left by mistake") == 0
    (asked,) = script.params("sim.activate")
    assert (asked["returning"], asked["reason"]) == (True, "left by mistake")
