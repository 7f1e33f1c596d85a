"""Accepting orders: what is refused and why, repeated requests, and races for one card or one number."""

import itertools

import pytest
from sqlalchemy import func, select
from support.sims_fixture import NUMBER, OTHER_NUMBER, QUARANTINE, card

from gateway.balance.opening_balances import Enrol, Enrolment
from gateway.sims.accept_order import Asked, CheckOrder, Taken
from gateway.sims.order_steps import CancelOrder, RetryOrder
from gateway.store import tables
from gateway.store.idempotency import Digests
from provisioning.orders import Kind, OrderRefused, OrderRequest, OrderState
from provisioning.sim_lifecycle import SimState, SuspendReason

ACTIVATE = {"msisdn": NUMBER, "plan": "payg-gb"}
UNKNOWN = card(99)["iccid"]


def refused(place, kind, iccid, **options):
    """The code of a refusal; nothing has changed by it."""
    before = everything(place)
    told = place.lane.run(place.accepting(kind, iccid, **options))
    assert isinstance(told, OrderRefused), told
    assert everything(place) == before
    assert options.get("msisdn", "-") not in str(told)
    return told.code


def everything(place):
    kept = (tables.sims, tables.orders, tables.sim_history, tables.idempotency_keys)
    return [place.read(select(table)) for table in kept]


def test_an_accepted_order_holds_its_card_and_is_on_disk(place):
    iccid = place.take_in()
    taken = place.lane.run(place.accepting("activate", iccid, **ACTIVATE))
    assert taken == Taken(taken.order_id)
    order, sim = place.order(taken.order_id), place.sim(iccid)
    assert (order.kind, order.state, order.host, order.actor) == (Kind.ACTIVATE, OrderState.ACCEPTED, "lab", "tester")
    assert (sim.state, sim.order_id, sim.msisdn, sim.plan) == (SimState.RESERVED, order.id, NUMBER, "payg-gb")
    assert (sim.host, sim.subscriber_id) == ("lab", None)
    assert place.history(iccid) == [("reserve", "", order.id)]


# Idempotency keys


def test_a_key_that_is_used_again_gives_the_same_order(place):
    iccid = place.take_in()
    first = place.lane.run(place.accepting("activate", iccid, key="k1", **ACTIVATE))
    again = place.lane.run(place.accepting("activate", iccid, key="k1", **ACTIVATE))
    place.finish(first.order_id)
    later = place.lane.run(place.accepting("activate", iccid, key="k1", **ACTIVATE))
    assert again == later == Taken(first.order_id, repeated=True)
    assert place.read(select(func.count()).select_from(tables.orders)) == [(1,)]


@pytest.mark.parametrize(
    ("kind", "n", "request_"),
    [
        ("activate", 1, ACTIVATE | {"msisdn": OTHER_NUMBER}),
        ("activate", 1, ACTIVATE | {"cause": "wwf"}),
        ("activate", 2, ACTIVATE),
        ("terminate", 1, {}),
    ],
)
def test_a_key_that_was_used_for_something_else_is_refused(place, kind, n, request_):
    cards = {n: place.take_in(n) for n in (1, 2)}
    place.accept("activate", cards[1], key="k1", **ACTIVATE)
    assert refused(place, kind, cards[n], key="k1", **request_) == "order.key"


def test_a_wish_that_adopts_is_another_one_and_other_wishes_are_told_as_they_always_were():
    def told(**more):
        request = OrderRequest(msisdn="44", plan="p", cause="c", **more)
        return Asked(Kind.ACTIVATE, "89441", request, "tester").digest(digests)

    digests = Digests(b"a key of tests alone")
    assert told() == digests("activate", "89441", "44", "p", "c", "", "")
    assert told(adopt=True) != told()


