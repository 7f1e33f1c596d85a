"""The simulated PGW: its sessions as pure objects, and the PGW itself against a node on loopback."""

import asyncio
import json
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
from support.patience import PATIENCE
from support.ports import free_port

from protocols.diameter.codec import FLAG_RETRANSMIT, decode_avps, encode_avp
from protocols.diameter.dictionary import standard
from protocols.diameter.generated import decode, encode
from protocols.diameter.messages import (
    COMMANDS,
    AbortSessionRequest,
    CreditControlAnswer,
    CreditControlRequest,
    ErrorAnswer,
    FinalUnitIndication,
    GrantedServiceUnit,
    MultipleServicesCreditControl,
    ReAuthRequest,
)
from protocols.diameter.node import Application, DisconnectCause, Node, NodeIdentity, PeerConfig
from simulators.customers import Customer, CustomersUnreadable, read_customers
from simulators.pgw import Pgw
from simulators.profiles import OPEN5GS, STANDARD, STAROS
from simulators.session import ADMINISTRATIVE, Demand, Reason, Session, State
from simulators.traffic import Mix, Traffic, drive

CUSTOMER = Customer("001010000000001", "447700900101")
MB = 1_000_000


def grant(octets, rating_group=100, *, threshold=None, validity=None, last=False):
    return MultipleServicesCreditControl(
        granted_service_unit=GrantedServiceUnit(cc_total_octets=octets),
        rating_group=rating_group,
        validity_time=validity,
        result_code=2001,
        final_unit_indication=FinalUnitIndication(0) if last else None,
        volume_quota_threshold=threshold,
    )


def refusal(rating_group=100, result_code=4012):
    return MultipleServicesCreditControl(rating_group=rating_group, result_code=result_code)


def answer(*services, result_code=2001):
    return CreditControlAnswer(result_code=result_code, multiple_services_credit_control=services)


def session(*demands, profile=STANDARD):
    return Session(b"pgw;1;1", CUSTOMER, profile, demands or ((100, Demand(25 * MB, MB)),))


def reported(request):
    return [
        (mscc.rating_group, used.cc_total_octets, mscc.reporting_reason or used.reporting_reason)
        for mscc in request.multiple_services_credit_control
        for used in mscc.used_service_unit
    ]


def test_a_session_reports_at_the_threshold_and_ends_when_its_traffic_does():
    s = session()
    first = s.start(0.0)
    assert (first.cc_request_type, first.cc_request_number, first.multiple_services_indicator) == (1, 0, 1)
    s.answered(answer(grant(10 * MB, threshold=2 * MB)), 0.0)
    assert s.due() == 8.0
    update = s.report(8.0)
    assert (update.cc_request_type, update.cc_request_number) == (2, 1)
    assert reported(update) == [(100, 8 * MB, (Reason.THRESHOLD,))]
    assert update.multiple_services_credit_control[0].requested_service_unit is not None
    s.answered(answer(grant(50 * MB)), 8.0)
    assert s.due() == 25.0
    last = s.report(25.0)
    assert (last.cc_request_type, last.cc_request_number, last.termination_cause) == (3, 2, 1)
    assert reported(last) == [(100, 17 * MB, (Reason.FINAL,))]
    s.answered(answer(), 25.0)
    assert (s.state, s.reported, s.out_of_credit) == (State.ENDED, 25 * MB, False)


def test_a_grant_whose_validity_is_over_is_reported_and_renewed():
    s = session()
    s.start(0.0)
    s.answered(answer(grant(10 * MB, validity=3)), 0.0)
    assert s.due() == 3.0
    assert reported(s.report(3.0)) == [(100, 3 * MB, (Reason.VALIDITY_TIME,))]


def test_traffic_never_outruns_the_quota():
    s = session()
    s.start(0.0)
    s.answered(answer(grant(10 * MB)), 0.0)
    assert reported(s.report(20.0)) == [(100, 10 * MB, (Reason.QUOTA_EXHAUSTED,))]


def test_the_last_grant_is_used_up_and_ends_the_session():
    s = session()
    s.start(0.0)
    s.answered(answer(grant(4 * MB, last=True)), 0.0)
    assert s.due() == 4.0
    last = s.report(4.0)
    assert last.cc_request_type == 3
    assert reported(last) == [(100, 4 * MB, (Reason.FINAL,))]
    assert s.out_of_credit


