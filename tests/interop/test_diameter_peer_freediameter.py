"""freeDiameter between two of our nodes: it dials the one, the other dials it, and it relays from this to that."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from support import free_diameter
from support.diameter_rig import CCA, OCS, PGW, Rig, body_of, ccr_body
from support.free_diameter import FreeDiameter
from support.patience import until
from support.wiretap import Wiretap

from protocols.diameter.codec import encode_avp
from protocols.diameter.errors import DiameterError, ResultCode
from protocols.diameter.generated import decode
from protocols.diameter.identity import PeerConfig
from protocols.diameter.limits import Limits
from protocols.diameter.messages import CreditControlAnswer, ErrorAnswer
from protocols.diameter.node_events import ConnectFailed, PeerDown, PeerUp
from protocols.diameter.routing import scan
from protocols.diameter.transitions import CloseReason, DisconnectCause

pytestmark = [
    pytest.mark.xdist_group("freediameter"),
    pytest.mark.skipif(free_diameter.PROGRAM is None, reason="freeDiameterd is not installed"),
]

DRA = "dra.core.example"
DWR, DPR = 280, 282


class Line:
    """PGW -> freeDiameter -> OCS, with a wiretap before each that is dialled."""

    def __init__(self, ocs, pgw, dra, before_ocs, before_dra):
        self.ocs, self.pgw, self.dra, self.before_ocs, self.before_dra = ocs, pgw, dra, before_ocs, before_dra


@asynccontextmanager
async def line(folder, handler=None):
    """All three, open."""
    relay = PeerConfig(identity=DRA, realm="core.example", relay=True)
    options = {"handler": handler} if handler else {}
    async with Rig(peers=[relay], **options) as ocs:
        with Wiretap(ocs.port) as before_ocs:
            dra = FreeDiameter(folder, {OCS: before_ocs.port}, identity=DRA, clients=PGW)
            await asyncio.to_thread(dra.__enter__)
            try:
                with Wiretap(dra.port) as before_dra:
                    dialled = PeerConfig(
                        identity=DRA, realm="core.example", connect=("127.0.0.1", before_dra.port), relay=True
                    )
                    limits = Limits(reconnect_first=0.05)
                    async with Rig(PGW, [dialled], listen=(), commands=(258,), limits=limits) as pgw:
                        await pgw.told(PeerUp)
                        yield Line(ocs, pgw, dra, before_ocs, before_dra)
            finally:
                await asyncio.to_thread(dra.__exit__, None, None, None)


async def test_requests_pass_through_it_and_it_leaves_both_of_us_in_order(tmp_path):
    seen = []

    def handler(request):
        seen.append(request)
        request.answer(CCA)

    async with line(tmp_path, handler) as here:
        up = here.ocs.of(PeerUp)[0]
        assert (up.identity, up.initiated, up.product_name) == (DRA, False, "freeDiameter")
        assert here.pgw.of(PeerUp)[0].initiated
        for number in range(20):
            body = ccr_body(cc_request_number=number, destination_host=OCS)
            header, frame = await here.pgw.node.request(DRA, 272, 4, body, 5.0)
            assert not header.error
            assert body_of(frame).startswith(CCA)
            assert scan(seen[-1].frame).route_records == (PGW.encode(),)
            assert (seen[-1].peer, seen[-1].header.end_to_end) == (DRA, header.end_to_end)
        await asyncio.to_thread(here.dra.__exit__, None, None, None)
        for rig, cause in ((here.ocs, DisconnectCause.REBOOTING), (here.pgw, DisconnectCause.REBOOTING)):
            down = await rig.told(PeerDown)
            assert (down.reason, down.cause) == (CloseReason.LEFT, cause)


async def test_watchdogs_are_exchanged_in_both_directions(tmp_path):
    async with line(tmp_path) as here:
        for rig in (here.ocs, here.pgw):
            (entry,) = rig.node._table
            entry.current.probe(time.monotonic())  # ours now; its own come by its Tw of 6 s
            rig.node._pump(entry.current, time.monotonic())
        for tap in (here.before_ocs, here.before_dra):
            await until(lambda tap=tap: _watchdogs(tap.asked) and _watchdogs(tap.answered), 30.0)
        for rig in (here.ocs, here.pgw):
            state = rig.node.peers_state()[0]
            assert (state.state, state.watchdog) == ("open", "okay")


async def test_it_takes_our_leave(tmp_path):
    async with line(tmp_path) as here:
        await here.pgw.node.stop(DisconnectCause.REBOOTING, 5.0)
        await here.ocs.node.stop(DisconnectCause.DO_NOT_WANT_TO_TALK_TO_YOU, 5.0)
        for rig, tap, ours in (
            (here.pgw, here.before_dra, here.before_dra.asked),
            (here.ocs, here.before_ocs, here.before_ocs.answered),
        ):
            assert [event.reason for event in rig.of(PeerDown)] == [CloseReason.STOPPED]
            assert [frame.code for frame in ours if frame.request][-1] == DPR
            answers = tap.answered if ours is tap.asked else tap.asked
            assert [frame.code for frame in answers if not frame.request][-1] == DPR


async def test_our_errors_come_back_through_it(tmp_path):
    missing = encode_avp(432, bytes(4))

    def handler(request):
        raise DiameterError(ResultCode.DIAMETER_MISSING_AVP, "no Rating-Group", missing)

    async with line(tmp_path, handler) as here:
        header, frame = await here.pgw.node.request(DRA, 272, 4, ccr_body(), 5.0)
        answer = decode(CreditControlAnswer, frame)
        assert (header.error, answer.result_code, answer.failed_avp) == (False, 5005, (missing,))
        assert (answer.origin_host, answer.session_id) == (OCS, b"pgw.host.example;1;2")
        asked = len(here.before_ocs.asked)
        body = ccr_body(destination_host=OCS) + encode_avp(282, OCS.encode())
        header, frame = await here.pgw.node.request(DRA, 272, 4, body, 5.0)  # it sees the loop before we do
        assert (header.error, decode(ErrorAnswer, frame).result_code) == (True, 3002)
        assert len(here.before_ocs.asked) == asked


async def test_an_identity_that_it_does_not_know_is_told_so(tmp_path):
    async with line(tmp_path) as here:
        dialled = PeerConfig(identity=DRA, realm="core.example", connect=("127.0.0.1", here.dra.port))
        async with Rig("stranger.host.example", [dialled], listen=(), commands=(258,)) as stranger:
            failed = await stranger.told(ConnectFailed)
            assert failed.reason in {CloseReason.REFUSED_BY_PEER, CloseReason.LOST}


def _watchdogs(frames):
    """Whether this direction has carried a DWR and a DWA."""
    return {frame.request for frame in frames if frame.code == DWR} == {True, False}
