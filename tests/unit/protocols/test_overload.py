"""A peer that sends more than is done, in a time of its own: what is served is fresh, and no time of the server is lost."""

from collections import deque

import pytest

from protocols.limits import StreamLimits
from protocols.stream_session import StreamSession

LIMITS = StreamLimits()
STEP = 0.001


class Octets:
    """A framer of one message an octet."""

    pending, error = b"", None

    def feed(self, data):
        return [data[i : i + 1] for i in range(len(data))]


class Served(StreamSession):
    """A session whose requests are answered by a server of a fixed rate, the oldest first."""

    closed, _takes_requests = False, True

    def __init__(self):
        super().__init__(Octets(), LIMITS)
        self.now, self.in_work, self.waits, self.refused, self.idle = 0.0, deque(), [], 0, 0
        self.came = deque()

    def connected(self, now): ...
    def connection_lost(self, now, detail=""): ...
    def deadline(self): ...
    def on_timer(self, now): ...
    def _received_frames(self, now): ...
    def _lost_framing(self, error, message, now): ...

    def _receive_frame(self, frame, now):
        came = self.came.popleft()
        if self._admission.refusing:
            self._admission.shed(now)
            self.refused += 1
        else:
            self._admission.admit(now)
            self.in_work.append(came)

    def pass_by(self, seconds, offered, answered):
        """Let time pass with so many requests offered and answered a millisecond; then nothing is counted yet."""
        self.waits, self.refused, self.idle = [], 0, 0
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            self.came.extend([self.now] * offered)
            self.receive(b"r" * offered, self.now)
            for _ in range(4):  # a few turns in a tick, as a busy loop has them
                if self.unhandled and not self.blocked:
                    self.proceed(self.now)
            self._shed_overdue(self.now)
            for _ in range(answered):
                if self.in_work:
                    self.waits.append(self.now - self.in_work.popleft())
                    self._admission.settle()
                else:
                    self.idle += 1


@pytest.fixture
def session():
    return Served()


IN_WORK = LIMITS.outstanding * STEP
"""Seconds that a request spends behind all others in work, at one answer a millisecond."""


def test_at_twice_what_can_be_done_all_of_that_is_done_and_what_is_served_has_waited_a_moment(session):
    session.pass_by(3.0, offered=2, answered=1)
    assert max(session.waits) <= LIMITS.overload_deadline + IN_WORK + 0.01
    session.pass_by(10.0, offered=2, answered=1)
    assert (session.idle, len(session.waits)) == (0, 10_000)
    assert session.refused == pytest.approx(10_000, rel=0.02)
    assert max(session.waits) <= 0.1 * LIMITS.overload_deadline + IN_WORK + 0.01
    assert session.waiting_octets < 200


def test_at_twenty_times_that_it_is_so_as_long_as_the_refusals_keep_up(session):
    session.pass_by(3.0, offered=20, answered=1)
    session.pass_by(3.0, offered=20, answered=1)
    assert (session.idle, len(session.waits)) == (0, 3_000)
    assert max(session.waits) <= 0.1 * LIMITS.overload_deadline + IN_WORK + 0.01


def test_a_burst_that_is_done_before_anybody_waits_too_long_is_served_whole(session):
    session.pass_by(0.5, offered=2, answered=1)
    session.pass_by(1.0, offered=0, answered=1)
    assert (session.refused, len(session.in_work), session.unhandled) == (0, 0, 0)


def test_once_the_peer_sends_less_nothing_is_refused_and_later_bursts_are_served_whole(session):
    session.pass_by(4.0, offered=3, answered=1)
    session.pass_by(2.0, offered=1, answered=2)
    session.pass_by(2.0, offered=1, answered=2)
    assert session.refused == 0
    session.pass_by(0.5, offered=2, answered=1)
    assert session.refused == 0


def test_while_nothing_is_answered_at_all_what_waits_is_refused_in_time(session):
    session.pass_by(1.2, offered=1, answered=0)
    assert session.refused >= 1
    session.pass_by(2.0, offered=1, answered=0)
    assert session.refused == 2_000
    assert session.unhandled == 0
