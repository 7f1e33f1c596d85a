"""What the house does in an order: each effect with its mark at once and once, and the books right after it."""

import pytest
from sqlalchemy import select
from support.charging_fixture import INITIAL, PENNY, TERMINATION, UPDATE, ccr, service
from support.lane_fixture import chosen
from support.sims_fixture import NUMBER, OTHER_NUMBER, QUARANTINE, card

from gateway.balance.line_terms import SetCreditLimit
from gateway.balance.refunds import RefundUsage, charged
from gateway.balance.topups import Payment
from gateway.billing.closing import BeginClose, WriteBills
from gateway.billing.content import Content, write_content
from gateway.billing.payments import PayBill
from gateway.billing.reading import Draft
from gateway.sims.order_steps import CancelOrder
from gateway.store import tables
from provisioning.orders import Mark, OrderState
from provisioning.sim_lifecycle import SimState, SuspendReason

POUND = 100 * PENNY
HELD = 10 * PENNY
"""What a session holds for its first slice."""
MEGABYTE = 1_000_000
"""Octets for a penny."""
IMSI = card(1)["imsi"]
SERVED, DENIED, UNKNOWN = 2001, 4010, 5030


def right(place):
    assert place.findings() == []


def ask(place, request_type, number, *services, imsi=IMSI, session="pgw;1;1"):
    """The result of a request, or that of its one service where it speaks for itself."""
    answer = place.ask(ccr(request_type, number, *services, imsi=imsi, session=session))
    told = [mscc.result_code for mscc in answer.multiple_services_credit_control if mscc.result_code]
    return told[0] if answer.result_code == SERVED and told else answer.result_code


def brought_to(place, kind, iccid, step, **request):
    """Accept an order and do what comes before a step; gives its id."""
    order_id = place.accept(kind, iccid, **request)
    while place.move(order_id).step.name != step:
        place.step(order_id)
    return order_id


def count(place, table):
    return len(place.read(select(table.c.id)))


# Enable


def test_a_line_comes_to_life_all_at_once(place):
    iccid = place.take_in()
    order_id = brought_to(place, "activate", iccid, "line.enable", msisdn=NUMBER, plan="payg-gb", cause="wwf")
    assert [count(place, table) for table in (tables.subscribers, tables.lines, tables.texts)] == [0, 0, 0]
    place.step(order_id)
    sim, order = place.sim(iccid), place.order(order_id)
    owner = sim.subscriber_id
    assert (sim.state, sim.order_id, order.state) == (SimState.ACTIVE, None, OrderState.DONE)
    assert place.wallet(owner) == (0, 0, "active")
    assert [place.lines(number) for number in (NUMBER, IMSI, iccid)] == [[(owner, True)]] * 3
    plans = tables.subscriptions
    assert place.read(select(plans.c.subscriber_id, plans.c.plan)) == [(owner, "payg-gb")]
    assert chosen(place) == [(owner, "wwf", 10_000)]
    assert place.events() == ["sim/activated"]
    assert place.history(iccid) == [("reserve", "", order_id), ("begin", "", order_id), ("enabled", "", order_id)]


def test_a_new_customer_is_welcomed_by_one_text_whatever_they_opted_out_of(place):
    place.live()
    rows = tables.texts
    texts = place.read(select(rows.c.destination, rows.c.body, rows.c.payer, rows.c.always))
    assert [tuple(text) for text in texts] == [(NUMBER, "welcome to you", None, 1)]
    assert [text.destination for text in place.sent] == [NUMBER]


def test_without_words_no_text_is_sent(place):
    place.policy_of_sims(compose=lambda *_: None)
    place.live()
    assert (place.sent, count(place, tables.texts)) == ([], 0)


def test_a_customer_who_chose_no_cause_has_no_choice(place):
    _, owner = place.live(cause="")
    assert place.read(select(tables.choices)) == []
    assert place.wallet(owner) == (0, 0, "active")