def test_a_key_belongs_to_its_client(place):
    first, second = place.take_in(1), place.take_in(2)
    place.accept("activate", first, key="k1", client="shop", **ACTIVATE)
    taken = place.lane.run(
        place.accepting("activate", second, key="k1", client="app", msisdn=OTHER_NUMBER, plan="payg-gb")
    )
    assert taken.repeated is False


def test_a_refused_wish_does_not_use_its_key_up(place):
    iccid = place.take_in()
    assert refused(place, "suspend", iccid, key="k1", reason="lost") == "sim.state"
    assert place.lane.run(place.accepting("activate", iccid, key="k1", **ACTIVATE)).repeated is False


def test_the_same_key_twice_in_one_batch_is_one_order(place):
    iccid = place.take_in()
    first, second = place.together(*(place.accepting("activate", iccid, key="k1", **ACTIVATE) for _ in range(2)))
    assert (second.order_id, second.repeated) == (first.order_id, True)


# Cards


@pytest.mark.parametrize(
    ("kind", "request_"),
    [
        ("activate", ACTIVATE),
        ("suspend", {"reason": "lost"}),
        ("resume", {"reason": "lost"}),
        ("swap", {"new_iccid": card(2)["iccid"]}),
        ("terminate", {}),
        ("retire", {}),
    ],
)
def test_a_card_that_is_not_in_the_inventory_is_refused(place, kind, request_):
    assert refused(place, kind, UNKNOWN, **request_) == "sim.unknown"


STATES = [
    ("activate", ACTIVATE | {"msisdn": OTHER_NUMBER}, {SimState.IN_STOCK}),
    ("suspend", {"reason": "fraud"}, {SimState.ACTIVE, SimState.SUSPENDED}),
    ("resume", {"reason": "lost"}, {SimState.SUSPENDED}),
    ("swap", {"new_iccid": card(2)["iccid"]}, {SimState.ACTIVE, SimState.SUSPENDED}),
    ("terminate", {}, {SimState.ACTIVE, SimState.SUSPENDED}),
    ("retire", {}, {SimState.QUARANTINED}),
]


@pytest.mark.parametrize(("kind", "request_", "allowed"), STATES)
def test_each_kind_is_accepted_in_its_states_and_refused_in_all_others(place, kind, request_, allowed):
    place.take_in(2)
    for state in SimState:
        iccid, n = place.take_in(10 + list(SimState).index(state)), list(SimState).index(state)
        place.set_card(iccid, state=state, host="lab", msisdn=f"4477009002{n:02}", free_at=1, suspended_for="lost")
        if state in allowed:
            order_id = place.accept(kind, iccid, **request_)
            if kind not in ("suspend", "terminate"):
                place.lane.run(CancelOrder(order_id))
        else:
            assert refused(place, kind, iccid, **request_) == "sim.state"


@pytest.mark.parametrize("kind", ["suspend", "resume", "terminate"])
def test_a_card_that_an_order_works_on_is_refused(place, kind):
    iccid, _ = place.live()
    place.accept("suspend", iccid, reason="lost")
    reason = {} if kind == "terminate" else {"reason": "lost"}
    assert refused(place, kind, iccid, **reason) == "order.busy"


def test_a_failed_activation_keeps_its_card_until_somebody_decides(place):
    iccid = place.take_in()
    order_id = place.accept("activate", iccid, **ACTIVATE)
    place.refuse(order_id)
    place.refuse(order_id)  # the undoing as well
    assert (place.order(order_id).state, place.sim(iccid).state) == (OrderState.FAILED, SimState.FAILED)
    assert refused(place, "activate", iccid, **ACTIVATE) == "order.busy"
    place.lane.run(RetryOrder(order_id))
    assert place.finish(order_id).state is OrderState.COMPENSATED
    assert place.carry_out("activate", iccid, **ACTIVATE)


