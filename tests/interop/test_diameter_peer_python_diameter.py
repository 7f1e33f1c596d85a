"""python-diameter's own node as our peer: it dials us, and we dial it."""

import asyncio
import logging
import time
from contextlib import asynccontextmanager

import pytest
from diameter.message import constants
from diameter.message.avp.grouped import MultipleServicesCreditControl, RequestedServiceUnit
from diameter.message.commands import CreditControlRequest as TheirRequest
from diameter.node import Node as TheirNode
from diameter.node.application import SimpleThreadingApplication
from diameter.node.peer import PEER_READY, PEER_READY_STATES
from support.diameter_rig import CCA, OCS, PGW, Rig, ccr_body
from support.patience import until
from support.ports import free_port

from protocols.diameter.generated import decode
from protocols.diameter.identity import PeerConfig
from protocols.diameter.messages import CreditControlAnswer, CreditControlRequest
from protocols.diameter.node_events import PeerDown, PeerUp
from protocols.diameter.transitions import CloseReason, DisconnectCause

pytestmark = pytest.mark.xdist_group("python-diameter")


def their_request():
    request = TheirRequest()
    request.header.application_id = constants.APP_DIAMETER_CREDIT_CONTROL_APPLICATION
    request.session_id = "pgw.host.example;1;2"
    request.origin_host = PGW.encode()
    request.origin_realm = b"host.example"
    request.destination_realm = b"tpo.example"
    request.service_context_id = "32251@3gpp.org"
    request.auth_application_id = constants.APP_DIAMETER_CREDIT_CONTROL_APPLICATION
    request.cc_request_type = constants.E_CC_REQUEST_TYPE_INITIAL_REQUEST
    request.cc_request_number = 0
    request.multiple_services_credit_control = [
        MultipleServicesCreditControl(
            rating_group=100, requested_service_unit=RequestedServiceUnit(cc_total_octets=1_000_000)
        )
    ]
    return request


def their_answer(app, message):
    answer = app.generate_answer(message, result_code=constants.E_RESULT_CODE_DIAMETER_SUCCESS)
    answer.session_id = message.session_id
    answer.cc_request_type = message.cc_request_type
    answer.cc_request_number = message.cc_request_number
    return answer


@asynccontextmanager
async def their_node(host, **listen):
    """A node of python-diameter; it is stopped in the end whatever happened."""
    logging.getLogger("diameter").setLevel(logging.CRITICAL)
    node = TheirNode(host, host.partition(".")[2], vendor_ids=[constants.VENDOR_TGPP], **listen)
    node.wakeup_interval = 1
    node.idle_timeout = 1
    app = SimpleThreadingApplication(
        constants.APP_DIAMETER_CREDIT_CONTROL_APPLICATION, is_auth_application=True, request_handler=their_answer
    )
    try:
        yield node, app
    finally:
        if node._started and not node._stopping:
            await asyncio.to_thread(node.stop, 2)


def their_connection(node):
    (connection,) = node.connections.values()
    return connection


async def see_watchdogs_both_ways(ours, theirs):
    """Ours, asked for by a probe, is answered; so are theirs, which come after a second without traffic."""
    (entry,) = ours.node._table
    entry.current.probe(time.monotonic())
    ours.node._pump(entry.current, time.monotonic())
    await until(lambda: entry.current._probe_deadline is None)
    connection = their_connection(theirs)
    asked = []
    told = connection.reset_last_dwa
    connection.reset_last_dwa = lambda: (asked.append(1), told())
    await until(lambda: asked)
    assert connection.state == PEER_READY
    assert ours.node.peers_state()[0].state == "open"


async def test_it_dials_us_asks_is_answered_and_leaves_in_order():
    async with Rig(peers=[PeerConfig(identity=PGW, realm="host.example")]) as ocs, their_node(PGW) as (node, app):
        peer = node.add_peer(f"aaa://{OCS}:{ocs.port}", "tpo.example", ["127.0.0.1"], is_persistent=True)
        node.add_application(app, [peer], [node.realm_name])
        node.start()
        up = await ocs.told(PeerUp)
        assert (up.identity, up.product_name, up.initiated) == (PGW, "python-diameter", False)
        assert up.origin_state_id == node.state_id
        await asyncio.to_thread(app.wait_for_ready, 5)
        for _ in range(5):
            answer = await asyncio.to_thread(app.send_request, their_request(), 5)
            assert answer.result_code == constants.E_RESULT_CODE_DIAMETER_SUCCESS
            assert answer.origin_host == OCS.encode()
        await see_watchdogs_both_ways(ocs, node)
        assert ocs.node.peers_state()[0].requests_in == 5
        await asyncio.to_thread(node.stop, 5)
        down = await ocs.told(PeerDown)
        assert (down.reason, down.cause) == (CloseReason.LEFT, DisconnectCause.REBOOTING)


