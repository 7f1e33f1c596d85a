"""A gateway that leaves in peace: nothing new comes in, what runs comes to its end, then the process does."""

import asyncio
import json
import signal
import time

import pytest
from support.diameter_rig import RawPeer, ccr, dpa
from support.gateways import subscribers
from support.patience import PATIENCE
from support.sms_gateway import Centre, SmsGateway, desk_and_centre, text

from gateway.api.answers.nodes import DrainState
from gateway.cli.client import ActionRefused, call
from gateway.settings import load
from protocols.diameter.codec import encode_avp
from protocols.diameter.messages import MultipleServicesCreditControl, RequestedServiceUnit, SubscriptionId
from protocols.smpp.node_events import ClientDown
from protocols.smpp.transitions import CloseReason

ROWS = subscribers(2)
SUCCESS, TOO_BUSY = (encode_avp(268, code.to_bytes(4, "big")) for code in (2001, 3004))


def request(number, kind, session, flags=0xC0):
    """A CCR of a kind."""
    services = MultipleServicesCreditControl(
        requested_service_unit=() if kind == 3 else RequestedServiceUnit(), rating_group=10
    )
    return ccr(
        number,
        flags,
        session_id=session,
        cc_request_type=kind,
        cc_request_number=number,
        subscription_id=(SubscriptionId(1, ROWS[0][1]),),
        multiple_services_credit_control=() if kind == 3 else (services,),
    )


async def result(peer, *args):
    """The whole answer to a CCR."""
    header, frame = await peer.ask(request(*args))
    assert header.command_code == 272
    return frame


async def becomes_draining(desk):
    async with asyncio.timeout(PATIENCE):
        while (await asyncio.to_thread(desk.get, "/readyz"))[0] != 503:  # noqa: ASYNC110  (another process)
            await asyncio.sleep(0.02)


async def test_sessions_that_run_go_on_new_ones_are_too_busy_and_the_process_ends_with_0(tmp_path):
    async with SmsGateway(tmp_path / "gw") as desk:
        await asyncio.to_thread(desk.enrol, ROWS)
        peer = await RawPeer.open(desk.diameter_port)
        assert SUCCESS in await result(peer, 0, 1, b"old;1")
        drain = asyncio.create_task(asyncio.to_thread(desk.tpo, "drain", "--timeout", "300"))
        await becomes_draining(desk)
        checks = json.loads((await asyncio.to_thread(desk.get, "/readyz"))[1])["checks"]
        assert checks == {"not_draining": False, "store": True}
        assert TOO_BUSY in await result(peer, 1, 1, b"new;1")
        assert TOO_BUSY in await result(peer, 2, 4, b"new;2")
        assert SUCCESS in await result(peer, 0, 1, b"old;1", 0xD0)  # T: it may have been begun here, and was
        assert SUCCESS in await result(peer, 3, 2, b"old;1")
        status = await desk.run("status")
        assert (status["state"], status["drain"]["left"]) == ("draining", {"sessions": 1, "texts": 0, "orders": 0})
        refused = await asyncio.to_thread(desk.ask, "/v1/sms", text("hello"))
        assert (refused[0], refused[1]["code"]) == (503, "gateway.runtime.drain")
        order = await asyncio.to_thread(
            desk.tpo, "sim", "resume", "8944100000000000001", "--reason", "customer", ok=(1,)
        )
        assert "on its way out" in order.stderr
        assert "on its way out" in (await asyncio.to_thread(desk.tpo, "reload", ok=(78,))).stderr
        assert SUCCESS in await result(peer, 4, 3, b"old;1")
        header, _ = await peer.receive()
        assert header.command_code == 282  # the DPR comes when no session is left
        peer.send(dpa(header))
        assert await asyncio.to_thread(desk.process.wait, PATIENCE) == 0
        done = await drain
        assert "still running: sessions: 1" in done.stderr
        assert "has left" in done.stdout
        await peer.leave()


