"""Whatever the gateway's process writes on the wire, tshark reads: taken down by a proxy that stands in between."""

import asyncio
import itertools
import json
import shutil
import subprocess

import pytest
from interop import pcap
from support import charging_fixture as charging
from support import gy_samples
from support.diameter_rig import RawPeer, cer, dpa, proxy_info
from support.gateways import Gateway, subscribers
from support.ports import free_port
from support.wiretap import Wiretap

from protocols.diameter.codec import encode_avp, encode_message
from protocols.diameter.generated import encode
from protocols.diameter.messages import (
    CapabilitiesExchangeAnswer,
    DeviceWatchdogAnswer,
    DeviceWatchdogRequest,
    DisconnectPeerRequest,
    RequestedServiceUnit,
    UsedServiceUnit,
)

TSHARK = shutil.which("tshark")
pytestmark = [
    pytest.mark.xdist_group("gy_tshark"),
    pytest.mark.skipif(TSHARK is None, reason="tshark is not installed"),
]

PGW, SMF, DRA = "pgw.host.example", "smf.localdomain", "dra.core.example"
RICH, POOR, ALSO = (f"23415{number:010d}" for number in (0, 1, 2))
WARNING = 6291456
"""Wireshark's severity `warn`; errors and malformed packets are above it."""


class Dialogue:
    """What is asked, and which Result-Code and header flags are expected: in order."""

    def __init__(self, peer):
        self.peer, self.expected = peer, []
        self._ids = itertools.count(100)

    async def ask(self, result, body, *, flags=0xC0, answer_flags=0x40, code=272, application=4):
        number = next(self._ids)
        header, _ = await self.peer.ask(encode_message(flags, code, application, number, number + 5000, body))
        assert (header.hop_by_hop, header.end_to_end) == (number, number + 5000)
        self.expected.append((code, answer_flags, result))

    async def charge(self, result, message, extra=b"", **more):
        await self.ask(result, encode(message) + extra, **more)


def request(request_type, number, *services, **more):
    return charging.ccr(
        request_type, number, *services, **{"imsi": RICH, "session": "pgw.host.example;tshark;1"} | more
    )


async def talk_of_money(talk):
    """Every kind of answer of the charging desk."""
    service = charging.service
    await talk.charge(2001, request(1, 0, service(10, ask=0), service(100, ask=0, service_identifier=(1, 2))))
    await talk.charge(2001, request(1, 0, service(10, ask=0)), proxy_info(b"a.dra", b"1") + proxy_info(b"b.dra", b"2"))
    await talk.charge(2001, request(2, 1, service(10, [700, 800], ask=0)), flags=0xD0)
    await talk.charge(2001, request(2, 2, service(10, [5]), service(200, ask=5_000_000)))
    await talk.charge(2001, request(3, 3, service(10, [6])))
    poor = {"imsi": POOR, "session": "pgw.host.example;tshark;2"}
    await talk.charge(2001, request(1, 0, service(10, ask=0), **poor))
    await talk.charge(2001, request(2, 1, service(10, [3_000_000], ask=0), **poor))
    await talk.charge(4012, request(1, 0, requested_service_unit=RequestedServiceUnit(), imsi=POOR, session="x;3"))
    voice = {"context": "32260@3gpp.org", "session": "pgw.host.example;tshark;4"}
    await talk.charge(2001, request(1, 0, service(ask=0), **voice))
    spoken = service(used=[UsedServiceUnit(cc_time=61)])
    await talk.charge(2001, request(3, 1, spoken, **voice))
    text = {"context": "32274@3gpp.org", "session": "pgw.host.example;tshark;5", "requested_action": 0}
    parts = RequestedServiceUnit(cc_service_specific_units=2)
    await talk.charge(2001, request(4, 0, requested_service_unit=parts, **text))