def test_a_forced_report_names_its_reason_and_asks_for_every_open_group_anew():
    s = session((100, Demand(25 * MB, MB)), (200, Demand(25 * MB, MB)), (300, Demand(9 * MB, MB)))
    s.start(0.0)
    s.answered(answer(grant(10 * MB), grant(10 * MB, 200), refusal(300)), 0.0)
    update = s.reauthorise(3.0)
    assert (update.cc_request_type, update.cc_request_number) == (2, 1)
    forced = (Reason.FORCED_REAUTHORISATION,)
    assert reported(update) == [(100, 3 * MB, forced), (200, 3 * MB, forced)]
    assert all(mscc.requested_service_unit is not None for mscc in update.multiple_services_credit_control)
    s.answered(answer(grant(5 * MB), refusal(200, 4010)), 3.0)
    assert s.due() == 8.0
    assert reported(s.report(8.0)) == [(100, 5 * MB, (Reason.QUOTA_EXHAUSTED,))]


def test_a_forced_report_of_a_session_at_its_end_is_the_last():
    s = session()
    s.start(0.0)
    s.answered(answer(grant(4 * MB, last=True)), 0.0)
    assert s.reauthorise(4.0).cc_request_type == 3


def test_a_session_that_the_gateway_ends_says_so():
    s = session()
    s.start(0.0)
    s.answered(answer(grant(10 * MB)), 0.0)
    last = s.stop(2.0, ADMINISTRATIVE)
    assert (last.cc_request_type, last.termination_cause) == (3, 4)
    assert reported(last) == [(100, 2 * MB, (Reason.FINAL,))]


def test_a_rating_group_without_credit_ends_alone_and_is_reported_once():
    s = session((100, Demand(25 * MB, MB)), (200, Demand(25 * MB, MB)))
    s.start(0.0)
    s.answered(answer(grant(4 * MB, last=True), grant(10 * MB, 200)), 0.0)
    update = s.report(4.0)
    assert reported(update) == [(100, 4 * MB, (Reason.FINAL,))]
    assert update.multiple_services_credit_control[0].requested_service_unit is None
    s.answered(answer(MultipleServicesCreditControl(rating_group=100, result_code=2001)), 4.0)
    assert s.due() == 10.0
    assert reported(s.report(10.0)) == [(200, 10 * MB, (Reason.QUOTA_EXHAUSTED,))]


def test_4012_for_the_only_rating_group_is_followed_by_a_termination_without_usage():
    s = session()
    s.start(0.0)
    s.answered(answer(refusal()), 0.0)
    assert s.due() < 0
    last = s.report(0.0)
    assert (last.cc_request_type, reported(last)) == (3, [(100, 0, (Reason.FINAL,))])
    assert s.out_of_credit


def test_a_refused_first_request_begins_no_session():
    s = session()
    s.start(0.0)
    s.answered(answer(result_code=5030), 0.0)
    assert s.state is State.ENDED


def test_a_refused_update_is_followed_by_a_termination():
    s = session()
    s.start(0.0)
    s.answered(answer(grant(10 * MB)), 0.0)
    s.report(10.0)
    s.answered(answer(result_code=4012), 10.0)
    assert s.report(10.0).cc_request_type == 3


def test_detaching_in_mid_session_reports_what_has_flowed():
    s = session()
    s.start(0.0)
    s.answered(answer(grant(10 * MB)), 0.0)
    last = s.stop(2.5)
    assert (last.cc_request_type, reported(last)) == (3, [(100, 2_500_000, (Reason.FINAL,))])


def test_open5gs_sends_no_rating_group_no_total_and_an_action_that_means_nothing():
    s = session((None, Demand(5 * MB, MB)), profile=OPEN5GS)
    first = s.start(0.0)
    mscc = first.multiple_services_credit_control[0]
    assert (first.multiple_services_indicator, first.requested_action, mscc.rating_group) == (0, 0, None)
    assert mscc.requested_service_unit.cc_total_octets == MB
    assert [item.subscription_id_type for item in first.subscription_id] == [1, 0]
    s.answered(answer(grant(MB, None)), 0.0)
    used = s.report(1.0).multiple_services_credit_control[0].used_service_unit[0]
    assert (used.cc_total_octets, used.cc_input_octets, used.cc_output_octets) == (None, 100_000, 900_000)


