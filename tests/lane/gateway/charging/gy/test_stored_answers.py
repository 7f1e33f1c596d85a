"""Answers that are stored: repeats get them on the terms of the first, whichever version wrote them."""

import msgspec
import pytest
from sqlalchemy import select, update
from support.charging_fixture import INITIAL, PENNY, TERMINATION, UPDATE, ccr, charging_place, service
from support.golden_answers import GOLDEN, SUCCESS, outcome
from support.one_batch import together

from gateway.charging import outcome as charging_outcome
from gateway.charging.credit_control import CreditControlUnit
from gateway.charging.gy import cca
from gateway.charging.gy import ccr as gy_ccr
from gateway.charging.outcome import ItemOutcome, OutcomeUnreadable, RenderedAnswer
from gateway.charging.tariff import QuotaTerms
from gateway.store import tables
from gateway.store.errors import UnitPoisoned

POUND, MEGABYTE = 100 * PENNY, 1_000_000


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
