"""What units answer crosses from one process to another: values, refusals, errors."""

import pytest

from gateway.balance.changes import SubscriberUnknown
from gateway.balance.topups import PaymentRefused, TopUp
from gateway.charging.credit_control import CreditControlResult, CreditControlUnit
from gateway.charging.outcome import Outcome, RenderedAnswer, RequestOutcome
from gateway.context import OpenAccounts
from gateway.sims.order_steps import CancelOrder
from gateway.store import unit_codec
from gateway.store.batch import Unit
from gateway.store.errors import LaneLost, OutcomeUnknown, StoreError, StoreFenced, StoreUnavailable, UnitPoisoned
from provisioning.orders import OrderRefused


def cross(unit, answer):
    return unit_codec.read_answer(unit, unit_codec.member_of(unit, answer), unit_codec.encode(answer))


@pytest.mark.parametrize(
    ("unit", "answer"),
    [
        (CreditControlUnit, CreditControlResult(RenderedAnswer(b"\0\1"), [], repeated=True)),
        (
            CreditControlUnit,
            CreditControlResult(RequestOutcome(Outcome.SUCCESS, 1, 0, "data", "", (), 3600, 20, 0), ["an.alarm"]),
        ),
        (OpenAccounts, {"revenue": 7}),
        (CancelOrder, None),
    ],
)
def test_an_answer_is_read_as_it_was_given(unit, answer):
    assert cross(unit, answer) == (answer, None)


def test_a_refusal_that_is_an_exception_keeps_its_class_its_words_and_its_code():
    answer, error = cross(TopUp, PaymentRefused("payment.currency", "the wallet is in GBP"))
    assert error is None
    assert (type(answer), str(answer), answer.code) == (PaymentRefused, "the wallet is in GBP", "payment.currency")
    assert str(cross(TopUp, SubscriberUnknown("nobody"))[0]) == "nobody"
    assert cross(CancelOrder, OrderRefused("done already", "order.done"))[0].code == "order.done"


@pytest.mark.parametrize("kind", [UnitPoisoned, OutcomeUnknown, StoreFenced, StoreUnavailable, LaneLost, StoreError])
def test_an_error_keeps_its_class_and_its_words(kind):
    written = unit_codec.encode(unit_codec.failure(kind("why")))
    answer, error = unit_codec.read_answer(OpenAccounts, unit_codec.FAILED, written)
    assert (answer, type(error), str(error)) == (None, kind, "why")


def test_an_answer_that_a_unit_does_not_say_is_an_error_at_once():
    with pytest.raises(TypeError, match="OpenAccounts answered with str"):
        unit_codec.member_of(OpenAccounts, "words")


def test_an_answer_that_cannot_be_read_leaves_its_outcome_unknown():
    assert isinstance(unit_codec.read_answer(OpenAccounts, 0, unit_codec.encode("words"))[1], OutcomeUnknown)
    assert isinstance(unit_codec.read_answer(OpenAccounts, 5, unit_codec.encode({}))[1], OutcomeUnknown)


def test_a_unit_that_does_not_say_what_it_answers_is_an_error():
    class Silent(Unit):
        def decide(self, batch) -> object:
            return None

    class Unsaid(Unit):
        pass

    assert unit_codec.answer_types(Silent) == (object,)
    with pytest.raises(TypeError, match="Unsaid"):
        unit_codec.answer_types(Unsaid)