ALWAYS = [
    "Session-Id",
    "Origin-Host",
    "Origin-Realm",
    "Destination-Realm",
    "Auth-Application-Id",
    "Service-Context-Id",
    "CC-Request-Type",
    "CC-Request-Number",
    "Subscription-Id",
    "Subscription-Id",
]
"""What every client sends with each request; pgw.py adds Event-Timestamp, and Destination-Host from the second one on."""
OWN = {
    OPEN5GS: (
        ["Requested-Action", "Multiple-Services-Indicator", "Multiple-Services-Credit-Control"],
        ["Requested-Action", "Multiple-Services-Credit-Control"],
        ["Termination-Cause", "Requested-Action", "Multiple-Services-Credit-Control"],
    ),
    STAROS: (
        ["Multiple-Services-Indicator", "Multiple-Services-Credit-Control"],
        ["Multiple-Services-Credit-Control"],
        ["Termination-Cause", "Multiple-Services-Credit-Control"],
    ),
}
"""Besides, in the initial request, in an update, in the last one (field notes, Diameter 4.1 and 4.2)."""
PS_INFORMATION = [
    "3GPP-Charging-Id",
    "3GPP-PDP-Type",
    "PDP-Address",
    "SGSN-Address",
    "GGSN-Address",
    "Called-Station-Id",
    "3GPP-Selection-Mode",
    "3GPP-Charging-Characteristics",
    "3GPP-SGSN-MCC-MNC",
    "3GPP-NSAPI",
    "3GPP-MS-TimeZone",
    "3GPP-User-Location-Info",
    "3GPP-RAT-Type",
    "User-Equipment-Info",
]


def avps_of(data):
    found = decode_avps(data, 0, len(data))
    return [(standard().by_code(avp.code, avp.vendor_id).name, avp) for avp in found]


@pytest.mark.parametrize("profile", [OPEN5GS, STAROS], ids=lambda profile: profile.name)
def test_a_profile_sends_avp_by_avp_what_its_original_sends(profile):
    (group,) = profile.rating_groups
    s = session((group, Demand(50 * MB, MB)), profile=profile)
    requests = [s.start(0.0)]
    s.answered(answer(grant(profile.requested_octets, group)), 0.0)
    requests.append(s.report(profile.requested_octets / MB))
    s.answered(answer(grant(profile.requested_octets, group)), profile.requested_octets / MB)
    requests.append(s.stop(profile.requested_octets / MB + 1))
    extras = [("Service-Information", 0xC0)] + [("AoC-Request-Type", 0xC0)] * (profile is OPEN5GS)
    for number, (request, own) in enumerate(zip(requests, OWN[profile], strict=True)):
        top = avps_of(encode(request))
        assert [(name, avp.flags) for name, avp in top] == [(name, 0x40) for name in (*ALWAYS, *own)] + extras
        ((_, information),) = avps_of(request.service_information)
        inside = [name for name, _ in avps_of(information.data)]
        first_only = {"3GPP-PDP-Type"} if profile is OPEN5GS and number else set()
        assert inside == [name for name in PS_INFORMATION if name not in first_only]
        ((_, mscc),) = [pair for pair in top if pair[0] == "Multiple-Services-Credit-Control"]
        told = [name for name, _ in avps_of(mscc.data)]
        assert ("Rating-Group" in told) is (profile is STAROS)
        assert ("QoS-Information" in told) is (profile is OPEN5GS)
        assert ("Requested-Service-Unit" in told) is (number < 2)
        assert ("Used-Service-Unit" in told) is (number > 0)


def test_a_staros_reports_totals_alone_until_its_last_report():
    s = session((10, Demand(15 * MB, MB)), profile=STAROS)
    (mscc,) = s.start(0.0).multiple_services_credit_control
    wanted = mscc.requested_service_unit
    assert (wanted.cc_total_octets, wanted.cc_input_octets, wanted.cc_output_octets) == (10 * MB, 0, 0)
    assert (mscc.rating_group, mscc.service_identifier) == (10, (1,))
    s.answered(answer(grant(10 * MB, 10)), 0.0)
    (used,) = s.report(10.0).multiple_services_credit_control[0].used_service_unit
    assert (used.cc_total_octets, used.cc_input_octets, used.cc_time) == (10 * MB, None, None)
    s.answered(answer(grant(10 * MB, 10)), 10.0)
    (mscc,) = s.report(15.0).multiple_services_credit_control
    assert mscc.reporting_reason == (Reason.FINAL,)
    (used,) = mscc.used_service_unit
    assert (used.cc_total_octets, used.cc_input_octets, used.cc_output_octets) == (5 * MB, 500_000, 4_500_000)