@pytest.mark.parametrize("at_once", [True, False])
def test_a_line_that_is_enabled_twice_is_enabled_once(place, at_once):
    iccid = place.take_in()
    order_id = brought_to(place, "activate", iccid, "line.enable", msisdn=NUMBER, plan="payg-gb")
    units = [place.house_step(order_id) for _ in range(2)]
    first, second = place.together(*units) if at_once else map(place.lane.run, units)
    assert (len(first.texts), second.texts) == (1, [])
    assert second.order.state is OrderState.DONE
    assert [count(place, table) for table in (tables.subscribers, tables.lines, tables.texts)] == [1, 3, 1]
    assert place.events() == ["sim/activated"]


def test_a_line_is_not_enabled_once_its_order_was_turned_round(place):
    iccid = place.take_in()
    order_id = brought_to(place, "activate", iccid, "line.enable", msisdn=NUMBER, plan="payg-gb")
    unit = place.house_step(order_id)
    _, effect = place.together(CancelOrder(order_id), unit)
    assert effect.texts == []
    assert place.finish(order_id).state is OrderState.COMPENSATED
    assert (count(place, tables.subscribers), place.lines(NUMBER)) == (0, [])
    assert (place.sim(iccid).state, place.sim(iccid).msisdn) == (SimState.IN_STOCK, None)


