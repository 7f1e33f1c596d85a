"""Another number or plan for a line in service: at its host first, then in our books, with its history."""

import pytest
from sqlalchemy import select
from support.sims_fixture import NUMBER, OTHER_NUMBER, card

from gateway.balance.opening_balances import Enrol, Enrolment
from gateway.sims.subscriber_changes import ChangeNumber, ChangePlan, LineAtHost, SubscriberChanged
from gateway.store import tables
from gateway.subscribers.history import read
from gateway.subscribers.identifier_history import MSISDN
from provisioning.orders import OrderRefused, OrderState
from provisioning.sim_lifecycle import SimState

WHY = {"reason": "mistyped at import"}


def refused(place, kind, iccid, **request):
    outcome = place.lane.run(place.accepting(kind, iccid, **request))
    assert isinstance(outcome, OrderRefused), outcome
    return outcome.code


def changes(place, subscriber_id):
    with place.reader.connect() as connection:
        return [(row.change, row.before, row.after, row.actor, row.reason) for row in read(connection, subscriber_id)]


def plans(place, subscriber_id):
    rows = tables.subscriptions
    found = select(rows.c.plan).where(rows.c.subscriber_id == subscriber_id).order_by(rows.c.valid_from)
    return [row.plan for row in place.read(found)]


def test_a_line_gets_another_number_and_lets_the_old_one_go_into_quarantine(place):
    iccid, subscriber = place.live()
    order_id = place.carry_out("renumber", iccid, msisdn=OTHER_NUMBER, **WHY)
    assert (place.sim(iccid).msisdn, place.sim(iccid).state) == (OTHER_NUMBER, SimState.ACTIVE)
    assert (place.lines(NUMBER), place.lines(OTHER_NUMBER)) == ([(subscriber, False)], [(subscriber, True)])
    assert changes(place, subscriber) == [("number", "44********01", "44********02", "tester", WHY["reason"])]
    assert place.history(iccid)[-1] == ("amend", WHY["reason"], order_id)
    assert place.events()[-1] == "sim/renumbered"
    fresh = place.take_in(2)
    assert refused(place, "activate", fresh, msisdn=NUMBER, plan="payg-gb") == "order.quarantine"
    assert place.carry_out("renumber", iccid, msisdn=NUMBER, returning=True, reason="it was right")


def test_a_line_gets_another_plan_from_now_on(place):
    iccid, subscriber = place.live()
    order_id = place.carry_out("replan", iccid, plan="bundle-gb", **WHY)
    assert (place.sim(iccid).plan, plans(place, subscriber)) == ("bundle-gb", ["payg-gb", "bundle-gb"])
    assert changes(place, subscriber) == [("plan", "payg-gb", "bundle-gb", "tester", WHY["reason"])]
    assert place.history(iccid)[-1] == ("amend", WHY["reason"], order_id)
    assert place.events()[-1] == "sim/replanned"


def test_what_cannot_be_changed_says_why(place):
    iccid, _ = place.live()
    place.live(2, OTHER_NUMBER)
    assert refused(place, "renumber", iccid, msisdn=OTHER_NUMBER, **WHY) == "order.msisdn"
    assert refused(place, "renumber", iccid, msisdn=NUMBER, **WHY) == "order.msisdn"
    assert refused(place, "replan", iccid, plan="payg-gb", **WHY) == "order.plan"
    place.policy_of_sims(hosts={"payg-gb": "lab", "bundle-gb": "other"})
    assert refused(place, "replan", iccid, plan="bundle-gb", **WHY) == "order.plan"
    place.policy_of_sims(hosts={"payg-gb": "lab", "payg-us": "lab"}, currencies={"payg-gb": "GBP", "payg-us": "USD"})
    assert refused(place, "replan", iccid, plan="payg-us", **WHY) == "order.plan"
    place.policy_of_sims(countries={"lab": frozenset({"GB"})})
    assert refused(place, "renumber", iccid, msisdn="14165550123", **WHY) == "order.country"
    place.carry_out("suspend", iccid, reason="lost")
    assert refused(place, "renumber", iccid, msisdn="447700900109", **WHY) == "sim.state"


