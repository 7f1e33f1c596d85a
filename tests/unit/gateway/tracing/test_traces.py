"""Traces begin, see, and end by themselves; their files hold whole records of what they saw."""

import asyncio
import os
import struct

import pytest
from support.patience import until

from gateway.environment import Environment
from gateway.tracing import files, traces
from gateway.tracing.captures import FILE_HEADER, record
from gateway.tracing.files import CaptureFile, FileRefused
from gateway.tracing.matching import ByName
from gateway.tracing.traces import Asked, TooMany, Traces
from gateway.tracing.undecodable import MAX_NAMES, Undecodable
from protocols.diameter import node_events as diameter
from protocols.smpp import node_events as smpp
from protocols.smpp.generated import encode
from protocols.smpp.messages import SubmitSm
from protocols.tap import NOWHERE, Captured

TEXT = Captured(
    "smpp", "smsc", ("127.0.0.1", 1), ("::1", 2), True, encode(SubmitSm(destination_addr="447700900123"), 5)
)


class Timer:
    """The loop's `call_later`, rung by hand."""

    def __init__(self):
        self.due = []

    def __call__(self, seconds, function):
        self.due.append((seconds, function))
        return self

    def cancel(self):
        pass


class Place:
    def __init__(self):
        self.taps, self.told, self.timer = [], [], Timer()
        self.all = Traces(
            self.taps.append, Environment(clock=lambda: 1_000_000), self.timer, lambda *event: self.told.append(event)
        )

    def start(self, subject="link smsc", seconds=600.0, matching=None, **more):
        return self.all.start(Asked(subject, seconds, "socket:0", **more), matching or ByName("smsc"))

    def say(self, captured=TEXT):
        self.taps[-1](captured)


@pytest.fixture
def place():
    return Place()


async def test_nobody_listens_before_the_first_trace_and_after_the_last(place):
    one = place.start()
    two = place.start()
    assert len(place.taps) == 1
    place.say()
    assert (one.seen, two.seen, place.all.running) == (1, 1, 2)
    place.all.end(one, "enough")
    assert place.taps[-1] is not None
    place.all.end(two, "enough")
    assert place.taps[-1] is None
    assert [event for event, _ in place.told] == ["trace.started"] * 2 + ["trace.ended"] * 2
    assert place.told[-1][1]["reason"] == "enough"


async def test_a_trace_ends_when_its_time_is_over_and_can_still_be_looked_at(place):
    trace = place.start(seconds=90.0)
    place.say()
    ((seconds, ring),) = place.timer.due
    ring()
    assert (seconds, trace.ended) == (90.0, "its time is over")
    assert place.all.get(trace.id).lines[0].words.what == "submit_sm"
    assert place.taps[-1] is None


async def test_nothing_lasts_longer_than_a_day_and_there_are_never_too_many(place):
    place.start(seconds=10 * traces.MAX_SECONDS)
    assert place.timer.due[0][0] == traces.MAX_SECONDS
    for _ in range(traces.MAX_RUNNING - 1):
        place.start()
    with pytest.raises(TooMany):
        place.start()
    for trace in place.all.all():
        place.all.end(trace, "enough")
    for _ in range(2 * traces.MAX_ENDED):
        place.all.end(place.start(), "enough")
    assert len(place.all.all()) == traces.MAX_ENDED


async def test_a_trace_that_stumbles_ends_and_harms_nobody(place):
    class Broken:
        def take(self, captured):
            raise ZeroDivisionError

    stumbling, other = place.start(matching=Broken()), place.start()
    place.say()
    assert "ZeroDivisionError" in stumbling.ended
    assert (other.seen, other.ended) == (1, None)


async def test_a_trace_that_has_seen_enough_ends(place, monkeypatch):
    monkeypatch.setattr(traces, "MAX_MESSAGES", 3)
    trace = place.start()
    for _ in range(3):
        place.say()
    assert (trace.seen, trace.ended) == (3, "it has seen as much as a trace may")


async def test_the_file_is_new_private_and_whole(place, tmp_path):
    path = tmp_path / "x.pcap"
    trace = place.start(pcap=path)
    for _ in range(3):
        place.say()
    place.all.end(trace, "enough")
    await place.all.settle()
    data = path.read_bytes()
    assert data.startswith(FILE_HEADER)
    assert data.count(b"submit") == 0
    assert b"447700900123" not in data
    assert len(data) == len(FILE_HEADER) + 3 * len(record(TEXT, TEXT.message, 0))
    assert path.stat().st_mode & 0o777 == 0o600
    for refused in (path, tmp_path / "x.txt", tmp_path / "no" / "x.pcap", "x.pcap"):
        with pytest.raises(FileRefused):
            place.start(pcap=type(path)(refused))
    (tmp_path / "link.pcap").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileRefused):
        place.start(pcap=tmp_path / "link.pcap")


async def test_a_disk_that_takes_no_more_ends_the_trace_and_leaves_whole_records(tmp_path, monkeypatch):
    failures, whole = [], record(TEXT, TEXT.message, 0)
    file = CaptureFile(tmp_path / "x.pcap", failures.append, asyncio.to_thread)
    file.put(whole)
    await until(lambda: (tmp_path / "x.pcap").read_bytes() == FILE_HEADER + whole)
    write = os.write
    calls = []

    def full(descriptor, data):
        calls.append(data)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:10])

    monkeypatch.setattr(os, "write", full)
    file.put(whole)
    await file.close()
    assert "No space left" in failures[0]
    assert (tmp_path / "x.pcap").read_bytes() == FILE_HEADER + whole


async def test_what_waits_for_the_disk_is_bounded_and_what_is_missed_is_counted(place, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_WAITING", 500)
    trace = place.start(pcap=tmp_path / "x.pcap")
    for _ in range(10):
        place.say()
    assert trace.seen == 10
    assert 0 < trace.missed < 10
    await place.all.stop()
    assert trace.ended == "the gateway stops"


def test_a_message_that_is_too_long_for_a_record_is_cut_and_its_length_told():
    long = Captured("http", "host", NOWHERE, ("10.0.0.1", 80), True, bytes(300_000))
    data = record(long, long.message, 0)
    kept, whole = struct.unpack_from("<II", data, 8)
    assert kept == len(data) - 16 == 1 << 18
    assert whole > 300_000


# The last messages unread


def test_of_each_link_and_peer_the_last_unread_message_is_kept():
    kept = Undecodable()
    kept.record(smpp.MessageRejected("smsc", 5, 1, "short_message is cut", b"first"), 1)
    kept.record(smpp.MessageRejected("smsc", 5, 4, "in CLOSED"), 2)
    kept.record(smpp.Undecodable("smsc", "10.0.0.1", "command_length 3", b"second"), 3)
    kept.record(diameter.MessageRejected("pgw", 272, 4, 5005, "no Rating-Group", b"third"), 4)
    kept.record(diameter.Undecodable("10.0.0.2", "", "length 3", b"fourth"), 5)
    assert [(one.name, one.message, one.at) for one in kept.all()] == [
        ("10.0.0.2", b"fourth", 5),
        ("pgw", b"third", 4),
        ("smsc", b"second", 3),
    ]


def test_names_that_strangers_make_up_push_each_other_out():
    kept = Undecodable()
    for number in range(3 * MAX_NAMES):
        kept.record(diameter.Undecodable("10.0.0.2", f"stranger-{number}", "length 3", b"x"), number)
    assert len(kept.all()) == MAX_NAMES
