"""How many requests of one peer are in work: full at the limit, open at half of it, and shed where others wait too long."""

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
    assert (full.full, full.refusing) == (True, False)
    full.settle()
    assert full.full
    full.settle()
    assert (full.full, full.outstanding) == (False, 2)


def test_while_it_sheds_what_finds_no_room_is_refused_and_at_half_all_is_taken_again(full):
    full.shed(12.0)
    assert (full.shedding, full.refuses(0.0)) == (True, True)
    full.settle()
    assert full.refuses(0.0)
    full.settle()
    assert (full.refusing, full.refuses(0.0)) == (False, False)


def test_while_it_sheds_what_has_waited_for_a_tenth_of_the_deadline_is_refused_though_there_is_room(full):
    full.shed(12.0)
    for _ in range(4):
        full.settle()
    assert [full.refuses(waited) for waited in (0.19, 0.21, 0.0)] == [False, True, False]


def test_it_sheds_no_more_once_it_was_not_needed_for_as_long_as_the_deadline(full):
    full.shed(12.0)
    for now, still in ((13.9, True), (14.1, False)):
        for _ in range(2):
            full.settle()
        for _ in range(2):
            full.admit(now)
        assert (full.full, full.shedding) == (True, still)


def test_a_limit_of_one_opens_again_when_nothing_is_in_work():
    admission = Admission(StreamLimits(outstanding=1))
    admission.admit(0.0)
    assert admission.full
    admission.settle()
    assert not admission.full