@pytest.mark.parametrize("profile", [STANDARD, OPEN5GS, STAROS])
def test_requests_decode_as_they_were_and_carry_ps_information(profile):
    demands = [(group, Demand(MB, MB)) for group in profile.rating_groups]
    request = session(*demands, profile=profile).start(0.0)
    again = decode(CreditControlRequest, encode(request), 0)
    assert again == request
    (ps_information,) = decode_avps(request.service_information, 0, len(request.service_information))
    assert (ps_information.code, ps_information.vendor_id) == (874, 10415)
    assert len(decode_avps(ps_information.data, 0, len(ps_information.data))) == 14


def test_the_same_seed_makes_the_same_traffic():
    customers = [Customer(f"00101{i:010d}", "") for i in range(9)]
    one, two, other = (Traffic(customers, STANDARD, Random(seed)) for seed in (7, 7, 8))
    first = [one.next_session() for _ in range(50)]
    assert first == [two.next_session() for _ in range(50)]
    assert first != [other.next_session() for _ in range(50)]


def test_customers_are_read_from_an_import_file_and_a_bad_one_is_named(tmp_path):
    file = tmp_path / "lines.csv"
    file.write_text("msisdn,imsi,plan\n+447700900101,001010000000001,payg-gb\n")
    assert read_customers(file) == [CUSTOMER]
    file.write_text("msisdn,imsi\n447700900101,x1\n")
    with pytest.raises(CustomersUnreadable, match=r"lines\.csv:2: imsi"):
        read_customers(file)


class Ocs:
    """A charging server that grants what is asked, counts each request once, and misbehaves on demand."""

    def __init__(self, *, port=0):
        self.seen = []
        self.came = asyncio.Event()
        self.charged = {}
        self.silent = 0
        self.busy = 0
        self.node = Node(
            NodeIdentity(origin_host="ocs.tpo.example", origin_realm="tpo.example"),
            [PeerConfig(identity="pgw.host.example", realm="host.example")],
            {4: Application(self._handle, frozenset({272}))},
            [("127.0.0.1", port, None)],
            clock=time.monotonic,
            random=random.random,
            on_event=lambda event: None,
        )

    async def until(self, count):
        """Wait until so many requests have come."""
        async with asyncio.timeout(PATIENCE):
            while len(self.seen) < count:
                self.came.clear()
                await self.came.wait()

    def _handle(self, request):
        ccr = decode(CreditControlRequest, request.frame)
        self.seen.append((ccr, request.header))
        self.came.set()
        if self.busy:
            self.busy -= 1
            request.answer(_head(ccr, 3004), error=True)
            return
        for mscc in ccr.multiple_services_credit_control:
            for used in mscc.used_service_unit:
                key = (ccr.session_id, ccr.cc_request_type, ccr.cc_request_number, mscc.rating_group)
                self.charged[key] = used.cc_total_octets
        if self.silent:
            self.silent -= 1
            return
        services = tuple(
            grant(10 * MB, mscc.rating_group, threshold=2 * MB)
            for mscc in ccr.multiple_services_credit_control
            if mscc.requested_service_unit is not None
        )
        body = encode(
            CreditControlAnswer(
                auth_application_id=4,
                cc_request_type=ccr.cc_request_type,
                cc_request_number=ccr.cc_request_number,
                multiple_services_credit_control=services,
            )
        )
        request.answer(_head(ccr, 2001) + body)


def _head(ccr, result_code):
    return (
        encode_avp(263, ccr.session_id)
        + encode_avp(264, b"ocs.tpo.example")
        + encode_avp(296, b"tpo.example")
        + encode_avp(268, result_code.to_bytes(4, "big"))
    )


@pytest.fixture
async def ocs():
    server = Ocs()
    await server.node.start()
    yield server
    await server.node.stop(DisconnectCause.REBOOTING, 1.0)


@pytest.fixture
async def pgw(ocs):
    client = Pgw(("127.0.0.1", ocs.node.ports[0]), random=Random(1), pace=0.0, tx=0.2)
    assert await client.start()
    yield client
    await client.stop()


def demand(octets):
    return [(100, Demand(octets, MB))]


