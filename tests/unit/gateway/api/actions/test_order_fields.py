"""What is asked of a SIM: the fields of each kind, and what is said of those that cannot be."""

import pytest
from support.sims_context_fixture import card, settings_of

from gateway.api.actions.order_fields import FIELDS, problem_of, read_key, read_kind, read_request
from gateway.api.conversion import to_request
from gateway.api.problems import Problem
from gateway.api.requests.orders import SimOrder
from provisioning.orders import Kind, OrderRefused, OrderRequest

ICCID, OTHER = card(1)["iccid"], card(2)["iccid"]
WHOLE = {"iccid": ICCID, "msisdn": "+447700900123", "plan": "payg-gb", "cause": "wateraid"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return settings_of(tmp_path_factory.mktemp("wishes"))


@pytest.mark.parametrize(
    ("kind", "given", "request_"),
    [
        (Kind.ACTIVATE, WHOLE, OrderRequest(msisdn="447700900123", plan="payg-gb", cause="wateraid")),
        (Kind.ACTIVATE, {**WHOLE, "cause": None, "reason": ""}, OrderRequest(msisdn="447700900123", plan="payg-gb")),
        (
            Kind.ACTIVATE,
            {**WHOLE, "msisdn": "07700900123"},
            OrderRequest(msisdn="447700900123", plan="payg-gb", cause="wateraid"),
        ),
        (
            Kind.ACTIVATE,
            {**WHOLE, "cause": "", "adopt": True},
            OrderRequest(msisdn="447700900123", plan="payg-gb", adopt=True),
        ),
        (Kind.ACTIVATE, {**WHOLE, "cause": "", "adopt": False}, OrderRequest(msisdn="447700900123", plan="payg-gb")),
        (
            Kind.ACTIVATE,
            {**WHOLE, "cause": "", "returning": True, "reason": "left by mistake"},
            OrderRequest(msisdn="447700900123", plan="payg-gb", returning=True, reason="left by mistake"),
        ),
        (Kind.SWAP, {"iccid": ICCID, "new_iccid": OTHER, "adopt": False}, OrderRequest(new_iccid=OTHER)),
        (Kind.SUSPEND, {"iccid": f" {ICCID}F", "reason": "credit"}, OrderRequest(reason="credit")),
        (Kind.RESUME, {"iccid": ICCID, "reason": "lost"}, OrderRequest(reason="lost")),
        (Kind.SWAP, {"iccid": ICCID, "new_iccid": OTHER}, OrderRequest(new_iccid=OTHER)),
        (Kind.TERMINATE, {"iccid": ICCID, "reason": "as asked"}, OrderRequest(reason="as asked")),
    ],
)
def test_a_wish_is_read_into_digits_and_words(settings, kind, given, request_):
    asked = read_request(kind, to_request(given, SimOrder), settings, "n" * 70)
    assert (asked.kind, asked.iccid, asked.request, asked.actor) == (kind, ICCID, request_, "n" * 64)


@pytest.mark.parametrize(
    ("kind", "change", "code", "said"),
    [
        (Kind.ACTIVATE, {"plan": ""}, "order.field", "plan: activate needs it"),
        (Kind.ACTIVATE, {"iccid": None}, "order.field", "iccid: activate needs it"),
        (Kind.ACTIVATE, {"new_iccid": OTHER}, "order.field", "new_iccid: is not for activate"),
        (Kind.ACTIVATE, {"colour": "red"}, "order.field", "colour: there is no such field"),
        (Kind.ACTIVATE, {"plan": 5}, "order.field", "plan: give a text of at most 255 characters"),
        (Kind.ACTIVATE, {"plan": "gold"}, "order.plan", "is none of bundle-gb, payg-gb, payg-us"),
        (Kind.ACTIVATE, {"cause": "cats"}, "order.cause", "is none of "),
        (Kind.ACTIVATE, {"msisdn": "2025550129"}, "identifier.msisdn", "country code"),
        (Kind.ACTIVATE, {"iccid": "8944"}, "identifier.iccid", "18 to 20"),
        (Kind.ACTIVATE, {"adopt": "true"}, "order.field", "adopt: give true or false"),
        (Kind.ACTIVATE, {"adopt": 1}, "order.field", "adopt: give true or false"),
        (Kind.SUSPEND, {"adopt": True}, "order.field", "adopt: is not for suspend"),
        (Kind.SWAP, {"returning": True}, "order.field", "returning: is not for swap"),
        (Kind.ACTIVATE, {"returning": True}, "order.field", "reason: returning needs it"),
        (Kind.ACTIVATE, {"returning": "yes"}, "order.field", "returning: give true or false"),
        (Kind.ACTIVATE, {"reason": "whim"}, "order.field", "reason: is not for activate without returning"),
        (Kind.SUSPEND, {"reason": "whim"}, "order.reason", "give one of customer, fraud, credit, lost"),
        (Kind.TERMINATE, {"reason": "r" * 65}, "order.reason", "at most 64"),
        (Kind.TERMINATE, {"reason": "a\nb"}, "order.reason", "printable"),
        (Kind.SWAP, {"new_iccid": "0"}, "identifier.iccid", "18 to 20"),
    ],
)
def test_a_wish_that_cannot_be_names_its_field(settings, kind, change, code, said):
    needed = {"iccid", *FIELDS[kind][0]}
    full = WHOLE | {"reason": "fraud", "new_iccid": OTHER}
    given = {name: full[name] for name in needed} | change
    with pytest.raises(Problem) as refused:
        read_request(kind, to_request(given, SimOrder), settings, "me")
    assert (refused.value.status, refused.value.code) == (400, code)
    assert said in refused.value.detail


@pytest.mark.parametrize("text", ["retire", "ACTIVATE", "", None, 5, ["activate"]])
def test_kinds_that_nobody_can_ask_for(text):
    with pytest.raises(Problem) as refused:
        read_kind(text)
    assert refused.value.code == "order.kind"


@pytest.mark.parametrize(
    ("code", "status"),
    [("sim.unknown", 404), ("order.plan", 400), ("order.busy", 409), ("order.quarantine", 409), ("sim.state", 409)],
)
def test_a_refusal_has_the_status_of_its_code(code, status):
    problem = problem_of(OrderRefused("no", code))
    assert (problem.status, problem.code, problem.detail) == (status, code, "no")


@pytest.mark.parametrize("key", ["a\x00", "a\nb", "caf\udce9", "\u202eabc", "x" * 256, 5])
def test_a_key_that_the_store_cannot_hold_or_a_reader_cannot_read_is_refused(key):
    with pytest.raises(Problem) as caught:
        read_key(key)
    assert (caught.value.status, caught.value.code) == (400, "order.key")