async def talk_of_faults(talk):
    """Every refusal that a request can earn without harm to the connection."""
    service, good = charging.service, request(1, 0, session="pgw.host.example;tshark;6")
    await talk.charge(5030, request(1, 0, service(10, ask=0), imsi="234159999999999", session="x;7"))
    await talk.charge(5002, request(2, 9, service(10, ask=0), session="x;8"))
    await talk.charge(5031, request(1, 0, context="nothing@3gpp.org", session="x;9"))
    await talk.charge(5004, request(7, 0, session="x;10"))
    await talk.charge(5004, request(4, 0, requested_action=1, session="x;11"))
    await talk.charge(5004, request(1, 0, origin_host="other.host.example"))
    await talk.charge(5001, good, encode_avp(318, b"\0\0\0\7"))
    await talk.charge(5001, good, encode_avp(456, encode_avp(318, b"\0\0\0\7")))
    await talk.charge(5009, good, encode_avp(415, bytes(4)))
    long = encode_avp(873, encode_avp(874, encode_avp(30, bytes(5000), 0, 0x40), 10415), 10415)
    await talk.charge(5009, good, 2 * long)
    await talk.charge(5014, good, bytes.fromhex("000001a2 40000003"))
    await talk.charge(5014, good, bytes.fromhex("000001a2 40000100"))
    await talk.charge(5014, good, encode_avp(455, b"\0\0\1"))
    await talk.charge(5012, good, deep(20))
    await talk.ask(5005, encode_avp(263, b"pgw.host.example;tshark;12") + encode_avp(264, PGW.encode()))
    await talk.ask(5005, b"")


async def talk_of_routes(talk):
    """The node's own protocol errors, with the E bit."""
    good, protocol_error = encode(request(1, 0, session="pgw.host.example;tshark;13")), {"answer_flags": 0x60}
    await talk.ask(3007, good, application=16777238, **protocol_error)
    await talk.ask(3001, good, code=271, **protocol_error)
    await talk.ask(3002, good + encode_avp(293, b"elsewhere.example"), **protocol_error)
    realm = encode(request(1, 0)).replace(b"test.example", b"nowhere.than")
    await talk.ask(3003, realm, **protocol_error)
    own = encode_avp(282, b"ocs.tpo.example") + proxy_info(b"a.dra", b"1")
    await talk.ask(3005, good + own, **protocol_error)
    await talk.ask(3008, good, flags=0xE0, **protocol_error)
    await talk.ask(3008, good, flags=0x81, answer_flags=0x20)


def deep(levels):
    """Groups in groups."""
    data = b""
    for _ in range(levels):
        data = encode_avp(279, data)
    return data


def base(code, message, number=7):
    return encode_message(0x80, code, 0, number, number, encode(message))


async def clients(tap, gateway):
    """What clients see who dial the gateway; gives the expectations of the charging dialogue."""
    stranger = await RawPeer.connect(tap.port)
    await stranger.ask(cer("stranger.example"))
    await stranger.rest()
    nothing_common = await RawPeer.connect(tap.port)
    await nothing_common.ask(cer(SMF, auth_application_id=(1,)))
    await nothing_common.rest()

    peer = await RawPeer.open(tap.port)
    talk = Dialogue(peer)
    await talk_of_money(talk)
    await talk_of_faults(talk)
    await talk_of_routes(talk)
    us = {"origin_host": PGW, "origin_realm": "host.example"}
    await peer.ask(base(280, DeviceWatchdogRequest(**us)))

    second = await RawPeer.connect(tap.port)  # the first is asked then whether it lives
    second.send(cer())
    header, _ = await peer.receive()
    assert (header.command_code, header.request) == (280, True)
    alive = DeviceWatchdogAnswer(2001, **us)
    peer.send(encode_message(0, 280, 0, header.hop_by_hop, header.end_to_end, encode(alive)))
    await second.receive()
    await second.rest()
    await peer.ask(base(282, DisconnectPeerRequest(**us, disconnect_cause=2)))
    await peer.leave()

    smf = await RawPeer.open(tap.port, SMF)
    real = gy_samples.credit_control_request(
        subscription_id=(gy_samples.m.SubscriptionId(1, ALSO),), destination_host=None
    )
    rich = Dialogue(smf)
    await rich.charge(2001, real)
    smf.send(b"GET / HTTP/1.1\r\n\r\n")  # framing is lost: the gateway leaves with DPR
    header, _ = await smf.receive()
    assert header.command_code == 282
    smf.send(dpa(header, SMF))
    await smf.rest()
    third = await RawPeer.open(tap.port)
    stopping = asyncio.create_task(asyncio.to_thread(gateway.stop))
    header, _ = await third.receive()
    assert (header.command_code, header.request) == (282, True)
    third.send(dpa(header))
    await third.rest()
    assert await stopping == 0
    return talk.expected + rich.expected


