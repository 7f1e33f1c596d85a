"""SIMs and orders over HTTP and the socket: what is refused and how, what is ordered once, what nobody gets to see."""

import sqlite3

import pytest
from sqlalchemy import select
from support.sims_context_fixture import AUDIT_TOKEN, KI, OPC, TOKENS, card, sims_context

from gateway.store.tables import access_log
from simulators.host_api import HostApi, Mode

NUMBER = "447700900123"
ACTIVATE = {"kind": "activate", "msisdn": NUMBER, "plan": "payg-gb", "cause": "wateraid"}


@pytest.fixture
async def desk(tmp_path):
    """A gateway whose host does everything at once."""
    async with HostApi() as host, sims_context(tmp_path, host.url) as place:
        place.host = host
        yield place


def is_problem(answer, status, code):
    found, body = answer
    assert (found, body["code"]) == (status, code), body
    assert body["detail"]


async def test_a_sim_lives_from_its_import_to_its_end(desk):
    first, second = await desk.take_in(1, 2)
    status, taken = await desk.act(
        "sim.activate", iccid=first, msisdn=f"+{NUMBER}", plan="payg-gb", cause="wateraid", key="a"
    )
    assert (status, taken["state"], taken["repeated"]) == (200, "accepted", False)
    told = await desk.becomes(taken["order"], "done", "failed")
    assert (told["state"], told["kind"], told["iccid"], told["plan"]) == ("done", "activate", first, "payg-gb")
    assert [step["mark"] for step in told["steps"]] == ["done", "done"]
    assert told["actor"].startswith("socket:")
    _, sim = await desk.act("sim.show", iccid=first)
    assert (sim["state"], sim["msisdn"], sim["host"], sim["keys"], sim["order"]) == (
        "active",
        NUMBER,
        "lab",
        True,
        None,
    )
    for action, more in [
        ("suspend", {"reason": "fraud"}),
        ("resume", {"reason": "fraud"}),
        ("swap", {"new_iccid": second}),
    ]:
        status, taken = await desk.act(f"sim.{action}", iccid=first, **more)
        assert status == 200, taken
        assert (await desk.becomes(taken["order"], "done", "failed", "compensated"))["state"] == "done"
    _, taken = await desk.act("sim.terminate", iccid=second, reason="asked by letter")
    await desk.becomes(taken["order"], "done")
    _, listed = await desk.act("sim.list")
    assert [(row["iccid"], row["state"]) for row in listed["rows"]] == [(first, "quarantined"), (second, "quarantined")]
    _, told = await desk.act("sim.history", iccid=second)
    assert [(row["before"], row["after"]) for row in told["rows"]][-2:] == [
        ("active", "terminating"), ("terminating", "quarantined"),
    ]  # fmt: skip
    assert told["rows"][-2]["reason"] == "asked by letter"
    _, told = await desk.act("order.list", state="done", limit=3)
    assert [row["kind"] for row in told["rows"]] == ["terminate", "swap", "resume"]


async def test_a_suspended_line_sends_no_text_until_it_is_resumed(desk):
    [iccid] = await desk.take_in(9)
    _, taken = await desk.act("sim.activate", iccid=iccid, msisdn=NUMBER, plan="payg-gb", cause="wateraid", key="s")
    await desk.becomes(taken["order"], "done")
    paid = {"number": NUMBER, "amount": "10.00", "currency": "GBP", "reference": "shop-1"}
    assert (await desk.act("subscriber.topup", **paid))[0] == 200
    body = {"from": NUMBER, "to": "447700900200", "text": "hello"}
    status, sent = await desk.ask("/v1/sms", body)
    assert status == 202
    _, taken = await desk.act("sim.suspend", iccid=iccid, reason="lost")
    await desk.becomes(taken["order"], "done")
    is_problem(await desk.ask("/v1/sms", body), 403, "sms.line")
    is_problem(await desk.ask("/v1/sms/batch", [{**body, "from": "TPO"}, body]), 403, "sms.line")
    assert (await desk.ask(f"/v1/sms/{sent['id']}"))[1]["state"] == "queued"  # there is no link that would look at it
    _, taken = await desk.act("sim.resume", iccid=iccid, reason="lost")
    await desk.becomes(taken["order"], "done")
    assert (await desk.ask("/v1/sms", body))[0] == 202


