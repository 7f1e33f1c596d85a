"""The TMF640 adapter against a host that fails in every way it can: what was asked is done once, or not told as done."""

import asyncio
import gzip
import itertools
import json
import logging
import ssl
import subprocess
import tracemalloc
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web
from support.bombs import bomb
from support.patience import PATIENCE

from provisioning.errors import HostRefused, HostUnavailable
from provisioning.hosts.interface import ABSENT, Access, Condition, HostLine, Pending
from provisioning.hosts.tmf640 import Tmf640
from provisioning.keys import Keys
from simulators.host_api import HostApi, Mode, Tell
from simulators.host_faults import Fault, Faults

NUMBERS = itertools.count(1)
TIMEOUT = 1.0


def new_line():
    number = next(NUMBERS)
    return HostLine(f"894411{number:013}", f"23415{number:010}", "mobile-line", Keys(b"\xaa" * 16, b"\xbb" * 16))


def opened(number="447700900001"):
    return Condition(Access.OPEN, number)


@asynccontextmanager
async def both(*, callback=None, **options):
    async with HostApi(**options) as host:
        adapter = Tmf640("host", host.url, timeout=TIMEOUT, poll=0.01, callback=callback)
        try:
            yield host, adapter
        finally:
            await adapter.close()


class Listener:
    """Takes the host's events; each is given to the adapter's `hinted`."""

    def __init__(self):
        self.bodies, self.arrived = [], asyncio.Event()

    async def __aenter__(self):
        app = web.Application()
        app.router.add_post("/listener", self._take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/listener"
        return self

    async def __aexit__(self, *_):
        await self._runner.cleanup()

    async def _take(self, request):
        self.bodies.append(await request.read())
        self.arrived.set()
        return web.Response(status=201)

    async def wait_for(self, count):
        async with asyncio.timeout(PATIENCE):
            while len(self.bodies) < count:
                self.arrived.clear()
                await self.arrived.wait()

    def kinds(self):
        return [json.loads(body)["eventType"] for body in self.bodies]


async def condition(adapter, line):
    return (await adapter.read(line)).condition


async def until(adapter, line, wanted):
    for _ in range(1000):
        if (await adapter.read(line)).shows(wanted):
            return
        await asyncio.sleep(0.005)
    pytest.fail(f"the host never showed {wanted.access}")


# One life, by every way of answering


@pytest.mark.parametrize("deletes", [True, False])
async def test_a_whole_life_answered_at_once(deletes):
    async with both(deletes=deletes) as (host, adapter):
        line = new_line()
        lives = [opened(), Condition(Access.BARRED, "447700900001"), opened("447700900002"), Condition(Access.BARRED)]
        for number, wanted in enumerate(lives):
            assert await adapter.bring(f"1.{number}", line, wanted) is None
            assert await condition(adapter, line) == wanted
        assert await adapter.bring("1.9", line, ABSENT) is None
        assert await condition(adapter, line) == ABSENT
        assert set(host.inventory.effects.values()) == {1}
        assert len(host.services) == (0 if deletes else 1)


@pytest.mark.parametrize("tell", list(Tell))
async def test_a_whole_life_of_202_wherever_the_monitor_is_named(tell):
    async with both(mode=Mode.ASYNC, tell=tell, work_seconds=None) as (host, adapter):
        line = new_line()
        for number, wanted in enumerate([opened(), Condition(Access.BARRED, "447700900001"), ABSENT]):
            before = await condition(adapter, line)
            assert await adapter.bring(f"1.{number}", line, wanted) == Pending(0.01)
            assert await condition(adapter, line) == before
            assert await host.finish() == 1
            assert await condition(adapter, line) == wanted
            assert await adapter.bring(f"1.{number}", line, wanted) is None
        assert host.inventory.effects == {"1.0": 1, "1.1": 1}
        assert host.services == {}


async def test_what_is_so_already_is_not_written_again():
    async with both() as (host, adapter):
        line = new_line()
        for call in ("1.0", "1.0", "2.0"):
            assert await adapter.bring(call, line, opened()) is None
        assert (host.calls["create"], host.calls["change"]) == (1, 0)
        assert await adapter.bring("3.0", new_line(), ABSENT) is None
        assert host.calls["delete"] == 0


async def test_a_line_that_was_terminated_by_a_patch_can_be_made_again():
    async with both(deletes=False) as (host, adapter):
        line = new_line()
        for number, wanted in enumerate([opened(), ABSENT, opened()]):
            await adapter.bring(f"1.{number}", line, wanted)
            assert await condition(adapter, line) == wanted
        assert sorted(service["state"] for service in host.services.values()) == ["active", "terminated"]


# The host's faults


@pytest.mark.parametrize(
    ("fault", "done"),
    [
        (Fault.ERROR_BEFORE, False),
        (Fault.ERROR_AFTER, True),
        (Fault.TIMEOUT_BEFORE, False),
        (Fault.TIMEOUT_AFTER, True),
        (Fault.DROPPED, False),
    ],
)
@pytest.mark.parametrize("step", ["create", "change", "delete"])
async def test_a_call_that_broke_is_made_again_under_its_id_and_takes_effect_once(fault, done, step):
    wanted = {"create": opened(), "change": Condition(Access.BARRED, "447700900001"), "delete": ABSENT}[step]
    async with both() as (host, adapter):
        line = new_line()
        if step != "create":
            await adapter.bring("1.0", line, opened())
        # aiohttp asks once more by itself where a kept connection was cut and the method is idempotent.
        again = fault is Fault.DROPPED and step == "delete"
        host.faults.next_changes(fault, *([fault] if again else []))
        with pytest.raises(HostUnavailable):
            await adapter.bring("2.0", line, wanted)
        assert ((await condition(adapter, line)) == wanted) is done
        assert await adapter.bring("2.0", line, wanted) is None
        assert await condition(adapter, line) == wanted
        assert all(count == 1 for count in host.inventory.effects.values())
        assert host.calls[step] == (1 if done else 2) + again


@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.TIMEOUT_BEFORE, Fault.DROPPED])
async def test_a_reading_that_broke_tells_nothing(fault):
    async with both() as (host, adapter):
        line = new_line()
        await adapter.bring("1.0", line, opened())
        host.faults.next_reads(fault, fault)  # aiohttp asks once more by itself where a kept connection was cut
        with pytest.raises(HostUnavailable):
            await adapter.read(line)
        host.faults._reads.clear()
        assert await condition(adapter, line) == opened()


