"""An outcome is rendered as the same Credit-Control-Answer in every version: a repeat may come two days late."""

import msgspec
import pytest
from sqlalchemy import select, update
from support.charging_fixture import INITIAL, PENNY, TERMINATION, UPDATE, ccr, charging_place, service
from support.one_batch import together

from gateway.charging import outcome as charging_outcome
from gateway.charging.credit_control import CreditControlUnit
from gateway.charging.gy import cca
from gateway.charging.gy import ccr as gy_ccr
from gateway.charging.outcome import ItemOutcome, Outcome, OutcomeUnreadable, RenderedAnswer, RequestOutcome
from gateway.charging.request import Item, Used, usage_digest
from gateway.charging.tariff import QuotaTerms
from gateway.store import tables
from gateway.store.errors import UnitPoisoned
from protocols.diameter.codec import encode_avp
from protocols.diameter.generated import decode
from protocols.diameter.messages import CreditControlAnswer

POUND, MEGABYTE = 100 * PENNY, 1_000_000
SUCCESS, NO_CREDIT = Outcome.SUCCESS, Outcome.CREDIT_LIMIT_REACHED


def outcome(code, request_type, number, kind, *items, message=""):
    return RequestOutcome(code, request_type, number, kind, message, items, 3600, 20, 600)