async def test_a_key_orders_once_and_not_something_else(desk):
    [iccid] = await desk.take_in(3)
    first = await desk.ask("/v1/orders", {**ACTIVATE, "iccid": iccid}, key="k-1")
    assert first[0] == 202
    assert set(first[1]) == {"id", "state", "kind", "iccid"}
    await desk.becomes(first[1]["id"], "done")
    again = await desk.ask("/v1/orders", {**ACTIVATE, "iccid": iccid}, key="k-1")
    assert (again[0], again[1]["id"], again[1]["state"]) == (202, first[1]["id"], "done")
    is_problem(
        await desk.ask("/v1/orders", {**ACTIVATE, "iccid": iccid, "plan": "bundle-gb"}, key="k-1"), 409, "order.key"
    )
    _, told = await desk.act("order.list")
    assert len(told["rows"]) == 1
    status, told = await desk.ask(f"/v1/orders/{first[1]['id']}", token=TOKENS["viewer"])
    assert (status, told["actor"], told["msisdn"]) == (200, "operator", "44********23")
    assert (desk.host.calls["create"], len(desk.host.services)) == (1, 1)


async def test_orders_that_cannot_be_say_why(desk):
    one, two = await desk.take_in(4, 5)
    _, taken = await desk.act("sim.activate", iccid=one, msisdn=NUMBER, plan="payg-gb")
    await desk.becomes(taken["order"], "done")
    wanted = [
        (("sim.activate", {"iccid": card(9)["iccid"], "msisdn": NUMBER, "plan": "payg-gb"}), 404, "sim.unknown"),
        (("sim.activate", {"iccid": two, "msisdn": NUMBER, "plan": "payg-gb"}), 409, "order.msisdn"),
        (("sim.activate", {"iccid": one, "msisdn": "447700900124", "plan": "payg-gb"}), 409, "sim.state"),
        (("sim.activate", {"iccid": two, "msisdn": "447700900124", "plan": "payg-us"}), 400, "order.plan"),
        (("sim.activate", {"iccid": two, "msisdn": "2025550124", "plan": "payg-gb"}), 400, "identifier.msisdn"),
        (("sim.activate", {"iccid": "12", "msisdn": NUMBER, "plan": "payg-gb"}), 400, "identifier.iccid"),
        (("sim.resume", {"iccid": one, "reason": "fraud"}), 409, "sim.state"),
        (("sim.suspend", {"iccid": two, "reason": "fraud"}), 409, "sim.state"),
        (("sim.swap", {"iccid": one, "new_iccid": card(9)["iccid"]}), 404, "sim.unknown"),
        (("sim.show", {"iccid": card(9)["iccid"]}), 404, "sim.unknown"),
        (("sim.history", {"iccid": card(9)["iccid"]}), 404, "sim.unknown"),
        (("sim.reconcile", {"host": "elsewhere"}), 404, "host.unknown"),
        (("sim.list", {"state": "lost"}), 400, "params.state"),
        (("order.show", {"id": "7"}), 404, "order.unknown"),
        (("order.retry", {"id": "7"}), 404, "order.unknown"),
        (("order.cancel", {"id": "x"}), 404, "order.unknown"),
        (("order.retry", {"id": taken["order"]}), 409, "order.state"),
        (("order.cancel", {"id": taken["order"]}), 409, "order.state"),
    ]
    for (action, params), status, code in wanted:
        is_problem(await desk.act(action, **params), status, code)


async def test_who_may_order_and_who_may_look(desk):
    [iccid] = await desk.take_in(6)
    wish = {**ACTIVATE, "iccid": iccid}
    is_problem(await desk.ask("/v1/orders", wish, key="k", token=None), 401, "token.missing")
    is_problem(await desk.ask("/v1/orders", wish, key="k", token=TOKENS["viewer"]), 403, "action.forbidden")
    is_problem(await desk.ask("/v1/orders", wish), 400, "order.key")
    is_problem(await desk.ask("/v1/orders", [wish], key="k"), 400, "body.json")
    is_problem(await desk.ask("/v1/orders", b"{", key="k"), 400, "body.json")
    is_problem(await desk.ask("/v1/orders", {**wish, "kind": "retire"}, key="k"), 400, "order.kind")
    is_problem(await desk.ask("/v1/orders", {**wish, "ki": "0" * 32}, key="k"), 400, "order.field")
    is_problem(await desk.ask("/v1/orders/1", token=None), 401, "token.missing")
    for path in ("/v1/hosts/../orders/1", "/v1/hosts/%2e%2e/orders/1", "/v1/hosts/..%2forders/1"):
        is_problem(await desk.ask(path, token=None), 404, "http.404")
    is_problem(await desk.ask("/v1/orders/1"), 404, "order.unknown")
    assert (await desk.act("order.list"))[1]["rows"] == []


