"""SIGKILL with texts under way in both directions: what was accepted arrives, and a customer's YES moves money once.

Where a link's policy for doubtful texts is not to send them again, nothing arrives twice, and what may be lost says so.
TPO_KILLS says how often the gateway is killed (8; 4 for each further policy); TPO_KILL_SEED makes the moments repeatable, as
far as a clock can.
"""

import os
import time
from collections import Counter

import pytest
from support.stubborn_smsc import WINDOW
from support.text_load import killed_under_load, stored, url_of

KILLS = int(os.environ.get("TPO_KILLS", "8"))
SEED = int(os.environ.get("TPO_KILL_SEED", "2026"))
FEWER_KILLS = max(KILLS // 2, 1)
LOST = "no answer of the SMSC"
SLOW = {"delay": 0.1}
"""So that each kill leaves texts in doubt."""


@pytest.mark.timeout(300 + 10 * KILLS)
async def test_a_gateway_killed_with_texts_under_way_loses_none_and_books_each_gift_once(tmp_path):
    began = time.monotonic()
    async with killed_under_load(tmp_path, KILLS, SEED) as (load, smsc, desk):
        told, booked, held = stored(url_of(desk))
    twice = {key for key, times in smsc.taken.items() if times > 1 and key[1].startswith("text ")}
    names = {(text_id, *key) for text_id, key in load.accepted.items()}
    assert len(load.accepted) == len(set(load.accepted.values()))
    assert {str(told[text_id].state) for text_id, *_ in names} == {"delivered"}
    assert all(smsc.taken[key] for key in load.accepted.values())
    doubled = [text_id for text_id, *key in names if tuple(key) in twice]
    assert all(part.maybe_double for text_id in doubled for part in told[text_id].parts)
    assert len(doubled) <= KILLS * WINDOW
    assert len(booked["gift"]) == len(set(booked["gift"])) == len(load.givers)
    assert len(booked["charge"]) == len(load.accepted)
    assert held == 0
    seconds = round(time.monotonic() - began, 1)
    print(
        f"kills {KILLS}, texts {len(load.accepted)}, arrived twice {len(doubled)}, gifts {len(booked['gift'])}, "
        f"texts in {len(smsc.acknowledged)}, delivered again {smsc.redelivered}, refused {smsc.refused}, seconds {seconds}"
    )


@pytest.mark.timeout(300 + 10 * FEWER_KILLS)
async def test_with_policy_fail_a_killed_gateway_sends_nothing_twice_and_says_what_may_not_have_arrived(tmp_path):
    async with killed_under_load(tmp_path, FEWER_KILLS, SEED, smsc=SLOW, doubtful="fail") as (load, smsc, desk):
        told, booked, held = stored(url_of(desk))
    assert set(smsc.taken.values()) == {1}
    states = Counter(str(told[text_id].state) for text_id in load.accepted)
    assert set(states) <= {"delivered", "failed"}
    assert states["delivered"] == len(booked["charge"]) > 0
    for text_id, key in load.accepted.items():
        (part,) = told[text_id].parts
        if told[text_id].state == "failed":
            assert (part.error, part.maybe_double) == (LOST, True)
        else:
            assert smsc.taken[key] == 1
    assert 0 < states["failed"] <= FEWER_KILLS * WINDOW
    assert len(booked["gift"]) == len(set(booked["gift"])) == len(load.givers)
    assert held == 0
    print(f"kills {FEWER_KILLS}, texts {dict(states)}, gifts {len(booked['gift'])}")


@pytest.mark.timeout(300 + 10 * FEWER_KILLS)
async def test_with_policy_wait_a_killed_gateway_sends_nothing_twice_and_receipts_settle_what_arrived(tmp_path):
    link = {"doubtful": "wait", "doubtful_wait": 3600}
    async with killed_under_load(
        tmp_path,
        FEWER_KILLS,
        SEED,
        smsc=SLOW | {"echoes": True},
        but=("doubtful",),
        prepare=lambda desk: desk.lane_as("thread"),  # as well as in a process of its own
        **link,
    ) as found:
        load, smsc, desk = found
        told, booked, held = stored(url_of(desk))
    assert set(smsc.taken.values()) == {1}
    states = Counter(str(told[text_id].state) for text_id in load.accepted)
    assert set(states) <= {"delivered", "doubtful"}
    assert states["delivered"] == len(booked["charge"]) > 0
    settled_by_receipt = 0
    for text_id, key in load.accepted.items():
        (part,) = told[text_id].parts
        settled_by_receipt += told[text_id].state == "delivered" and part.maybe_double
        assert smsc.taken[key] == (told[text_id].state == "delivered")  # a doubtful one never got there
    assert settled_by_receipt > 0
    assert states["doubtful"] + settled_by_receipt <= FEWER_KILLS * WINDOW
    assert len(booked["gift"]) == len(set(booked["gift"])) == len(load.givers)
    assert held == sum(told[text_id].held for text_id in load.accepted if told[text_id].state == "doubtful")
    print(f"kills {FEWER_KILLS}, texts {dict(states)}, settled {settled_by_receipt}, gifts {len(booked['gift'])}")