async def test_a_slow_answer_within_the_time_is_an_answer_and_one_beyond_it_none():
    async with both(slow_seconds=0.05) as (host, adapter):
        host.faults.next_changes(Fault.SLOW)
        assert await adapter.bring("1.0", new_line(), opened()) is None
    async with both(slow_seconds=5.0) as (host, adapter):
        host.faults.next_changes(Fault.SLOW)
        line = new_line()
        with pytest.raises(HostUnavailable) as caught:
            await adapter.bring("1.0", line, opened())
        assert caught.value.code == "host.timeout"
        assert await adapter.bring("1.0", line, opened()) is None
        assert host.inventory.effects == {"1.0": 1}


async def test_work_that_fails_is_a_refusal_told_once_and_the_same_call_may_be_made_again():
    async with both() as (host, adapter):
        line = new_line()
        host.faults.next_changes(Fault.WORK_FAILS)
        assert isinstance(await adapter.bring("1.0", line, opened()), Pending)
        with pytest.raises(HostRefused, match="the network element did not take it") as caught:
            await until(adapter, line, opened())
        assert caught.value.code == "host.refused.work_failed"
        assert await condition(adapter, line) == ABSENT
        assert await adapter.bring("1.0", line, opened()) is None
        assert host.inventory.effects == {"1.0": 1}


async def test_the_next_bring_tells_of_work_that_failed():
    async with both(mode=Mode.ASYNC, work_seconds=None) as (host, adapter):
        line = new_line()
        host.faults.next_changes(Fault.WORK_FAILS)
        await adapter.bring("1.0", line, opened())
        await host.finish()
        with pytest.raises(HostRefused):
            await adapter.bring("1.0", line, opened())
        assert host.calls["create"] == 1


