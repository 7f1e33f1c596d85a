"""The pause of a throttled link, and when a lost one is dialled again."""

from random import Random

import pytest
from support.rate_limits import Bucket, Queue, Seconds, Sliding, play

from protocols.smpp.errors import CommandStatus
from protocols.smpp.limits import Limits
from protocols.smpp.reconnect import Reconnect
from protocols.smpp.status_policy import Retry, needs_a_person, retry_of
from protocols.smpp.throttle import Throttle


def test_a_throttled_link_pauses_longer_each_time_in_a_row_up_to_the_cap():
    throttle, now, pauses = Throttle(Limits(throttle_first=1.0, throttle_last=10.0)), 0.0, []
    for _ in range(6):
        until = throttle.throttled(now, now)
        pauses.append(until - now)
        assert throttle.room(0, now) == 0
        assert not throttle.resume(until - 0.01)
        assert throttle.resume(until)
        now = until
    assert pauses == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_a_whole_window_of_refusals_is_one_pause():
    throttle = Throttle(Limits(window=64))
    assert {throttle.throttled(5.0, 5.0 + number / 1000) for number in range(64)} == {6.0}


def test_refusals_that_come_after_the_pause_of_what_was_sent_before_it_are_no_news():
    throttle = Throttle(Limits(window=64))
    throttle.resume(throttle.throttled(5.0, 5.5))
    assert throttle.throttled(5.1, 6.6) == 6.6
    assert throttle.room(0, 6.6) == 1


def test_after_a_pause_one_request_probes_and_successes_open_the_window_again():
    throttle = Throttle(Limits(window=10))
    throttle.resume(throttle.throttled(0.0, 0.0))
    seen = []
    for _ in range(6):
        seen.append(throttle.room(0, 1.0))
        throttle.succeeded(1.0, 1.0)
    assert seen == [1, 2, 4, 8, 10, 10]
    assert throttle.throttled(100.0, 100.0) == 101.0  # the row of failures has ended


def test_what_was_taken_before_the_refusals_does_not_end_the_pause():
    throttle = Throttle(Limits(window=10))
    throttle.throttled(0.0, 0.0)
    throttle.succeeded(0.0, 0.1)
    assert (throttle.room(0, 0.1), throttle.limit) == (0, 1)


def played(smsc, **options):
    """A minute of texts: how many were taken, the least in ten seconds of its last fifty, and the part that was refused."""
    random = Random(7)
    window = options.pop("window", 10)
    taken, refused = play(Limits(window=window), smsc, 60.0, jitter=lambda: random.random() * 0.003, **options)
    tens = [sum(start <= at < start + 10 for at in taken) for start in range(10, 60, 10)]
    late = [at for at in refused if at >= 10]
    return len(taken), min(tens), len(late) / (len(late) + sum(tens))


@pytest.mark.parametrize("rate", [1, 3, 5, 20])
@pytest.mark.parametrize(("window", "latency"), [(1, 0.002), (10, 0.002), (10, 0.05), (100, 0.05)])
@pytest.mark.parametrize(
    "smsc",
    [Seconds, Sliding, lambda rate: Bucket(rate, rate), lambda rate: Bucket(rate, 50), lambda rate: Queue(rate, 10)],
    ids=["a second", "any second", "a bucket", "bursts", "a queue"],
)
def test_what_an_smsc_takes_a_second_is_found_and_kept_to(smsc, rate, window, latency):
    taken, least, refused = played(smsc(rate), window=window, latency=latency)
    assert taken >= 0.9 * rate * 60
    assert least >= 0.9 * rate * 10 - 1  # the second that an edge of the ten cuts off
    assert refused <= 0.15


@pytest.mark.parametrize("rate", [1, 3, 5])
def test_an_smsc_that_wants_its_texts_evenly_spaced_gets_them_so(rate):
    taken, least, refused = played(Bucket(rate, 1))
    assert (taken >= 0.85 * rate * 60, least >= 0.9 * rate * 10) == (True, True)
    assert refused <= 0.15


@pytest.mark.parametrize(("before", "after", "seconds"), [(1, 5, 40), (5, 1, 10), (3, 50, 40), (100, 5, 10)])
@pytest.mark.parametrize("smsc", [Seconds, Sliding, lambda rate: Queue(rate, 10)], ids=["second", "any", "queue"])
def test_a_rate_that_changes_is_found_again(smsc, before, after, seconds):
    taken, _ = play(Limits(window=10), smsc(before), 120.0, latency=0.02, changes=[(60.0, after)])
    assert sum(at >= 60 + seconds for at in taken) >= 0.9 * after * (60 - seconds)


def test_a_silence_proves_nothing_of_the_rate():
    def wanted(now):
        return now < 30 or now > 3000

    taken, refused = play(Limits(window=10), Seconds(5), 3060.0, wanted=wanted)
    assert sum(at > 3000 for at in taken) >= 0.9 * 5 * 60
    assert sum(at > 3000 for at in refused) <= 40


def test_an_smsc_that_takes_nothing_for_minutes_gets_all_it_can_take_soon_after():
    smsc = Seconds(20)
    taken, refused = play(Limits(window=10), smsc, 400.0, changes=[(60.0, 0), (240.0, 20)])
    assert sum(60 <= at < 240 for at in refused) <= 20
    assert sum(at >= 340 for at in taken) >= 0.9 * 20 * 60


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
