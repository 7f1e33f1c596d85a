"""How many requests of one peer are in work: full at the limit, open again at half of it, refusing where that takes long."""

import pytest

from protocols.admission import Admission
from protocols.limits import StreamLimits

LIMITS = StreamLimits(outstanding=4, overload_deadline=2.0)


@pytest.fixture
def full():
    admission = Admission(LIMITS)
    for _ in range(LIMITS.outstanding):
        assert not admission.full
        admission.admit(10.0)
    return admission


def test_at_the_limit_it_is_full_and_at_half_of_it_no_more(full):
    assert (full.full, full.refusing, full.deadline) == (True, False, 12.0)
    full.settle()
    assert full.full
    full.settle()
    assert (full.full, full.deadline, full.outstanding) == (False, None, 2)


def test_it_refuses_once_it_was_full_for_too_long_and_takes_again_at_half(full):
    assert not full.on_timer(11.9)
    assert full.on_timer(12.0)
    assert not full.on_timer(99.0)  # that is said once
    full.settle()
    assert (full.full, full.refusing) == (True, True)
    full.settle()
    assert (full.full, full.refusing) == (False, False)


def test_what_is_refused_counts_until_its_answer_and_begins_no_new_time(full):
    full.on_timer(12.0)
    full.admit(13.0)
    assert (full.outstanding, full.deadline) == (5, None)
    for _ in range(3):
        full.settle()
    assert not full.refusing


def test_a_limit_of_one_opens_again_when_nothing_is_in_work():
    admission = Admission(StreamLimits(outstanding=1))
    admission.admit(0.0)
    assert admission.full
    admission.settle()
    assert not admission.full