async def test_texts_that_wait_go_out_and_the_link_unbinds_after_its_last_answer(tmp_path):
    def slow(request, message_id):
        asyncio.get_running_loop().call_later(0.2, smsc.accept, request, message_id)

    async with desk_and_centre(tmp_path / "gw", window=2) as (desk, smsc):
        smsc.on_submit = slow
        ids = await desk.send(*(text(f"number {n}", registered_delivery=False) for n in range(12)))
        await smsc.has(1)
        done = await asyncio.to_thread(desk.tpo, "drain", "--json")
        assert json.loads(done.stdout)["left"] == {"sessions": 0, "texts": 0, "orders": 0}
        assert await asyncio.to_thread(desk.process.wait, PATIENCE) == 0
        assert len(smsc.submits) == len(ids)
        (down,) = [event for event in smsc.events if isinstance(event, ClientDown)]
        assert down.reason is CloseReason.LEFT


async def test_what_does_not_end_in_time_is_kept_and_told(tmp_path):
    async with Centre() as smsc, SmsGateway(tmp_path / "gw", smsc.port) as desk:
        await smsc.bound()
        await asyncio.to_thread(desk.enrol, ROWS)
        peer = await RawPeer.open(desk.diameter_port)
        assert SUCCESS in await result(peer, 0, 1, b"old;1")
        began = time.monotonic()
        drain = asyncio.create_task(asyncio.to_thread(desk.tpo, "drain", "--timeout", "1"))
        header, _ = await peer.receive()
        assert header.command_code == 282
        peer.send(dpa(header))
        done = await drain
        assert 1 <= time.monotonic() - began < PATIENCE
        assert "kept in the store: sessions: 1" in done.stderr
        assert await asyncio.to_thread(desk.process.wait, PATIENCE) == 0
        assert '"daemon.drain.incomplete"' in desk.log.read_text()
        await peer.leave()
        await asyncio.to_thread(desk.start)
        peer = await RawPeer.open(desk.diameter_port)
        assert SUCCESS in await result(peer, 1, 3, b"old;1")
        await peer.leave()
        await asyncio.to_thread(desk.check)


async def test_sigterm_ends_the_waiting_of_a_drain(tmp_path):
    async with SmsGateway(tmp_path / "gw") as desk:
        await asyncio.to_thread(desk.enrol, ROWS)
        peer = await RawPeer.open(desk.diameter_port)
        assert SUCCESS in await result(peer, 0, 1, b"old;1")
        drain = asyncio.create_task(asyncio.to_thread(desk.tpo, "drain", "--timeout", "600"))
        await becomes_draining(desk)
        desk.process.send_signal(signal.SIGTERM)
        header, _ = await peer.receive()
        peer.send(dpa(header))
        assert await asyncio.to_thread(desk.process.wait, PATIENCE) == 0
        assert (await drain).returncode == 0
        await peer.leave()


async def test_a_gateway_that_does_not_drain_says_so_to_whoever_follows(tmp_path):
    async with SmsGateway(tmp_path / "gw") as desk:
        settings = load(desk.config, for_client=True)
        with pytest.raises(ActionRefused) as refused:
            await asyncio.to_thread(call, settings, "gateway.drain.follow", {}, DrainState)
        assert (refused.value.problem.status, refused.value.problem.code) == (409, "drain.none")


async def test_a_drain_of_nothing_takes_a_moment_and_a_wrong_time_is_refused(tmp_path):
    async with SmsGateway(tmp_path / "gw") as desk:
        assert (await asyncio.to_thread(desk.tpo, "drain", "--timeout", "-1", ok=(64,))).stderr
        began = time.monotonic()
        await asyncio.to_thread(desk.tpo, "drain")
        assert time.monotonic() - began < PATIENCE / 2  # by default it waits for a minute
        assert desk.process.wait(PATIENCE) == 0
        assert "not running" in (await asyncio.to_thread(desk.tpo, "drain", ok=(69,))).stderr
