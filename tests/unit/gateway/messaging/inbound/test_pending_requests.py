"""Texts in hand share one answer, and the texts whose answer was lost are remembered up to a bound."""

from gateway.messaging.inbound.pending_requests import UNANSWERED_KEPT, LostAnswers, PendingRequests

TEXT = ("smsc.host.example:2775", "digest")


def test_the_same_text_is_answered_with_the_first_and_only_while_that_is_in_hand():
    pending = PendingRequests()
    assert not pending.has(TEXT)
    key = pending.begin(TEXT, "first")
    pending.join(TEXT, "again")
    assert pending.has(TEXT)
    assert pending.end(key) == ["first", "again"]
    assert not pending.has(TEXT)


def test_an_equal_text_that_is_acted_on_by_itself_has_an_answer_of_its_own():
    pending = PendingRequests()
    first, second = pending.begin(TEXT, "first"), pending.begin(TEXT, "second", place=7)
    assert pending.end(second) == ["second"]
    assert pending.has(TEXT)
    assert pending.end(first) == ["first"]


def test_a_lost_answer_is_known_until_one_reaches_the_smsc():
    lost = LostAnswers()
    lost.record(TEXT, reached=False)
    assert TEXT in lost
    lost.record(TEXT, reached=True)
    assert TEXT not in lost


def test_the_oldest_lost_answer_is_forgotten_first_and_a_renewed_one_is_no_longer_the_oldest():
    lost = LostAnswers()
    for n in range(UNANSWERED_KEPT):
        lost.record(("smsc", str(n)), reached=False)
    lost.record(("smsc", "0"), reached=False)
    lost.record(("smsc", "new"), reached=False)
    assert ("smsc", "1") not in lost
    assert all(("smsc", kept) in lost for kept in ("0", "2", "new"))