async def test_a_monitor_that_cannot_be_had_stops_nothing():
    async with both(mode=Mode.ASYNC, work_seconds=None) as (host, adapter):
        line = new_line()
        await adapter.bring("1.0", line, opened())
        host.faults.next_reads(Fault.ERROR_BEFORE)
        assert isinstance(await adapter.bring("1.0", line, opened()), Pending)
        host.monitors.clear()
        assert isinstance(await adapter.bring("1.0", line, opened()), Pending)
        assert await host.finish() == 1
        await until(adapter, line, opened())
        assert host.inventory.effects == {"1.0": 1}


async def test_a_failure_of_an_older_call_is_not_told_of_a_newer_one():
    async with both(mode=Mode.ASYNC, work_seconds=None) as (host, adapter):
        line = new_line()
        host.faults.next_changes(Fault.WORK_FAILS)
        await adapter.bring("1.0", line, opened())
        await host.finish()
        assert await adapter.bring("1.0u", line, ABSENT) is None
        assert await condition(adapter, line) == ABSENT


async def test_while_the_host_works_the_same_call_is_not_sent_again():
    async with both(mode=Mode.ASYNC, work_seconds=None) as (host, adapter):
        line = new_line()
        for _ in range(3):
            assert await adapter.bring("1.0", line, opened()) == Pending(0.01)
        assert (host.calls["create"], host.calls["monitor"]) == (1, 2)
        # After a restart nobody knows the monitor; the host knows the call.
        restarted = Tmf640("host", host.url, timeout=TIMEOUT, poll=0.01)
        assert isinstance(await restarted.bring("1.0", line, opened()), Pending)
        await restarted.close()
        assert await host.finish() == 1
        await until(adapter, line, opened())
        assert host.inventory.effects == {"1.0": 1}


async def test_a_number_of_another_line_is_refused_with_the_hosts_code_and_no_number():
    async with both() as (_, adapter):
        await adapter.bring("1.0", new_line(), opened())
        line = new_line()
        with pytest.raises(HostRefused) as caught:
            await adapter.bring("2.0", line, opened())
        assert caught.value.code == "host.refused.msisdn_taken"
        assert "447700900001" not in str(caught.value)
        assert "44********01" in str(caught.value)
        assert await condition(adapter, line) == ABSENT


async def test_a_number_taken_while_the_work_went_on_is_refused_by_way_of_the_monitor():
    async with both(mode=Mode.ASYNC, work_seconds=None) as (host, adapter):
        one, two = new_line(), new_line()
        await adapter.bring("1.0", one, opened())
        await adapter.bring("2.0", two, opened())
        await host.finish()
        assert await condition(adapter, one) == opened()
        with pytest.raises(HostRefused) as caught:
            await adapter.read(two)
        assert caught.value.code == "host.refused.msisdn_taken"
        assert "447700900001" not in str(caught.value)


async def test_a_conflict_with_our_own_earlier_try_is_no_refusal():
    async with both(repeats_conflict=True) as (host, adapter):
        line = new_line()
        await adapter.bring("1.0", line, opened())
        # Somebody changed it at the host meanwhile; the host knows the order and won't take it again.
        host.inventory.change("svc-1-1", {"state": "inactive"})
        assert await adapter.bring("1.0", line, opened()) == Pending(0.01)


async def test_too_many_calls_are_told_when_to_come_again():
    now = 100.0
    async with both(rate=0.5, clock=lambda: now) as (host, adapter):
        await adapter.bring("1.0", new_line(), opened())
        line = new_line()
        with pytest.raises(HostUnavailable) as caught:
            await adapter.bring("2.0", line, opened("447700900002"))
        assert caught.value.after == 2.0
        now += 2.0
        assert await adapter.bring("2.0", line, opened("447700900002")) is None
        assert host.calls["limited"] == 1


async def test_a_host_that_went_away_is_reached_again_when_it_is_back():
    async with both() as (host, adapter):
        line = new_line()
        await adapter.bring("1.0", line, opened())
        await host.stop()
        for call in (adapter.read(line), adapter.bring("1.1", line, ABSENT)):
            with pytest.raises(HostUnavailable):
                await call
        await host.start()
        assert await condition(adapter, line) == opened()


async def test_a_service_id_that_the_host_no_longer_knows_is_forgotten():
    async with both() as (host, adapter):
        line = new_line()
        await adapter.bring("1.0", line, opened())
        host.inventory.delete("svc-1-1")
        assert await condition(adapter, line) == ABSENT
        assert await adapter.bring("2.0", line, opened()) is None
        assert list(host.services) == ["svc-1-2"]