@pytest.mark.parametrize("kind", ["suspend", "terminate"])
def test_two_orders_on_one_card_in_one_batch_are_one_order(place, kind):
    iccid, _ = place.live()
    reason = {} if kind == "terminate" else {"reason": "lost"}
    first, second = place.together(
        place.accepting(kind, iccid, **reason), place.accepting("suspend", iccid, reason="fraud")
    )
    assert isinstance(first, Taken)
    assert second.code == "order.busy"
    assert SuspendReason.FRAUD not in place.sim(iccid).suspended_for


def test_a_plan_that_no_host_serves_is_refused(place):
    assert refused(place, "activate", place.take_in(), msisdn=NUMBER, plan="no-host") == "order.plan"


# Reasons and swaps


def test_a_resume_for_a_reason_that_does_not_hold_is_refused(place):
    iccid, _ = place.live()
    place.carry_out("suspend", iccid, reason="credit")
    assert refused(place, "resume", iccid, reason="fraud") == "sim.reason"


@pytest.mark.parametrize("reasons", [["fraud"], ["credit"], ["customer"], ["lost", "fraud"]])
def test_a_line_that_is_suspended_for_more_than_its_lost_card_is_not_swapped(place, reasons):
    iccid, _ = place.live()
    for reason in reasons:
        place.carry_out("suspend", iccid, reason=reason)
    assert refused(place, "swap", iccid, new_iccid=place.take_in(2)) == "sim.reason"


def test_a_lost_card_is_swapped(place):
    iccid, _ = place.live()
    place.carry_out("suspend", iccid, reason="lost")
    assert place.carry_out("swap", iccid, new_iccid=place.take_in(2))


def test_a_card_is_not_swapped_for_itself(place):
    iccid, _ = place.live()
    assert refused(place, "swap", iccid, new_iccid=iccid) == "sim.same"


def test_the_new_card_of_a_swap_has_to_be_there_free_and_in_stock(place):
    iccid, _ = place.live()
    other, _ = place.live(2, OTHER_NUMBER)
    busy = place.take_in(3)
    place.accept("activate", busy, msisdn="447700900103", plan="payg-gb")
    assert refused(place, "swap", iccid, new_iccid=UNKNOWN) == "sim.unknown"
    assert refused(place, "swap", iccid, new_iccid=other) == "sim.state"
    assert refused(place, "swap", iccid, new_iccid=busy) == "order.busy"


def test_two_swaps_for_one_new_card_in_one_batch_are_one_swap(place):
    cards = [place.live(1)[0], place.live(2, OTHER_NUMBER)[0]]
    new = place.take_in(3)
    first, second = place.together(*(place.accepting("swap", iccid, new_iccid=new) for iccid in cards))
    assert isinstance(first, Taken)
    assert second.code == "order.busy"
    assert (place.sim(cards[0]).order_id, place.sim(cards[1]).order_id) == (first.order_id, None)


def test_a_card_is_not_retired_before_its_quarantine_is_over(place):
    iccid, _ = place.live()
    place.carry_out("terminate", iccid)
    assert refused(place, "retire", iccid) == "sim.quarantine"
    place.later(QUARANTINE)
    assert place.carry_out("retire", iccid)


# Numbers


def test_a_number_of_a_line_is_refused(place):
    place.live()
    assert refused(place, "activate", place.take_in(2), **ACTIVATE) == "order.msisdn"


def test_a_number_of_an_imported_customer_is_refused(place):
    row = Enrolment(NUMBER, card(7)["imsi"], card(7)["iccid"], "payg-gb", "", 0)
    place.lane.run(Enrol(row, "GBP"))
    assert refused(place, "activate", place.take_in(), **ACTIVATE) == "order.msisdn"


def test_a_number_that_is_promised_is_refused_until_its_order_is_taken_back(place):
    first, second = place.take_in(1), place.take_in(2)
    order_id = place.accept("activate", first, **ACTIVATE)
    assert refused(place, "activate", second, **ACTIVATE) == "order.msisdn"
    place.lane.run(CancelOrder(order_id))
    assert place.sim(first).msisdn is None
    assert place.carry_out("activate", second, **ACTIVATE)


