"""Pauses of parts that are to be sent again."""

import asyncio

from gateway.messaging.queue.waiting_parts import LONGEST_PAUSE, Waiting, pause_after


def test_pauses_grow_up_to_a_longest_one():
    pauses = [pause_after(times) for times in range(100)]
    assert pauses[:6] == [1.0, 1.0, 5.0, 25.0, 125.0, LONGEST_PAUSE]
    assert set(pauses[6:]) == {LONGEST_PAUSE}


async def test_a_pause_ends_once_by_its_time_or_by_being_cancelled():
    told = []
    waiting = Waiting(None, 0)
    waiting.pause(3600.0, lambda: told.append("again"), lambda: told.append("over"))
    waiting.pause(0.0, lambda: told.append("again"), lambda: told.append("over"))
    assert told == ["over"]  # the first, which the second took the place of
    while len(told) < 3:  # noqa: ASYNC110  (a timer of no time)
        await asyncio.sleep(0)
    assert told == ["over", "over", "again"]
    waiting.cancel()
    assert told == ["over", "over", "again"]