async def test_two_live_services_for_one_card_are_for_a_person_to_sort_out():
    async with both() as (host, adapter):
        line = new_line()
        await adapter.bring("1.0", line, opened())
        host.services["other"] = host.services["svc-1-1"] | {"id": "other"}
        host.inventory._by_card[line.iccid].append("other")
        other = Tmf640("host", host.url)
        with pytest.raises(HostRefused) as caught:
            await other.bring("2.0", line, ABSENT)
        await other.close()
        assert caught.value.code == "host.ambiguous"


async def test_under_random_faults_every_line_is_activated_exactly_once():
    share = dict.fromkeys([Fault.ERROR_BEFORE, Fault.ERROR_AFTER, Fault.DROPPED, Fault.TIMEOUT_AFTER], 0.08)
    async with both(faults=Faults(share, seed=7)) as (host, adapter):
        lines = [new_line() for _ in range(60)]

        async def activate(number, line):
            wanted = opened(f"4477009{number:05}")
            for _ in range(30):
                try:
                    await adapter.bring(f"{number}.0", line, wanted)
                    if (await adapter.read(line)).shows(wanted):
                        return
                except HostUnavailable:
                    continue
            pytest.fail("never activated")

        await asyncio.gather(*(activate(number, line) for number, line in enumerate(lines)))
        assert len(host.services) == 60
        assert set(host.inventory.effects.values()) == {1}
        assert len(host.happened) == 4


# Callbacks


async def test_callbacks_hint_at_their_call_before_and_after_a_restart():
    async with (
        Listener() as wire_tap,
        both(mode=Mode.ASYNC, work_seconds=None, callback=wire_tap.url) as (host, adapter),
    ):
        line = new_line()
        for number, wanted in enumerate([opened(), Condition(Access.BARRED, "447700900001"), ABSENT]):
            await adapter.bring(f"1.{number}", line, wanted)
            await host.finish()
            await wire_tap.wait_for(2 * number + 2)
        assert adapter.listening
        assert wire_tap.kinds()[::2] == ["serviceCreateEvent", "serviceStateChangeEvent", "serviceDeleteEvent"]
        assert set(wire_tap.kinds()[1::2]) == {"monitorStateChangeEvent"}
        hints = [adapter.hinted(body) for body in wire_tap.bodies]
        assert hints[:2] == [["1.0"], ["1.0"]]
        assert "1.1" in hints[2]
        assert hints[5] == ["1.2"]  # of the deletion, by its monitor's id
        stranger = Tmf640("host", host.url)
        assert stranger.hinted(wire_tap.bodies[1]) == ["1.0"]


async def test_a_callback_may_come_before_the_answer():
    async with Listener() as wire_tap, both(mode=Mode.ASYNC, callback=wire_tap.url) as (host, adapter):
        line = new_line()
        host.faults.next_changes(Fault.CALLBACK_FIRST)
        asked = asyncio.create_task(adapter.bring("1.0", line, opened()))
        await wire_tap.wait_for(1)
        assert not asked.done()
        assert adapter.hinted(wire_tap.bodies[0]) == ["1.0"]
        assert isinstance(await asked, Pending)
        assert await condition(adapter, line) == opened()


@pytest.mark.parametrize("fault", [Fault.CALLBACK_LOST, Fault.CALLBACK_DOUBLED, Fault.CALLBACK_LATE])
async def test_with_callbacks_lost_doubled_or_late_reading_back_shows_what_is(fault):
    async with (
        Listener() as wire_tap,
        both(mode=Mode.ASYNC, work_seconds=0.0, callback=wire_tap.url, late_seconds=0.1) as (host, adapter),
    ):
        line = new_line()
        host.faults.next_changes(fault)
        await adapter.bring("1.0", line, opened())
        await until(adapter, line, opened())
        if fault is Fault.CALLBACK_LOST:
            assert (host.callbacks.counters["lost"], wire_tap.bodies) == (2, [])
            return
        await wire_tap.wait_for(4 if fault is Fault.CALLBACK_DOUBLED else 2)
        assert all(adapter.hinted(body) == ["1.0"] for body in wire_tap.bodies)
        assert len({json.loads(body)["eventId"] for body in wire_tap.bodies}) == 2