def test_a_number_of_an_order_that_was_compensated_is_free_at_once(place):
    first, second = place.take_in(1), place.take_in(2)
    order_id = place.accept("activate", first, **ACTIVATE)
    place.refuse(order_id)
    assert place.finish(order_id).state is OrderState.COMPENSATED
    sim = place.sim(first)
    assert (sim.state, sim.msisdn, sim.plan, sim.host, sim.observed) == (SimState.IN_STOCK, None, "", "", "unknown")
    assert place.carry_out("activate", second, **ACTIVATE)


def test_two_activations_in_one_batch_do_not_get_one_number(place):
    cards = [place.take_in(n) for n in (1, 2, 3)]
    told = place.together(*(place.accepting("activate", iccid, **ACTIVATE) for iccid in cards))
    assert [isinstance(each, Taken) for each in told] == [True, False, False]
    assert {each.code for each in told[1:]} == {"order.msisdn"}
    assert [place.sim(iccid).msisdn for iccid in cards] == [NUMBER, None, None]
    place.finish(told[0].order_id)


def test_a_number_in_quarantine_is_refused_and_the_refusal_says_for_how_long(place):
    iccid, first = place.live()
    place.carry_out("terminate", iccid)
    fresh = place.take_in(2)
    assert refused(place, "activate", fresh, **ACTIVATE) == "order.quarantine"
    told = place.lane.run(place.accepting("activate", fresh, **ACTIVATE))
    assert "for 1 more days" in str(told)
    place.later(QUARANTINE)
    assert place.carry_out("activate", fresh, **ACTIVATE)
    assert place.lines(NUMBER) == [(first, False), (place.sim(fresh).subscriber_id, True)]


def test_the_last_customer_of_a_number_has_it_back_out_of_quarantine_and_history_says_why(place):
    iccid, _ = place.live()
    place.carry_out("terminate", iccid)
    fresh = place.take_in(2)
    order_id = place.carry_out("activate", fresh, **ACTIVATE, returning=True, reason="ended by mistake")
    assert place.sim(fresh).msisdn == NUMBER
    assert {(reason, order) for _, reason, order in place.history(fresh)} == {("ended by mistake", order_id)}


def test_a_number_that_is_in_no_quarantine_needs_no_way_out_of_one(place):
    back = {"returning": True, "reason": "ended by mistake"}
    assert refused(place, "activate", place.take_in(1), **ACTIVATE, **back) == "order.returning"
    place.live(2)
    assert refused(place, "activate", place.take_in(3), **ACTIVATE, **back) == "order.msisdn"


def test_an_order_out_of_quarantine_is_another_one_than_without_and_older_digests_stay_as_they_were(place):
    digests = Digests(b"key")
    plain, other = OrderRequest(**ACTIVATE, reason="r"), OrderRequest(**ACTIVATE, reason="r", returning=True)
    of = [Asked(Kind.ACTIVATE, "89", request, "me").digest(digests) for request in (plain, other)]
    assert of == [digests(Kind.ACTIVATE, "89", NUMBER, "payg-gb", "", "r", "", *more) for more in ((), ("returning",))]


# A country's numbers


ABROAD = "14165550123"


def test_a_number_of_another_country_than_the_hosts_is_refused(place):
    place.policy_of_sims(countries={"lab": frozenset({"GB"})})
    assert refused(place, "activate", place.take_in(), msisdn=ABROAD, plan="payg-gb") == "order.country"


def test_an_imsi_of_another_country_than_the_hosts_is_refused(place):
    place.policy_of_sims(countries={"lab": frozenset({"GB"})})
    american = place.take_in(imsi="310260000000001")
    assert refused(place, "activate", american, **ACTIVATE) == "order.country"
    live, _ = place.live(2)
    assert refused(place, "swap", live, new_iccid=american) == "order.country"