async def test_a_customer_is_shown_and_topped_up_once_a_key(desk):
    [iccid] = await desk.take_in(7)
    _, taken = await desk.ask("/v1/orders", {**ACTIVATE, "iccid": iccid}, key="k")
    await desk.becomes(taken["id"], "done")
    path = f"/v1/subscribers/{NUMBER}"
    for repeated in (False, True):
        status, told = await desk.ask(f"{path}/topups", {"amount": "10.00", "currency": "GBP"}, key="t-1")
        assert (status, told["balance"], told["currency"], told["repeated"]) == (200, "10.00", "GBP", repeated)
    paid = {"amount": "1.00", "currency": "GBP"}
    for wrong, code in (
        ({"amount": "11.00", "currency": "GBP", "reference": "t-1"}, "topup.reference"),
        ({"amount": "1.00", "currency": "USD", "reference": "t-2"}, "topup.currency"),
    ):
        is_problem(await desk.ask(f"{path}/topups", wrong, key="t-2"), 409, code)
    is_problem(await desk.ask(f"{path}/topups", paid | {"amount": "-1"}, key="t-2"), 400, "topup.invalid")
    is_problem(await desk.ask(f"{path}/topups", paid | {"amount": "999999999999"}, key="t-2"), 400, "topup.invalid")
    is_problem(await desk.ask(f"{path}/topups", paid | {"amount": 1}, key="t-2"), 400, "params.text")
    is_problem(await desk.ask(f"{path}/topups", paid | {"to": "x"}, key="t-2"), 400, "topup.invalid")
    is_problem(await desk.ask(f"{path}/topups", {"amount": "1.00"}, key="t-2"), 400, "topup.invalid")
    is_problem(await desk.ask(f"{path}/topups", paid), 400, "order.key")
    is_problem(await desk.ask(f"{path}/topups", paid, key="t", token=TOKENS["viewer"]), 403, "action.forbidden")
    status, told = await desk.ask(f"/v1/subscribers/+{NUMBER}", token=TOKENS["viewer"])
    assert (status, told["balance"], told["iccid"], told["plan"]) == (200, "10.00", iccid, "payg-gb")
    is_problem(await desk.ask("/v1/subscribers/447700900999"), 404, "subscriber.unknown")
    is_problem(await desk.ask("/v1/subscribers/nobody"), 400, "identifier.msisdn")


async def test_the_causes_are_told_with_the_numbers_to_look_them_up_by(desk):
    status, told = await desk.ask("/v1/charity/causes", token=TOKENS["viewer"])
    assert status == 200
    [wateraid] = [cause for cause in told["causes"] if cause["id"] == "wateraid"]
    assert (wateraid["regulator"], wateraid["open"]) == ("GB-CHC", True)
    is_problem(await desk.ask("/v1/charity/causes", token=None), 401, "token.missing")


async def test_a_bulk_answers_each_row_by_itself_and_orders_nothing_twice(desk):
    cards = await desk.take_in(*range(10, 40))
    rows = [
        {"kind": "activate", "iccid": iccid, "msisdn": f"4477009001{n:02d}", "plan": "payg-gb", "key": f"bulk:{n}"}
        for n, iccid in enumerate(cards)
    ]
    rows += [{"kind": "explode", "iccid": cards[0]}, {**rows[0], "key": ""}, {"kind": "suspend", "iccid": "1"}, {}]
    _, told = await desk.act("sim.bulk", rows=rows)
    good, bad = told["results"][:30], told["results"][30:]
    assert {result["code"] for result in good} == {None}
    assert [(r["order"], r["code"]) for r in bad] == [
        (None, code) for code in ("order.kind", "order.busy", "order.field", "order.kind")
    ]
    ids = [result["order"] for result in good]
    for order_id in ids:
        await desk.becomes(order_id, "done")
    _, told = await desk.act("order.states", ids=[*ids, "7"])
    assert told["rows"] == [{"id": order_id, "state": "done", "error": None} for order_id in sorted(ids, key=int)]
    _, again = await desk.act("sim.bulk", rows=rows[:30])
    assert [(result["order"], result["state"]) for result in again["results"]] == [(id_, "done") for id_ in ids]
    assert len(desk.host.services) == 30
    is_problem(await desk.act("sim.bulk", rows=[{}] * 1001), 400, "bulk.rows")
    is_problem(await desk.act("order.states", ids=["1"] * 1001), 400, "order.ids")


