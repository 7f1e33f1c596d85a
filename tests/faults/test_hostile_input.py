"""Whatever is asked by HTTP or by the socket is refused in our own words: no 500, no traceback, no poisoned batch."""

import asyncio
import json
import re
from http import HTTPStatus

import msgspec
import pytest
from support import postgres
from support.doors import every_action, refusal, tcp_door, unix_door
from support.gateways import subscribers
from support.sms_gateway import TOKENS, SmsGateway

from gateway.api.action_routing import NODE
from gateway.api.conversion import to_request
from gateway.api.described_routes import ROUTES
from gateway.api.json_values import read_value
from gateway.api.openapi import codes
from gateway.api.problems import Problem

pytestmark = pytest.mark.xdist_group("hostile_input")

NO_JSON = [
    b"{", b"[1,", b'"', b"nul", b"NaN", b"-Infinity", b'{"a":NaN}', b"\xff\xfe", b'"\xed\xa0\x80"', b"\xef\xbb\xbf{}",
    b"\0", b'{"a":"\x00"}', b'"\\ud800"', b'{"text":"\\udc00\\ud800"}', b'{"a":1}{"b":2}', b"<xml/>", b"'", b"{a:1}",
]  # fmt: skip
TOO_MUCH = [
    b"[" * 100_000, b'{"a":' * 100_000, b"[" * 17 + b"]" * 17, b'{"a":' * 17 + b"1" + b"}" * 17, b"1e400", b'{"a":-1e400}',
    b'{"limit":' + b"9" * 5000 + b"}",
    b'{"limit":9223372036854775808}', b'{"after":-9223372036854775809}', b"[" + b"0," * 200_000 + b"0]",
    b'{"number":"\\u0000"}', b'{"\\u0000":1}', b'{"rows":[{"msisdn":"4477\\u0000"}]}',
]  # fmt: skip
NO_OBJECT = [b"[]", b"null", b"1", b"true", b'"text"', b"1.5", b"[[]]"]
VALUES = [
    None, True, False, -1, 0, 1, 2**31, 2**62, 2**63 - 1, -(2**63), 2**63, 1.5, -0.0, 1e308,
    "", " ", "x", "x" * 256, "x" * 70_000,
    "\0", "44\0", "\x9b31m", "\u0664\u0664", "²", "%s", "'; --", "+", "9" * 30, "1e5", "NaN", "../../etc",
    [], [[]], [None], ["\0"], [1], {},
    {"a": {"b": [1]}}, [{}] * 3, [{"kind": 1, "iccid": []}], [{"msisdn": 1}], [{"msisdn": "\0"}], ["x=1e9"], ["wwf=NaN"],
]  # fmt: skip
SURROGATES = [b'"\\ud83d"', b'"4477\\udfff"', b'["\\ud800"]', b'{"a":"\\ud800"}', b"1e999", b"-0", b"1E5", b"1.0"]
NUMBER, ICCID, LINE = "447700900000", "8944100000000002006", {"number": "447700900000"}
PARAMETERS = {
    "status": {"all": True}, "gateway.reload": {}, "gateway.drain.follow": {}, "gateway.drain": {"timeout": "x"},
    "subscriber.import": {"rows": []}, "subscriber.show": LINE, "subscriber.cause": {**LINE, "causes": ["wwf"]},
    "subscriber.topup": {**LINE, "amount": "1.00", "currency": "GBP", "reference": "r", "key": "k"},
    "usage.review.list": {"after": 0, "all": True}, "usage.review.book": {"id": "1", "reason": "r"},
    "usage.review.drop": {"id": "1", "reason": "r"},
    "usage.rerate": {"plan": "payg-gb", "since": 0, "after": 0, "dry_run": True, "caps": True},
    "sim.import": {"rows": [], "first_line": 1}, "sim.list": {"after": "", "limit": 2, "state": "active"},
    "sim.show": {"iccid": ICCID}, "sim.history": {"iccid": ICCID}, "sim.bulk": {"rows": []},
    "sim.activate": {"iccid": ICCID, "msisdn": NUMBER, "plan": "payg-gb", "cause": "wwf", "key": "k"},
    "sim.suspend": {"iccid": ICCID, "reason": "lost", "key": "k"}, "sim.resume": {"iccid": ICCID, "reason": "lost"},
    "sim.swap": {"iccid": ICCID, "new_iccid": ICCID, "reason": "lost"}, "sim.terminate": {"iccid": ICCID, "reason": "r"},
    "sim.check": {"rows": [{"kind": "activate", "iccid": ICCID, "msisdn": NUMBER, "plan": "payg-gb"}]},
    "sim.renumber": {"iccid": ICCID, "msisdn": NUMBER, "reason": "r", "returning": True, "key": "k"},
    "sim.replan": {"iccid": ICCID, "plan": "payg-gb", "reason": "r", "key": "k", "effective": "renewal"},
    "sim.amend": {"iccid": ICCID, "reason": "r", "imsi": "234150000000001", "eid": "", "ki": "0f" * 16, "opc": "f0" * 16},
    "sim.scrap": {"iccid": ICCID, "reason": "r"},
    "subscriber.plan": {**LINE, "plan": "payg-gb", "reason": "r", "key": "k", "effective": "pro-rata"},
    "subscriber.history": LINE, "subscriber.allowances": LINE,
    "subscriber.renewal": {**LINE, "consent": True, "reason": "r", "billing_day": 31},
    "subscriber.limit": {**LINE, "amount": "5.00", "reason": "r"},
    "subscriber.tax-area": {**LINE, "state": "NY", "zip": "10001", "reason": "r"}, "subscriber.agree": {**LINE, "reason": "r"},
    "usage.refund": {"record_id": "7", "reason": "r"},
    "subscriber.preferences": LINE, "subscriber.prefer": {**LINE, "language": "fr", "itemised": False, "reason": "r"},
    "subscriber.family": {**LINE, "payer": "447700900001", "cap": "5.00", "reason": "r"},
    "subscriber.add-on": {**LINE, "add_on": "boost", "reference": "r"},
    "subscriber.credit": {**LINE, "amount": "5.00", "currency": "GBP", "days": 30, "reference": "r"},
    "subscriber.bill-limit": {
        **LINE, "decision": "set", "channel": "call", "wording": "1", "amount": "5.00", "what": "bill",
    },
    "subscriber.bill-limits": LINE, "notice.list": {"after": 0, "limit": 2, "number": NUMBER, "kind": "low_balance"},
    "fraud.list": {"after": 0, "all": True}, "fraud.clear": {"id": "7", "reason": "r"},
    "subscriber.number": {"number": "447700900778", "msisdn": "447700900777", "reason": "r", "returning": False, "key": "k"},
    "sim.reconcile": {"host": "lab", "repair": False}, "order.retry": {"id": "1"}, "order.cancel": {"id": "1"},
    "order.list": {"limit": 2, "state": "done", "number": NUMBER, "since": 0, "until": 1},
    "order.show": {"id": "1"}, "order.states": {"ids": ["1"]},
    "usage.export": {"after": 0, "start": 0, "end": 1, "number": NUMBER, "limit": 2}, "ledger.check": {}, "ledger.months": {},
    "ledger.export": {"format": "csv", "after": 0, "since": 0, "until": 1, "causes": True},
    "plan.versions": {"plan": "payg-gb"}, "plan.version": {"plan": "payg-gb", "version": 1},
    "subscriber.erase": {"subscriber": NUMBER, "reason": "r"}, "ledger.seals": {}, "subscriber.gifts": LINE,
    "subscriber.gift": {**LINE, "cause": "wwf", "amount": "1.00", "currency": "GBP", "reference": "r"},
    "subscriber.gift-withdraw": {**LINE, "gift": "7"},
    "charity.gift-aid.declare": {**LINE, "cause": "wwf", "first_name": "A", "last_name": "K", "house": "1",
        "postcode": "S1 2BD", "channel": "form", "wording": "1", "title": "", "covers_from": ""},
    "charity.gift-aid.cancel": {**LINE, "cause": "wwf"}, "charity.gift-aid.list": LINE,
    "charity.gift-aid.export": {"cause": "wwf", "period": "2026-10"}, "charity.causes": {}, "charity.bank.list": {},
    "charity.register": {"regulator": "GB-CHC", "extracted_on": "2026-10-01", "rows": []},
    "charity.confirm": {"period": "2026-10"}, "charity.payout": {"period": "2026-10", "day": "2026-12-01"},
    "charity.payout.approve": {"sha256": "0" * 64}, "charity.payout.show": {"sha256": "0" * 64},
    "charity.paid": {"file": "AAAA"},
    "charity.bank": {"cause": "wwf", "currency": "GBP", "account": "{}"},
    "charity.bank.approve": {"details": 1}, "charity.bank.show": {"details": 1},
    "charity.remittance": {"period": "2026-10", "cause": "wwf"}, "charity.cover": {"day": "2026-10-31"},
    "charity.matched": {},
    "charity.match-paid": {"campaign": "winter-2026", "amount": "5.00", "reference": "FT-1", "day": "2026-10-31"},
    "charity.transfer": {"amount": "5.00", "currency": "GBP", "reference": "FT-2", "day": "2026-10-31"},
    "charity.profit-share": {"period": "2026-10", "amount": "1.00", "basis": "profit", "book": False},
    "charity.report": {"period": "2026-10", "public": True, "policy": {}},
    "charity.report.document": {"period": "2026-10", "reader": "public", "format": "pdf"},
    "charity.audit": {"period": "2026-10", "seed": "s", "sample": 1, "named": False},
    "charity.commitment": {"period": "2026-10"}, "charity.evidence": {"bill": 1, "named": False},
    "ledger.totals": {"period": "2026-11"},
    "ledger.tax": {"period": "2026-11"},
    "bill.preview": {"period": "2999-12", "number": NUMBER}, "bill.close": {"period": "2999-12"}, "bill.closes": {},
    "bill.reopen": {"period": "2999-12", "reason": "r", "confirm": False}, "bill.overdue": {"after": 0, "limit": 2},
    "bill.list": {"after": 0, "limit": 2, "period": "2999-12", "number": NUMBER, "notes": True},
    "bill.show": {
        "number": NUMBER, "period": "2999-12", "format": "pdf", "itemised": True, "causes": False, "language": "fr",
    },
    "bill.note": {"note": 1, "format": "text", "language": "es"},
    "bill.pay": {"bill": 1, "amount": "1.00", "currency": "GBP", "reference": "r"},
    "bill.paid": {
        "lines": [{"reference": "r", "amount": "1.00", "currency": "GBP", "date": "2026-12-01", "credit": True,
                   "returned": "", "payer_reference": "p", "texts": ["t"]}],
    },
    "ledger.balances": {"after": 0, "limit": 2, "causes": True, "account": "revenue", "number": NUMBER, "since": 0, "until": 1},
    "ledger.journal": {"after": 0, "limit": 2, "account": "revenue", "number": NUMBER, "since": 0, "until": 1},
    "subscriber.list": {"after": 0, "limit": 2}, "subscriber.find": {"tail": "0000"}, "events.list": {"after": 0, "limit": 2},
    "session.list": {"limit": 2, "number": NUMBER, "peer": "p", "closed": True}, "session.show": {"id": "s"},
    "session.reauth": {"id": "s"}, "session.abort": {"id": "s"},
    "sms.send": {"from": "TPO", "to": NUMBER, "text": "t", "reference": None, "registered_delivery": True, "validity": 60},
    "sms.show": {"id": "1"}, "sms.list": {"limit": 2, "state": "queued", "number": NUMBER, "since": 0, "until": 1},
    "link.list": {"node": "ocs1"},
    "node.list": {}, "node.adopt": {"node": "ocs2", "force": False}, "node.retire": {"node": "ocs2"},
    "link.show": {"name": "smsc-1", "order": "up", "node": ""},
    "trace.start": {
        "msisdn": NUMBER, "imsi": None, "link": None, "seconds": 0, "show_content": False, "pcap": None, "id": "1-1-1",
    },
    "trace.list": {}, "trace.show": {"id": None, "after": 0, "after_at": {"ocs1": 1}}, "trace.stop": {"id": "x"},
    "trace.undecodable": {"name": None, "show_content": False},
}  # fmt: skip
"""Every action with parameters that are as they should be; each is replaced by what it should not be."""
REQUESTS = every_action()
IN_PATHS = [
    "%00",
    "1%00",
    "%ff",
    "%ed%a0%80",
    "x" * 300,
    "9" * 30,
    "-1",
    "%d9%a4",
    "%C2%B2",
    "%27",
    "1.5",
    "%0a",
    "%25",
    "+",
]
KEYS = ["", "\0", "x" * 256, "\xff", "\x01", " ", "caf\xe9"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def gateway(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "sqlite":
        yield from running(SmsGateway(folder, 1))
        return
    if not postgres.BINARIES:
        pytest.skip("PostgreSQL is not installed (package postgresql)")
    with postgres.server() as make:
        desk = SmsGateway(folder, 1)
        desk.config.write_text(desk.config.read_text().replace("sqlite:///var/tpo.db", make("doors")))
        yield from running(desk)


def running(desk):
    desk.seen = 0
    with desk:
        desk.enrol(subscribers(1))
        yield desk


def unharmed(gateway):
    """The process lives, nothing was a mistake of ours, and no batch was poisoned."""
    assert gateway.get("/livez")[0] == gateway.get("/readyz")[0] == 200
    with gateway.log.open() as file:
        file.seek(gateway.seen)
        log = file.read()
        gateway.seen = file.tell()
    for word in ("Traceback", "http.request.failed", "store.unit.poisoned", "store.unavailable", "daemon.crashed"):
        assert word not in log, log[-3000:]


def hostile_bodies():
    yield from NO_JSON
    yield from TOO_MUCH
    yield from NO_OBJECT


def replaced(good):
    """A good object with one of its values after the other exchanged for each hostile one, as JSON."""
    for name in good:
        for value in VALUES:
            yield json.dumps({**good, name: value}).encode()
        rest = json.dumps({key: value for key, value in good.items() if key != name})[1:]
        for raw in SURROGATES:
            yield b'{"%s": %s%s' % (name.encode(), raw, b", " * (rest != "}") + rest.encode())


def is_refused_at_the_door(body, kind):
    """Whether a body is refused as it is read, before its action runs: by the gateway's own functions, in our own words."""
    try:
        given = read_value(body, "params.json")
        to_request({name: value for name, value in given.items() if name != NODE}, kind)
    except Problem as problem:
        refusal(msgspec.json.encode(problem.body()))
        return problem.status == HTTPStatus.BAD_REQUEST
    return False


def test_every_action_is_listed_here_with_its_parameters():
    assert set(PARAMETERS) == set(REQUESTS)


@pytest.mark.parametrize("action", ["ledger.balances", "link.list"], ids=["of the store", "of the running gateway"])
def test_what_is_no_object_is_refused_before_any_action(gateway, action):
    door = unix_door(gateway)
    for body in hostile_bodies():
        status, media, content = door.knock("POST", f"/v1/actions/{action}", body)
        assert (status, media) == (400, "application/problem+json"), (body[:60], content)
        refusal(content)
    unharmed(gateway)


@pytest.mark.parametrize("action", PARAMETERS)
def test_no_action_of_the_socket_fails_whatever_it_is_given(gateway, action):
    """What is refused by its form comes to the gateway once an action: the rest of it is refused by the same functions here."""
    door = unix_door(gateway)
    is_known = False
    for body in replaced(PARAMETERS[action]):
        if action == "gateway.drain" and re.search(rb": -?[0-9]", body):
            continue  # some numbers are what it takes
        is_refused = is_refused_at_the_door(body, REQUESTS[action])
        if is_refused and is_known:
            continue
        is_known |= is_refused
        status, media, content = door.knock("POST", f"/v1/actions/{action}", body)
        assert status < 500 or json.loads(content)["code"] == "diameter.absent", (body[:200], content)
        assert status == 400 or not is_refused, (body[:200], content)
        if status >= 400:
            assert media == "application/problem+json"
            refusal(content)
    unharmed(gateway)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_no_route_fails_whatever_it_is_given(gateway, route):
    door, documented = tcp_door(gateway), codes(route)

    def knock(path, body=None, key="k", status_of_ours=()):
        headers = {"Authorization": f"Bearer {TOKENS['operator']}"} | ({"Idempotency-Key": key} if route.key else {})
        status, media, content = door.knock(route.method.upper(), path, body, headers)
        assert status < 500, (path, body and body[:200], content)
        if status >= 400:
            assert media == "application/problem+json", content
            told = refusal(content)
            assert told["code"] in (*documented.get(status, ()), "http.404"), (path, body and body[:200], told)
        assert not status_of_ours or status in status_of_ours, (status, body and body[:80], content)

    good = re.sub(r"\{\w+\}", "1", route.path.replace("{msisdn}", NUMBER))
    for word in IN_PATHS if "{" in route.path else ():
        knock(re.sub(r"\{\w+\}", word, route.path), route.body and json.dumps(route.example).encode())
    if route.body is None:
        for body in hostile_bodies() if route.method == "post" else ():
            knock(good, body)
        unharmed(gateway)
        return
    for body in NO_JSON + TOO_MUCH:
        knock(good, body, status_of_ours=(400,))
    for body in NO_OBJECT:
        knock(good, body, status_of_ours=(400,))
    for key in KEYS if route.key else ():
        knock(good, json.dumps(route.example).encode(), key=key)
    sample = route.example[0] if isinstance(route.example, list) else route.example
    for body in replaced({**sample, "validity": 60} if "text" in sample else sample):
        knock(good, b"[%s]" % body if isinstance(route.example, list) else body)
    unharmed(gateway)


@pytest.mark.parametrize(
    "coding", ["gzip", "deflate", "br", "zstd", "x-gzip", "gzip, identity", "identity, gzip", "GZIP", "\xff"]
)
def test_a_coded_body_is_refused_unread_at_both_doors(gateway, coding):
    headers = {"Authorization": f"Bearer {TOKENS['operator']}", "Content-Encoding": coding, "Idempotency-Key": "k"}
    posts = [route.path for route in ROUTES if route.body is not None]
    knocks = [(tcp_door(gateway), path.replace("{msisdn}", NUMBER).replace("{bill}", "1")) for path in posts]
    for door, path in [*knocks, (unix_door(gateway), "/v1/actions/subscriber.show")]:
        status, media, content = door.knock("POST", path, b'{"number": "447700900000"}', headers)
        assert (status, media) == (415, "application/problem+json"), content
        assert refusal(content)["code"] == "body.encoding"
    unharmed(gateway)


def test_a_body_that_says_it_is_as_it_is_is_read(gateway):
    headers = {"Content-Encoding": "Identity"}
    status, _, content = unix_door(gateway).knock(
        "POST", "/v1/actions/subscriber.show", b'{"number": "447700900000"}', headers
    )
    assert (status, json.loads(content)["msisdn"]) == (200, NUMBER)


def test_a_token_that_is_no_text_is_no_token(gateway):
    for token in ("\xff\xfe", "caf\xe9", "\0"[:0], "\ud7ff".encode().decode("latin-1")):
        headers = {"Authorization": f"Bearer {token}"}
        status, _, content = tcp_door(gateway).knock("POST", "/v1/sms", b"{}", headers)
        assert (status, refusal(content)["code"]) == (401, "token.missing")
    unharmed(gateway)


async def test_a_row_of_a_bulk_that_is_wrong_is_refused_by_its_place(gateway):
    rows = [{"kind": "suspend", "iccid": ICCID, "reason": "lost"}] * 3 + [{"kind": "suspend", "iccid": "89\0"}]
    body = json.dumps({"rows": rows}).encode()
    status, _, content = await asyncio.to_thread(unix_door(gateway).knock, "POST", "/v1/actions/sim.bulk", body)
    assert (status, refusal(content)["detail"]) == (
        400,
        "rows[3].iccid: the text holds U+0000: leave that character out",
    )


ROWS = {
    "subscriber.import": {
        "msisdn": NUMBER, "imsi": "234150000000099", "iccid": ICCID, "plan": "payg-gb", "cause": "wwf", "balance": "1",
    },
    "sim.import": {"iccid": ICCID, "imsi": "234150000000099", "ki": "0" * 32, "opc": "0" * 32, "eid": "8" * 32},
    "sim.bulk": {"kind": "activate", "iccid": ICCID, "msisdn": NUMBER, "plan": "payg-gb", "cause": "wwf", "key": "k"},
}  # fmt: skip


@pytest.mark.parametrize("action", ROWS)
def test_no_row_of_many_fails_whatever_one_of_its_columns_is(gateway, action):
    door = unix_door(gateway)
    for row in replaced(ROWS[action]):
        status, _, content = door.knock("POST", f"/v1/actions/{action}", b'{"rows": [%s]}' % row)
        if status == 400:
            refusal(content)
            continue
        assert status == 200, content
        [result] = json.loads(content)["results"]
        assert "Error" not in str(result), result
    unharmed(gateway)
