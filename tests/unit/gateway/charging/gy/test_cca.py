"""An outcome is rendered as the same Credit-Control-Answer in every version: a repeat may come two days late."""

import pytest
from support.charging_fixture import UPDATE
from support.golden_answers import GOLDEN, SUCCESS, outcome

from gateway.charging import outcome as charging_outcome
from gateway.charging.gy import cca
from gateway.charging.outcome import ItemOutcome, Outcome
from gateway.charging.request import Item, Used, usage_digest
from protocols.diameter.codec import encode_avp
from protocols.diameter.generated import decode
from protocols.diameter.messages import CreditControlAnswer


@pytest.mark.parametrize(("came_to", "kept", "body"), GOLDEN.values(), ids=GOLDEN)
def test_a_stored_outcome_is_rendered_as_the_same_octets_in_every_version(came_to, kept, body):
    octets = bytes.fromhex(kept)
    assert charging_outcome.encode(came_to) == octets
    assert charging_outcome.decode(octets) == came_to
    assert cca.body(charging_outcome.decode(octets), b"pgw;1;1").hex() == body


def test_each_outcome_has_its_result_code():
    assert {code: int(result) for code, result in cca.RESULT_CODES.items()} == {
        Outcome.SUCCESS: 2001,
        Outcome.UNKNOWN_SESSION: 5002,
        Outcome.UNKNOWN_SUBSCRIBER: 5030,
        Outcome.SERVICE_DENIED: 4010,
        Outcome.CREDIT_LIMIT_REACHED: 4012,
        Outcome.RATING_FAILED: 5031,
    }
    assert set(cca.RESULT_CODES) == set(Outcome)


def test_the_digest_beside_an_outcome_is_the_same_in_every_version():
    items = (
        Item(10, (), (Used(1_000_000, 0, 0), Used(5, 6, 7)), 0),
        Item(11, (), (), 0),
        Item(None, (), (Used(0, 60, 0),), None),
    )
    assert usage_digest(items, UPDATE) == 2193183245


def test_a_field_that_a_later_version_adds_at_the_end_is_passed_over():
    came_to, kept, _ = GOLDEN["an end"]
    longer = bytes.fromhex("9b" + kept[2:]) + b"\xa3new"
    assert charging_outcome.decode(longer) == came_to


def test_an_answer_that_is_kept_rendered_has_the_number_of_each_request_and_the_units_of_its_own():
    head = encode_avp(263, b"s;1") + encode_avp(264, b"ocs.tpo.example") + encode_avp(296, b"tpo.example")
    for units in (10_000_000, 500, 10_000_000):
        for number in (0, 7, 2**32 - 1, 7):
            item = ItemOutcome(SUCCESS, 10, (), units)
            body = cca.body(outcome(SUCCESS, 2, number, "data", item), b"s;1")
            answer = decode(CreditControlAnswer, head + body, start=0)
            assert answer.cc_request_number == number
            assert answer.multiple_services_credit_control[0].granted_service_unit.cc_total_octets == units


def test_an_answer_that_names_its_session_is_not_kept_for_another():
    unknown = outcome(Outcome.UNKNOWN_SESSION, 3, 1, "data")
    assert cca.body(unknown, b"a;1") != cca.body(unknown, b"b;2")
