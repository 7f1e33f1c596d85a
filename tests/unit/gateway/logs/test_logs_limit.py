"""A storm is told in a few lines that add up to all of it; what is rare, or tells of a life, is always written."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway.logs.catalogue import EVENTS
from gateway.logs.event_logger import EventLogger, log
from gateway.logs.limit import BURST, INTERVAL, MAX_SUBJECTS, Limit

ROOT = Path(__file__).parents[4]
REJECTED = "diameter.message.rejected"


def stood_for(lines):
    """How many events these lines stand for."""
    return sum(1 + line.get("suppressed", 0) for line in lines)


def storm(limit, times, **fields):
    """Tell the same event at each of these moments: the lines that went out."""
    admitted = (limit.admit(REJECTED, {"identity": "pgw", **fields}, now) for now in times)
    return [line for line in admitted if line is not None]


def test_a_burst_goes_out_then_one_line_each_few_seconds_with_the_number_of_the_others():
    limit = Limit()
    assert storm(limit, [0.0] * 100) == [{"identity": "pgw"}] * BURST
    assert storm(limit, [INTERVAL]) == [{"identity": "pgw", "suppressed": 90}]
    assert storm(limit, [INTERVAL + n / 1000 for n in range(999)]) == []
    assert storm(limit, [2 * INTERVAL]) == [{"identity": "pgw", "suppressed": 999}]
    assert list(limit.rest()) == []


def test_the_first_after_a_quiet_time_is_written_and_a_long_one_allows_a_whole_burst():
    limit = Limit()
    storm(limit, [0.0] * BURST)
    assert storm(limit, [INTERVAL, INTERVAL + 1]) == [{"identity": "pgw"}]
    list(limit.rest())
    assert len(storm(limit, [1000.0] * 50)) == BURST


def test_what_is_held_back_is_given_when_its_turn_comes_with_the_fields_of_the_latest():
    limit = Limit()
    for reason in range(BURST + 5):
        limit.admit(REJECTED, {"identity": "pgw", "reason": reason}, 0.0)
    assert list(limit.due(INTERVAL - 1)) == []
    assert list(limit.due(INTERVAL)) == [(REJECTED, {"identity": "pgw", "reason": BURST + 4, "suppressed": 4})]
    assert list(limit.due(9 * INTERVAL)) == []


def test_at_the_end_all_that_is_held_back_is_given_at_once():
    limit = Limit()
    storm(limit, [0.0] * (BURST + 1))
    assert list(limit.rest()) == [(REJECTED, {"identity": "pgw"})]
    assert list(limit.rest()) == []


def test_one_peer_s_noise_does_not_silence_another_nor_one_event_another():
    limit = Limit()
    storm(limit, [0.0] * 1000)
    assert limit.admit(REJECTED, {"identity": "smf"}, 0.0) == {"identity": "smf"}
    assert limit.admit("smpp.message.rejected", {"name": "pgw"}, 0.0) == {"name": "pgw"}
    assert limit.admit(REJECTED, {"identity": "pgw"}, 0.0) is None


def test_names_that_a_stranger_makes_up_take_no_memory_and_no_more_lines():
    limit = Limit()
    event = "diameter.peer.rejected"
    lines = [limit.admit(event, {"identity": f"made.up.{n}"}, 0.0) for n in range(5000)]
    written = [line for line in lines if line is not None]
    assert len(written) == MAX_SUBJECTS + BURST
    assert len(limit._kinds[event]) == MAX_SUBJECTS + 1
    assert stood_for(written) + stood_for(fields for _, fields in limit.rest()) == 5000


def test_a_subject_that_has_been_quiet_makes_room_for_another():
    limit = Limit()
    for n in range(MAX_SUBJECTS):
        limit.admit(REJECTED, {"identity": f"peer.{n}"}, 0.0)
    assert limit.admit(REJECTED, {"identity": "new"}, BURST * INTERVAL) == {"identity": "new"}
    assert set(limit._kinds[REJECTED]) == {"new"}


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 4), st.booleans()), max_size=300))
def test_whatever_comes_the_lines_add_up_and_are_few(steps):
    limit, now, lines, told = Limit(), 0.0, [], 0
    for peer, pause, settles in steps:
        now += pause
        line = limit.admit(REJECTED, {"identity": peer}, now)
        told += 1
        lines += [line] if line is not None else []
        if settles:
            lines += [fields for _, fields in limit.due(now)]
    assert len(lines) <= 4 * (BURST + now / INTERVAL)
    lines += [fields for _, fields in limit.rest()]
    assert stood_for(lines) == told
    for peer in range(4):
        mine = [line for line in lines if line["identity"] == peer]
        assert stood_for(mine) == sum(step[0] == peer for step in steps)


def test_an_event_whose_name_is_data_is_told_at_its_level_in_the_catalogue():
    with structlog.testing.capture_logs() as lines:
        for name in ("store.outcome_unknown", "diameter.peer.up", "never.heard_of"):
            log(structlog.get_logger(), name, detail="x")
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("store.outcome_unknown", "critical"),
        ("diameter.peer.up", "info"),
        ("never.heard_of", "warning"),
    ]


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_only_what_comes_with_each_message_is_held_back():
    with structlog.testing.capture_logs() as lines:
        event_logger = EventLogger(structlog.get_logger(), Clock())
        for _ in range(100):
            for event in ("order.failed", "daemon.timer.failed", "smpp.link.down", REJECTED):
                event_logger.log(event, {"detail": "x"})
    written = [line["event"] for line in lines]
    assert {event: written.count(event) for event in set(written)} == {
        "order.failed": 100,
        "daemon.timer.failed": 100,
        "smpp.link.down": 100,
        REJECTED: BURST,
    }


def test_a_teller_writes_what_is_due_when_it_settles_and_the_rest_when_it_finishes():
    clock = Clock()
    with structlog.testing.capture_logs() as lines:
        event_logger = EventLogger(structlog.get_logger(), clock)
        for _ in range(BURST + 7):
            event_logger.log("store.unavailable", {"detail": "disk full"})
        event_logger.settle()
        assert len(lines) == BURST
        clock.now = INTERVAL
        event_logger.settle()
        assert lines[-1] == {
            "event": "store.unavailable",
            "log_level": "error",
            "detail": "disk full",
            "suppressed": 6,
        }
        event_logger.log("store.unavailable", {"detail": "still"})
        event_logger.finish()
    assert lines[-1]["detail"] == "still"
    assert stood_for(lines) == BURST + 8


def test_threads_lose_no_count():
    with structlog.testing.capture_logs() as lines:
        event_logger = EventLogger(structlog.get_logger(), Clock())
        work = [
            threading.Thread(target=lambda: [event_logger.log("store.unavailable", {}) for _ in range(500)])
            for _ in range(4)
        ]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        event_logger.finish()
    assert len(lines) == BURST + 1
    assert stood_for(lines) == 2000


LIBRARIES = """
import logging, time
from gateway.logs import configure, get_logger
from gateway.logs.event_logger import EventLogger
configure("info")
now = [0.0]
event_logger = EventLogger(get_logger(), lambda: now[0])
event_logger.capture_libraries()
for n in range(100):
    logging.getLogger("aiohttp.server").error("bad request %d", n)
logging.getLogger("asyncio").error("something else")
now[0] = 5.0
logging.getLogger("aiohttp.server").error("bad request 100")
logging.getLogger("aiohttp.server").error("bad request 101")
event_logger.finish()
"""


def test_what_libraries_say_is_limited_by_logger_and_adds_up():
    done = subprocess.run(
        [sys.executable, "-c", LIBRARIES], capture_output=True, text=True, cwd=ROOT, check=True, timeout=60
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["event"] for line in lines} == {"log.library"}
    assert [line["message"] for line in lines if line["logger"] == "asyncio"] == ["something else"]
    bad = [line for line in lines if line["logger"] == "aiohttp.server"]
    assert [line["message"] for line in bad[BURST:]] == ["bad request 100", "bad request 101"]
    assert (bad[BURST]["suppressed"], stood_for(bad)) == (90, 102)


@pytest.mark.parametrize("family", ["daemon.", "config.", "order.", "host.", "events.broker."])
def test_what_tells_of_a_life_is_never_limited(family):
    assert [name for name, event in EVENTS.items() if name.startswith(family) and event.per_message] == []
