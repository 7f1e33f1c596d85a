"""Texts over HTTP and by `tpo sms` and `tpo link`: what is refused and how, what is taken once, what a command orders."""

import asyncio

import pytest
from support.log_lines import lines_of
from support.sms_gateway import TOKENS, SmsGateway, desk_and_centre, text

pytestmark = pytest.mark.xdist_group("sms_api")

GOOD = {"from": "TPO", "to": "447700900200", "text": "hello"}
RICH = ("447700900001", "234150000000001", "8944100000000000001", "payg-gb", "wwf", "10.00")
POOR = ("447700900002", "234150000000002", "8944100000000000002", "payg-gb", "wwf", "0.05")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A gateway with two customers and no link: what is taken stays queued."""
    with SmsGateway(tmp_path_factory.mktemp("api")) as gateway:
        gateway.enrol([RICH, POOR])
        yield gateway


def is_problem(answer, status, code):
    """The answer is a problem body of RFC 9457 with this status and code."""
    found, body, content_type = answer
    assert (found, content_type) == (status, "application/problem+json"), body
    assert (body["type"], body["status"], body["code"]) == (f"urn:tpo:problem:{code}", status, code)
    assert body["title"]
    assert body["detail"]
    return body["detail"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "body.json"),
        (b"\xff\xfe", "body.json"),
        ([], "sms.fields"),
        ("hello", "sms.fields"),
        ({**GOOD, "colour": "red"}, "sms.fields"),
        ({**GOOD, "text": ""}, "sms.text"),
        ({**GOOD, "text": 5}, "sms.text"),
        ({**GOOD, "text": "a" * 2000}, "sms.text"),
        ({**GOOD, "to": "4477"}, "sms.address"),
        ({**GOOD, "to": "Alice"}, "sms.address"),
        ({**GOOD, "to": "447700"}, "sms.address"),
        ({**GOOD, "to": "2025550129"}, "sms.address"),
        ({**GOOD, "to": "4477009002000000"}, "sms.address"),
        ({**GOOD, "to": None}, "sms.address"),
        ({**GOOD, "from": "A long, long name"}, "sms.address"),
        ({**GOOD, "from": ""}, "sms.address"),
        ({**GOOD, "validity": 59}, "sms.validity"),
        ({**GOOD, "validity": True}, "sms.validity"),
        ({**GOOD, "registered_delivery": 1}, "sms.registered_delivery"),
        ({**GOOD, "reference": ""}, "sms.reference"),
        ({**GOOD, "reference": "r" * 256}, "sms.reference"),
    ],
)
def test_what_is_no_text_is_refused_with_a_problem(desk, body, code):
    is_problem(desk.ask("/v1/sms", body), 400, code)


@pytest.mark.parametrize("body", [{}, [], [GOOD] * 1001])
def test_what_is_no_batch_is_refused_with_a_problem(desk, body):
    is_problem(desk.ask("/v1/sms/batch", body), 400, "sms.batch")


def test_who_shows_no_token_or_a_wrong_one_is_refused_and_a_viewer_only_looks(desk):
    for token in (None, "0123456789abcdef-another", ""):
        is_problem(desk.ask("/v1/sms", GOOD, token), 401, "token.missing")
        is_problem(desk.ask("/v1/sms/1", None, token), 401, "token.missing")
    is_problem(desk.ask("/v1/sms", GOOD, TOKENS["viewer"]), 403, "action.forbidden")
    is_problem(desk.ask("/v1/sms/batch", [GOOD], TOKENS["viewer"]), 403, "action.forbidden")
    status, taken, _ = desk.ask("/v1/sms", GOOD)
    assert (status, taken["state"]) == (202, "queued")
    assert desk.ask(f"/v1/sms/{taken['id']}", None, TOKENS["viewer"])[0] == 200


def test_a_reference_is_taken_once_and_not_for_another_text(desk):
    first = desk.ask("/v1/sms", {**GOOD, "reference": "order-1"})
    again = desk.ask("/v1/sms", {**GOOD, "reference": "order-1"})
    assert first[0] == again[0] == 202
    assert first[1]["id"] == again[1]["id"]
    is_problem(desk.ask("/v1/sms", {**GOOD, "text": "other", "reference": "order-1"}), 409, "sms.reference")
    twice = [{**GOOD, "reference": "order-2"}, {**GOOD, "reference": "order-2"}, {**GOOD, "reference": "order-1"}]
    status, told, _ = desk.ask("/v1/sms/batch", twice)
    assert status == 202
    ids = [message["id"] for message in told["messages"]]
    assert ids[0] == ids[1] != ids[2] == first[1]["id"]


def test_an_idempotency_key_is_the_reference_of_a_text_that_has_none_and_is_refused_where_it_would_do_nothing(desk):
    key = {"Idempotency-Key": "key-1"}
    first, again = desk.ask("/v1/sms", GOOD, **key), desk.ask("/v1/sms", {**GOOD, "reference": None}, **key)
    assert (first[0], first[1]["reference"]) == (202, "key-1")
    assert again[1]["id"] == first[1]["id"]
    is_problem(desk.ask("/v1/sms", {**GOOD, "text": "other"}, **key), 409, "sms.reference")
    assert desk.ask("/v1/sms", {**GOOD, "reference": "order-3"}, **key)[1]["reference"] == "order-3"
    for wrong in ("k" * 256, ""):
        is_problem(desk.ask("/v1/sms", GOOD, **{"Idempotency-Key": wrong}), 400, "order.key")
    is_problem(desk.ask("/v1/sms/batch", [{**GOOD, "reference": "order-3"}, GOOD], **key), 400, "sms.batch")
    assert desk.ask("/v1/sms/batch", [{**GOOD, "reference": "order-3"}], **key)[0] == 202


def test_a_text_to_or_from_any_form_of_a_number_is_the_same_text(desk):
    forms = ["447700900123", "+447700900123", "00447700900123", "07700900123", " 07700900123 "]
    answers = [desk.ask("/v1/sms", {**GOOD, "to": to, "reference": "forms"}) for to in forms]
    assert {status for status, _, _ in answers} == {202}
    assert len({told["id"] for _, told, _ in answers}) == 1
    by_command = desk.json("sms", "send", "--from", "07700900001", "--to", "07700900123", "hello")
    shown = desk.json("sms", "show", by_command["id"])
    assert (shown["from"], shown["to"]) == ("447700900001", "447700900123")


@pytest.mark.parametrize("number", ["447700900001", "+447700900001", "00447700900001", "07700900001"])
def test_a_line_is_found_by_any_form_of_its_number(desk, number):
    found = desk.json("subscriber", "show", number)
    assert found == desk.json("subscriber", "show", RICH[1])
    assert desk.ask(f"/v1/subscribers/{number}")[0] == 200


def test_a_batch_is_taken_whole_or_not_at_all_and_what_it_held_is_given_back(desk):
    def rows():
        return desk.json("sms", "list", "--limit", "1000")

    before = rows()
    bad = [text("one", sender=RICH[0]), text("two", to="nobody")]
    assert "messages[1].to" in is_problem(desk.ask("/v1/sms/batch", bad), 400, "sms.address")
    dear = [text(f"number {n}", sender=POOR[0]) for n in range(3)]  # 0.06 of 0.05
    for _ in range(2):
        assert "messages[2]" in is_problem(desk.ask("/v1/sms/batch", dear), 402, "sms.credit")
    assert rows() == before
    status, told, _ = desk.ask("/v1/sms/batch", dear[:2])  # 0.04: nothing of the refused ones is held
    assert (status, len(told["messages"])) == (202, 2)
    is_problem(desk.ask("/v1/sms", dear[2]), 402, "sms.credit")
    assert len(rows()) == len(before) + 2


@pytest.mark.parametrize("text_id", ["1", "nothing", "9" * 30, "-1"])
def test_a_text_that_nobody_knows_is_not_found(desk, text_id):
    is_problem(desk.ask(f"/v1/sms/{text_id}"), 404, "sms.unknown")


def test_commands_send_show_and_list_texts(desk):
    sent = desk.json("sms", "send", "--from", "TPO", "--to", "447700900200", "--reference", "cli", "a" * 161)
    assert sent["state"] == "queued"
    assert desk.json("sms", "send", "--from", "TPO", "--to", "447700900200", "--reference", "cli", "a" * 161) == sent
    shown = desk.json("sms", "show", sent["id"])
    assert (shown["from"], shown["to"], len(shown["parts"])) == ("TPO", "447700900200", 2)
    assert "a" * 161 not in str(shown)
    assert desk.json("sms", "list", "--limit", "1")[0]["id"] == sent["id"]
    assert desk.json("sms", "list", "--state", "delivered") == []
    assert desk.json("link", "list") == []


async def test_commands_bring_a_link_down_and_up_suspend_and_resume_it(tmp_path):
    async with desk_and_centre(tmp_path) as (gateway, smsc):
        (row,) = await gateway.run("link", "list")
        assert (row["name"], row["state"]) == ("smsc-1", "bound_trx")
        assert (await gateway.run("link", "suspend", "smsc-1"))["suspended"] is True
        (waits,) = await gateway.send(text("waits"))
        await asyncio.sleep(0.2)
        assert (await gateway.show(waits))["state"] == "queued"
        assert smsc.submits == []
        assert (await gateway.run("link", "resume", "smsc-1"))["suspended"] is False
        await gateway.becomes(waits, "delivered")
        await gateway.run("link", "down", "smsc-1", "--reason", "change 4711")
        await smsc.wait(lambda: not smsc.server.clients)
        shown = await gateway.run("link", "show", "smsc-1")
        assert (shown["state"], shown["wanted"]) == ("closed", False)
        (waits,) = await gateway.send(text("waits too"))
        await gateway.run("link", "up", "smsc-1")
        await gateway.becomes(waits, "delivered")
        refused = await asyncio.to_thread(gateway.tpo, "link", "show", "smsc-2", ok=(1,))
        assert "smsc-2" in refused.stderr
        long = ("--reason", "x" * 65)
        refused = await asyncio.to_thread(gateway.tpo, "link", "down", "smsc-1", *long, ok=(1, 64))
        assert "reason: give 1 to 64 printable characters" in refused.stderr
        ordered = lines_of(gateway, "smpp.link.ordered")
        said = [(line["order"], line["reason"]) for line in ordered]
        assert said == [("suspend", ""), ("resume", ""), ("down", "change 4711"), ("up", "")]
        assert all(line["link"] == "smsc-1" and line["by"] for line in ordered)


@pytest.mark.parametrize("command", [("sms", "list"), ("link", "list"), ("sms", "show", "1")])
def test_without_a_gateway_the_commands_say_so_and_exit_69(tmp_path, command):
    refused = SmsGateway(tmp_path).tpo(*command, ok=(69,))
    assert "tpo:" in refused.stderr
