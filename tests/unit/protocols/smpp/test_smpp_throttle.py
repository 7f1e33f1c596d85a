"""The pause of a throttled link, and when a lost one is dialled again."""

import pytest

from protocols.smpp.errors import CommandStatus
from protocols.smpp.limits import Limits
from protocols.smpp.reconnect import Reconnect
from protocols.smpp.status_policy import Retry, needs_a_person, retry_of
from protocols.smpp.throttle import Throttle


def test_a_throttled_link_pauses_longer_each_time_in_a_row_up_to_the_cap():
    throttle, now, pauses = Throttle(Limits(throttle_first=1.0, throttle_last=10.0)), 0.0, []
    for _ in range(6):
        until = throttle.throttled(now)
        pauses.append(until - now)
        assert throttle.room(0) == 0
        assert not throttle.resume(until - 0.01)
        assert throttle.resume(until)
        now = until
    assert pauses == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_a_whole_window_of_refusals_is_one_pause():
    throttle = Throttle(Limits(window=64))
    assert {throttle.throttled(5.0 + number / 1000) for number in range(64)} == {6.0}


def test_after_a_pause_one_request_probes_and_successes_open_the_window_again():
    throttle = Throttle(Limits(window=10))
    throttle.resume(throttle.throttled(0.0))
    seen = []
    for _ in range(6):
        seen.append(throttle.room(0))
        throttle.succeeded()
    assert seen == [1, 2, 4, 8, 10, 10]
    assert throttle.throttled(100.0) == 101.0  # the row of failures has ended


def test_what_was_taken_before_the_refusals_does_not_end_the_pause():
    throttle = Throttle(Limits(window=10))
    throttle.throttled(0.0)
    throttle.succeeded()
    assert (throttle.room(0), throttle.limit) == (0, 1)


def test_the_window_shrinks_under_congestion_and_grows_again():
    throttle = Throttle(Limits(window=16))
    for _ in range(16):
        throttle.congestion(95)
    assert throttle.limit == 12
    for _ in range(1000):
        throttle.congestion(100)
    assert throttle.limit == 1
    for _ in range(1000):
        throttle.congestion(85)  # the best use of the peer
    assert throttle.limit == 1
    for _ in range(1000):
        throttle.congestion(10)
    assert (throttle.limit, throttle.congestion_state) == (16, 10)


def test_a_lost_link_is_dialled_after_longer_and_longer_jittered():
    reconnect = Reconnect(Limits(reconnect_first=1.0, reconnect_last=8.0), lambda: 0.0)
    assert [reconnect.lost(100.0) for _ in range(5)] == [101.0, 102.0, 104.0, 108.0, 108.0]
    jittered = Reconnect(Limits(reconnect_first=1.0), lambda: 0.999)
    assert 100.75 <= jittered.lost(100.0) < 100.76


def test_a_refusal_that_needs_a_person_waits_long_from_the_start():
    reconnect = Reconnect(Limits(), lambda: 0.0)
    assert [reconnect.lost(0.0, refused=True) for _ in range(6)] == [60.0, 120.0, 240.0, 480.0, 900.0, 900.0]


def test_a_link_that_binds_and_drops_at_once_makes_no_storm_and_a_steady_one_starts_anew():
    reconnect, now, delays = Reconnect(Limits(), lambda: 0.0), 0.0, []
    for _ in range(4):
        reconnect.bound(now)
        again = reconnect.lost(now + 1.0)
        delays.append(again - now - 1.0)
        now = again
    assert delays == [1.0, 2.0, 4.0, 8.0]
    reconnect.bound(now)
    assert reconnect.lost(now + 3600.0) == now + 3601.0


def test_a_person_who_wants_the_link_now_begins_anew():
    reconnect = Reconnect(Limits(), lambda: 0.0)
    for _ in range(5):
        reconnect.lost(0.0)
        reconnect.lost(0.0, refused=True)
    reconnect.forget()
    assert (reconnect.lost(0.0), reconnect.lost(0.0, refused=True)) == (1.0, 60.0)


@pytest.mark.parametrize(
    ("status", "retry"),
    [
        (CommandStatus.ESME_ROK, Retry.DONE),
        (CommandStatus.ESME_RTHROTTLED, Retry.THROTTLED),
        (CommandStatus.ESME_RMSGQFUL, Retry.THROTTLED),
        (CommandStatus.ESME_RSYSERR, Retry.LATER),
        (CommandStatus.ESME_RX_T_APPN, Retry.LATER),
        (CommandStatus.ESME_RINVDSTADR, Retry.NEVER),
        (0x22, Retry.NEVER),
        (0x400, Retry.NEVER),
        (0x4FF, Retry.NEVER),
    ],
)
def test_a_status_says_whether_the_same_request_may_go_again(status, retry):
    assert retry_of(status) is retry


def test_only_some_refused_binds_need_a_person():
    assert needs_a_person(CommandStatus.ESME_RINVPASWD)
    assert needs_a_person(CommandStatus.ESME_RALYBND)  # the old session is half-open: a storm would not help
    assert not needs_a_person(CommandStatus.ESME_RSYSERR)
    assert not needs_a_person(0x400)