def test_a_number_that_somebody_got_meanwhile_is_given_back_to_the_host_and_the_line_stays_as_it_was(place):
    iccid, subscriber = place.live()
    order_id = place.accept("renumber", iccid, msisdn=OTHER_NUMBER, **WHY)
    assert place.step(order_id) == "host.renumber"
    place.live(2, OTHER_NUMBER)
    place.step(order_id)
    assert place.order(order_id).undoing
    assert place.finish(order_id).state is OrderState.COMPENSATED
    assert (place.sim(iccid).msisdn, place.lines(NUMBER)) == (NUMBER, [(subscriber, True)])
    assert place.sim(iccid).order_id is None


# Lines without a host


def imported(place, n=5, number="447700900105"):
    row = Enrolment(number, card(n)["imsi"], card(n)["iccid"], "payg-gb", "", 0)
    return place.lane.run(Enrol(row, "GBP")).subscriber_id


def test_a_line_without_a_card_of_ours_is_changed_in_the_books_at_once(place):
    subscriber = imported(place)
    number = "447700900105"
    assert place.lane.run(ChangePlan(MSISDN, number, "alice", "wrong plan", "bundle-gb")) == SubscriberChanged(
        subscriber
    )
    outcome = place.lane.run(ChangeNumber(MSISDN, number, "alice", "mistyped", OTHER_NUMBER))
    assert outcome == SubscriberChanged(subscriber)
    assert (plans(place, subscriber), place.lines(OTHER_NUMBER)) == (["payg-gb", "bundle-gb"], [(subscriber, True)])
    assert changes(place, subscriber) == [
        ("plan", "payg-gb", "bundle-gb", "alice", "wrong plan"),
        ("number", "44********05", "44********02", "alice", "mistyped"),
    ]


def test_a_card_that_was_adopted_without_a_host_is_changed_with_its_line(place):
    imported(place)
    place.policy_of_sims(hosts={})
    iccid = place.take_in(5)
    assert place.sim(iccid).host == ""
    place.lane.run(ChangePlan(MSISDN, "447700900105", "alice", "wrong plan", "bundle-gb"))
    place.lane.run(ChangeNumber(MSISDN, "447700900105", "alice", "mistyped", OTHER_NUMBER))
    assert (place.sim(iccid).plan, place.sim(iccid).msisdn) == ("bundle-gb", OTHER_NUMBER)
    assert [row[:2] for row in place.history(iccid)][1:] == [("amend", "wrong plan"), ("amend", "mistyped")]


def test_a_line_at_a_host_is_left_to_an_order(place):
    iccid, _ = place.live()
    assert place.lane.run(ChangePlan(MSISDN, NUMBER, "alice", "r", "bundle-gb")) == LineAtHost(iccid)
    assert place.lane.run(ChangeNumber(MSISDN, NUMBER, "alice", "r", OTHER_NUMBER)) == LineAtHost(iccid)


@pytest.mark.parametrize(
    ("unit", "code"),
    [
        (ChangePlan(MSISDN, "447700900105", "alice", "r", "payg-gb"), "order.plan"),
        (ChangePlan(MSISDN, "447700900105", "alice", "r", "payg-us"), "order.plan"),
        (ChangeNumber(MSISDN, "447700900105", "alice", "r", NUMBER), "order.msisdn"),
        (ChangeNumber(MSISDN, "447700900105", "alice", "r", OTHER_NUMBER, returning=True), "order.returning"),
    ],
)
def test_what_cannot_be_changed_in_the_books_changes_nothing(place, unit, code):
    subscriber = imported(place)
    place.live()
    assert place.lane.run(unit).code == code
    assert (plans(place, subscriber), changes(place, subscriber)) == (["payg-gb"], [])