async def test_what_the_host_holds_already_is_taken_over_by_an_admin_who_says_so_and_nobody_else(desk):
    [iccid] = await desk.take_in(40)
    theirs = {"iccid": iccid, "imsi": card(40)["imsi"], "msisdn": "447700900999"}
    name = desk.host.inventory.create(
        {
            "state": "inactive",
            "serviceCharacteristic": [{"name": key, "value": value} for key, value in theirs.items()],
            "supportingResource": [{"id": iccid}],
        }
    )["id"]
    before = dict(desk.host.services[name])
    _, taken = await desk.ask("/v1/orders", {**ACTIVATE, "iccid": iccid}, key="k-1")
    told = await desk.becomes(taken["id"], "compensated")
    assert "the host holds this card already: a Service that is inactive, as 44********99" in told["error"]
    assert (desk.host.services, told["adopt"]) == ({name: before}, False)
    wish = {**ACTIVATE, "iccid": iccid, "adopt": True}
    is_problem(await desk.ask("/v1/orders", wish, key="k-2"), 403, "action.forbidden")
    is_problem(await desk.ask("/v1/orders", {**wish, "adopt": "yes"}, key="k-2"), 400, "order.field")
    status, taken = await desk.ask("/v1/orders", wish, key="k-2", token=TOKENS["admin"])
    assert status == 202, taken
    told = await desk.becomes(taken["id"], "done")
    assert (told["adopt"], told["actor"], told["steps"][0]["found"]) == (
        True, "admin", "a Service that is inactive, as 44********99",
    )  # fmt: skip
    assert desk.host.services[name]["state"] == "active"
    _, history = await desk.act("sim.history", iccid=iccid)
    assert [(row["after"], row["reason"], row["actor"]) for row in history["rows"]][-1] == ("active", "adopt", "admin")
    assert {(row["reason"], row["actor"]) for row in history["rows"]} == {("adopt", "admin"), (None, "operator")}
    other = {**ACTIVATE, "iccid": iccid}
    is_problem(await desk.ask("/v1/orders", other, key="k-2", token=TOKENS["admin"]), 409, "order.key")


async def test_rows_of_a_bulk_take_over_what_the_host_holds_if_they_say_so(desk):
    [iccid] = await desk.take_in(39)
    made = desk.host.inventory.create({"state": "active", "supportingResource": [{"id": iccid}]})
    row = {"kind": "activate", "iccid": iccid, "msisdn": NUMBER, "plan": "payg-gb"}
    for more, state in (({}, "compensated"), ({"adopt": True}, "done")):
        _, told = await desk.act("sim.bulk", rows=[{**row, **more, "key": f"k{state}"}])
        await desk.becomes(told["results"][0]["order"], state)
    assert list(desk.host.services) == [made["id"]]


async def test_reconcile_finds_what_the_host_holds_otherwise_and_mends_it(desk):
    [iccid] = await desk.take_in(41)
    _, taken = await desk.ask("/v1/orders", {**ACTIVATE, "iccid": iccid}, key="k")
    await desk.becomes(taken["id"], "done")
    assert (await desk.act("sim.reconcile"))[1]["rows"] == []
    for name in list(desk.host.services):
        desk.host.inventory.delete(name)
    for repair in (False, True):
        _, told = await desk.act("sim.reconcile", host="lab", repair=repair)
        [row] = told["rows"]
        assert (row["iccid"], row["found"], row["repaired"]) == (iccid, "absent", repair)
        assert NUMBER not in str(told)
    assert (await desk.act("sim.reconcile"))[1]["rows"] == []