async def test_our_request_reaches_it_where_it_dialled_us():
    async with Rig(peers=[PeerConfig(identity=PGW, realm="host.example")]) as ocs, their_node(PGW) as (node, app):
        peer = node.add_peer(f"aaa://{OCS}:{ocs.port}", "tpo.example", ["127.0.0.1"], is_persistent=True)
        node.add_application(app, [peer], [node.realm_name])
        node.start()
        await ocs.told(PeerUp)
        body = ccr_body(origin_host=OCS, origin_realm="tpo.example", destination_realm="host.example")
        header, frame = await ocs.node.request(PGW, 272, 4, body, 5.0)
        answer = decode(CreditControlAnswer, frame)
        assert (header.error, answer.result_code, answer.origin_host) == (False, 2001, PGW)
        ocs.node.disconnect(PGW, DisconnectCause.REBOOTING)
        assert (await ocs.told(PeerDown)).reason is CloseReason.STOPPED


async def test_we_dial_it_ask_are_answered_and_leave_in_order():
    port = free_port()
    async with their_node(OCS, ip_addresses=["127.0.0.1"], tcp_port=port) as (node, app):
        peer = node.add_peer(f"aaa://{PGW}", "host.example")
        node.add_application(app, [peer], [node.realm_name])
        node.start()
        config = PeerConfig(identity=OCS, realm="tpo.example", connect=("127.0.0.1", port))
        async with Rig(PGW, [config], listen=(), commands=(258,)) as pgw:
            assert (await pgw.told(PeerUp)).product_name == "python-diameter"
            for number in range(5):
                header, frame = await pgw.node.request(OCS, 272, 4, ccr_body(cc_request_number=number), 5.0)
                answer = decode(CreditControlAnswer, frame)
                assert (header.error, answer.result_code, answer.cc_request_number) == (False, 2001, number)
                assert answer.session_id == b"pgw.host.example;1;2"
            await see_watchdogs_both_ways(pgw, node)
            assert their_connection(node).state in PEER_READY_STATES
        assert pgw.of(PeerDown)[0].reason is CloseReason.STOPPED
        await until(lambda: not node.connections)


async def test_it_leaves_us_in_order_where_we_dialled_it():
    port = free_port()
    async with their_node(OCS, ip_addresses=["127.0.0.1"], tcp_port=port) as (node, app):
        node.add_application(app, [node.add_peer(f"aaa://{PGW}", "host.example")], [node.realm_name])
        node.start()
        config = PeerConfig(identity=OCS, realm="tpo.example", connect=("127.0.0.1", port))
        async with Rig(PGW, [config], listen=(), commands=(258,)) as pgw:
            await pgw.told(PeerUp)
            await asyncio.to_thread(node.stop, 5)
            down = await pgw.told(PeerDown)
            assert (down.reason, down.cause) == (CloseReason.LEFT, DisconnectCause.REBOOTING)


async def test_what_it_sends_is_what_our_codec_reads():
    seen = []

    def handler(request):
        seen.append(decode(CreditControlRequest, request.frame))
        request.answer(CCA)

    config = PeerConfig(identity=PGW, realm="host.example")
    async with Rig(peers=[config], handler=handler) as ocs, their_node(PGW) as (node, app):
        node.add_application(
            app, [node.add_peer(f"aaa://{OCS}:{ocs.port}", "tpo.example", ["127.0.0.1"], is_persistent=True)]
        )
        node.start()
        await asyncio.to_thread(app.wait_for_ready, 5)
        answer = await asyncio.to_thread(app.send_request, their_request(), 5)
        assert answer.session_id == decode(CreditControlAnswer, CCA, 0).session_id.decode()
        (request,) = seen
        (services,) = request.multiple_services_credit_control
        assert (request.origin_host, request.destination_realm) == (PGW, "tpo.example")
        assert (services.rating_group, services.requested_service_unit.cc_total_octets) == (100, 1_000_000)
