"""The SIM's life: every pair of state and trigger, the reasons of a suspension, and the page made from the table."""

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.errors import MoveInvalid
from provisioning.sim_lifecycle import (
    STATES,
    TABLE,
    TRIGGERS,
    SimState,
    SuspendReason,
    Trigger,
    follow,
    page,
    read_reasons,
    resume_trigger,
    resumed,
    suspended_for,
    write_reasons,
)

ROOT = Path(__file__).parents[3]
NONE = frozenset()
REASONS = st.sampled_from(SuspendReason)


def walk(state, *triggers):
    for trigger in triggers:
        state = follow(state, Trigger(trigger))
    return state


@pytest.mark.parametrize(
    ("triggers", "end"),
    [
        ("reserve begin enabled", "active"),
        ("reserve release", "in_stock"),
        ("reserve begin undone", "in_stock"),
        ("reserve begin failed begin enabled", "active"),
        ("reserve begin failed undone", "in_stock"),
        ("reserve begin enabled suspend suspend ease resume", "active"),
        ("reserve begin enabled terminate ended retire", "destroyed"),
        ("reserve begin enabled suspend terminate ended", "quarantined"),
        ("reserve begin enabled replaced retire", "destroyed"),
        ("reserve begin enabled suspend replaced", "quarantined"),
        ("retire", "destroyed"),
    ],
)
def test_a_life_from_stock_goes_where_it_should(triggers, end):
    assert walk(SimState.IN_STOCK, *triggers.split()) == end


@pytest.mark.parametrize(("state", "trigger"), sorted(set(product(SimState, Trigger)) - set(TABLE)))
def test_a_way_that_is_not_in_the_table_is_refused(state, trigger):
    with pytest.raises(MoveInvalid) as caught:
        follow(state, trigger)
    assert caught.value.code == "sim.state"
    assert str(caught.value).startswith(f"the SIM is {state}; {trigger} ")


def test_a_refusal_says_from_where_it_can_be_done():
    with pytest.raises(
        MoveInvalid, match="the SIM is in_stock; terminate is possible only when it is active or suspended"
    ):
        follow(SimState.IN_STOCK, Trigger.TERMINATE)


def test_every_state_is_reached_every_trigger_leads_somewhere_and_only_destroyed_is_an_end():
    reached, front = set(), {SimState.IN_STOCK}
    while front:
        reached |= front
        front = {after for (start, _), after in TABLE.items() if start in reached} - reached
    assert reached == set(SimState) == set(STATES)
    assert {trigger for _, trigger in TABLE} == set(Trigger) == set(TRIGGERS)
    assert set(SimState) - {start for start, _ in TABLE} == {SimState.DESTROYED}


def test_what_has_left_service_never_comes_back():
    out, front = set(), {SimState.TERMINATING}
    while front:
        out |= front
        front = {after for (start, _), after in TABLE.items() if start in out} - out
    assert out == {SimState.TERMINATING, SimState.QUARANTINED, SimState.DESTROYED}


def test_the_number_of_a_line_is_not_free_without_quarantine():
    used = {SimState.ACTIVE, SimState.SUSPENDED, SimState.TERMINATING}
    assert all(after in used | {SimState.QUARANTINED} for (start, _), after in TABLE.items() if start in used)


def test_suspend_reasons_do_not_overwrite_each_other():
    reasons = suspended_for(suspended_for(NONE, SuspendReason.FRAUD), SuspendReason.CREDIT)
    left = resumed(reasons, SuspendReason.CREDIT)
    assert left == {SuspendReason.FRAUD}
    assert follow(SimState.SUSPENDED, resume_trigger(left)) is SimState.SUSPENDED


def test_the_last_reason_that_goes_brings_service_back():
    left = resumed(suspended_for(NONE, SuspendReason.LOST), SuspendReason.LOST)
    assert left == NONE
    assert follow(SimState.SUSPENDED, resume_trigger(left)) is SimState.ACTIVE


def test_a_reason_that_does_not_hold_takes_nothing_away():
    assert resumed(frozenset({SuspendReason.FRAUD}), SuspendReason.CREDIT) == {SuspendReason.FRAUD}


@given(st.lists(st.tuples(st.booleans(), REASONS)))
def test_a_sim_is_active_exactly_while_no_reason_holds(changes):
    state, reasons, expected = SimState.ACTIVE, NONE, set()
    for added, reason in changes:
        if added:
            reasons, state = suspended_for(reasons, reason), follow(state, Trigger.SUSPEND)
            expected.add(reason)
        elif state is SimState.SUSPENDED:
            reasons = resumed(reasons, reason)
            state = follow(state, resume_trigger(reasons))
            expected.discard(reason)
        assert reasons == expected
        assert (state is SimState.ACTIVE) is (not expected)


@given(st.frozensets(REASONS))
def test_reasons_survive_their_column(reasons):
    assert read_reasons(write_reasons(reasons)) == reasons


def test_reasons_are_written_sorted():
    assert write_reasons({SuspendReason.FRAUD, SuspendReason.CREDIT}) == "credit,fraud"
    assert write_reasons(NONE) == ""


@pytest.mark.parametrize("text", ["boredom", "credit,", "credit, fraud"])
def test_a_column_that_we_did_not_write_is_refused(text):
    with pytest.raises(ValueError, match="is not a valid SuspendReason"):
        read_reasons(text)


def test_the_page_is_current():
    assert (ROOT / "docs/sim-life.md").read_text() == page(), "run python -m provisioning.sim_lifecycle"
