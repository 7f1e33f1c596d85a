"""RAR and ASR of the gateway at a client that shares nothing with us: directly, by way of freeDiameter, and in tshark."""

import json
import shutil
import subprocess
from contextlib import ExitStack, contextmanager

import pytest

pytest.importorskip("diameter", reason="python-diameter is not installed")

from interop import pcap
from support import free_diameter
from support.free_diameter import FreeDiameter
from support.gateways import Gateway, subscribers
from support.obedient_pgw import ASR, RAR, ObedientPgw
from support.patience import PATIENCE
from support.python_diameter_pgw import TERMINATION, UPDATE
from support.wiretap import Wiretap

pytestmark = pytest.mark.xdist_group("gy_server_requests")

TSHARK = shutil.which("tshark")
ROUTE_RECORD = 282
WARNING = 6291456
"""Wireshark's severity `warn`; errors and malformed packets are above it."""


@contextmanager
def scene(folder, relay):
    """A gateway, a wiretap before it, perhaps a relay before that, and the PGW: (gateway, tap, pgw)."""
    with ExitStack() as stack:
        peers = ["{identity: dra.core.example, realm: core.example, relay: true}"] if relay else None
        gateway = stack.enter_context(Gateway(folder / "gateway", peers=peers))
        gateway.enrol(subscribers(4))
        tap = stack.enter_context(Wiretap(gateway.diameter_port))
        if relay:
            dra = stack.enter_context(FreeDiameter(folder, {gateway.identity: tap.port}))
            pgw = stack.enter_context(ObedientPgw(dra.port, server=dra.identity))
        else:
            pgw = stack.enter_context(ObedientPgw(tap.port))
        yield gateway, tap, pgw


def play(gateway, tap, pgw):
    """Reauthorise and abort one session, then ask about one that the client does not have."""
    (_, imsi, *_), (other, other_imsi, *_) = subscribers(2)
    session = pgw.open(imsi)
    told = gateway.json("session", "reauth", session)
    assert (told["result"], told["result_code"]) == ("accepted", 2002)
    rar, update = pgw.asked.get(timeout=PATIENCE)
    check(rar, pgw, session)
    assert (rar.re_auth_request_type, update.result_code, update.cc_request_type) == (0, 2001, UPDATE)
    assert update.multiple_services_credit_control[0].granted_service_unit.cc_total_octets == 10_000_000

    told = gateway.json("session", "abort", session)
    assert (told["result"], told["result_code"]) == ("accepted", 2001)
    asr, termination = pgw.asked.get(timeout=PATIENCE)
    check(asr, pgw, session)
    assert (termination.result_code, termination.cc_request_type) == (2001, TERMINATION)
    shown = gateway.json("session", "show", session)
    assert (shown["state"], shown["terminated"], shown["groups"][0]["used"]) == ("closed", True, 2_000_000)

    lost = pgw.open(other_imsi)
    pgw.results[ASR] = 5002
    told = gateway.json("session", "abort", lost)
    assert (told["result"], told["closed"]) == ("unknown", True)
    after = gateway.json("subscriber", "show", other)
    assert (after["open_sessions"], after["reserved"], after["balance"]) == (0, "0.00", "10.00")
    gateway.check()
    return [frame for frame in tap.answered if frame.request and frame.code in (RAR, ASR)]


def check(request, pgw, session):
    """What every request of ours has to say, as python-diameter reads it."""
    assert request.session_id == session
    assert (request.origin_host, request.origin_realm) == (b"ocs.tpo.example", b"tpo.example")
    assert (request.destination_host, request.destination_realm) == (pgw.host.encode(), pgw.realm.encode())
    assert (request.auth_application_id, request.header.application_id) == (4, 4)
    assert (request.header.is_request, request.header.is_proxyable) == (True, True)


@pytest.fixture(scope="module")
def direct(tmp_path_factory):
    """The requests that the gateway sent to a client of its own."""
    with scene(tmp_path_factory.mktemp("direct"), relay=False) as (gateway, tap, pgw):
        yield play(gateway, tap, pgw)


def test_python_diameter_is_asked_to_report_and_to_end_its_sessions(direct):
    assert [(frame.code, frame.flags) for frame in direct] == [(RAR, 0xC0), (ASR, 0xC0), (ASR, 0xC0)]


@pytest.mark.skipif(free_diameter.PROGRAM is None, reason="freeDiameterd is not installed")
def test_the_same_goes_through_a_freediameter_relay(tmp_path):
    with scene(tmp_path, relay=True) as (gateway, tap, pgw):
        requests = play(gateway, tap, pgw)
    assert [frame.code for frame in requests] == [RAR, ASR, ASR]
    reports = [frame for frame in tap.asked if frame.request and frame.code == 272]
    assert all(frame.avps(ROUTE_RECORD) == [b"pgw.host.example"] for frame in reports)


@pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
def test_tshark_reads_both_without_a_remark(direct, tmp_path):
    path = tmp_path / "requests.pcap"
    pcap.write(path, [frame.octets for frame in direct])
    marked = f"_ws.malformed || _ws.expert.severity >= {WARNING}"
    command = [TSHARK, "-r", str(path)]
    assert subprocess.run([*command, "-Y", marked], capture_output=True, text=True, check=True).stdout == ""
    names = (
        "cmd.code",
        "flags",
        "Destination-Host",
        "Destination-Realm",
        "Auth-Application-Id",
        "Re-Auth-Request-Type",
    )
    elements = [part for name in names for part in ("-e", f"diameter.{name}")]
    read = subprocess.run([*command, "-T", "json", *elements], capture_output=True, text=True, check=True).stdout
    layers = [packet["_source"]["layers"] for packet in json.loads(read)]
    seen = [[layer.get(f"diameter.{name}", [None])[0] for name in names] for layer in layers]
    there = ["pgw.host.example", "host.example", "4"]
    assert seen == [["258", "0xc0", *there, "0"], ["274", "0xc0", *there, None], ["274", "0xc0", *there, None]]
