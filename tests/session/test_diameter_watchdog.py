"""RFC 3539 §3.4 and appendix A, row by row, without a clock."""

import pytest

from protocols.diameter.watchdog import TABLE, Action, Input, Watchdog, WatchdogState
from protocols.errors import LocalProtocolError

SEND, FAILOVER, FAILBACK, CLOSE = (
    Action.SEND_WATCHDOG,
    Action.FAILOVER,
    Action.FAILBACK,
    Action.CLOSE_CONNECTION,
)


class Script:
    """A watchdog of Tw = 30 s without jitter (random() == 0.5), and its time."""

    def __init__(self, state="okay"):
        self.watchdog = Watchdog(lambda: 0.5)
        self.now = 0.0
        self.watchdog.connection_up(0.0)
        if state in {"down", "reopen"}:
            self.watchdog.connection_down(0.0)
        if state == "reopen":
            assert self.watchdog.connection_up(0.0) == (SEND,)
        if state == "suspect":
            assert self.expire() == (SEND,)
            assert self.expire() == (FAILOVER,)
        assert self.watchdog.state.value == state

    def expire(self):
        assert self.watchdog.deadline == self.now + 30.0
        self.now = self.watchdog.deadline
        return self.watchdog.on_timer(self.now)

    @property
    def state(self):
        return self.watchdog.state.value


def test_a_new_peer_is_okay_at_once():
    watchdog = Watchdog(lambda: 0.5)
    assert watchdog.state is WatchdogState.INITIAL
    assert watchdog.deadline is None
    assert watchdog.connection_up(100.0) == ()
    assert watchdog.state is WatchdogState.OKAY
    assert watchdog.deadline == 130.0


@pytest.mark.parametrize(("random", "deadline"), [(0.0, 28.0), (0.5, 30.0), (1.0, 32.0)])
def test_tw_is_thirty_seconds_give_or_take_two(random, deadline):
    watchdog = Watchdog(lambda: random)
    watchdog.connection_up(0.0)
    assert watchdog.deadline == deadline


def test_tw_below_six_seconds_is_refused():
    with pytest.raises(LocalProtocolError):
        Watchdog(lambda: 0.5, tw=5.9)


def test_the_timer_does_nothing_before_its_time():
    script = Script()
    assert script.watchdog.on_timer(29.9) == ()
    assert script.watchdog.deadline == 30.0


def test_okay_sends_a_watchdog_when_nothing_came():
    script = Script()
    assert script.expire() == (SEND,)
    assert script.state == "okay"


def test_okay_any_message_sets_the_timer_anew():
    script = Script()
    assert script.watchdog.received(20.0) == ()
    assert script.watchdog.deadline == 50.0


def test_okay_a_dwa_takes_the_doubt_away():
    script = Script()
    script.expire()
    assert script.watchdog.received_dwa(31.0) == ()
    script.now = 31.0
    assert script.expire() == (SEND,)
    assert script.state == "okay"


def test_okay_becomes_suspect_when_a_dwa_is_missing():
    script = Script()
    script.expire()
    assert script.expire() == (FAILOVER,)
    assert script.state == "suspect"


def test_suspect_becomes_okay_by_a_dwa():
    script = Script("suspect")
    assert script.watchdog.received_dwa(61.0) == (FAILBACK,)
    assert script.state == "okay"
    assert script.watchdog.deadline == 91.0


def test_suspect_becomes_okay_by_any_message():
    script = Script("suspect")
    assert script.watchdog.received(61.0) == (FAILBACK,)
    assert script.state == "okay"


def test_suspect_closes_the_connection_at_the_second_expiry():
    script = Script("suspect")
    assert script.expire() == (CLOSE,)
    assert script.state == "down"
    assert script.watchdog.deadline is None


def test_down_comes_back_on_trial():
    script = Script("down")
    assert script.watchdog.connection_up(5.0) == (SEND,)
    assert script.state == "reopen"
    assert script.watchdog.deadline == 35.0


def test_reopen_needs_three_dwas():
    script = Script("reopen")
    assert script.watchdog.received_dwa(1.0) == ()
    assert script.expire() == (SEND,)
    assert script.watchdog.received_dwa(31.0) == ()
    assert script.expire() == (SEND,)
    assert script.state == "reopen"
    assert script.watchdog.received_dwa(61.0) == (FAILBACK,)
    assert script.state == "okay"


def test_reopen_other_messages_prove_nothing():
    script = Script("reopen")
    for second in range(10):
        assert script.watchdog.received(float(second)) == ()
    assert script.state == "reopen"
    assert script.watchdog.deadline == 30.0


def test_reopen_one_missing_dwa_is_forgiven_but_counts():
    script = Script("reopen")
    script.watchdog.received_dwa(1.0)
    script.expire()
    assert script.expire() == ()  # NumDWA = -1
    assert script.state == "reopen"
    for second in (61.0, 62.0, 63.0):
        assert script.watchdog.received_dwa(second) == ()
    assert script.watchdog.received_dwa(64.0) == (FAILBACK,)


def test_reopen_two_missing_dwas_close_the_connection():
    script = Script("reopen")
    assert script.expire() == ()
    assert script.expire() == (CLOSE,)
    assert script.state == "down"


@pytest.mark.parametrize(("state", "actions"), [("okay", (FAILOVER,)), ("suspect", ()), ("reopen", ()), ("down", ())])
def test_a_lost_connection_is_down(state, actions):
    script = Script(state)
    assert script.watchdog.connection_down(script.now) == actions
    assert script.state == "down"
    assert script.watchdog.deadline is None


@pytest.mark.parametrize("state", ["okay", "suspect", "reopen", "down"])
def test_a_peer_that_left_in_order_is_not_on_trial_when_it_returns(state):
    script = Script(state)
    assert script.watchdog.left_in_order(script.now) == ()
    assert script.watchdog.connection_up(200.0) == ()
    assert script.state == "okay"
    script.now = 200.0
    assert script.expire() == (SEND,)


def test_an_input_without_a_row_is_our_own_error():
    script = Script()
    with pytest.raises(LocalProtocolError):
        script.watchdog.connection_up(1.0)


def test_the_table_can_leave_every_state():
    for state in WatchdogState:
        assert any(before is state and after is not state for (before, _), (_, after) in TABLE.items())
    assert {event for _, event in TABLE} == set(Input)
