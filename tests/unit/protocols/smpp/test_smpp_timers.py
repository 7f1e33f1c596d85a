"""The four timers of SMPP 3.4 §7.2: three as a value, the fourth in the window."""

from protocols.smpp.limits import Limits
from protocols.smpp.timers import Expired, Timers

LIMITS = Limits(session_init=5.0, enquire_link=30.0, inactivity=100.0, response_timeout=10.0)


def test_a_bind_has_to_come_in_time():
    timers = Timers().connected(LIMITS, 100.0)
    assert (timers.deadline(), timers.expired(104.9), timers.expired(105.0)) == (105.0, None, Expired.SESSION_INIT)
    assert timers.bound(LIMITS, 101.0).expired(105.0) is None


def test_a_silent_peer_is_asked_and_then_given_up():
    timers = Timers().bound(LIMITS, 0.0)
    assert (timers.deadline(), timers.expired(30.0)) == (30.0, Expired.ENQUIRE_LINK)
    asked = timers.asked(LIMITS, 30.0)
    assert (asked.deadline(), asked.expired(39.9), asked.expired(40.0)) == (40.0, None, Expired.UNANSWERED)


def test_any_pdu_is_a_sign_of_life():
    timers = Timers().bound(LIMITS, 0.0).asked(LIMITS, 30.0).heard(LIMITS, 35.0, transaction=False)
    assert (timers.expired(40.0), timers.expired(65.0)) == (None, Expired.ENQUIRE_LINK)


def test_only_transactions_keep_an_idle_session():
    timers = Timers().bound(LIMITS, 0.0)
    for now in (25.0, 50.0, 75.0):
        timers = timers.heard(LIMITS, now, transaction=False)
    assert timers.expired(100.0) is Expired.INACTIVITY
    assert timers.heard(LIMITS, 80.0, transaction=True).inactivity == 180.0
    assert timers.transacted(LIMITS, 90.0).inactivity == 190.0


def test_a_session_may_be_idle_for_ever_and_never_asked():
    timers = Timers().bound(Limits(enquire_link=0.0), 0.0)
    assert (timers.deadline(), timers.expired(1e9)) == (None, None)
    assert timers.transacted(Limits(), 5.0) is timers


def test_a_stopped_value_has_no_timer():
    assert Timers().bound(LIMITS, 0.0).stopped().deadline() is None
