"""Any octets, in any pieces, to a session in any state: it answers, waits or closes, and never raises."""

from hypothesis import given
from hypothesis import strategies as st
from support.smpp_rig import BIND, DELIVER, SUBMIT, End

from protocols.smpp.codec import CommandId, Framer, decode_header
from protocols.smpp.generated import decode, encode
from protocols.smpp.limits import Limits
from protocols.smpp.messages import COMMANDS

LIMITS = Limits(window=4, outstanding=8, remembered=8)
COMMAND_IDS = st.one_of(
    st.sampled_from(sorted({*map(int, CommandId), *COMMANDS})), st.integers(0, 0xFFFFFFFF), st.integers(0, 0x200)
)
NUMBERS = st.one_of(st.integers(0, 8), st.integers(0, 0xFFFFFFFF))
BODIES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([encode(message, 1)[16:] for message in (BIND, SUBMIT, DELIVER)]),
    st.lists(st.sampled_from([b"\0", b"1\0", b"\x02\x10\0\x01\x34", b"\x04\x25\0\x01\x63"]), max_size=12).map(b"".join),
)


@st.composite
def pdus(draw):
    command_id = draw(COMMAND_IDS)
    body = draw(BODIES)
    head = [16 + len(body), command_id, draw(st.sampled_from([0, 8, 0x14, 0x58, 0x400])), draw(NUMBERS)]
    return b"".join(word.to_bytes(4, "big") for word in head) + body


def open_message_centre():
    end = End(LIMITS, system_id="smsc")
    end.session.connected(0.0)
    return end


def binding_esme():
    end = End(LIMITS, bind=BIND)
    end.session.connected(0.0)
    return end


def leaving_esme():
    end = End.bound(LIMITS)
    end.submit("text")
    end.get(DELIVER, 5)
    end.session.unbind(0.0)
    return end


def busy_esme():
    end = End.bound(LIMITS)
    for number in range(4):
        end.submit(number)
    return end


WHERE = [
    open_message_centre,
    binding_esme,
    leaving_esme,
    busy_esme,
    lambda: End.bound(LIMITS),
    lambda: End.serving(LIMITS),
]


def check(end):
    """What goes out is sound, and is never more than a response for each PDU."""
    data = end.session.data_to_send()
    framer = Framer()
    for frame in framer.feed(data):
        header = decode_header(frame)
        assert decode(header, frame) is not None
    assert (framer.error, framer.pending) == (None, 0)
    assert end.session.unanswered <= LIMITS.outstanding
    assert end.session.waiting <= LIMITS.window
    assert end.session.closed == (end.session.deadline() is None)


@given(st.sampled_from(WHERE), st.lists(st.one_of(pdus(), st.binary(max_size=40)), max_size=12), st.data())
def test_any_octets_are_answered_or_end_the_session(make, pieces, data):
    end, stream = make(), b"".join(pieces)
    while stream:
        size = data.draw(st.integers(1, len(stream)), label="read")
        end.session.receive(stream[:size], end.now)
        stream = stream[size:]
        check(end)
    end.session.events()


@given(st.sampled_from(WHERE), st.lists(pdus(), max_size=12))
def test_the_way_that_the_stream_is_cut_makes_no_difference(make, pieces):
    whole, crumbs, stream = make(), make(), b"".join(pieces)
    whole.session.receive(stream, 0.0)
    for position in range(len(stream)):
        crumbs.session.receive(stream[position : position + 1], 0.0)
    assert whole.session.state is crumbs.session.state
    assert whole.session.data_to_send() == crumbs.session.data_to_send()
    ready = [[event for event in end.events() if event.__class__.__name__ != "Ready"] for end in (whole, crumbs)]
    assert ready[0] == ready[1]


@given(st.sampled_from(WHERE), st.lists(pdus(), max_size=8), st.lists(st.floats(0.0, 40.0), max_size=8))
def test_time_ends_what_octets_leave_open(make, pieces, waits):
    end = make()
    for index, wait in enumerate(waits):
        if index < len(pieces):
            end.session.receive(pieces[index], end.now)
        end.at(end.now + wait)
        check(end)
    end.at(end.now + 1000.0)
    assert end.session.closed
    assert end.session.waiting == 0
