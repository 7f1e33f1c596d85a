"""The send window: a slot is freed once, by whatever comes first."""

import pytest

from protocols.errors import LocalProtocolError
from protocols.smpp.codec import CommandId
from protocols.smpp.window import Sent, Window

SUBMIT, SUBMIT_RESP = CommandId.SUBMIT_SM, CommandId.SUBMIT_SM_RESP


def window(*numbers, timeout=10.0, remembered=4):
    result = Window(timeout, remembered)
    for number in numbers:
        result.add(Sent(number, SUBMIT, f"text {number}", float(number)))
    return result


@pytest.mark.parametrize("command_id", [SUBMIT_RESP, CommandId.GENERIC_NACK])
def test_a_response_or_a_generic_nack_frees_the_slot_once(command_id):
    waiting = window(1, 2)
    assert waiting.answered(2, command_id).context == "text 2"
    assert waiting.answered(2, command_id) is None
    assert (len(waiting), 1 in waiting, 2 in waiting) == (1, True, False)


def test_the_response_of_another_command_frees_nothing():
    waiting = window(1)
    assert waiting.answered(1, CommandId.DATA_SM_RESP) is None
    assert waiting.answered(0, CommandId.GENERIC_NACK) is None
    assert len(waiting) == 1


def test_slots_whose_time_has_run_out_are_freed_oldest_first():
    waiting = window(1, 2, 3)
    assert waiting.deadline() == 11.0
    assert [sent.sequence_number for sent in waiting.expire(12.0)] == [1, 2]
    assert waiting.expire(12.0) == []
    assert (len(waiting), waiting.deadline()) == (1, 13.0)
    assert waiting.answered(1, SUBMIT_RESP) is None


def test_a_late_response_is_recognised_once_and_for_so_many():
    waiting = window(*range(1, 8))
    assert len(waiting.expire(100.0)) == 7
    assert [waiting.answered_late(number, SUBMIT_RESP) is not None for number in range(1, 8)] == [False] * 3 + [
        True
    ] * 4
    assert waiting.answered_late(7, SUBMIT_RESP) is None


def test_a_number_that_is_used_again_has_no_late_response():
    waiting = window(1)
    waiting.expire(100.0)
    waiting.add(Sent(1, SUBMIT, "new", 100.0))
    assert waiting.answered_late(1, SUBMIT_RESP) is None
    assert waiting.answered(1, SUBMIT_RESP).context == "new"


def test_the_end_frees_all_slots():
    waiting = window(1, 2, 3)
    waiting.expire(11.0)
    assert [sent.sequence_number for sent in waiting.clear()] == [2, 3]
    assert (waiting.clear(), len(waiting), waiting.deadline()) == ([], 0, None)
    assert waiting.answered_late(1, SUBMIT_RESP) is None


def test_sequence_numbers_wrap_to_one_and_step_over_those_that_wait():
    assert window().next_after(0) == 1
    assert window().next_after(0x7FFFFFFF) == 1
    assert window(1, 2, 4).next_after(0x7FFFFFFF) == 3


def test_a_number_cannot_wait_twice():
    with pytest.raises(LocalProtocolError):
        window(1, 1)