async def test_a_session_runs_to_its_end_and_all_it_reported_is_acknowledged(ocs, pgw):
    await pgw.run(pgw.new_session(CUSTOMER, demand(25 * MB)))
    counters = pgw.counters
    assert (counters.opened, counters.ended, counters.repeated) == (1, 1, 0)
    assert counters.octets_reported == counters.octets_acknowledged == sum(ocs.charged.values()) == 25 * MB
    assert [ccr.cc_request_type for ccr, _ in ocs.seen] == [1, 2, 2, 2, 3]
    assert [ccr.destination_host for ccr, _ in ocs.seen] == [None] + ["ocs.tpo.example"] * 4


async def test_a_request_without_an_answer_is_repeated_with_the_t_flag_and_its_end_to_end_identifier(ocs, pgw):
    ocs.silent = 1
    await pgw.run(pgw.new_session(CUSTOMER, demand(MB)))
    (first, first_header), (second, second_header) = ocs.seen[:2]
    assert first == second
    assert not first_header.retransmitted
    assert second_header.flags & FLAG_RETRANSMIT
    assert first_header.end_to_end == second_header.end_to_end
    assert first_header.hop_by_hop != second_header.hop_by_hop
    assert pgw.counters.repeated == 1
    assert pgw.counters.octets_acknowledged == MB


async def test_requests_are_repeated_over_the_next_connection_when_one_is_lost(ocs):
    client = Pgw(("127.0.0.1", ocs.node.ports[0]), random=Random(1), pace=0.0, tx=5.0)
    assert await client.start()
    ocs.silent = 1
    running = asyncio.create_task(client.run(client.new_session(CUSTOMER, demand(3 * MB))))
    await ocs.until(1)
    ocs.node.disconnect("pgw.host.example", DisconnectCause.REBOOTING)
    async with asyncio.timeout(PATIENCE):
        await running
    await client.stop()
    assert ocs.seen[0][1].end_to_end == ocs.seen[1][1].end_to_end
    assert ocs.seen[1][1].retransmitted
    assert (client.counters.ended, client.counters.octets_acknowledged) == (1, 3 * MB)


async def test_a_busy_gateway_is_asked_again_without_the_t_flag(ocs, pgw):
    ocs.busy = 1
    await pgw.run(pgw.new_session(CUSTOMER, demand(MB)))
    assert [header.retransmitted for _, header in ocs.seen] == [False] * 3
    assert pgw.counters.ended == 1


async def test_a_gateway_that_never_answers_is_given_up_and_counted(ocs):
    client = Pgw(("127.0.0.1", ocs.node.ports[0]), random=Random(1), pace=0.0, tx=0.02, attempts=3)
    assert await client.start()
    ocs.silent = 99
    await client.run(client.new_session(CUSTOMER, demand(MB)))
    await client.stop()
    assert (client.counters.abandoned, client.counters.requests, client.counters.repeated) == (1, 3, 2)


async def test_many_sessions_at_once_add_up(ocs, pgw):
    traffic = Traffic([CUSTOMER], STANDARD, Random(3), Mix(octets=(1, 30 * MB), seconds=(1.0, 9.0)))
    await drive(pgw, traffic, rate=0, sessions=60, concurrency=16, stop=asyncio.Event())
    assert (pgw.counters.opened, pgw.counters.ended) == (60, 60)
    assert pgw.counters.octets_reported == pgw.counters.octets_acknowledged == sum(ocs.charged.values())
    assert len({ccr.session_id for ccr, _ in ocs.seen}) == 60


async def test_stopping_lets_every_running_session_report_and_end(ocs):
    client = Pgw(("127.0.0.1", ocs.node.ports[0]), random=Random(1), pace=1.0)
    assert await client.start()
    stop = asyncio.Event()
    traffic = Traffic([CUSTOMER], STANDARD, Random(3), Mix(octets=(MB, MB), seconds=(500.0, 900.0)))
    driving = asyncio.create_task(drive(client, traffic, rate=0, sessions=None, concurrency=5, stop=stop))
    await ocs.until(5)
    stop.set()
    async with asyncio.timeout(PATIENCE):
        await driving
    await client.stop()
    assert (client.counters.opened, client.counters.ended, client.counters.abandoned) == (5, 5, 0)
    assert client.counters.octets_reported == client.counters.octets_acknowledged