GOLDEN = {
    "data with its threshold and holding time": (
        outcome(SUCCESS, 1, 0, "data", ItemOutcome(SUCCESS, 10, (5, 6), 10_000_000)),
        "9a01a7737563636573730100a464617461a09196a7737563636573730a920506ce00989680c2c2cd0e1014cd0258",
        (
            "0000010c4000000c000007d1000001024000000c00000004000001a04000000c000000010000019f4000000c00000000000001a2"
            "4000000c00000001000001c84000007c000001af40000018000001a5400000100000000000989680000001b74000000c00000005"
            "000001b74000000c00000006000001b04000000c0000000a000001c04000000c00000e100000010c4000000c000007d100000365"
            "c0000010000028af001e848000000367c0000010000028af00000258"
        ),
    ),
    "the last units, and none": (
        outcome(SUCCESS, 2, 1, "data", ItemOutcome(SUCCESS, 10, (), 500, final=True), ItemOutcome(NO_CREDIT, None, ())),
        (
            "9a01a7737563636573730201a464617461a09296a7737563636573730a90cd01f4c3c296b46372656469745f6c696d69745f7265"
            "6163686564c090c0c2c2cd0e1014cd0258"
        ),
        (
            "0000010c4000000c000007d1000001024000000c00000004000001a04000000c000000020000019f4000000c00000001000001c8"
            "40000068000001af40000018000001a54000001000000000000001f4000001b04000000c0000000a000001c04000000c00000e10"
            "0000010c4000000c000007d1000001ae40000014000001c14000000c0000000000000367c0000010000028af00000258000001c8"
            "400000140000010c4000000c00000fac"
        ),
    ),
    "a call": (
        outcome(SUCCESS, 1, 0, "voice", ItemOutcome(SUCCESS, 100, (), 300)),
        "9a01a7737563636573730100a5766f696365a09196a7737563636573736490cd012cc2c2cd0e1014cd0258",
        (
            "0000010c4000000c000007d1000001024000000c00000004000001a04000000c000000010000019f4000000c00000000000001a2"
            "4000000c00000001000001c840000050000001af40000014000001a44000000c0000012c000001b04000000c00000064000001c0"
            "4000000c00000e100000010c4000000c000007d100000364c0000010000028af0000003c"
        ),
    ),
    "a text at the command level": (
        outcome(SUCCESS, 4, 0, "sms", ItemOutcome(SUCCESS, None, (7,), 1, command_level=True)),
        "9a01a7737563636573730400a3736d73a09196a773756363657373c0910701c2c3cd0e1014cd0258",
        (
            "0000010c4000000c000007d1000001024000000c00000004000001a04000000c000000040000019f4000000c00000000000001af"
            "40000018000001a1400000100000000000000001000001c04000000c00000e10"
        ),
    ),
    "an end": (
        outcome(SUCCESS, 3, 2, "data", ItemOutcome(SUCCESS, 10, ())),
        "9a01a7737563636573730302a464617461a09196a7737563636573730a90c0c2c2cd0e1014cd0258",
        (
            "0000010c4000000c000007d1000001024000000c00000004000001a04000000c000000030000019f4000000c00000002000001c8"
            "40000020000001b04000000c0000000a0000010c4000000c000007d1"
        ),
    ),
    "no credit at the command level": (
        outcome(NO_CREDIT, 4, 0, "sms", ItemOutcome(NO_CREDIT, None, (), command_level=True)),
        (
            "9a01b46372656469745f6c696d69745f726561636865640400a3736d73a09196b46372656469745f6c696d69745f726561636865"
            "64c090c0c2c3cd0e1014cd0258"
        ),
        "0000010c4000000c00000fac000001024000000c00000004000001a04000000c000000040000019f4000000c00000000",
    ),
    "items that are refused": (
        outcome(
            SUCCESS,
            2,
            9,
            "data",
            ItemOutcome(Outcome.SERVICE_DENIED, 10, ()),
            ItemOutcome(Outcome.RATING_FAILED, 11, ()),
        ),
        (
            "9a01a7737563636573730209a464617461a09296ae736572766963655f64656e6965640a90c0c2c296ad726174696e675f666169"
            "6c65640b90c0c2c2cd0e1014cd0258"
        ),
        (
            "0000010c4000000c000007d1000001024000000c00000004000001a04000000c000000020000019f4000000c00000009000001c8"
            "40000020000001b04000000c0000000a0000010c4000000c00000faa000001c840000020000001b04000000c0000000b0000010c"
            "4000000c000013a7"
        ),
    ),
    "an unknown session": (
        outcome(Outcome.UNKNOWN_SESSION, 2, 3, "data", message="the session is not known, and no usage was reported"),
        (
            "9a01af756e6b6e6f776e5f73657373696f6e0203a464617461d9337468652073657373696f6e206973206e6f74206b6e6f776e2c"
            "20616e64206e6f20757361676520776173207265706f7274656490cd0e1014cd0258"
        ),
        (
            "0000010c4000000c0000138a000001024000000c00000004000001a04000000c000000020000019f4000000c0000000300000119"
            "0000003b7468652073657373696f6e206973206e6f74206b6e6f776e2c20616e64206e6f20757361676520776173207265706f72"
            "746564000000011740000018000001074000000f7067773b313b3100"
        ),
    ),
    "an unknown subscriber": (
        outcome(Outcome.UNKNOWN_SUBSCRIBER, 1, 0, "data", message="no subscriber has this Subscription-Id"),
        (
            "9a01b2756e6b6e6f776e5f737562736372696265720100a464617461d9266e6f2073756273637269626572206861732074686973"
            "20537562736372697074696f6e2d496490cd0e1014cd0258"
        ),
        (
            "0000010c4000000c000013a6000001024000000c00000004000001a04000000c000000010000019f4000000c0000000000000119"
            "0000002e6e6f207375627363726962657220686173207468697320537562736372697074696f6e2d49640000"
        ),
    ),
    "a line that is not served": (
        outcome(Outcome.SERVICE_DENIED, 1, 0, "data", message="the subscriber may not be served now"),
        (
            "9a01ae736572766963655f64656e6965640100a464617461d9247468652073756273637269626572206d6179206e6f7420626520"
            "736572766564206e6f7790cd0e1014cd0258"
        ),
        (
            "0000010c4000000c00000faa000001024000000c00000004000001a04000000c000000010000019f4000000c0000000000000119"
            "0000002c7468652073756273637269626572206d6179206e6f7420626520736572766564206e6f77"
        ),
    ),
    "a plan without a price": (
        outcome(Outcome.RATING_FAILED, 1, 0, "data", message="the subscriber's plan has no price here"),
        (
            "9a01ad726174696e675f6661696c65640100a464617461d9277468652073756273637269626572277320706c616e20686173206e"
            "6f207072696365206865726590cd0e1014cd0258"
        ),
        (
            "0000010c4000000c000013a7000001024000000c00000004000001a04000000c000000010000019f4000000c0000000000000119"
            "0000002f7468652073756273637269626572277320706c616e20686173206e6f207072696365206865726500"
        ),
    ),
}
"""What it is -> the outcome, its octets in the store, and the body of its answer."""


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/charging.db") as opened:
        yield opened


