"""`tpo replay` against real gateways: what a host sent is sent again, and is answered as it was and charged no second time."""

import json

import pytest
from interop import pcap
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import CookedLinux, Ether
from scapy.utils import PcapNgWriter, wrpcap
from support import charging_fixture
from support.diameter_rig import CCA
from support.gateways import ROOT, Gateway, subscribers
from support.gy_link import gy_link
from support.ports import free_port

from protocols.diameter.codec import encode_message
from protocols.diameter.generated import encode
from protocols.smpp.generated import encode as encode_pdu
from protocols.smpp.messages import DeliverSm
from simulators.captures import CaptureUnreadable, read
from simulators.replay import Masked, plan

PGW = "pgw.host.example"
REALMS = "  served_realms: [test.example]"
IMSI = subscribers(1)[0][1]


def ccr(request_type, number, *octets, session="pgw.host.example;replay;1"):
    services = [charging_fixture.service(10, list(octets), ask=None if request_type == 3 else 0)]
    return charging_fixture.ccr(request_type, number, *services, session=session, imsi=IMSI)


def wire(body, number):
    return encode_message(0xC0, 272, 4, number, number + 1000, encode(body))


SESSION = [ccr(1, 0), ccr(2, 1, 2_000_000), ccr(2, 2, 2_500_000), ccr(3, 3, 500_000)]
REQUESTS = [wire(body, number) for number, body in enumerate(SESSION, 1)]


@pytest.fixture
def gateway(tmp_path):
    with Gateway(tmp_path / "gw", diameter=REALMS) as running:
        running.enrol(subscribers(1))
        yield running


def replay(gateway, file, *options, ok=(0,)):
    where = ("--gateway", f"127.0.0.1:{gateway.diameter_port}", "--smsc-listen", f"127.0.0.1:{gateway.smsc_port}")
    done = gateway.tpo("replay", str(file), *where, "--json", *options, ok=ok)
    return json.loads(done.stdout)


@pytest.fixture(autouse=True)
def smsc_port(request):
    if "gateway" in request.fixturenames:
        request.getfixturevalue("gateway").smsc_port = free_port()


# Reading


def segments(data, sequence=1000, size=100):
    """A stream cut into segments of Ethernet frames."""
    to_us = {"src": "10.0.0.1", "dst": "10.0.0.2"}
    return [
        Ether()
        / IP(**to_us)
        / TCP(sport=40000, dport=3868, seq=sequence + start & 0xFFFFFFFF)
        / data[start : start + size]
        for start in range(0, len(data), size)
    ]


def messages(path):
    return [seen.message for seen in read(path).messages]


def test_files_of_exported_pdus_are_read_as_they_were_written(tmp_path):
    pcap.write(tmp_path / "x.pcap", REQUESTS)
    assert messages(tmp_path / "x.pcap") == REQUESTS


@pytest.mark.parametrize("first", [1000, 0xFFFFFFFF - 250], ids=["plain", "over the end of the numbers"])
def test_tcp_streams_are_put_in_order_and_what_came_twice_counts_once(tmp_path, first):
    packets = segments(b"".join(REQUESTS), first)
    packets = [packets[0], packets[2], packets[1], packets[1], *packets[3:], packets[0]]
    wrpcap(str(tmp_path / "x.pcap"), packets)
    capture = read(tmp_path / "x.pcap")
    assert [seen.message for seen in capture.messages] == REQUESTS
    assert capture.problems == []


def test_where_octets_are_missing_a_stream_is_read_up_to_there_and_that_is_told(tmp_path):
    packets = segments(b"".join(REQUESTS), size=len(REQUESTS[0]))
    del packets[1]
    wrpcap(str(tmp_path / "x.pcap"), packets)
    capture = read(tmp_path / "x.pcap")
    assert [seen.message for seen in capture.messages] == REQUESTS[:1]
    assert f"{len(REQUESTS[0])} octets are missing in the stream 10.0.0.1:40000 -> 10.0.0.2:3868" in capture.problems[0]


def test_cooked_captures_pcapng_and_both_protocols_are_read(tmp_path):
    text = encode_pdu(DeliverSm(source_addr="447700900101", destination_addr="70070", short_message=b"BALANCE"), 3)
    packet = CookedLinux() / IP(src="10.0.0.9", dst="10.0.0.2") / TCP(sport=2775, dport=50000, seq=7) / text
    wrpcap(str(tmp_path / "cooked.pcap"), packet)
    assert messages(tmp_path / "cooked.pcap") == [text]
    writer = PcapNgWriter(str(tmp_path / "x.pcapng"))
    for packet in segments(REQUESTS[0]):
        writer.write(packet)
    writer.close()
    assert messages(tmp_path / "x.pcapng") == REQUESTS[:1]


def test_a_short_frame_of_ethernet_is_not_filled_into_the_stream(tmp_path):
    acknowledgement = Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=40000, dport=3868, seq=1000, flags="A")
    filled = Ether(bytes(acknowledgement) + bytes(6))
    wrpcap(str(tmp_path / "x.pcap"), [filled, *segments(REQUESTS[0])])
    assert messages(tmp_path / "x.pcap") == REQUESTS[:1]


