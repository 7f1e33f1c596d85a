"""Codecs that are not ours read what we write, and we read theirs: smpp34 (Rust), smpplib, aiosmpplib and tshark."""

import shutil
import subprocess

import pytest
import smpp34
from aiosmpplib import GSM7BitCodec, GSM7BitPackedCodec
from aiosmpplib.protocol import SubmitSm as TheirSubmitSm
from aiosmpplib.state import PhoneNumber
from hypothesis import given
from hypothesis import strategies as st
from interop import pcap
from smpplib import consts
from smpplib import smpp as smpplib
from support.smpp_samples import FRAMES, SAMPLES, full, message, text_sample

from protocols.smpp import messages as ours
from protocols.smpp.alphabets import Alphabet, decode, encode, pack
from protocols.smpp.codec import CommandId, decode_header
from protocols.smpp.errors import CommandStatus
from protocols.smpp.fields import CStr, UInt, plan
from protocols.smpp.generated import decode as read_body
from protocols.smpp.generated import encode as write
from protocols.smpp.tags import Tag
from protocols.smpp.text import encode_text

TSHARK = shutil.which("tshark")
needs_tshark = pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")

STRINGS = ("service_type", "source_addr", "destination_addr", "schedule_delivery_time", "validity_period")
NUMBERS = ("source_addr_ton", "source_addr_npi", "dest_addr_ton", "dest_addr_npi", "esm_class", "protocol_id",
           "priority_flag", "registered_delivery", "replace_if_present_flag", "data_coding", "sm_default_msg_id")  # fmt: skip


class Numbering:
    """What smpplib asks of a client."""

    sequence = 1

    def next_sequence(self):
        return self.sequence


NUMBERING = Numbering()


def read(frame):
    return read_body(decode_header(frame), frame)


ASCII = 127
"""smpp34's strings are UTF-8: only ASCII means the same to both."""


@pytest.mark.parametrize(("cls", "theirs"), [(ours.SubmitSm, smpp34.SubmitSm), (ours.DeliverSm, smpp34.DeliverSm)])
@given(data=st.data())
def test_smpp34_reads_every_message_as_we_wrote_it(cls, theirs, data):
    made = data.draw(message(cls, highest=ASCII))
    frame = write(made, 77)
    found = smpp34.decode(frame)
    assert type(found) is theirs
    assert found.sequence_number == 77
    for name in (*STRINGS, *NUMBERS, "short_message"):
        assert getattr(found, name) == getattr(made, name)
    options = [field for field in plan(cls).optional if getattr(made, field.attribute) is not None]
    assert [tlv.tag for tlv in found.tlvs] == [field.tag for field in options] + [tlv.tag for tlv in made.tlvs]
    assert [tlv.as_int() for tlv, field in zip(found.tlvs, options, strict=False) if isinstance(field.form, UInt)] == [
        getattr(made, field.attribute) for field in options if isinstance(field.form, UInt)
    ]
    assert found.encode() == frame


@given(message(ours.SubmitSm, highest=ASCII), st.integers(1, 0x7FFFFFFF))
def test_we_read_every_submit_sm_as_smpp34_writes_it(made, sequence_number):
    theirs = smpp34.SubmitSm(
        made.source_addr,
        made.destination_addr,
        made.short_message,
        tlvs=[smpp34.Tlv(tlv.tag, tlv.value) for tlv in made.tlvs],
        sequence_number=sequence_number,
        **{
            name: getattr(made, name)
            for name in (*STRINGS, *NUMBERS)
            if name not in {"source_addr", "destination_addr"}
        },
    )
    frame = theirs.encode()
    found = read(frame)
    assert decode_header(frame).sequence_number == sequence_number
    assert found.tlvs == made.tlvs
    for name in (*STRINGS, *NUMBERS, "short_message"):
        assert getattr(found, name) == getattr(made, name)


def test_smpp34_knows_the_same_tags_and_statuses():
    tags = {name.removeprefix("TLV_"): value for name, value in vars(smpp34).items() if name.startswith("TLV_")}
    assert len(tags) > 40
    assert {name: Tag[name].value for name in tags} == tags
    statuses = {name: value for name, value in vars(smpp34).items() if name.startswith("ESME_")}
    assert {name: CommandStatus[name].value for name in statuses} == statuses


def test_smpplib_knows_the_same_statuses():
    statuses = {
        name.removeprefix("SMPP_"): value for name, value in vars(consts).items() if name.startswith("SMPP_ESME_")
    }
    known = {name: value for name, value in statuses.items() if name in CommandStatus.__members__}
    assert len(known) > 40
    assert {name: CommandStatus[name].value for name in known} == known