@pytest.mark.parametrize("countries", [{"lab": frozenset({"GB", "US", "CA"})}, {"lab": frozenset()}, {}])
def test_a_host_of_several_countries_or_of_any_takes_their_numbers(place, countries):
    place.policy_of_sims(countries=countries)
    place.carry_out("activate", place.take_in(imsi="310260000000001"), msisdn=ABROAD, plan="payg-gb")


# Looking whether an order would be accepted


def checked(place, kind, iccid, key=None, **request):
    """Check an order as `sim bulk --dry-run` does; gives the code of its refusal. Nothing is written."""
    before = everything(place)
    told = place.lane.run(CheckOrder("shop", key, place.accepting(kind, iccid, **request).asked))
    assert everything(place) == before
    return told and told.code


def test_a_check_says_what_an_order_would_be_told_and_writes_nothing(place):
    iccid = place.take_in(1)
    assert checked(place, "activate", iccid, **ACTIVATE) is None
    assert checked(place, "activate", UNKNOWN, **ACTIVATE) == "sim.unknown"
    assert checked(place, "activate", iccid, msisdn=NUMBER, plan="payg-us") == "order.plan"
    live, _ = place.live(2)
    assert checked(place, "activate", iccid, **ACTIVATE) == "order.msisdn"
    assert checked(place, "activate", live, msisdn=OTHER_NUMBER, plan="payg-gb") == "sim.state"
    assert checked(place, "resume", live, reason="lost") == "sim.state"
    assert checked(place, "swap", live, new_iccid=live) == "sim.same"
    assert checked(place, "suspend", live, reason="lost") is None
    place.accept("suspend", live, reason="lost")
    assert checked(place, "terminate", live) == "order.busy"


def test_a_check_names_a_number_in_quarantine_and_one_of_another_country(place):
    iccid, _ = place.live()
    place.carry_out("terminate", iccid)
    fresh = place.take_in(2)
    assert checked(place, "activate", fresh, **ACTIVATE) == "order.quarantine"
    place.policy_of_sims(countries={"lab": frozenset({"US"})})
    assert checked(place, "activate", fresh, **ACTIVATE) == "order.country"


def test_a_check_of_what_was_ordered_before_finds_that_order_unless_it_was_taken_back(place):
    iccid = place.take_in(1)
    order_id = place.accept("activate", iccid, key="k", **ACTIVATE)
    assert checked(place, "activate", iccid, key="k", **ACTIVATE) is None
    assert checked(place, "activate", iccid, key="k", msisdn=OTHER_NUMBER, plan="payg-gb") == "order.key"
    place.refuse(order_id)
    place.finish(order_id)
    assert place.order(order_id).state is OrderState.COMPENSATED
    place.live(2)
    assert checked(place, "activate", iccid, key="k", **ACTIVATE) == "order.msisdn"


# Retrying and cancelling what stands


@pytest.mark.parametrize("unit", [RetryOrder, CancelOrder])
def test_there_is_nothing_to_decide_of_an_order_that_is_not_there(place, unit):
    assert place.lane.run(unit(12345)) is None


def test_an_order_that_failed_is_not_retried_once_another_one_changed_the_card(place):
    iccid, _ = place.live()
    place.carry_out("suspend", iccid, reason="fraud")
    resume = place.accept("resume", iccid, reason="fraud")
    place.refuse(resume)
    place.refuse(resume)
    assert place.order(resume).state is OrderState.FAILED
    place.carry_out("suspend", iccid, reason="credit")
    for unit in (RetryOrder, CancelOrder):
        assert place.lane.run(unit(resume)).code in ("order.stale", "order.state")
    assert place.order(resume).state is OrderState.FAILED
    assert place.sim(iccid).suspended_for == {SuspendReason.FRAUD, SuspendReason.CREDIT}