def test_what_is_no_capture_and_what_is_cut_is_told(tmp_path):
    pcap.write(tmp_path / "x.pcap", REQUESTS)
    whole = (tmp_path / "x.pcap").read_bytes()
    (tmp_path / "cut.pcap").write_bytes(whole[:-10])
    capture = read(tmp_path / "cut.pcap")
    assert len(capture.messages) == len(REQUESTS) - 1
    assert capture.problems == ["the file ends in the middle of a packet"]
    for name, content in (("text.pcap", b"no capture at all, but long enough"), ("empty.pcap", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CaptureUnreadable, match="no pcap or pcapng"):
            read(tmp_path / name)
    with pytest.raises(CaptureUnreadable, match="No such file"):
        read(tmp_path / "absent.pcap")


def test_a_masked_capture_is_refused(tmp_path):
    masked = REQUESTS[0].replace(IMSI.encode(), IMSI[:2].encode() + b"*" * 11 + IMSI[-2:].encode())
    pcap.write(tmp_path / "x.pcap", [masked])
    with pytest.raises(Masked):
        plan(read(tmp_path / "x.pcap").messages)


# Sending


async def test_what_a_trace_took_down_charges_a_fresh_gateway_the_same_and_a_second_time_nothing(gateway, tmp_path):
    captured = tmp_path / "session.pcap"
    gateway.tpo("trace", "start", "--link", PGW, "--show-content", "--pcap", str(captured))
    async with gy_link(gateway.diameter_port) as link:
        for request in SESSION:
            assert (await link.ask(request)).result_code == 2001
    (ended,) = gateway.json("trace", "stop")
    assert ended["messages"] >= 2 * len(SESSION)
    before = gateway.balances()
    with Gateway(tmp_path / "other", diameter=REALMS) as other:
        other.enrol(subscribers(1))
        other.smsc_port = free_port()
        first = replay(other, captured)
        assert (first["steps"], first["same"], first["problems"]) == (len(SESSION), len(SESSION), [])
        assert sorted(other.balances().values()) == sorted(before.values())
        entries = len(other.json("ledger", "journal")["rows"])
        assert replay(other, captured)["same"] == len(SESSION)
        assert len(other.json("ledger", "journal")["rows"]) == entries
        assert replay(other, captured, "--fresh")["same"] == len(SESSION)
        assert len(other.json("ledger", "journal")["rows"]) > entries
        other.check()


def test_another_answer_than_then_is_told(gateway, tmp_path):
    unknown = wire(ccr(1, 0, session="pgw.host.example;replay;2"), 9).replace(IMSI.encode(), b"234150000999999")
    pcap.write(tmp_path / "x.pcap", [*REQUESTS[:1], unknown])
    report = replay(gateway, tmp_path / "x.pcap")
    assert report["same"] == 2  # neither was answered then
    answered = encode_message(0x40, 272, 4, 9, 1009, CCA)
    both = _joined(tmp_path, unknown, answered)
    report = replay(gateway, both, ok=(75,))
    (row,) = report["rows"]
    assert (row["then"], row["now"]) == (2001, 5030)


def test_texts_in_come_again_over_the_gateways_own_link(tmp_path):
    port = free_port()
    links = f"smpp: {{links: [{{name: host, host: 127.0.0.1, port: {port}, system_id: tpo}}]}}"
    codes = f'messaging: {{short_codes: ["70070"]}}\nkeywords: {ROOT}/config/keywords.yaml\n'
    with Gateway(tmp_path / "gw", extra=f"{links}\n{codes}") as gateway:
        gateway.enrol(subscribers(1))
        gateway.smsc_port = port
        number = subscribers(1)[0][0]
        text = DeliverSm(source_addr=number, destination_addr="70070", short_message=b"BALANCE")
        pcap.write(tmp_path / "x.pcap", [encode_pdu(text, 5)], "smpp", 2775)
        report = replay(gateway, tmp_path / "x.pcap")
        assert (report["steps"], report["same"]) == (1, 1)
        (answer,) = gateway.json("sms", "list")
        assert (answer["from"], answer["to"]) == ("70070", number)


def test_without_a_gateway_it_says_so_and_a_dry_run_needs_none(gateway, tmp_path):
    pcap.write(tmp_path / "x.pcap", REQUESTS)
    gateway.stop()
    done = gateway.tpo("replay", str(tmp_path / "x.pcap"), "--gateway", "127.0.0.1:1", "--patience", "0.5", ok=(69,))
    assert "no Diameter connection to 127.0.0.1:1" in done.stderr
    shown = gateway.tpo("replay", str(tmp_path / "x.pcap"), "--dry-run").stdout
    assert "CCR TERMINATION 3 of session" in shown
    assert "nothing was sent" in shown
    assert IMSI not in shown


def _joined(tmp_path, asked, answered):
    to_us, to_them = {"src": "10.0.0.1", "dst": "10.0.0.2"}, {"src": "10.0.0.2", "dst": "10.0.0.1"}
    packets = [
        Ether() / IP(**to_us) / TCP(sport=40000, dport=3868, seq=1) / asked,
        Ether() / IP(**to_them) / TCP(sport=3868, dport=40000, seq=1) / answered,
    ]
    wrpcap(str(tmp_path / "joined.pcap"), packets)
    return tmp_path / "joined.pcap"