def stored(place):
    return {
        (row.request_type, row.request_number): row.body
        for row in place.read(select(tables.answers.c["request_type", "request_number", "body"]))
    }


def overwrite(place, number, body):
    """Put another version's octets in the place of a stored outcome."""
    with place.writer.begin() as connection:
        connection.execute(update(tables.answers).where(tables.answers.c.request_number == number).values(body=body))


def charges(place):
    return [row.price for row in place.read(select(tables.usage.c.price))]


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


def test_the_store_keeps_outcomes_and_no_diameter(place):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(TERMINATION, 1, service(used=[MEGABYTE])))
    kept = {key: charging_outcome.decode(body) for key, body in stored(place).items()}
    assert kept == {
        (1, 0): outcome(SUCCESS, 1, 0, "data", ItemOutcome(SUCCESS, 10, (), 10 * MEGABYTE)),
        (3, 1): outcome(SUCCESS, 3, 1, "data", ItemOutcome(SUCCESS, 10, ())),
    }


def test_an_answer_that_an_earlier_version_rendered_goes_out_as_it_was_stored(place):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    request = ccr(UPDATE, 1, service(used=[MEGABYTE], ask=0))
    place.ask(request)
    rendered = bytes.fromhex(GOLDEN["the last units, and none"][2])
    overwrite(place, 1, rendered)
    answer = place.ask(request)
    assert (place.last.outcome, place.last.repeated) == (RenderedAnswer(rendered), True)
    assert place.body == rendered
    assert [mscc.result_code for mscc in answer.multiple_services_credit_control] == [2001, 4012]
    assert charges(place) == [PENNY]


def test_a_repeat_is_answered_on_the_terms_of_its_first_answer(place):
    place.enrol(POUND)
    request = ccr(INITIAL, 0, service(ask=0))
    place.ask(request)
    first = place.body
    others = QuotaTerms(slice_octets=5, validity=60, threshold=50, quota_holding=1)
    place.policy.tariff = msgspec.structs.replace(place.policy.tariff, terms=others)
    place.ask(request)
    assert (place.body, place.last.repeated) == (first, True)


def test_a_repeat_within_one_batch_is_answered_like_the_first(place):
    place.enrol(POUND)
    request = ccr(INITIAL, 0, service(ask=0))
    asked = gy_ccr.read(request, "pgw.host.example", next(place.ticks), "GB")
    results = together(place.lane, *(CreditControlUnit(asked) for _ in range(3)))
    assert [result.repeated for result in results] == [False, True, True]
    assert len({cca.body(result.outcome, b"pgw;1;1") for result in results}) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"\x9a", bytes.fromhex("9a02" + GOLDEN["an end"][1][4:]), b"\xc0", GOLDEN["a call"][1].encode()],
    ids=["empty", "cut", "a later version", "nothing", "no msgpack"],
)
def test_an_outcome_that_cannot_be_read_is_refused_and_charges_nothing(place, body):
    with pytest.raises(OutcomeUnreadable, match="version 1"):
        charging_outcome.decode(body)
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    request = ccr(UPDATE, 1, service(used=[MEGABYTE], ask=0))
    place.ask(request)
    overwrite(place, 1, body)
    with pytest.raises(UnitPoisoned):
        place.ask(request)
    assert charges(place) == [PENNY]


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
