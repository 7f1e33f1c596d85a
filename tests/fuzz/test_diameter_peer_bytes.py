"""Any octets, at any time, end in an answer, an event or a closed connection: never in an exception."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from support.diameter_rig import OCS, PGW, ccr, cer, identity

from protocols.diameter.capabilities import LocalNode
from protocols.diameter.codec import MAX_MESSAGE_SIZE, encode_message
from protocols.diameter.errors import DiameterError
from protocols.diameter.events import CapabilitiesRequested
from protocols.diameter.inbound import scan
from protocols.diameter.limits import Limits
from protocols.diameter.session import Peer
from protocols.diameter.transitions import Role, SessionState
from protocols.diameter.watchdog import Watchdog

ADDRESS = b"\0\1\x7f\0\0\1"
BASE = [encode_message(flags, code, 0, 1, 1, cer()[20:]) for flags in (0x80, 0) for code in (257, 280, 282)]


@st.composite
def streams(draw):
    """Real messages with some octets changed, cut anywhere."""
    messages = draw(st.lists(st.sampled_from([cer(), ccr(), ccr(flags=0x40), *BASE]), min_size=1, max_size=5))
    data = bytearray(b"".join(messages))
    for position, octet in draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=6)):
        data[position] = octet
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=4)))
    return [bytes(data[a:b]) for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def new_peer(role):
    local = LocalNode(identity(OCS if role is Role.RESPONDER else PGW), (ADDRESS,), {4: 0})
    return Peer(role, local, Limits(), end_to_end=lambda: 1, watchdog=Watchdog(lambda: 0.5))


@given(streams() | st.lists(st.binary(max_size=200), max_size=5), st.sampled_from(Role), st.booleans())
def test_any_octets_leave_a_peer_in_a_state_of_the_table(pieces, role, opened):
    peer = new_peer(role)
    peer.connected(0.0)
    if opened and role is Role.RESPONDER:
        peer.receive(cer(), 0.0)
    now = 0.0
    for piece in pieces:
        for event in peer.events():
            if isinstance(event, CapabilitiesRequested) and peer.state is SessionState.WAIT_RETURNS:
                peer.accept(Watchdog(lambda: 0.5), now)
        now += 1.0
        peer.receive(piece, now)
        peer.on_timer(now)
    assert len(peer.data_to_send()) < MAX_MESSAGE_SIZE
    assert peer.state in SessionState
    peer.connection_lost(now)
    assert peer.closed


@given(st.binary(max_size=300))
def test_any_octets_are_scanned_or_refused(body):
    with suppress(DiameterError):
        assert len(scan(bytes(20) + body).proxy_info) <= len(body)
