from gateway.logs.catalogue import EVENTS
from gateway.runtime.protocol_events import fields_of, name_of
from protocols.diameter import node_events as diameter
from protocols.smpp import node_events as smpp

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


def test_what_comes_while_a_link_leaves_is_no_alarm_about_the_smsc():
    event = smpp.MessageRejected("host", 5, 0x64, "in DRAINING", leaving=True)
    assert name_of(event) == "smpp.message.put_off"
    assert EVENTS[name_of(event)].level == "info"
    assert "leaving" not in fields_of(event)
