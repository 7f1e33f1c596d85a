"""An SMSC that takes texts and never answers, through the daemon: attempts are bounded, over restarts and drops too."""

import asyncio
import itertools
import socket
import time

from support.lateness import Lateness
from support.sms_gateway import PATIENCE, SmsGateway, desk_and_centre, text
from support.unruly_smsc import UnrulySmsc, Watch

from gateway.messaging.routing import MOST_PAUSED
from protocols.smpp.errors import CommandStatus
from protocols.smpp.messages import SubmitSmResp

LOST = "no answer of the SMSC"


def nothing(*_):
    """An answer that never comes."""


async def at_rest(smsc, seconds=3.0):
    """Wait until nothing more is submitted for so long; gives how many submit_sm there were."""
    async with asyncio.timeout(2 * PATIENCE):
        before = -1
        while before != len(smsc.submits):
            before = len(smsc.submits)
            await asyncio.sleep(seconds)
    return before


def gaps(times):
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def logged(desk, event):
    watch = Watch(desk)
    watch._from = 0
    return watch.told(event)


async def test_a_text_that_is_never_answered_is_sent_so_often_with_growing_pauses_and_stays_doubtful(tmp_path):
    async with desk_and_centre(tmp_path, response_timeout=1, attempts=3) as (desk, smsc):
        times = []
        smsc.on_submit = lambda *_: times.append(time.monotonic())
        with Lateness() as late:
            (text_id,) = await desk.send(text("hello"))
            await smsc.has(3)
        assert await at_rest(smsc, 4.0) == 3
        first, second = gaps(times)
        assert 1.5 - late.most < first < 4.5 + 10 * late.most  # the time-out and a second, as the SMSC saw them
        assert 5.0 - late.most < second < 9.5 + 10 * late.most  # and five
        await smsc.wait(lambda: logged(desk, "sms.text.given_up"))
        shown = await desk.becomes(text_id, "doubtful")
        assert (shown["error"], shown["maybe_double"]) == (LOST, True)
        (told,) = logged(desk, "sms.text.given_up")
        assert (told["name"], told["text_id"], told["attempts"]) == ("smsc-1", int(text_id), 3)
        smsc.on_submit = smsc.accept
        (after,) = await desk.send(text("after"))
        await desk.becomes(after, "delivered")
        assert smsc.words() == ["hello"] * 3 + ["after"]


async def test_a_text_of_one_attempt_is_sent_once_and_a_late_response_still_settles_it(tmp_path):
    async with desk_and_centre(tmp_path, response_timeout=1, attempts=1) as (desk, smsc):
        kept = []
        smsc.on_submit = lambda *submit: kept.append(submit)
        (text_id,) = await desk.send(text("hello"))
        await desk.becomes(text_id, "doubtful")
        assert await at_rest(smsc) == 1
        smsc.accept(*kept[0])
        await desk.becomes(text_id, "delivered")


async def test_attempts_count_over_kills(tmp_path):
    async with desk_and_centre(tmp_path, response_timeout=1, attempts=3) as (desk, smsc):
        smsc.on_submit = nothing
        (text_id,) = await desk.send(text("hello"))
        for sent in (1, 2):
            await smsc.has(sent)
            await asyncio.to_thread(desk.kill)
            await asyncio.to_thread(desk.start)
        await smsc.has(3)
        assert await at_rest(smsc, 4.0) == 3
        await smsc.wait(lambda: logged(desk, "sms.text.given_up"))
        await desk.becomes(text_id, "doubtful")
        await asyncio.to_thread(desk.kill)
        await asyncio.to_thread(desk.start)
        await smsc.bound(4)
        assert await at_rest(smsc) == 3
        assert (await desk.show(text_id))["state"] == "doubtful"
        assert len(logged(desk, "sms.text.given_up")) == 1


async def test_a_link_that_drops_at_each_text_is_not_given_it_for_ever(tmp_path):
    async with UnrulySmsc() as smsc, SmsGateway(tmp_path, smsc.port, attempts=2) as desk:
        await smsc.wait(lambda: smsc.lines and Watch(desk).up())
        smsc.on_submit = lambda line, *_: line.socket.shutdown(socket.SHUT_RDWR)
        (text_id,) = await desk.send(text("poison"))
        await smsc.has(2)
        assert await at_rest(smsc) == 2
        await smsc.wait(lambda: Watch(desk).up())
        assert (await desk.show(text_id))["state"] == "doubtful"
        smsc.on_submit = smsc.accept
        (after,) = await desk.send(text("after"))
        await desk.becomes(after, "delivered")
        assert smsc.words() == ["poison"] * 2 + ["after"]


async def test_with_policy_wait_attempts_are_bounded_too(tmp_path):
    options = {"response_timeout": 1, "attempts": 2, "doubtful": "wait", "doubtful_wait": 2}
    async with desk_and_centre(tmp_path, **options) as (desk, smsc):
        smsc.on_submit = nothing
        (text_id,) = await desk.send(text("hello"))
        await smsc.has(2)
        assert await at_rest(smsc) == 2
        await desk.becomes(text_id, "doubtful")
        first = smsc.submits[0]
        smsc.deliver(smsc.receipt(first, "77", user_message_reference=first.user_message_reference))
        assert (await desk.becomes(text_id, "delivered"))["maybe_double"] is True


async def test_a_text_that_the_smsc_puts_off_waits_longer_each_time_and_is_never_in_doubt(tmp_path):
    async with desk_and_centre(tmp_path, attempts=1) as (desk, smsc):
        times = []

        def later(request, _):
            times.append(time.monotonic())
            request.respond(SubmitSmResp(), CommandStatus.ESME_RSYSERR)

        smsc.on_submit = later
        with Lateness() as late:
            (text_id,) = await desk.send(text("hello"))
            await smsc.has(3)
        first, second = gaps(times)
        assert 0.5 - late.most < first < 3.5 + 10 * late.most
        assert 4.0 - late.most < second < 8.5 + 10 * late.most
        shown = await desk.becomes(text_id, "queued")
        assert (shown["error"], shown["maybe_double"]) == ("ESME_RSYSERR", False)
        await asyncio.to_thread(desk.kill)
        smsc.on_submit = smsc.accept
        await asyncio.to_thread(desk.start)
        shown = await desk.becomes(text_id, "delivered")
        assert (shown["maybe_double"], len(smsc.submits)) == (False, 4)


async def test_an_smsc_that_puts_everything_off_gets_no_more_than_so_many_texts_and_all_of_them_later(tmp_path):
    async with desk_and_centre(tmp_path, window=64) as (desk, smsc):
        smsc.on_submit = smsc.refuse(CommandStatus.ESME_RSYSERR)
        for first in range(0, 3000, 1000):
            await desk.send(*(text(f"number {n}", to=f"4479{n:08d}") for n in range(first, first + 1000)))
        await smsc.has(MOST_PAUSED)
        await asyncio.sleep(4.0)
        assert len(set(smsc.words())) <= MOST_PAUSED + 2 * 64
        smsc.on_submit = smsc.accept
        async with asyncio.timeout(100):
            while len(set(smsc.words())) < 3000:  # noqa: ASYNC110  (pauses of any length)
                await asyncio.sleep(0.5)
        await desk.all_become("delivered", 1000)
