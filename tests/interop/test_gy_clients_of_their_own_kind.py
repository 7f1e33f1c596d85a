"""What real clients do that ours does not: python-diameter as an IMS client, with sub-sessions, and one whose money ran out."""

import http.client
import json

import pytest

pytest.importorskip("diameter", reason="python-diameter is not installed")

from diameter.message import Message
from diameter.message.avp import Avp
from diameter.message.avp.grouped import RequestedServiceUnit, SubscriptionId
from support.gateways import Gateway, subscribers
from support.obedient_pgw import RAR, ObedientPgw
from support.patience import PATIENCE
from support.python_diameter_pgw import INITIAL, TERMINATION, service

pytestmark = pytest.mark.xdist_group("gy_clients_of_their_own_kind")

TOKEN = "the-shop-around-the-corner"
AUTH_APPLICATION_ID, VENDOR_SPECIFIC_APPLICATION_ID, VENDOR_ID = 258, 260, 266
TGPP = 10415


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """(gateway, a client that is read leniently)."""
    peers = ["{identity: pgw.host.example, realm: host.example, profile: lenient}"]
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), peers=peers)
    tokens = f"socket: var/tpo.sock, tokens: [{{name: shop, role: operator, token: {TOKEN}}}]"
    gateway.config.write_text(gateway.config.read_text().replace("socket: var/tpo.sock", tokens))
    with gateway:
        gateway.enrol([*subscribers(2, balance="0.05"), *subscribers(2, first=2)])
        with ObedientPgw(gateway.diameter_port) as pgw:
            yield gateway, pgw


def by_command(gateway, msisdn):
    gateway.tpo("subscriber", "topup", msisdn, "5.00", "--reference", "command-1")


def by_http(gateway, msisdn):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.http_port, timeout=PATIENCE)
    headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": "http-1", "Content-Type": "application/json"}
    body = json.dumps({"amount": "5.00", "currency": "GBP"})
    connection.request("POST", f"/v1/subscribers/{msisdn}/topups", body, headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()


@pytest.mark.parametrize(("customer", "top_up"), [(0, by_command), (1, by_http)])
def test_a_top_up_has_a_session_on_its_last_units_go_on(scene, customer, top_up):
    gateway, pgw = scene
    msisdn, imsi, *_ = subscribers(2)[customer]
    session = pgw.open(imsi)
    top_up(gateway, msisdn)
    request, update = pgw.asked.get(timeout=PATIENCE)
    assert (request.header.command_code, request.session_id) == (RAR, session)
    (given,) = update.multiple_services_credit_control
    assert (given.granted_service_unit.cc_total_octets, given.final_unit_indication) == (10_000_000, None)
    top_up(gateway, msisdn)  # the same payment again: nobody stands still any more
    other = pgw.open(subscribers(1, first=2)[0][1])
    assert pgw.asked.empty()
    pgw.ask(pgw.ccr(other, TERMINATION, 1, imsi=subscribers(1, first=2)[0][1]))


def test_an_ims_client_names_the_customer_by_uri_and_its_application_as_one_of_a_vendor(scene):
    gateway, pgw = scene
    msisdn = subscribers(1, first=2)[0][0]
    uri = f"sip:+{msisdn}@ims.mnc015.mcc234.3gppnetwork.org"
    call = pgw.ccr(pgw.session_id(), INITIAL, 0, service_context_id="32260@3GPP.ORG", service_identifier=1)
    call.subscription_id = [SubscriptionId(subscription_id_type=2, subscription_id_data=uri)]
    call.multiple_services_indicator = None
    whole = Message.from_bytes(call.as_bytes(), plain_msg=True)
    named = Avp.new(
        VENDOR_SPECIFIC_APPLICATION_ID, value=[Avp.new(VENDOR_ID, value=TGPP), Avp.new(AUTH_APPLICATION_ID, value=4)]
    )
    avps = [named if avp.code == AUTH_APPLICATION_ID else avp for avp in whole.avps]
    answer = pgw.ask(pgw.raw(avps))
    assert answer.result_code == 2001
    assert answer.granted_service_unit.cc_time == 300
    assert float(gateway.json("subscriber", "show", msisdn)["reserved"]) > 0


def test_sub_sessions_are_answered_and_charged_each_by_itself(scene):
    gateway, pgw = scene
    msisdn, imsi, *_ = subscribers(1, first=3)[0]
    session = pgw.session_id()
    ask = {"imsi": imsi}
    for sub_session in (1, 2):
        ask["cc_sub_session_id"] = sub_session
        answer = pgw.ask(pgw.ccr(session, INITIAL, 0, [service(10)], **ask))
        assert (answer.result_code, answer.cc_sub_session_id) == (2001, sub_session)
    for sub_session, octets in ((1, 1_000_000), (2, 12_000_000)):
        ask["cc_sub_session_id"] = sub_session
        answer = pgw.ask(pgw.ccr(session, TERMINATION, 1, [service(10, [(octets, 0)], ask=False)], **ask))
        assert (answer.result_code, answer.cc_sub_session_id) == (2001, sub_session)
    shown = gateway.json("subscriber", "show", msisdn)
    assert (shown["balance"], shown["reserved"], shown["open_sessions"]) == ("9.87", "0.00", 0)
    gateway.check()


def test_seconds_cannot_be_asked_for_where_octets_have_the_price(scene):
    _, pgw = scene
    imsi = subscribers(1, first=3)[0][1]
    mscc = service(10)
    mscc.requested_service_unit = RequestedServiceUnit(cc_time=600)
    answer = pgw.ask(pgw.ccr(pgw.session_id(), INITIAL, 0, [mscc], imsi=imsi))
    (refused,) = answer.multiple_services_credit_control
    assert (answer.result_code, refused.result_code, refused.granted_service_unit) == (2001, 5031, None)
