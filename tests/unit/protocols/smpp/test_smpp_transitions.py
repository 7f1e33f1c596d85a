"""The table of states: whole, without dead ends, and with a method behind each row."""

from protocols.smpp.codec import CommandId
from protocols.smpp.messages import RESPONSES
from protocols.smpp.session import Session
from protocols.smpp.transitions import BOUND, BOUND_AS, ISSUED, TABLE, UP, Input, Role, SessionState, issued_by


def test_each_row_has_its_method():
    assert all(callable(getattr(Session, method)) for method, _ in TABLE.values())


def test_every_state_is_reached_and_left_again():
    assert {state for _, state in TABLE.values()} == set(SessionState)
    reached = {SessionState.CLOSED}
    while more := {state for (state, _), (_, end) in TABLE.items() if end in reached} - reached:
        reached |= more
    assert reached == set(SessionState)


def test_every_state_can_be_told_to_stop():
    assert all((state, Input.STOP) in TABLE for state in SessionState)


def test_what_a_bind_agrees_on_is_what_the_table_leads_to():
    for event, state in BOUND_AS.values():
        assert TABLE[SessionState.BINDING, event][1] is state
    assert {state for _, state in BOUND_AS.values()} == BOUND < UP


def test_requests_go_where_table_2_1_has_them():
    assert CommandId.SUBMIT_SM in issued_by(Role.ESME, SessionState.BOUND_TX, 0x34)
    assert CommandId.SUBMIT_SM in issued_by(Role.ESME, SessionState.BOUND_TRX, 0x34)
    assert CommandId.SUBMIT_SM not in issued_by(Role.ESME, SessionState.BOUND_RX, 0x34)
    assert CommandId.SUBMIT_SM not in issued_by(Role.MC, SessionState.BOUND_TRX, 0x34)
    assert CommandId.DELIVER_SM in issued_by(Role.MC, SessionState.BOUND_RX, 0x34)
    assert CommandId.DELIVER_SM not in issued_by(Role.MC, SessionState.BOUND_TX, 0x34)
    assert issued_by(Role.ESME, SessionState.OPEN, 0x34) == frozenset()


def test_replace_sm_is_for_transmitters_alone_before_5_0():
    assert CommandId.REPLACE_SM in issued_by(Role.ESME, SessionState.BOUND_TX, 0x34)
    assert CommandId.REPLACE_SM not in issued_by(Role.ESME, SessionState.BOUND_TRX, 0x34)
    assert CommandId.REPLACE_SM in issued_by(Role.ESME, SessionState.BOUND_TRX, 0x50)


def test_both_ends_of_a_bound_session_have_something_to_say():
    assert all(issued_by(role, state, 0x34) for role in Role for state in BOUND)


def test_every_request_has_a_response_but_alert_notification():
    assert {command_id for command_id, _ in ISSUED} - set(RESPONSES) == {CommandId.ALERT_NOTIFICATION}