async def test_callbacks_out_of_order_hint_at_their_own_calls():
    async with Listener() as wire_tap, both(callback=wire_tap.url) as (host, adapter):
        host.faults.next_changes(Fault.CALLBACK_DISORDER)
        await adapter.bring("1.0", new_line(), opened())
        await adapter.bring("2.0", new_line(), opened("447700900002"))
        await wire_tap.wait_for(2)
        assert [adapter.hinted(body) for body in wire_tap.bodies] == [["2.0"], ["1.0"]]


async def test_the_callback_address_is_given_once_and_one_that_is_known_is_no_failure():
    async with Listener() as wire_tap, both(callback=wire_tap.url) as (host, adapter):
        await asyncio.gather(*(adapter.bring(f"{n}.0", new_line(), opened(f"44770090000{n}")) for n in range(5)))
        restarted = Tmf640("host", host.url, callback=wire_tap.url)
        await restarted.bring("9.0", new_line(), opened("447700900009"))
        await restarted.close()
        assert restarted.listening
        assert host.calls["hub"] == 2
        assert list(host.callbacks.listeners.values()) == [wire_tap.url]


# A peer that is no TMF640


@asynccontextmanager
async def answering(answer):
    """A host that answers every call with `answer(request)`."""
    runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    adapter = Tmf640("host", f"http://127.0.0.1:{runner.addresses[0][1]}/v4", timeout=TIMEOUT, token="s3cret")
    try:
        yield adapter
    finally:
        await adapter.close()
        await runner.cleanup()


@pytest.mark.parametrize(
    ("response", "code"),
    [
        ({"body": b"<html>", "content_type": "text/html"}, "host.garbage"),
        ({"body": b""}, "host.garbage"),
        ({"body": b"{}"}, "host.garbage"),
        ({"body": b"[1]"}, "host.filter"),
        ({"body": b"[" * 100_000}, "host.garbage"),
        ({"body": b"[" + b" " * 300_000 + b"]"}, "host.garbage"),
        ({"body": bomb(20), "headers": {"Content-Encoding": "gzip"}}, "host.garbage"),
        ({"body": b"x", "headers": {"Content-Encoding": "gzip"}}, "host.garbage"),
        ({"status": 204}, "host.garbage"),
        ({"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}}, "host.redirect"),
        ({"status": 401}, "host.credentials"),
        ({"status": 403}, "host.credentials"),
        ({"status": 404}, "host.address"),
        ({"status": 408}, "host.unavailable"),
        ({"status": 409, "headers": {"Retry-After": "5"}}, "host.unavailable"),
        ({"status": 409, "headers": {"Retry-After": "Fri, 27 Nov 2026 12:00:00 GMT", "Date": ""}}, "host.unavailable"),
        ({"status": 423}, "host.unavailable"),
        ({"status": 501}, "host.unavailable"),
        ({"status": 503, "headers": {"Retry-After": "5"}}, "host.unavailable"),
    ],
)
async def test_any_answer_that_is_not_about_the_line_is_the_hosts_failure(response, code):
    async def answer(_request):
        return web.Response(**response)

    async with answering(answer) as adapter:
        for call in (adapter.read(new_line()), adapter.bring("1.0", new_line(), opened())):
            with pytest.raises(HostUnavailable) as caught:
                await call
            assert caught.value.code == code
            assert caught.value.after == (5.0 if response.get("headers", {}).get("Retry-After") == "5" else None)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "GZIP", "gzip, gzip", "br", "zstd"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_an_answer_that_unpacks_to_a_gigabyte_is_refused_packed(coding, chunked):
    packed = bomb(1024)

    async def answer(request):
        response = web.StreamResponse(headers={"Content-Encoding": coding})
        if not chunked:
            response.content_length = len(packed)
        await response.prepare(request)
        with suppress(ConnectionError):
            await response.write(packed)
        return response

    async with answering(answer) as adapter:
        tracemalloc.start()
        try:
            for call in (adapter.read(new_line()), adapter.bring("1.0", new_line(), opened())):
                with pytest.raises(HostUnavailable, match="Content-Encoding") as caught:
                    await call
                assert caught.value.code == "host.garbage"
            assert tracemalloc.get_traced_memory()[1] < 16 << 20
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    ("status", "code"), [(401, "host.credentials"), (503, "host.unavailable"), (404, "host.address")]
)
async def test_of_a_coded_refusal_the_status_counts(status, code):
    async def answer(_request):
        return web.Response(status=status, body=gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"})

    async with answering(answer) as adapter:
        with pytest.raises(HostUnavailable) as caught:
            await adapter.read(new_line())
        assert caught.value.code == code


OK = b"HTTP/1.1 200 OK\r\n"
ENDLESS = {
    "body without a length": (OK + b"\r\n", b" " * 65536),
    "body of a long length": (OK + b"Content-Length: 99999999999\r\n\r\n", b" " * 65536),
    "chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65536 + b"\r\n"),
    "one chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n", b" " * 65536),
    "header fields": (OK, b"X: y\r\n" * 4096),
    "one header field": (OK + b"X: ", b"y" * 65536),
    "a status line": (b"HTTP/1.1 200 ", b"y" * 65536),
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 256),
}