def asked_about(session_id, kind):
    head = {"origin_host": "ocs.tpo.example", "origin_realm": "tpo.example", "destination_realm": "host.example"}
    more = {"re_auth_request_type": 0} if kind is ReAuthRequest else {}
    return encode(kind(session_id, **head, destination_host="pgw.host.example", auth_application_id=4, **more))


@pytest.mark.parametrize(
    ("profile", "kind", "results"),
    [
        (STANDARD, ReAuthRequest, (2002, 5002)),
        (STANDARD, AbortSessionRequest, (2001, 5002)),
        (OPEN5GS, ReAuthRequest, (2001, 5002)),
        (OPEN5GS, AbortSessionRequest, (3001, 3001)),
    ],
)
async def test_a_pgw_answers_rar_and_asr_as_its_profile_does(ocs, profile, kind, results):
    client = Pgw(("127.0.0.1", ocs.node.ports[0]), random=Random(1), profile=profile)
    assert await client.start()
    session = client.new_session(CUSTOMER, [(profile.rating_groups[0], Demand(25 * MB, 1.0))])
    running = asyncio.create_task(client.run(session))
    await ocs.until(1)
    found = []
    for name in (session.session_id, b"of;nobody"):
        header, frame = await ocs.node.request(
            "pgw.host.example", kind.command_code, 4, asked_about(name, kind), timeout=5
        )
        answer_class = ErrorAnswer if header.error else COMMANDS[kind.command_code, False]
        found.append(decode(answer_class, frame).result_code)
    assert tuple(found) == results
    if profile is STANDARD:
        await ocs.until(2)
        assert ocs.seen[1][0].cc_request_type == (2 if kind is ReAuthRequest else 3)
    client.detach_all()
    async with asyncio.timeout(PATIENCE):
        await running
    await client.stop()
    assert len(ocs.seen) == (3 if (profile, kind) == (STANDARD, ReAuthRequest) else 2)


CONFIG = Path(__file__).resolve().parents[2] / "config"


@pytest.fixture
def config(tmp_path):
    """The shipped configuration, on ports and a store of its own."""
    for name in ("plans.yaml", "causes.yaml", "keywords.yaml", "taxes.yaml", "sample-subscribers.csv"):
        (tmp_path / name).write_text((CONFIG / name).read_text())
    text = (CONFIG / "gateway.yaml").read_text()
    text = text.replace("127.0.0.1:3868", f"127.0.0.1:{free_port()}").replace(
        "127.0.0.1:8080", f"127.0.0.1:{free_port()}"
    )
    (tmp_path / "gateway.yaml").write_text(text)
    return tmp_path / "gateway.yaml"


def tpo(config, *arguments):
    return [sys.executable, "-m", "gateway.cli", "--config", str(config), *arguments]


def test_the_network_with_its_gateway_charges_and_both_stop_in_order_at_sigterm(config):
    with subprocess.Popen(
        tpo(config, "simulate", "network", "--with-gateway", "--rate", "20"), stdout=subprocess.PIPE, text=True
    ) as process:
        seen = ""
        for line in process.stdout:
            seen += line
            if re.search(r"charged [0-9.]+ GBP", line):
                process.send_signal(signal.SIGTERM)
                break
        seen += process.stdout.read()
    assert process.returncode == 0, seen
    assert "120 lines imported" in seen
    assert "tpo --config" in seen
    assert "the gateway has stopped" in seen
    log = (config.parent / "var" / "gateway.log").read_text()
    assert log.index('"diameter.peer.left"') < log.index('"daemon.stopping"') < log.index('"daemon.stopped"')
    check = subprocess.run(tpo(config, "ledger", "check", "--json"), capture_output=True, text=True, check=True)
    assert json.loads(check.stdout)["ok"]


def test_a_pgw_without_a_gateway_exits_with_69_and_a_wrong_option_with_64(config):
    subscribers = str(config.parent / "sample-subscribers.csv")
    nobody = ["--gateway", f"127.0.0.1:{free_port()}", "--patience", "0.2", "--subscribers", subscribers]
    lonely = subprocess.run(tpo(config, "simulate", "pgw", *nobody), capture_output=True, text=True, check=False)
    assert (lonely.returncode, "did not answer" in lonely.stderr) == (69, True)
    wrong = subprocess.run(
        tpo(config, "simulate", "pgw", "--gateway", "x"), capture_output=True, text=True, check=False
    )
    assert (wrong.returncode, "HOST:PORT" in wrong.stderr) == (64, True)
