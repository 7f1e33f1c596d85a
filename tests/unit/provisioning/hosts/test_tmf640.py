"""TMF640 without a wire: what a Service says, what is written, what errors, headers and callbacks tell."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.errors import HostDeclined, HostUnavailable
from provisioning.hosts.interface import ABSENT, Access, Condition, HostLine
from provisioning.hosts.tmf640 import BoundedDict, Tmf640
from provisioning.hosts.tmf640_service import (
    MAX_BODY,
    MAX_HINTS,
    UNSETTLED,
    change,
    condition,
    creation,
    held_line,
    identifier,
    is_of,
    mentions,
    monitor_path,
    monitor_refusal,
    parse,
    quoted,
    refusal,
    retry_after,
    speaks_of,
    termination,
)
from provisioning.keys import Keys

ICCID, IMSI, MSISDN = "8944110000000000018", "234150000000001", "447700900001"
LINE = HostLine(ICCID, IMSI, "mobile-line", Keys(b"\xaa" * 16, b"\xbb" * 16))
OPEN, BARRED = Condition(Access.OPEN, MSISDN), Condition(Access.BARRED, MSISDN)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(["id", "state", "serviceCharacteristic", "serviceOrderItem", "event", "service", "monitor"])
DEEP = b'{"code": ' + b"[" * 900 + b"]" * 900 + b"}"
RESOURCES = st.dictionaries(NAMES, JSON | st.dictionaries(NAMES, JSON), max_size=6)


def service(state="active", **characteristics):
    told = {"iccid": ICCID, "imsi": IMSI, "msisdn": MSISDN} | characteristics
    return {
        "id": "svc-1",
        "state": state,
        "serviceSpecification": {"id": "mobile-line"},
        "serviceCharacteristic": [{"name": n, "value": v} for n, v in told.items() if v is not None],
        "supportingResource": [{"id": ICCID}],
        "serviceOrderItem": [{"serviceOrderId": "7.0", "itemId": "1"}],
    }


@pytest.mark.parametrize(
    ("countries", "wanted", "written"),
    [
        (["US"], "12125550123", "2125550123"),
        (["US"], "12125550123", "1-212-555-0123"),
        (["US"], "12125550123", "(212) 555-0123"),
        (["CA", "US"], "12125550123", "tel:+1-212-555-0123"),
        (["US"], "12125550123", 12125550123),
        (["GB"], MSISDN, "07700900001"),
        (["GB"], MSISDN, "7700 900001"),
        (["GB"], MSISDN, "0044 7700 900001"),
        (["GB", "US"], MSISDN, "07700900001"),
        (["GB", "US"], "2125550123", "2125550123"),
        ([], MSISDN, "+44 7700 900001"),
    ],
)
def test_a_number_is_the_same_in_any_form_that_its_host_writes(countries, wanted, written):
    held, open_ = service(msisdn=written), Condition(Access.OPEN, wanted)
    assert condition(held, LINE, countries) == open_
    assert change(held, "7.1", LINE, open_, countries) is None
    assert held_line(held, countries).msisdn == wanted


@pytest.mark.parametrize(
    "written", ["2125550124", "07700900002", "", None, "\u0662125550123", "x" * 500, "5550123", True]
)
def test_another_number_or_none_is_not_the_wanted_one(written):
    assert condition(service(msisdn=written), LINE, ["GB", "US"]).msisdn not in {"12125550123", MSISDN}


def event(**about):
    return json.dumps({"eventId": "e", "eventType": "x", "event": about}).encode()


@pytest.mark.parametrize(
    ("held", "shown"),
    [
        (None, ABSENT),
        (service("terminated"), ABSENT),
        (service("Terminated"), ABSENT),
        (service("ACTIVE"), OPEN),
        (service("Inactive "), BARRED),
        (service("active"), OPEN),
        (service("inactive"), BARRED),
        (service("inactive", suspended="true"), BARRED),
        (service("inactive", suspended=True), BARRED),
        (service("active", suspended="false"), OPEN),
        (service("active", suspended="true"), UNSETTLED),
        (service("reserved"), UNSETTLED),
        (service("designed"), UNSETTLED),
        (service(None), UNSETTLED),
        (service("active", imsi="234150000000002"), UNSETTLED),
        (service("active", imsi=None), OPEN),
        (service("active", msisdn=None), Condition(Access.OPEN, None)),
        (service("active", msisdn="+447700900001"), OPEN),
        (service("active", msisdn=447700900001), OPEN),
        (service("active", msisdn={"@type": "string", "value": MSISDN}), OPEN),
    ],
)
def test_a_service_shows_how_the_line_is_held(held, shown):
    assert condition(held, LINE) == shown


def test_what_is_unsettled_equals_nothing_that_can_be_wanted():
    assert all(Condition(access, number) != UNSETTLED for access in Access for number in (None, MSISDN))


def test_a_creation_has_what_tmf640_requires_and_never_a_key():
    body = creation("7.0", LINE, OPEN)
    assert body["state"] == "active"
    assert body["serviceSpecification"]["id"] == "mobile-line"
    assert body["supportingResource"][0]["id"] == ICCID
    assert body["serviceOrderItem"] == [{"serviceOrderId": "7.0", "itemId": "1", "itemAction": "add"}]
    assert condition({"id": "svc-1", **body}, LINE) == OPEN
    assert "aa" * 16 not in json.dumps(body)
    assert "bb" * 16 not in json.dumps(body)


@pytest.mark.parametrize("wanted", [OPEN, BARRED, Condition(Access.BARRED), Condition(Access.OPEN, "447700900002")])
@pytest.mark.parametrize(
    "held", [service("inactive"), service("active", suspended="true"), service("reserved", imsi="1" * 15)]
)
def test_a_change_merged_in_shows_what_was_wanted_and_a_second_one_is_none(held, wanted):
    body = change(held, "8.0", LINE, wanted)
    after = held | (body or {})
    assert condition(after, LINE) == wanted
    assert change(after, "9.0", LINE, wanted) is None


def test_a_change_keeps_what_else_the_host_has_in_the_lists_that_it_replaces():
    held = service("active", apn="internet")
    body = change(held, "8.0", LINE, BARRED)
    assert {"name": "apn", "value": "internet"} in body["serviceCharacteristic"]
    assert [item["serviceOrderId"] for item in body["serviceOrderItem"]] == ["7.0", "8.0"]


def test_a_call_made_again_stands_last_and_once_among_the_order_items():
    held = service("active")
    held["serviceOrderItem"] = [{"serviceOrderId": order} for order in ("7.0", "8.0", "9.0")]
    assert [item["serviceOrderId"] for item in termination(held, "8.0")["serviceOrderItem"]] == ["7.0", "9.0", "8.0"]


def test_another_plan_is_a_change_of_the_specification():
    body = change(service("active"), "8.0", HostLine(ICCID, IMSI, "data-line"), OPEN)
    assert body["serviceSpecification"]["id"] == "data-line"


def test_a_service_of_another_card_is_not_taken_for_ours():
    assert is_of(service(), ICCID)
    assert is_of({"serviceCharacteristic": [{"name": "iccid", "value": ICCID}]}, ICCID)
    assert not is_of(service(iccid=None) | {"supportingResource": [{"id": "other"}]}, ICCID)
    assert not is_of([ICCID], ICCID)


@pytest.mark.parametrize("given", ["", ".", "..", "x" * 256, None, True, {}, 1.5])
def test_an_id_that_cannot_stand_in_a_path_is_none(given):
    assert identifier({"id": given}) == ""


def test_an_id_may_be_a_number():
    assert identifier({"id": 17}) == "17"


@pytest.mark.parametrize(
    ("headers", "body", "path"),
    [
        ({"Location": "https://h/tmf-api/X/v4/monitor/m-1"}, b"", "/monitor/m-1"),
        ({"Location": "/tmf-api/X/v4/monitor/m-1/"}, b"accepted", "/monitor/m-1"),
        ({"Link": '</x>; rel="self", <http://inside:8080/monitor/m-2>; rel="monitor"'}, b"", "/monitor/m-2"),
        ({}, b'{"@type": "Monitor", "id": "m-3"}', "/monitor/m-3"),
        ({}, b'{"href": "/v4/monitor/m-4", "id": "x"}', "/monitor/m-4"),
        ({"Location": "/service/svc-1"}, b'{"@type": "Service", "id": "svc-1"}', None),
        ({"Location": "/monitor/.."}, b"", None),
        ({"Location": "/monitor/a%2F..%2Fhub"}, b"", None),
        ({"Location": "http://[broken/monitor/m"}, b"", None),
        ({}, b"", None),
    ],
)
def test_the_monitor_of_a_202_is_found_wherever_it_stands(headers, body, path):
    assert monitor_path(headers, body) == path


@pytest.mark.parametrize("state", ["InError", "inError", "IN_ERROR", "failed"])
def test_a_monitor_in_error_gives_the_reason_whether_its_body_is_text_or_object(state):
    error = {"code": "60", "reason": "no", "message": f"number {MSISDN} is barred"}
    for body in (error, json.dumps(error)):
        refused = monitor_refusal({"state": state, "response": {"body": body}})
        assert refused.code == "host.refused.60"
        assert str(refused) == "the host could not do it: no: number 44********01 is barred"


@pytest.mark.parametrize(
    ("status", "lasts"),
    [("400", True), (409, True), ("429", False), (423, False), ("408", False), ("500", False), (None, False)],
)
def test_work_that_failed_for_this_moment_is_no_refusal_of_the_line(status, lasts):
    refused = monitor_refusal({"state": "InError", "response": {"statusCode": status, "body": {"message": "busy"}}})
    assert isinstance(refused, HostDeclined) is not lasts


@pytest.mark.parametrize("monitor", [None, [], {}, {"state": "InProgress"}, {"state": "Completed"}, {"state": 5}])
def test_any_other_monitor_is_no_refusal(monitor):
    assert monitor_refusal(monitor) is None


def test_a_refusal_has_the_hosts_code_and_words_without_numbers_keys_and_line_ends():
    body = {"code": "msisdn_taken", "reason": "Conflict", "message": f"{MSISDN}\nhas key {'0aF1' * 8} " + "x" * 900}
    error = refusal(409, json.dumps(body).encode())
    assert error.code == "host.refused.msisdn_taken"
    assert "44********01 has key ********" in str(error)
    assert len(str(error)) < 260
    assert "\n" not in str(error)


@pytest.mark.parametrize("body", [b"", b"no", b"[]", b'"x"', b"[" * 100_000, b"\xff\xfe", b'{"code": {"a": 1}}', DEEP])
def test_a_refusal_in_any_other_form_is_a_plain_one(body):
    error = refusal(400, body)
    assert (error.code, str(error)) == ("host.refused", "the host refused (HTTP 400)")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (MSISDN, "44********01"),
        ("+44 7700 900123", "+44********23"),
        ("44-7700-900123", "44********23"),
        ("call (07700) 900 123 now", "call (07********23 now"),
        ("error 123456", "error 123456"),
        (None, ""),
        (12, ""),
    ],
)
def test_numbers_are_masked_however_they_are_written(text, shown):
    assert quoted(text) == shown


def test_a_cut_never_leaves_a_piece_of_a_key():
    assert "ab" not in quoted("-" * 180 + "ab" * 16)


def test_an_error_that_names_our_call_is_known_and_one_that_names_a_longer_id_is_not():
    assert speaks_of(b'{"message": "order 12.0 was taken already"}', "12.0")
    assert speaks_of(b'{"referenceError": "/orders/12.0"}', "12.0")
    assert not speaks_of(b'{"message": "order 112.0"}', "12.0")
    assert not speaks_of(b'{"message": "order 12.0.1"}', "12.0")
    assert not speaks_of(b"12.0", "12.0")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "9" * 400}, 3600.0),
        ({"Retry-After": "Mon, 23 Nov 2026 10:00:30 GMT", "Date": "Mon, 23 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"Retry-After": "Mon, 23 Nov 2026 09:00:00 GMT", "Date": "Mon, 23 Nov 2026 10:00:00 GMT"}, 0.0),
        ({"Retry-After": "Mon, 23 Nov 2026 10:00:30 GMT"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_by_the_hosts_own_clock(headers, seconds):
    assert retry_after(headers) == seconds


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 200_000, b"NaN", b"{}{}"])
def test_what_is_no_json_is_the_hosts_failure(body):
    with pytest.raises(HostUnavailable) as caught:
        parse(body)
    assert caught.value.code == "host.garbage"


def adapter(**options):
    return Tmf640("host", "http://127.0.0.1:9/v4", **options)


def test_an_event_hints_at_the_calls_of_its_service():
    items = [{"serviceOrderId": "7.0"}, {"serviceOrderId": "8.0"}, {"serviceOrderId": "7.0"}]
    assert adapter().hinted(event(service={"id": "s", "serviceOrderItem": items})) == ["7.0", "8.0"]


def test_an_event_of_a_monitor_hints_by_the_request_that_it_keeps():
    body = creation("7.0", LINE, OPEN)
    for kept in (body, json.dumps(body)):
        assert adapter().hinted(event(monitor={"id": "m-1", "request": {"body": kept}})) == ["7.0"]


def test_an_event_of_a_monitor_hints_by_its_id_alone_where_the_call_is_known():
    host = adapter()
    host._calls.keep("/monitor/m-1", "7.0")
    assert host.hinted(event(monitor={"id": "m-1"})) == ["7.0"]
    assert host.hinted(event(monitor={"id": "?", "href": "http://h/v4/monitor/m-1"})) == ["7.0"]
    assert host.hinted(event(monitor={"id": "m-2"})) == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"event": []}', b'{"event": {"service": 1}}', b"[" * 9999]
)
def test_garbage_hints_at_nothing(body):
    assert adapter().hinted(body) == []


def test_hints_are_bounded():
    items = [{"serviceOrderId": f"{n}.0"} for n in range(MAX_HINTS * 3)] + [{"serviceOrderId": "x" * 256}]
    assert len(adapter().hinted(event(service={"serviceOrderItem": items}))) == MAX_HINTS
    assert adapter().hinted(event(service={"serviceOrderItem": items[:1]}) + b" " * MAX_BODY) == []


@given(RESOURCES)
def test_whatever_a_host_writes_is_read_without_a_crash(resource):
    body = json.dumps(resource).encode()
    condition(resource, LINE)
    patch = change(resource, "7.0", LINE, OPEN)
    assert patch is None or condition(resource | patch, LINE) == OPEN
    assert isinstance(refusal(400, body).code, str)
    monitor_refusal(resource)
    monitor_path({}, body)
    assert all(isinstance(call, str) for call in adapter().hinted(body) + mentions(event(**resource))[0])


@given(st.text())
def test_no_run_of_seven_digits_is_ever_quoted(text):
    shown = quoted(text)
    run = 0
    for letter in shown:
        run = run + 1 if letter.isdigit() and letter.isdecimal() else 0
        assert run < 7


@pytest.mark.parametrize(
    "value", [b'"\\ud800"', b"1" * 5000, b"1" * 400, b"1e999", b"[" * 900 + b"]" * 900, b'{"value": {"value": 1}}']
)
def test_a_value_of_any_kind_is_read_or_the_hosts_failure(value):
    text = json.dumps(service(msisdn="MARK")).encode().replace(b'"MARK"', value)
    try:
        found = parse(text)
    except HostUnavailable:
        return
    assert condition(found, LINE) != OPEN
    assert change(found, "7.0", LINE, OPEN)["state"] == "active"


def test_what_was_learnt_is_bounded_and_the_oldest_goes_first():
    kept = BoundedDict(2)
    for name in ("a", "b", "a", "c"):
        kept.keep(name, 1)
    assert list(kept) == ["a", "c"]


def test_the_adapter_never_shows_its_token():
    assert "s3cret" not in repr(adapter(token="s3cret")) + str(adapter(token="s3cret"))