async def dialled(reader, writer):
    """A relay whom the gateway dials: accepts it, asks whether it lives, and wants no more of it."""
    peer = RawPeer(reader, writer)
    header, _ = await peer.receive()
    us = {"origin_host": DRA, "origin_realm": "core.example"}
    answer = CapabilitiesExchangeAnswer(
        2001, **us, host_ip_address=(b"\0\1\x7f\0\0\1",), product_name="relay", auth_application_id=(0xFFFFFFFF,)
    )
    peer.send(encode_message(0, 257, 0, header.hop_by_hop, header.end_to_end, encode(answer)))
    await peer.ask(base(280, DeviceWatchdogRequest(**us)))
    await peer.ask(base(282, DisconnectPeerRequest(**us, disconnect_cause=2)))
    await peer.leave()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Everything that the gateway wrote, and the (command, flags, Result-Code) of its answers to the first client."""

    async def scene(folder):
        async with await asyncio.start_server(dialled, "127.0.0.1", relay_port):
            with Wiretap(relay_port) as relay_tap:
                peers = [
                    "{identity: pgw.host.example, realm: host.example}",
                    "{identity: smf.localdomain, realm: localdomain}",
                    f'{{identity: dra.core.example, realm: core.example, connect: "127.0.0.1:{relay_tap.port}"}}',
                ]
                gateway = Gateway(folder, peers=peers, diameter="  served_realms: [test.example]")
                with Wiretap(gateway.diameter_port) as tap:
                    await asyncio.to_thread(gateway.start)
                    try:
                        people = [*subscribers(1), *subscribers(1, first=1, balance="0.02"), *subscribers(1, first=2)]
                        await asyncio.to_thread(gateway.enrol, people)
                        expected = await clients(tap, gateway)
                    finally:
                        await asyncio.to_thread(gateway.stop)
                    return [*relay_tap.asked, *tap.answered], expected

    relay_port = free_port()
    return asyncio.run(scene(tmp_path_factory.mktemp("gateway")))


@pytest.fixture(scope="module")
def capture(written, tmp_path_factory):
    """The capture of everything written."""
    frames, _ = written
    path = tmp_path_factory.mktemp("capture") / "gateway.pcap"
    pcap.write(path, [frame.octets for frame in frames])
    return path


def tshark(path, *arguments):
    command = [TSHARK, "-r", str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout


def fields(path, *names, display=""):
    """Fields of each frame as tshark sees them: a list of values each."""
    elements = [argument for name in names for argument in ("-e", name)]
    packets = json.loads(tshark(path, "-T", "json", "-Y", display, *elements))
    return [[packet["_source"]["layers"].get(name, []) for name in names] for packet in packets]


def test_tshark_has_nothing_to_say_but_of_what_failed_avps_quote(capture):
    # A Failed-AVP holds the client's own AVP of a wrong size, or an example of the least size, which for text is empty
    # (RFC 6733 §7.1.5): tshark remarks on just that. Everything else is without a mark.
    assert tshark(capture, "-Y", f"_ws.expert.severity > {WARNING}") == ""
    marked = fields(capture, "diameter.Result-Code", "_ws.expert.message", display=f"_ws.expert.severity >= {WARNING}")
    assert marked == [
        [["5009"], ["Data is empty"]],
        [["5014"], ["Bad Integer32 Length (3)"]],
        [["5005"], ["Data is empty"]],
        [["5005"], ["Data is empty"]],
    ]
    assert fields(capture, "diameter.Result-Code", display="_ws.malformed") == [[["5014"]]]


def test_tshark_sees_every_kind_of_answer_with_its_flags_and_result(capture, written):
    _, expected = written
    seen = [
        (int(code), int(flags, 16), int(results[0]))
        for (code,), (flags,), results in fields(
            capture,
            "diameter.cmd.code",
            "diameter.flags",
            "diameter.Result-Code",
            display="diameter.cmd.code in {271,272}",
        )
    ]
    assert seen == expected
    results = {result for _, _, result in seen}
    assert results >= {2001, 4012, 5001, 5002, 5004, 5005, 5009, 5012, 5014, 5030, 5031}
    assert results >= {3001, 3002, 3003, 3005, 3007, 3008}


def test_tshark_sees_the_base_messages_of_both_roles(capture):
    base_messages = {
        (int(code), int(flags, 16), int(results[0]) if results else None)
        for (code,), (flags,), results in fields(
            capture,
            "diameter.cmd.code",
            "diameter.flags",
            "diameter.Result-Code",
            display="diameter.applicationId == 0",
        )
    }
    assert base_messages == {
        (257, 0x80, None),
        (257, 0x20, 3010),
        (257, 0x00, 5010),
        (257, 0x00, 4003),
        (257, 0x00, 2001),
        (280, 0x80, None),
        (280, 0x00, 2001),
        (282, 0x80, None),
        (282, 0x00, 2001),
    }


def test_tshark_reads_the_values_of_grants_echoes_and_failures(capture):
    names = ["Session-Id", "Origin-Host", "Auth-Application-Id", "CC-Request-Type", "CC-Request-Number",
             "CC-Session-Failover", "Rating-Group", "Service-Identifier", "CC-Total-Octets", "Validity-Time",
             "Volume-Quota-Threshold", "Quota-Holding-Time", "Proxy-Host", "Proxy-State"]  # fmt: skip
    first, repeated, *_ = fields(capture, *(f"diameter.{name}" for name in names), display="diameter.cmd.code == 272")
    assert dict(zip(names, first, strict=True)) == {
        "Session-Id": ["pgw.host.example;tshark;1"],
        "Origin-Host": ["ocs.tpo.example"],
        "Auth-Application-Id": ["4"],
        "CC-Request-Type": ["1"],
        "CC-Request-Number": ["0"],
        "CC-Session-Failover": ["1"],
        "Rating-Group": ["10", "100"],
        "Service-Identifier": ["1", "2"],
        "CC-Total-Octets": ["10000000", "10000000"],
        "Validity-Time": ["3600", "3600"],
        "Volume-Quota-Threshold": ["2000000", "2000000"],
        "Quota-Holding-Time": ["600", "600"],
        "Proxy-Host": [],
        "Proxy-State": [],
    }
    assert repeated[:-2] == first[:-2]
    assert repeated[-2:] == [["a.dra", "b.dra"], ["31", "32"]]
    poor = fields(
        capture,
        "diameter.CC-Total-Octets",
        "diameter.Final-Unit-Action",
        "diameter.Result-Code",
        display='diameter.Session-Id == "pgw.host.example;tshark;2"',
    )
    assert poor == [[["2000000"], ["0"], ["2001", "2001"]], [[], [], ["2001", "4012"]]]
    other_units = "diameter.CC-Time || diameter.CC-Service-Specific-Units"
    assert fields(
        capture,
        "diameter.CC-Time",
        "diameter.Time-Quota-Threshold",
        "diameter.CC-Service-Specific-Units",
        display=other_units,
    ) == [[["300"], ["60"], []], [[], [], ["2"]]]