@pytest.mark.parametrize(
    "cls",
    [
        ours.BindTransmitter, ours.BindReceiver, ours.BindTransceiver, ours.BindTransceiverResp, ours.SubmitSm,
        ours.SubmitSmResp, ours.DeliverSm, ours.DeliverSmResp, ours.DataSm, ours.DataSmResp, ours.EnquireLink,
        ours.EnquireLinkResp, ours.Unbind, ours.UnbindResp, ours.GenericNack, ours.QuerySm, ours.QuerySmResp,
    ],
    ids=lambda cls: cls.__name__,
)  # fmt: skip
def test_smpplib_reads_the_mandatory_parameters_that_we_write(cls):
    made = cls(**{field.attribute: getattr(full(cls), field.attribute) for field in plan(cls).mandatory})
    found = smpplib.parse_pdu(write(made, 9), client=NUMBERING, allow_unknown_opt_params=True)
    assert (found.sequence, found.status) == (9, 0)
    for field in plan(cls).mandatory:
        value = getattr(made, field.attribute)
        if cls is ours.QuerySmResp and field.attribute in {"message_state", "error_code"}:
            continue  # smpplib does not read them
        assert getattr(found, field.attribute) == (value.encode("latin-1") if isinstance(value, str) else value)


# smpplib takes subaddresses for strings and loses their last octet.
SMPPLIB_OPTIONS = {
    "user_message_reference": 7, "source_port": 1, "destination_port": 2, "sar_msg_ref_num": 3, "sar_total_segments": 4,
    "sar_segment_seqnum": 1, "payload_type": 0, "message_payload": b"hello", "privacy_indicator": 1,
    "callback_num": b"\1\1\00112345",
    "language_indicator": 1, "user_response_code": 5,
}  # fmt: skip


@pytest.mark.parametrize("cls", [ours.SubmitSm, ours.DeliverSm, ours.DataSm], ids=lambda cls: cls.__name__)
def test_smpplib_reads_the_optional_parameters_that_we_write(cls):
    names = {field.attribute for field in plan(cls).optional}
    options = {name: value for name, value in SMPPLIB_OPTIONS.items() if name in names}
    found = smpplib.parse_pdu(write(cls(**options), 9), client=NUMBERING, allow_unknown_opt_params=True)
    read_by_them = {name: getattr(found, name, None) for name in options if name in found.params}
    assert len(read_by_them) > 8
    assert read_by_them == {name: options[name] for name in read_by_them}


def test_we_read_what_smpplib_writes():
    values = {
        "source_addr_ton": 5, "source_addr": "TPO", "dest_addr_ton": 1, "dest_addr_npi": 1,
        "destination_addr": "447700900123", "esm_class": 0x40, "data_coding": 8, "registered_delivery": 1,
        "short_message": b"\5\0\3\7\2\1\0H\0i", "user_message_reference": 77, "sar_msg_ref_num": 5,
    }  # fmt: skip
    pdu = smpplib.make_pdu("submit_sm", client=NUMBERING, **values)
    pdu.sequence = 12
    pdu.status = 0
    found = read(pdu.generate())
    assert {name: getattr(found, name) for name in values} == values


def test_we_read_a_text_that_aiosmpplib_writes_and_it_reads_ours():
    theirs = TheirSubmitSm(
        short_message="£5 to WaterAid {€}",
        source=PhoneNumber("TPO"),
        destination=PhoneNumber("+447700900123"),
        sequence_num=5,
        log_id="1",
    )
    (octets,) = [theirs.pdu()]
    found = read(octets)
    assert decode(found.short_message, Alphabet.GSM7).text == "£5 to WaterAid {€}"
    assert found.source_addr == "TPO"
    assert found.destination_addr.lstrip("+") == "447700900123"
    (segment,) = encode_text("£5 to WaterAid {€}").segments(0)
    assert segment == found.short_message


gsm_texts = st.text(st.sampled_from('@£$¥èéÇØ\nΔ_ΦΞÆß !"#¤%09?¡AZÄ§¿azäà^{}\\[~]|€'), max_size=200)


@given(gsm_texts)
def test_aiosmpplib_has_the_same_gsm_alphabet(text):
    octets, _ = GSM7BitCodec().encode(text)
    assert encode(text, Alphabet.GSM7) == octets
    assert decode(octets, Alphabet.GSM7).text == text


@given(gsm_texts)
def test_aiosmpplib_packs_the_same_but_for_what_fills_up(text):
    octets, _ = GSM7BitPackedCodec().encode(text)
    septets = encode(text, Alphabet.GSM7)
    if len(septets) % 8 != 7:
        assert pack(septets) == octets