def test_an_enabled_line_is_charged_and_its_tenth_goes_to_its_cause(place):
    _, owner = place.live(balance=POUND)
    assert ask(place, INITIAL, 0, service(ask=0)) == SERVED
    assert ask(place, TERMINATION, 1, service(used=[5 * MEGABYTE])) == SERVED
    assert place.wallet(owner) == (POUND - 5 * PENNY, 0, "active")
    ((_, credit, amount),) = place.booked("accrual")
    assert (credit, amount) == (place.books.account("cause:wateraid"), PENNY // 2)


# Bar and unbar


def test_a_barred_customer_opens_no_session_and_gets_nothing_more_in_an_open_one(place):
    iccid, owner = place.live(balance=POUND)
    assert ask(place, INITIAL, 0, service(ask=0)) == SERVED
    order_id = place.accept("suspend", iccid, reason="fraud")
    place.step(order_id)  # before the host knows
    assert place.wallet(owner)[2] == "suspended"
    assert ask(place, UPDATE, 1, service(used=[MEGABYTE], ask=0)) == DENIED
    assert ask(place, INITIAL, 0, service(ask=0), session="pgw;1;2") == DENIED
    assert place.wallet(owner)[:2] == (POUND - PENNY, 0)  # what was used is charged all the same
    assert place.finish(order_id).state is OrderState.DONE
    right(place)


def test_barring_is_marked_when_the_sessions_were_told_and_repeated_until_then(place):
    iccid, owner = place.live()
    order_id = place.accept("suspend", iccid, reason="fraud")
    for attempt in (1, 2):
        effect = place.lane.run(place.house_step(order_id))
        log = effect.order.steps[0]
        assert (log.mark, log.attempts, effect.subscriber_id) == (Mark.SENT, attempt, owner)
    assert place.events() == ["sim/activated", "sim/suspended"]


def test_reasons_add_up_and_service_returns_with_the_last_one(place):
    iccid, owner = place.live()
    for reason in ("fraud", "credit"):
        place.carry_out("suspend", iccid, reason=reason)
    assert place.sim(iccid).suspended_for == {SuspendReason.FRAUD, SuspendReason.CREDIT}
    place.carry_out("resume", iccid, reason="credit")
    assert (place.sim(iccid).state, place.wallet(owner)[2]) == (SimState.SUSPENDED, "suspended")
    assert place.sim(iccid).suspended_for == {SuspendReason.FRAUD}
    place.carry_out("resume", iccid, reason="fraud")
    assert (place.sim(iccid).state, place.wallet(owner)[2]) == (SimState.ACTIVE, "active")
    assert place.sim(iccid).suspended_for == frozenset()
    assert place.events() == ["sim/activated", "sim/suspended", "sim/resumed"]
    told = [(trigger, reason) for trigger, reason, _ in place.history(iccid)[3:]]
    assert told == [("suspend", "fraud"), ("suspend", "credit"), ("ease", "credit"), ("resume", "fraud")]


def test_a_resume_that_leaves_reasons_asks_nothing_of_the_host(place):
    iccid, _ = place.live()
    for reason in ("fraud", "credit"):
        place.carry_out("suspend", iccid, reason=reason)
    order_id = place.accept("resume", iccid, reason="credit")
    assert [log.name for log in place.order(order_id).steps] == ["line.open"]
    assert place.finish(order_id).state is OrderState.DONE
    assert place.sim(iccid).order_id is None


def test_a_resume_that_the_host_refuses_leaves_the_line_barred(place):
    iccid, owner = place.live()
    place.carry_out("suspend", iccid, reason="lost")
    order_id = place.accept("resume", iccid, reason="lost")
    place.refuse(order_id)
    assert place.finish(order_id).state is OrderState.COMPENSATED
    assert (place.sim(iccid).state, place.sim(iccid).suspended_for) == (SimState.SUSPENDED, {SuspendReason.LOST})
    assert place.wallet(owner)[2] == "suspended"
    assert place.carry_out("resume", iccid, reason="lost")


# Swap


def test_a_line_moves_to_its_new_card_with_number_wallet_and_customer(place):
    iccid, owner = place.live(balance=POUND)
    new = place.take_in(2)
    order_id = place.carry_out("swap", iccid, new_iccid=new)
    old_sim, new_sim = place.sim(iccid), place.sim(new)
    assert (old_sim.state, old_sim.msisdn, old_sim.subscriber_id) == (SimState.QUARANTINED, None, None)
    assert (new_sim.state, new_sim.msisdn, new_sim.subscriber_id, new_sim.plan) == (
        SimState.ACTIVE,
        NUMBER,
        owner,
        "payg-gb",
    )
    assert (old_sim.order_id, new_sim.order_id) == (None, None)
    assert place.wallet(owner) == (POUND, 0, "active")
    assert place.lines(NUMBER) == [(owner, True)]
    assert (place.lines(IMSI), place.lines(card(2)["imsi"])) == ([(owner, False)], [(owner, True)])
    assert (place.lines(iccid), place.lines(new)) == ([(owner, False)], [(owner, True)])
    assert place.events() == ["sim/activated", "sim/swapped"]
    assert place.history(new)[-1] == ("enabled", "", order_id)
    right(place)


def test_the_old_imsi_is_unknown_from_then_on_and_the_new_one_is_served(place):
    iccid, _ = place.live(balance=POUND)
    place.carry_out("swap", iccid, new_iccid=place.take_in(2))
    assert ask(place, INITIAL, 0, service(ask=0), session="pgw;1;2") == UNKNOWN
    assert ask(place, INITIAL, 0, service(ask=0), session="pgw;1;3", imsi=card(2)["imsi"]) == SERVED


def test_a_late_report_of_the_old_cards_session_still_finds_its_customer(place):
    iccid, owner = place.live(balance=POUND)
    ask(place, INITIAL, 0, service(ask=0))
    place.carry_out("swap", iccid, new_iccid=place.take_in(2))
    assert place.wallet(owner) == (POUND, HELD, "active")
    assert ask(place, TERMINATION, 1, service(used=[3 * MEGABYTE])) == SERVED
    assert place.wallet(owner) == (POUND - 3 * PENNY, 0, "active")
    right(place)


def test_the_customer_hears_of_a_swap_once_on_the_old_card_before_anything_is_done(place):
    iccid, _ = place.live()
    order_id = place.accept("swap", iccid, new_iccid=place.take_in(2))
    place.sent.clear()
    first = place.lane.run(place.house_step(order_id))
    again = place.lane.run(place.house_step(order_id))
    assert ([text.body for text in first.texts], again.texts) == (["swap to you"], [])
    assert again.order.steps[0].note == str(first.texts[0].id)
    assert (again.order.steps[0].mark, again.order.steps[1].mark) == (Mark.SENT, Mark.WAITING)
    assert place.finish(order_id).state is OrderState.DONE
    assert place.sent == []


def test_a_lost_card_is_swapped_and_the_line_is_in_service_again(place):
    iccid, owner = place.live()
    place.carry_out("suspend", iccid, reason="lost")
    new = place.take_in(2)
    place.carry_out("swap", iccid, new_iccid=new)
    assert (place.sim(new).state, place.sim(new).suspended_for) == (SimState.ACTIVE, frozenset())
    assert (place.sim(iccid).suspended_for, place.wallet(owner)[2]) == (frozenset(), "active")


@pytest.mark.parametrize("refused_at", ["host.prepare", "host.release", "host.assign"])
def test_a_swap_that_the_host_refuses_leaves_the_line_on_its_card(place, refused_at):
    iccid, owner = place.live(balance=POUND)
    new = place.take_in(2)
    order_id = brought_to(place, "swap", iccid, refused_at, new_iccid=new)
    place.refuse(order_id)
    assert place.finish(order_id).state is OrderState.COMPENSATED
    assert (place.sim(iccid).state, place.sim(iccid).msisdn) == (SimState.ACTIVE, NUMBER)
    assert (place.sim(new).state, place.sim(new).host, place.sim(new).order_id) == (SimState.IN_STOCK, "", None)
    assert place.lines(IMSI) == [(owner, True)]
    assert ask(place, INITIAL, 0, service(ask=0)) == SERVED
    assert place.carry_out("swap", iccid, new_iccid=new)


# The end


def test_what_is_left_in_a_wallet_is_owed_to_the_customer_who_left(place):
    iccid, owner = place.live(balance=POUND)
    order_id = place.carry_out("terminate", iccid)
    assert place.wallet(owner) == (0, 0, "terminated")
    assert place.booked("settlement") == [(owner, place.books.account("refunds"), POUND)]
    references = place.read(select(tables.transfers.c.reference).where(tables.transfers.c.kind == "settlement"))
    assert references == [(f"order:{order_id}",)]
    assert place.events()[-1] == "sim/terminated"
    right(place)


def test_what_is_owed_by_a_customer_who_left_is_written_off(place):
    iccid, owner = place.live(balance=POUND)
    ask(place, INITIAL, 0, service(ask=0))
    place.later(1_000_000)
    ask(place, TERMINATION, 1, service(used=[250 * MEGABYTE]))
    assert place.wallet(owner)[0] == -150 * PENNY
    place.carry_out("terminate", iccid)
    assert place.wallet(owner) == (0, 0, "terminated")
    assert place.booked("settlement") == [(place.books.account("write-offs"), owner, 150 * PENNY)]
    right(place)


def test_what_a_line_on_monthly_terms_owes_stands_for_its_bills_also_when_its_card_is_retired(place):
    iccid, owner = place.live()
    place.lane.run(SetCreditLimit("msisdn", NUMBER, 5 * POUND, "ann", "pays monthly"))
    ask(place, INITIAL, 0, service(ask=0))
    place.later(1_000_000)
    ask(place, TERMINATION, 1, service(used=[4 * MEGABYTE]))
    place.carry_out("terminate", iccid)
    place.later(QUARANTINE)
    place.carry_out("retire", iccid)
    assert place.wallet(owner) == (-4 * PENNY, 0, "terminated")
    assert place.booked("settlement") == []
    right(place)


def test_what_a_bill_asks_for_stands_also_where_the_line_was_taken_off_its_monthly_terms_before_it_ended(place):
    iccid, owner = place.live()
    place.lane.run(SetCreditLimit("msisdn", NUMBER, 5 * POUND, "ann", "pays monthly"))
    ask(place, INITIAL, 0, service(ask=0))
    place.later(1_000_000)
    ask(place, TERMINATION, 1, service(used=[4 * MEGABYTE]))
    close = place.lane.run(BeginClose("2020-01", 1, "ann"))
    draft = Draft(owner, "GBP", -4 * PENNY, 0, 0, write_content(Content()))
    place.lane.run(WriteBills(close.id, 0, [draft], 1))
    place.lane.run(SetCreditLimit("msisdn", NUMBER, 0, "ann", "does not pay"))
    place.carry_out("terminate", iccid)
    place.later(QUARANTINE)
    place.carry_out("retire", iccid)
    assert place.wallet(owner) == (-4 * PENNY, 0, "terminated")
    assert place.booked("settlement") == []
    (account,) = place.read(select(tables.bill_accounts))
    assert (account.due, account.next_at is not None) == (4 * PENNY, True)


def test_what_is_given_back_after_a_line_has_ended_is_owed_to_the_customer(place):
    iccid, owner = place.live(balance=POUND)
    ask(place, INITIAL, 0, service(ask=0))
    ask(place, TERMINATION, 1, service(used=[4 * MEGABYTE]))
    (record,) = place.read(select(tables.usage.c.id).where(tables.usage.c.price > 0))
    place.carry_out("terminate", iccid)
    place.later(QUARANTINE)
    place.carry_out("retire", iccid)
    with place.reader.connect() as connection:
        found = charged(connection, record[0])
    assert place.lane.run(RefundUsage(found, "ann", "it was cut off")).amount == 4 * PENNY
    assert place.wallet(owner) == (0, 0, "terminated")
    refunds = place.books.account("refunds")
    assert place.booked("settlement") == [(owner, refunds, POUND - 4 * PENNY), (owner, refunds, 4 * PENNY)]
    right(place)


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_is_paid_beyond_a_last_bill_is_owed_to_the_customer(place, when):
    iccid, owner = place.live()
    place.lane.run(SetCreditLimit("msisdn", NUMBER, 5 * POUND, "ann", "pays monthly"))
    ask(place, INITIAL, 0, service(ask=0))
    place.later(1_000_000)
    ask(place, TERMINATION, 1, service(used=[4 * MEGABYTE]))
    place.carry_out("terminate", iccid)
    pay = PayBill(Payment("bank", "b-1", 10 * PENNY, "GBP"), next(place.ticks), "", "ann", owner)
    if when == "before":
        place.lane.run(pay)
    place.later(QUARANTINE)
    place.carry_out("retire", iccid)
    place.lane.run(pay)
    assert place.lane.run(pay).repeated
    assert place.wallet(owner) == (0, 0, "terminated")
    assert place.booked("settlement") == [(owner, place.books.account("refunds"), 6 * PENNY)]
    right(place)


def test_an_empty_wallet_is_settled_without_an_entry(place):
    iccid, owner = place.live()
    place.carry_out("terminate", iccid)
    assert (place.booked("settlement"), place.wallet(owner)) == ([], (0, 0, "terminated"))


def test_what_is_held_stays_for_late_reports_and_the_rest_is_settled_with_the_card(place):
    iccid, owner = place.live(balance=POUND)
    ask(place, INITIAL, 0, service(ask=0))
    place.carry_out("terminate", iccid)
    assert place.wallet(owner) == (HELD, HELD, "terminated")
    right(place)
    assert ask(place, TERMINATION, 1, service(used=[4 * MEGABYTE])) == SERVED
    assert place.wallet(owner) == (HELD - 4 * PENNY, 0, "terminated")
    place.later(QUARANTINE)
    place.carry_out("retire", iccid)
    assert place.wallet(owner) == (0, 0, "terminated")
    assert [amount for _, _, amount in place.booked("settlement")] == [POUND - HELD, HELD - 4 * PENNY]
    right(place)


def test_an_overdrawn_wallet_keeps_what_another_session_holds(place):
    iccid, owner = place.live(balance=POUND)
    ask(place, INITIAL, 0, service(ask=0))
    ask(place, INITIAL, 0, service(ask=0), session="pgw;1;2")
    place.later(1_000_000)
    ask(place, TERMINATION, 1, service(used=[150 * MEGABYTE]), session="pgw;1;2")
    assert place.wallet(owner)[:2] == (-50 * PENNY, HELD)
    place.carry_out("terminate", iccid)
    assert place.wallet(owner) == (HELD, HELD, "terminated")
    assert place.booked("settlement") == [(place.books.account("write-offs"), owner, 50 * PENNY + HELD)]
    right(place)


def test_a_line_that_ends_opens_no_session_from_its_first_step_on(place):
    iccid, owner = place.live(balance=POUND)
    ask(place, INITIAL, 0, service(ask=0))
    order_id = place.accept("terminate", iccid)
    effect = place.lane.run(place.house_step(order_id))
    assert (effect.subscriber_id, effect.order.steps[0].mark) == (owner, Mark.SENT)
    assert place.wallet(owner) == (POUND, HELD, "closing")
    assert ask(place, INITIAL, 0, service(ask=0), session="pgw;1;2") == DENIED
    assert ask(place, UPDATE, 1, service(used=[MEGABYTE], ask=0)) == DENIED
    assert place.finish(order_id).state is OrderState.DONE
    assert place.wallet(owner) == (0, 0, "terminated")


def test_a_step_of_the_house_that_is_done_is_not_done_again_while_its_order_goes_on(place):
    iccid, owner = place.live()
    order_id = place.accept("suspend", iccid, reason="fraud")
    unit = place.house_step(order_id)
    place.step(order_id)
    before = place.order(order_id)
    assert place.lane.run(unit).texts == []
    assert place.order(order_id) == before
    assert (before.steps[0].mark, place.wallet(owner)[2]) == (Mark.DONE, "suspended")


@pytest.mark.parametrize("at_once", [True, False])
def test_a_line_that_is_ended_twice_is_settled_once(place, at_once):
    iccid, _ = place.live(balance=POUND)
    order_id = brought_to(place, "terminate", iccid, "line.end")
    units = [place.house_step(order_id) for _ in range(2)]
    place.together(*units) if at_once else [place.lane.run(unit) for unit in units]
    assert [amount for _, _, amount in place.booked("settlement")] == [POUND]
    assert place.events().count("sim/terminated") == 1


def test_numbers_of_an_ended_line_belong_to_nobody(place):
    iccid, owner = place.live()
    place.carry_out("terminate", iccid)
    assert [place.lines(number) for number in (NUMBER, IMSI, iccid)] == [[(owner, False)]] * 3
    sim = place.sim(iccid)
    assert (sim.state, sim.msisdn, sim.suspended_for) == (SimState.QUARANTINED, None, frozenset())
    assert sim.free_at >= place.order(place.history(iccid)[-1][2]).updated_at + QUARANTINE
    assert ask(place, INITIAL, 0, service(ask=0)) == UNKNOWN


def test_a_suspended_line_is_terminated_as_well(place):
    iccid, owner = place.live(balance=POUND)
    place.carry_out("suspend", iccid, reason="credit")
    place.carry_out("terminate", iccid)
    assert (place.sim(iccid).state, place.wallet(owner)) == (SimState.QUARANTINED, (0, 0, "terminated"))


def test_a_retired_card_has_no_keys_any_more(place):
    iccid, _ = place.live()
    place.carry_out("terminate", iccid)
    assert place.sim(iccid).keys is not None
    place.later(QUARANTINE)
    place.carry_out("retire", iccid)
    sim = place.sim(iccid)
    assert (sim.state, sim.keys, sim.free_at, sim.order_id) == (SimState.DESTROYED, None, None, None)


def test_the_old_card_of_a_swap_is_retired_without_touching_the_customers_wallet(place):
    iccid, owner = place.live(balance=POUND)
    place.carry_out("swap", iccid, new_iccid=place.take_in(2))
    place.later(QUARANTINE)
    place.carry_out("retire", iccid)
    assert place.wallet(owner) == (POUND, 0, "active")
    assert place.sim(iccid).state is SimState.DESTROYED


def test_a_number_goes_to_another_customer_after_its_quarantine_and_late_usage_does_not(place):
    iccid, first = place.live(balance=POUND)
    ask(place, INITIAL, 0, service(ask=0))
    place.carry_out("terminate", iccid)
    place.later(QUARANTINE)
    _, second = place.live(2, NUMBER, balance=POUND)
    assert second != first
    assert place.lines(NUMBER) == [(first, False), (second, True)]
    assert ask(place, TERMINATION, 1, service(used=[2 * MEGABYTE])) == SERVED
    assert place.wallet(first) == (HELD - 2 * PENNY, 0, "terminated")
    assert place.wallet(second) == (POUND, 0, "active")
    right(place)


def test_steps_of_different_lines_share_a_batch(place):
    orders = []
    for n, number in ((1, NUMBER), (2, OTHER_NUMBER)):
        order_id = brought_to(place, "activate", place.take_in(n), "line.enable", msisdn=number, plan="payg-gb")
        orders.append(order_id)
    first, second = place.together(*map(place.house_step, orders))
    assert {first.order.state, second.order.state} == {OrderState.DONE}
    assert [text.destination for text in (*first.texts, *second.texts)] == [NUMBER, OTHER_NUMBER]
    assert count(place, tables.subscribers) == 2