def test_a_failed_suspension_is_not_repeated_after_the_line_was_resumed(place):
    iccid, _ = place.live()
    suspend = place.accept("suspend", iccid, reason="credit")
    place.step(suspend)
    place.refuse(suspend)
    place.carry_out("resume", iccid, reason="credit")
    assert place.lane.run(RetryOrder(suspend)).code == "order.stale"


def set_back(place):
    back = next(place.ticks) - 3_600_000_000
    place.ticks = itertools.count(back, 1_000)


def test_a_failed_order_whose_card_nobody_changed_is_retried_although_the_clock_was_set_back_meanwhile(place):
    iccid, _ = place.live()
    suspend = place.accept("suspend", iccid, reason="credit")
    place.step(suspend)
    set_back(place)
    place.refuse(suspend)
    set_back(place)
    assert place.lane.run(RetryOrder(suspend)).state is OrderState.RUNNING


def test_a_failed_order_that_keeps_its_card_is_retried_although_the_clock_was_set_back_meanwhile(place):
    iccid, _ = place.live()
    order_id = place.accept("terminate", iccid)
    place.step(order_id)
    set_back(place)
    place.refuse(order_id)
    assert place.lane.run(RetryOrder(order_id)).state is OrderState.RUNNING


def test_a_change_of_the_card_counts_although_the_clock_was_set_back_before_it(place):
    iccid, _ = place.live()
    suspend = place.accept("suspend", iccid, reason="credit")
    place.step(suspend)
    place.refuse(suspend)
    set_back(place)
    place.carry_out("resume", iccid, reason="credit")
    assert place.lane.run(RetryOrder(suspend)).code == "order.stale"


def test_a_failed_order_is_not_retried_while_another_one_works_on_its_card(place):
    iccid, _ = place.live()
    suspend = place.accept("suspend", iccid, reason="credit")
    place.step(suspend)
    place.refuse(suspend)
    place.accept("suspend", iccid, reason="fraud")
    assert place.lane.run(RetryOrder(suspend)).code == "order.busy"


def test_a_failed_termination_is_retried_to_its_end(place):
    iccid, owner = place.live()
    order_id = place.accept("terminate", iccid)
    place.step(order_id)
    place.refuse(order_id)
    assert (place.sim(iccid).state, place.wallet(owner)[2]) == (SimState.TERMINATING, "closing")
    place.lane.run(RetryOrder(order_id))
    assert place.sim(iccid).order_id == order_id
    assert place.finish(order_id).state is OrderState.DONE
    assert place.sim(iccid).state is SimState.QUARANTINED


@pytest.mark.parametrize("kind", ["suspend", "terminate"])
def test_what_holds_from_the_moment_it_is_accepted_is_not_cancelled(place, kind):
    iccid, _ = place.live()
    reason = {} if kind == "terminate" else {"reason": "lost"}
    order_id = place.accept(kind, iccid, **reason)
    assert place.lane.run(CancelOrder(order_id)).code == "order.state"
    assert place.finish(order_id).state is OrderState.DONE


def test_a_cancelled_swap_leaves_the_new_card_as_it_was_in_stock(place):
    iccid, _ = place.live()
    new = place.take_in(2)
    before = place.sim(new)
    order_id = place.accept("swap", iccid, new_iccid=new)
    place.lane.run(CancelOrder(order_id))
    after = place.sim(new)
    assert (after.state, after.plan, after.host, after.order_id) == (before.state, "", "", None)
    assert (place.sim(iccid).state, place.sim(iccid).msisdn) == (SimState.ACTIVE, NUMBER)


def test_a_cancelled_retirement_leaves_the_card_with_its_host(place):
    iccid, _ = place.live()
    place.carry_out("swap", iccid, new_iccid=place.take_in(2))
    place.later(QUARANTINE)
    place.lane.run(CancelOrder(place.accept("retire", iccid)))
    assert (place.sim(iccid).state, place.sim(iccid).host) == (SimState.QUARANTINED, "lab")
    place.carry_out("retire", iccid)