def tshark(path, *arguments):
    command = [TSHARK, "-r", str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout


COMPLAINTS = "_ws.malformed || _ws.expert.severity >= 6291456"


@needs_tshark
def test_tshark_reads_all_our_pdus_without_a_complaint(tmp_path):
    frames = [*FRAMES, write(ours.SubmitSmResp(), 3, 0x58), write(ours.GenericNack(), 0, 3)]
    pcap.write(tmp_path / "ours.pcap", frames, "smpp", 2775)
    assert tshark(tmp_path / "ours.pcap", "-Y", COMPLAINTS) == ""
    found = tshark(tmp_path / "ours.pcap", "-T", "fields", "-e", "smpp.command_id", "-e", "smpp.command_status",
                   "-e", "smpp.sequence_number")  # fmt: skip
    headers = [tuple(int(text, 0) for text in line.split("\t") if text) for line in found.splitlines()]
    ids = [decode_header(frame) for frame in frames]
    assert [header[0] for header in headers] == [header.command_id for header in ids]
    assert [header[-1] for header in headers] == [header.sequence_number for header in ids]


@needs_tshark
def test_tshark_would_complain_of_a_cut_pdu(tmp_path):
    frame = bytearray(write(text_sample(ours.SubmitSm), 1)[:-10])
    frame[3] -= 10
    pcap.write(tmp_path / "cut.pcap", [bytes(frame)], "smpp", 2775)
    assert tshark(tmp_path / "cut.pcap", "-Y", COMPLAINTS) != ""


# tshark gives the other fields in pieces, or under names of its own.
COMPARED = {
    "system_id", "password", "system_type", "addr_ton", "addr_npi", "address_range", "service_type", "source_addr_ton",
    "source_addr_npi", "source_addr", "dest_addr_ton", "dest_addr_npi", "destination_addr", "protocol_id",
    "message_id", "message_state", "error_code", "esme_addr", "user_message_reference", "source_port",
    "destination_port", "sar_msg_ref_num", "sar_total_segments", "sar_segment_seqnum", "receipted_message_id",
    "congestion_state", "dpf_result", "set_dpf", "delivery_failure_reason", "additional_status_info_text",
    "qos_time_to_live", "number_of_messages", "more_messages_to_send", "display_time", "sms_signal",
    "user_response_code", "source_telematics_id", "dest_telematics_id", "source_network_type", "dest_network_type",
    "source_bearer_type", "dest_bearer_type", "payload_type", "privacy_indicator", "language_indicator",
    "its_reply_type", "ms_availability_status", "dest_addr_subunit", "source_addr_subunit",
}  # fmt: skip


WITHOUT_TLVS = {"UnbindResp", "QuerySmResp", "CancelSmResp", "ReplaceSmResp", "EnquireLinkResp"}
"""tshark does not look for TLVs in these."""


def plain(made):
    """The message with ASCII strings: tshark shows others escaped."""
    fields = {
        field.attribute: getattr(made, field.attribute)
        for field in (*plan(type(made)).mandatory, *plan(type(made)).optional)
    }
    for field in (*plan(type(made)).mandatory, *plan(type(made)).optional):
        if isinstance(field.form, CStr) and fields[field.attribute]:
            fields[field.attribute] = fields[field.attribute].replace("é", "e")
    return type(made)(**fields)


@needs_tshark
def test_tshark_reads_the_values_that_we_wrote(tmp_path):
    samples = [plain(sample) for sample in SAMPLES if sample == full(type(sample))]
    pcap.write(tmp_path / "all.pcap", [write(made, 1) for made in samples], "smpp", 2775)
    names = sorted(COMPARED)
    elements = [argument for name in names for argument in ("-e", f"smpp.{name}")]
    lines = tshark(tmp_path / "all.pcap", "-T", "fields", "-E", "separator=|", "-E", "occurrence=f", *elements)
    compared = 0
    for made, line in zip(samples, lines.splitlines(), strict=True):
        found = dict(zip(names, line.split("|"), strict=True))
        for field in (*plan(type(made)).mandatory, *plan(type(made)).optional):
            name, value = field.attribute, getattr(made, field.attribute)
            if name not in COMPARED or (field.tag and type(made).__name__ in WITHOUT_TLVS):
                continue
            compared += 1
            told = int(found[name], 0) if isinstance(value, int) else found[name]
            assert told == value, f"{name} of {type(made).__name__}"
    assert compared > 160


@needs_tshark
def test_tshark_has_the_same_names_for_commands_and_statuses():
    values = subprocess.run([TSHARK, "-G", "values"], capture_output=True, text=True, check=True, timeout=300).stdout
    commands, statuses = {}, set()
    for line in values.splitlines():
        kind, name, *rest = [*line.split("\t"), ""]
        if (kind, name) == ("V", "smpp.command_id"):
            commands[int(rest[0], 16)] = rest[1].upper().replace(" - RESP", "_RESP")
        if (kind, name) == ("R", "smpp.command_status") and rest[0] == rest[1] and rest[2] != "[Reserved]":
            statuses.add(int(rest[0], 16))
    for command in CommandId:
        assert commands[command] == command.name
    assert {int(status) for status in CommandStatus} == statuses
