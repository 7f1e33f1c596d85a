"""Peers that come, go and change while the node runs."""

import asyncio

import pytest
from support.diameter_rig import CCA, OCS, PGW, RawPeer, Rig, ccr, cer, dpa
from support.patience import until
from support.ports import free_port

from protocols.diameter.codec import encode_avp
from protocols.diameter.errors import ResultCode
from protocols.diameter.generated import decode
from protocols.diameter.identity import PeerConfig
from protocols.diameter.messages import CapabilitiesExchangeAnswer, DisconnectPeerRequest
from protocols.diameter.node_events import PeerDown, PeerUp
from protocols.diameter.transitions import CloseReason, DisconnectCause
from protocols.errors import LocalProtocolError

NEW = "pgw2.host.example"
REFUSED = ResultCode.DIAMETER_UNKNOWN_PEER


def known(identity, **more):
    return PeerConfig(identity=identity, realm=identity.lower().partition(".")[2], **more)


async def asked_in(port, host):
    """The Result-Code that a peer gets for its CER."""
    peer = await RawPeer.connect(port)
    peer.send(cer(host))
    _, frame = await peer.receive()
    await peer.leave()
    return decode(CapabilitiesExchangeAnswer, frame).result_code


async def goodbye(peer):
    """Read the node's DPR and answer it; gives its cause."""
    header, frame = await peer.receive()
    assert header.command_code == 282
    peer.send(dpa(header))
    return DisconnectCause(decode(DisconnectPeerRequest, frame).disconnect_cause)


async def test_a_peer_that_was_added_comes_in_and_the_one_that_was_there_notices_nothing():
    async with Rig() as rig:
        old = await RawPeer.open(rig.port)
        assert await asked_in(rig.port, NEW) == REFUSED
        rig.node.add_peer(known(NEW))
        assert await asked_in(rig.port, NEW) == 2001
        header, _ = await old.ask(ccr(7))
        assert header.hop_by_hop == 7
        await old.leave()


async def test_a_peer_is_added_once():
    async with Rig() as rig:
        with pytest.raises(LocalProtocolError, match="already"):
            rig.node.add_peer(known(PGW.upper()))


async def test_a_peer_with_an_address_is_dialled_when_it_is_added():
    async with Rig(PGW, peers=[known(OCS)]) as far, Rig() as rig:
        await rig.node.remove_peer(PGW, 1.0)
        rig.node.add_peer(known(PGW, connect=("127.0.0.1", far.port)))
        assert (await rig.told(PeerUp)).identity == PGW


async def test_a_peer_that_was_removed_gets_its_answers_a_goodbye_and_no_way_back():
    kept = []
    async with Rig(handler=kept.append) as rig:
        peer = await RawPeer.open(rig.port)
        peer.send(ccr(9))
        await until(lambda: kept)
        leaving = asyncio.create_task(rig.node.remove_peer(PGW, 5.0))
        await asyncio.sleep(0)
        assert await asked_in(rig.port, PGW) == REFUSED
        kept[0].answer(CCA)
        header, _ = await peer.receive()
        assert header.hop_by_hop == 9
        assert await goodbye(peer) is DisconnectCause.DO_NOT_WANT_TO_TALK_TO_YOU
        await leaving
        await peer.leave()
        assert [entry.identity for entry in rig.node.peers_state() if entry.identity == PGW] == []
        assert await asked_in(rig.port, PGW) == REFUSED
        assert rig.of(PeerDown)[0].reason is CloseReason.STOPPED


async def test_a_peer_that_does_not_say_goodbye_is_cut_off_when_it_is_removed():
    async with Rig() as rig:
        peer = await RawPeer.open(rig.port)
        await rig.node.remove_peer(PGW, 0.2)
        assert (await peer.rest())[4:8] == b"\x80\x00\x01\x1a"  # the DPR, then the end
        await peer.leave()


async def test_a_peer_that_is_dialled_in_vain_is_removed_at_once():
    async with Rig(peers=[known(PGW, connect=("127.0.0.1", free_port()))]) as rig:
        await rig.node.remove_peer(PGW, 5.0)
        assert rig.node.peers_state() == []


async def test_a_peer_that_changed_is_left_as_by_a_restart_and_let_in_by_the_new_rules():
    async with Rig() as rig:
        peer = await RawPeer.open(rig.port)
        rig.node.replace_peer(known(PGW, allowed_addresses=("192.0.2.1",)))
        assert await goodbye(peer) is DisconnectCause.REBOOTING
        assert await peer.rest() == b""
        await peer.leave()
        assert await asked_in(rig.port, PGW) == REFUSED
        rig.node.replace_peer(known(PGW, allowed_addresses=("127.0.0.0/8",)))
        assert await asked_in(rig.port, PGW) == 2001


async def test_a_peer_that_moved_is_dialled_at_its_new_address():
    async with Rig(PGW, peers=[known(OCS)]) as far, Rig(peers=[known(PGW, connect=("127.0.0.1", free_port()))]) as rig:
        rig.node.replace_peer(known(PGW, connect=("127.0.0.1", far.port)))
        assert (await rig.told(PeerUp)).identity == PGW


async def test_a_peer_that_became_a_relay_may_bring_the_requests_of_others():
    for relay, result in ((False, 5004), (True, 2001)):
        async with Rig(peers=[known(PGW, relay=not relay)]) as rig:
            rig.node.replace_peer(known(PGW, relay=relay))
            peer = await RawPeer.open(rig.port)
            _, frame = await peer.ask(ccr(3, origin_host="other.host.example"))
            assert encode_avp(268, result.to_bytes(4, "big")) in frame
            await peer.leave()