@pytest.mark.parametrize("kind", ENDLESS)
async def test_an_endless_answer_is_cut_off_and_takes_no_memory(kind):
    head, piece = ENDLESS[kind]

    async def talk(_reader, writer):
        with suppress(ConnectionError):
            writer.write(head)
            while True:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    adapter = Tmf640("host", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v4", timeout=TIMEOUT)
    tracemalloc.start()
    try:
        with pytest.raises(HostUnavailable):
            async with asyncio.timeout(PATIENCE):
                await adapter.read(new_line())
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
        await adapter.close()
        server.close()


async def test_a_refused_search_refuses_the_line():
    async def answer(_request):
        return web.json_response({"code": "bad", "reason": "no such card"}, status=400)

    async with answering(answer) as adapter:
        with pytest.raises(HostRefused, match="no such card"):
            await adapter.read(new_line())


@pytest.mark.parametrize(
    ("status", "headers"), [(206, {}), (200, {"X-Total-Count": "11"}), (206, {"X-Total-Count": "11"})]
)
async def test_a_part_of_a_list_does_not_say_that_a_card_has_no_service(status, headers):
    line, asked = new_line(), []

    async def answer(request):
        asked.append(request.method)
        ended = [
            {"id": str(number), "state": "terminated", "supportingResource": [{"id": line.iccid}]}
            for number in range(10)
        ]
        return web.json_response(ended, status=status, headers=headers)

    async with answering(answer) as adapter:
        with pytest.raises(HostRefused, match="10 ended services for this card, and has more") as caught:
            await adapter.bring("1.0", line, opened())
        assert (caught.value.code, asked) == ("host.ambiguous", ["GET"])


async def test_a_host_that_lists_other_cards_services_is_not_believed():
    async def answer(_request):
        return web.json_response([{"id": "1", "state": "active", "supportingResource": [{"id": "another"}]}])

    async with answering(answer) as adapter:
        with pytest.raises(HostUnavailable) as caught:
            await adapter.bring("1.0", new_line(), ABSENT)
        assert caught.value.code == "host.filter"


@pytest.mark.parametrize("wanted", [opened(), ABSENT])
async def test_a_host_that_redirects_a_change_is_not_followed(wanted):
    line, asked = new_line(), []

    async def answer(request):
        asked.append(request.method)
        if request.method == "GET":
            held = {"id": "1", "state": "inactive", "supportingResource": [{"id": line.iccid}]}
            return web.json_response([held])
        return web.Response(status=307, headers={"Location": str(request.url)})

    async with answering(answer) as adapter:
        with pytest.raises(HostUnavailable):
            await adapter.bring("1.0", line, wanted)
    assert asked == ["GET", "DELETE" if wanted == ABSENT else "PATCH"]


@pytest.mark.parametrize("body", ["", "Accepted", '{"id": "x"}', "[]"])
async def test_a_202_needs_no_body_and_a_retry_after_says_when_to_look(body):
    async def answer(request):
        if request.method == "GET":
            return web.json_response([])
        return web.Response(status=202, text=body, headers={"Retry-After": "3"})

    async with answering(answer) as adapter:
        assert await adapter.bring("1.0", new_line(), opened()) == Pending(3.0)


@pytest.mark.parametrize(("body", "fine"), [(b"", True), (b'{"id": 1}', True), (b"<ok/>", False)])
async def test_a_201_needs_no_body_but_what_it_has_is_json(body, fine):
    async def answer(request):
        return web.json_response([]) if request.method == "GET" else web.Response(status=201, body=body)

    async with answering(answer) as adapter:
        if fine:
            assert await adapter.bring("1.0", new_line(), opened()) is None
        else:
            with pytest.raises(HostUnavailable):
                await adapter.bring("1.0", new_line(), opened())


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"\x00\xff" * 50,
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n[",
        b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 999 What\r\nContent-Length: 2\r\n\r\n[]",
    ],
)
async def test_bytes_that_are_no_http_end_in_an_unavailable_host(written):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(written)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    adapter = Tmf640("host", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v4", timeout=TIMEOUT)
    with pytest.raises(HostUnavailable):
        await adapter.read(new_line())
    await adapter.close()
    server.close()


async def test_a_host_that_writes_a_byte_now_and_then_runs_out_of_time():
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]" * 10:
            writer.write(bytes([byte]))
            await asyncio.sleep(TIMEOUT / 10)
            if writer.transport.is_closing():
                return

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    adapter = Tmf640("host", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v4", timeout=TIMEOUT)
    with pytest.raises(HostUnavailable) as caught:
        await adapter.read(new_line())
    assert caught.value.code == "host.timeout"
    await adapter.close()
    server.close()


# Secrets and authorities


async def test_no_error_log_or_trace_has_a_number_a_key_or_the_token(caplog):
    caplog.set_level(logging.DEBUG)
    errors = []
    line = new_line()
    secrets = [line.iccid, line.imsi, "447700900001", "aa" * 16, "bb" * 16, "s3cret"]

    async def answer(request):
        if request.method == "GET" and not errors:
            return web.Response(status=400, text=json.dumps({"reason": " ".join(secrets[:5])}))
        return web.Response(status=302, headers={"Location": f"/{line.iccid}"})

    async with answering(answer) as adapter:
        dead = Tmf640("host", "http://127.0.0.1:9/v4", timeout=TIMEOUT, token="s3cret")
        for call in (adapter.read(line), adapter.bring("1.0", line, opened()), dead.bring("1.0", line, opened())):
            with pytest.raises((HostRefused, HostUnavailable)) as caught:
                await call
            errors.append(caught.value)
        await dead.close()
    assert len(errors) == 3
    told = " ".join([*map(str, errors), *map(repr, errors), *(r.getMessage() for r in caplog.records)])
    assert not [secret for secret in secrets if secret in told]


async def test_no_key_ever_leaves_for_the_host():
    async with both() as (host, adapter):
        line = new_line()
        for number, wanted in enumerate([opened(), Condition(Access.BARRED), ABSENT, opened()]):
            await adapter.bring(f"1.{number}", line, wanted)
        held = json.dumps(host.services)
        assert "aa" * 16 not in held
        assert "bb" * 16 not in held


async def test_the_token_is_sent_and_a_wrong_one_is_nobodys_line():
    async with HostApi(token="right") as host:
        for token, fine in (("right", True), ("wrong", False), (None, False)):
            adapter = Tmf640("host", host.url, token=token)
            if fine:
                assert await condition(adapter, new_line()) == ABSENT
            else:
                with pytest.raises(HostUnavailable) as caught:
                    await adapter.read(new_line())
                assert caught.value.code == "host.credentials"
            await adapter.close()


@pytest.fixture
def certificate(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    about = ["-subj", "/CN=host", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run([*new, *about], check=True, capture_output=True)
    return key, certificate


async def test_a_host_is_trusted_by_its_authority_alone(certificate):
    key, certificate = certificate
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    async with HostApi(tls=tls) as host:
        known, unknown = Tmf640("host", host.url, ca=str(certificate)), Tmf640("host", host.url)
        assert await condition(known, new_line()) == ABSENT
        with pytest.raises(HostUnavailable):
            await unknown.read(new_line())
        await known.close()
        await unknown.close()
