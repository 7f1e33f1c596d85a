import pytest

from gateway.logs.catalogue import EVENTS
from gateway.runtime.protocol_events import fields_of, name_of
from protocols.diameter import node_events as diameter
from protocols.smpp import node_events as smpp
from protocols.smpp.errors import CommandStatus

CANARY = b"447700900123 GIVE WATERAID 5"


def test_what_could_not_be_read_is_told_by_its_size_alone():
    events = [
        diameter.Undecodable("127.0.0.1", "pgw.host.example", "bad length", CANARY),
        diameter.MessageRejected("pgw.host.example", 272, 4, 5005, "no Rating-Group", CANARY),
        smpp.Undecodable("host", "127.0.0.1", "command_length 3", CANARY),
        smpp.MessageRejected("host", 5, 1, "short_message is cut", CANARY),
    ]
    for event in events:
        fields = fields_of(event)
        assert fields["octets"] == len(CANARY)
        assert "message" not in fields
        assert not any("4477" in str(value) or "34343737" in str(value) for value in fields.values())


def test_a_refusal_that_is_not_about_reading_says_nothing_of_octets():
    event = smpp.MessageRejected("host", 5, 4, "in CLOSED")
    assert name_of(event) == "smpp.message.rejected"
    assert fields_of(event) == {"name": "host", "command_id": 5, "command_status": 4, "reason": "in CLOSED"}


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (
            smpp.MessageRejected("host", 5, CommandStatus.ESME_RX_T_APPN, "in DRAINING", leaving=True),
            "smpp.message.deferred",
        ),
        (
            smpp.MessageRejected("host", 5, CommandStatus.ESME_RX_T_APPN, "in UNBINDING", leaving=True),
            "smpp.message.deferred",
        ),
        (
            smpp.MessageRejected("host", 5, CommandStatus.ESME_RX_T_APPN, "64 requests are unanswered"),
            "smpp.message.rejected",
        ),
        (smpp.MessageRejected("host", 5, CommandStatus.ESME_RINVBNDSTS, "in DRAINING"), "smpp.message.rejected"),
        (diameter.MessageRejected("pgw", 272, 4, 3004, "this gateway drains"), "diameter.message.deferred"),
        (diameter.MessageRejected("pgw", 272, 4, 3004, "store.unavailable"), "diameter.message.rejected"),
    ],
)
def test_what_is_put_off_because_we_leave_is_no_alarm_about_the_other_end(event, name):
    assert name_of(event) == name
    assert (EVENTS[name].level == "info") is name.endswith("deferred")