async def test_keys_go_in_and_never_come_out(desk, tmp_path):
    rows = [card(50), card(51, keys=False), {**card(52), "opc": OPC.format(50)}, {**card(53), "ki": KI.format(53)[:-1]}]
    rows += [{**card(54), "op": OPC.format(54)}, {"iccid": KI.format(55), "imsi": OPC.format(55)}]
    answers = [await desk.act("sim.import", rows=rows, accept_checksum=True) for _ in range(2)]
    outcomes = [[result["outcome"] for result in told["results"]] for _, told in answers]
    assert outcomes == [["created", "created", *["refused"] * 4], ["unchanged", "unchanged", *["refused"] * 4]]
    changed = [card(50) | {"ki": KI.format(99)}]
    answers += [
        await desk.act("sim.import", rows=changed, accept_checksum=True),
        await desk.act("sim.import", rows=[{"ki": 5}]),
    ]
    for n in (50, 51):
        answers += [await desk.act(name, iccid=card(n)["iccid"]) for name in ("sim.show", "sim.history")]
    answers += [
        await desk.act("sim.list"),
        await desk.act("order.list"),
        await desk.act("sim.import", rows=KI.format(50)),
    ]
    answers += [await desk.act("sim.activate", iccid=KI.format(50), msisdn=OPC.format(50), plan=KI.format(51))]
    answers += [await desk.ask(f"/v1/orders/{KI.format(50)}")]
    assert answers[2][1]["results"][0]["outcome"] == "differs"
    said = str(answers).lower()
    stored = b"".join(file.read_bytes() for file in tmp_path.rglob("tpo.db*"))
    for n in (50, 51, 52, 53, 54, 55, 99):
        for key in (KI.format(n), OPC.format(n)):
            assert key[:-2] not in said
            assert bytes.fromhex(key) not in stored
            assert key.encode() not in stored
    with sqlite3.connect(tmp_path / "tpo.db") as store:
        assert store.execute("SELECT count(*) FROM sims WHERE keys IS NOT NULL").fetchone() == (1,)


async def test_a_callback_needs_its_secret_and_hastens_its_order(tmp_path):
    async with (
        HostApi(mode=Mode.ASYNC, work_seconds=0.1) as host,
        sims_context(tmp_path, host.url, callback=True, options=", verify: 30s") as desk,
    ):
        [iccid] = await desk.take_in(60)
        _, taken = await desk.ask("/v1/orders", {**ACTIVATE, "iccid": iccid}, key="k")
        await desk.becomes(taken["id"], "done")
        secret = desk.executor.callback_secret("lab")
        path = f"/v1/hosts/lab/listener/{secret}"
        for good in (path, f"{path}/listener/serviceStateChangeEvent"):
            assert await desk.ask(good, b"anything", token=None) == (201, None)
        is_problem(await desk.ask(path, b"x" * 65_537, token=None), 413, "callback.size")
        for wrong in (path[:-1], path + "0", path.replace("/lab/", "/elsewhere/"), "/v1/hosts/lab/listener/%C3%A9"):
            is_problem(await desk.ask(wrong, b"{}", token=None), 404, "http.404")
        other = f"/v1/hosts/elsewhere/listener/{desk.executor.callback_secret('elsewhere')}"
        is_problem(await desk.ask(other, b"{}", token=None), 404, "http.404")


@pytest.mark.parametrize("door", ["tcp", "socket"])
async def test_a_mistake_of_ours_is_a_500_that_says_nothing_of_it_and_an_event_that_says_where(desk, monkeypatch, door):
    def broken(*_):
        raise ZeroDivisionError(f"while looking for {NUMBER}")

    monkeypatch.setattr("gateway.sims.queries.show_order", broken)
    asked = desk.ask("/v1/orders/7", token=TOKENS["viewer"]) if door == "tcp" else desk.act("order.show", id="7")
    status, told = await asked
    assert (status, told["code"]) == (500, "http.500")
    assert "ZeroDivision" not in str(told)
    assert NUMBER not in str(told)
    route = "/v1/orders/{id}" if door == "tcp" else "/v1/actions/{action}"
    [fields] = [fields for event, fields in desk.alarms if event == "http.request.failed"]
    assert fields["route"] == route
    assert fields["detail"].startswith("ZeroDivisionError at sims.py:")
    assert NUMBER not in fields["detail"]


async def test_a_customers_causes_are_told_to_a_token_with_the_right_and_each_look_is_noted(desk):
    [iccid] = await desk.take_in(1)
    _, taken = await desk.ask("/v1/orders", {**ACTIVATE, "iccid": iccid}, key="c")
    order = f"/v1/orders/{taken['id']}"
    await desk.becomes(taken["id"], "done")
    line, chosen = f"/v1/subscribers/{NUMBER}", [{"cause": "wateraid", "percent": 100}]
    is_problem(await desk.ask(line, token=TOKENS["auditor"]), 403, "action.forbidden")
    for token in (TOKENS["viewer"], TOKENS["operator"], TOKENS["admin"]):
        assert (await desk.ask(line, token=token))[1]["causes"] is None
        assert "wateraid" not in str(await desk.ask(order, token=token))
    assert (await desk.ask(line, token=AUDIT_TOKEN))[1]["causes"] == chosen
    assert "wateraid" not in str(await desk.ask(order, token=AUDIT_TOKEN))
    _, told = await desk.act("subscriber.show", number=NUMBER)  # this process's own uid, at the socket
    assert told["causes"] == chosen
    looks = desk.context.read(lambda connection: connection.execute(select(access_log).order_by(access_log.c.id)).all())
    assert [(row.actor.split(":")[0], row.action, str(row.subscriber_id)) for row in looks] == [
        ("audit", "subscriber.show", told["subscriber_id"]), ("socket", "subscriber.show", told["subscriber_id"]),
    ]  # fmt: skip
    paid = {"amount": "1.00", "currency": "GBP"}
    assert (await desk.ask(f"/v1/subscribers/{NUMBER}/topups", paid, key="t", token=AUDIT_TOKEN))[0] == 403


async def test_a_mistake_is_put_right_at_the_host_and_in_the_books_by_who_may_and_history_says_who(desk):
    iccid, other = await desk.take_in(71, 72)
    _, taken = await desk.act("sim.activate", iccid=iccid, msisdn=NUMBER, plan="payg-gb")
    await desk.becomes(taken["order"], "done")
    why = {"reason": "mistyped at import"}
    for action, more in [("plan", {"plan": "bundle-gb"}), ("number", {"msisdn": "447700900124"})]:
        status, changed = await desk.act(f"subscriber.{action}", number=NUMBER, **more, **why)
        assert (status, changed["state"]) == (200, "accepted"), changed
        assert (await desk.becomes(changed["order"], "done", "compensated", "failed"))["state"] == "done"
    (service,) = [each for each in desk.host.services.values() if each["supportingResource"][0]["id"] == iccid]
    told = {item["name"]: item["value"] for item in service["serviceCharacteristic"]}
    assert (told["msisdn"], service["serviceSpecification"]["id"]) == ("447700900124", "bundle-gb")
    _, sim = await desk.act("sim.show", iccid=iccid)
    assert (sim["msisdn"], sim["plan"], sim["state"]) == ("447700900124", "bundle-gb", "active")
    is_problem(await desk.act("subscriber.history", number=NUMBER), 404, "subscriber.unknown")
    _, history = await desk.act("subscriber.history", number="447700900124")
    assert [(row["change"], row["reason"]) for row in history["rows"]] == [
        ("plan", why["reason"]),
        ("number", why["reason"]),
    ]
    assert {row["actor"].partition(":")[0] for row in history["rows"]} == {"socket"}
    assert (await desk.act("sim.reconcile"))[1] == {"rows": [], "strangers": [], "unreachable": []}
    status, amended = await desk.act("sim.amend", iccid=other, imsi="234150000000079", **why)
    assert (status, amended["amended"]) == (200, ["imsi"])
    _, history = await desk.act("sim.history", iccid=other)
    assert [(row["trigger"], row["amended"]) for row in history["rows"]] == [("amend", "imsi")]
    status, scrapped = await desk.act("sim.scrap", iccid=other, **why)
    assert (status, scrapped["state"]) == (200, "destroyed")
    is_problem(await desk.act("sim.amend", iccid=other, eid="", **why), 400, "sim.amend")
    is_problem(await desk.act("sim.scrap", iccid=other, reason=""), 400, "params.reason")


async def test_a_number_comes_back_out_of_quarantine_by_an_admins_order_alone(desk):
    first, second = await desk.take_in(73, 74)
    for kind, iccid, more in [("activate", first, {"msisdn": NUMBER, "plan": "payg-gb"}), ("terminate", first, {})]:
        _, taken = await desk.act(f"sim.{kind}", iccid=iccid, **more)
        await desk.becomes(taken["order"], "done")
    back = {**ACTIVATE, "iccid": second}
    is_problem(await desk.ask("/v1/orders", back, key="q1"), 409, "order.quarantine")
    back |= {"returning": True, "reason": "ended by mistake"}
    is_problem(await desk.ask("/v1/orders", back, key="q2"), 403, "action.forbidden")
    status, taken = await desk.ask("/v1/orders", back, key="q3", token=TOKENS["admin"])
    assert status == 202, taken
    assert (await desk.becomes(taken["id"], "done", "compensated"))["returning"] is True
    _, history = await desk.act("sim.history", iccid=second)
    assert {row["reason"] for row in history["rows"]} == {"ended by mistake"}
