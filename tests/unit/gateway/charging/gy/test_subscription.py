"""Whoever pays is found in every form that clients name him in (charging cases G15 and G16)."""

import pytest
from support.charging_fixture import IMSI, ccr, service
from support.gy_samples import avp, word

from gateway.charging.gy import ccr as gy_ccr
from gateway.charging.gy.subscription import Subscription, read_subscription
from protocols.diameter.avp_validation import STANDARD, Profile
from protocols.diameter.codec import encode_message
from protocols.diameter.errors import DiameterError
from protocols.diameter.generated import decode, encode
from protocols.diameter.messages import (
    CreditControlRequest,
    SubscriptionId,
    SubscriptionIdExtension,
    VendorSpecificApplicationId,
)

E164, IMSI_TYPE, SIP_URI, NAI, PRIVATE = range(5)
NUMBER, NAME = "447700900101", "234150000000101"
IMS = "ims.mnc015.mcc234.3gppnetwork.org"
LENIENT = Profile(STANDARD.grouped, lenient=True)


def names(*subscriptions, country="GB", **more):
    request = ccr(1, 0, service(ask=0), subscription_id=tuple(SubscriptionId(*each) for each in subscriptions), **more)
    return read_subscription(request, country)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (E164, NUMBER),
        (E164, f"+{NUMBER}"),
        (E164, "+44-7700-900101"),
        (E164, "+44 (7700) 900.101"),
        (E164, f"00{NUMBER}"),
        (E164, "+44 (0)7700 900101"),
        (E164, f"{NUMBER}F"),
        (E164, f"MSISDN-{NUMBER}"),
        (SIP_URI, f"sip:+{NUMBER}:secret@host.example"),
        (SIP_URI, f'"A. Customer" <sip:+{NUMBER}@{IMS}>;tag=1'),
        (NAI, f"+{NUMBER}"),
        (PRIVATE, f"msisdn-{NUMBER}"),
        (E164, "07700900101"),
        (E164, f"tel:+{NUMBER}"),
        (E164, "TEL:+44-7700-900101;npdi"),
        (E164, "tel:07700900101;phone-context=+44"),
        (E164, f"msisdn-{NUMBER}"),
        (E164, f"sip:+{NUMBER}@{IMS}"),
        (SIP_URI, f"sip:+{NUMBER}@{IMS}"),
        (SIP_URI, f"sip:+{NUMBER};npdi@{IMS};user=phone"),
        (SIP_URI, f"sips:%2B{NUMBER}@host.example:5061"),
        (SIP_URI, f"sip:{NUMBER}@host.example;user=phone"),
        (SIP_URI, f"tel:+{NUMBER}"),
        (NAI, f"+{NUMBER}@host.example"),
    ],
)
def test_a_number_is_found_in_every_form(kind, text):
    assert names((kind, text)) == Subscription(None, (NUMBER,))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (IMSI_TYPE, NAME),
        (IMSI_TYPE, f"imsi-{NAME}"),
        (IMSI_TYPE, f"IMSI-{NAME}"),
        (IMSI_TYPE, f"{NAME}F"),
        (NAI, f"imsi-{NAME}"),
        (NAI, f"imsi-{NAME}@5gc.mnc015.mcc234.3gppnetwork.org"),
        (NAI, f"0{NAME}@nai.epc.mnc015.mcc234.3gppnetwork.org"),
        (NAI, f"1{NAME}@wlan.mnc015.mcc234.3gppnetwork.org"),
        (NAI, f"6{NAME}@nai.5gc.mnc015.mcc234.3gppnetwork.org"),
        (NAI, f"nai.epc.mnc015.mcc234.3gppnetwork.org!0{NAME}@nai.epc.mnc260.mcc310.3gppnetwork.org"),
        (PRIVATE, f"{NAME}@{IMS}"),
        (SIP_URI, f"sip:{NAME}@{IMS}"),
    ],
)
def test_an_imsi_is_found_in_what_a_network_derives_from_it(kind, text):
    assert names((kind, text)) == Subscription(NAME, ())


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (SIP_URI, "sip:alice@host.example"),
        (SIP_URI, "sip:host.example"),
        (NAI, f"2{NAME}@nai.epc.mnc015.mcc234.3gppnetwork.org"),  # a pseudonym
        (NAI, f"0{NAME}@nai.epc.mnc015.mcc310.3gppnetwork.org"),  # another country's
        (NAI, "alice"),
        (PRIVATE, "\0"),
        (99, NUMBER),
    ],
)
def test_what_names_nobody_is_passed_over(kind, text):
    assert names((kind, text)) == Subscription(None, ())


def test_what_its_type_says_comes_first_and_numbers_keep_their_order():
    found = names(
        (SIP_URI, "sip:+447700900199@host.example"),
        (NAI, "0234150000000199@nai.epc.mnc015.mcc234.3gppnetwork.org"),
        (E164, "447700900102"),
        (E164, f"+{NUMBER}"),
        (IMSI_TYPE, NAME),
        (SIP_URI, f"tel:+{NUMBER}"),
    )
    assert found == Subscription(NAME, ("447700900102", NUMBER, "447700900199"))


def test_a_number_as_it_is_dialled_at_home_is_looked_up_after_the_one_abroad_that_looks_like_it():
    assert names((E164, "2025550129"), country="US").msisdns == ("2025550129", "12025550129")
    assert names((E164, "12025550129"), country="US").msisdns == ("12025550129",)
    assert names((E164, "+2025550129"), country="US").msisdns == ("2025550129",)
    assert names((E164, "4407700900101")).msisdns == ("4407700900101", NUMBER)
    assert names((E164, "44")).msisdns == ("44",)


def test_an_extension_is_read_like_a_subscription_id():
    extension = SubscriptionIdExtension(subscription_id_e164=f"+{NUMBER}", subscription_id_imsi=NAME)
    assert names(subscription_id_extension=(extension,)) == Subscription(NAME, (NUMBER,))
    derived = SubscriptionIdExtension(
        subscription_id_sip_uri=f"sip:+{NUMBER}@{IMS}", subscription_id_private=f"{NAME}@{IMS}"
    )
    assert names(subscription_id_extension=(derived,)) == Subscription(NAME, (NUMBER,))


def inside(*avps):
    return avp("PS-Information", avp("3GPP-NSAPI", b"\5")) + b"".join(avps)


def test_a_subscription_id_may_stand_in_service_information_alone():
    one = avp("Subscription-Id", avp("Subscription-Id-Type", word(1)) + avp("Subscription-Id-Data", NAME.encode()))
    other = avp("Subscription-Id-Extension", avp("Subscription-Id-SIP-URI", f"sip:+{NUMBER}@{IMS}".encode()))
    assert names(service_information=inside(one, other)) == Subscription(NAME, (NUMBER,))
    assert names((E164, "447700900102"), service_information=inside(one)) == Subscription(None, ("447700900102",))


@pytest.mark.parametrize("broken", [b"\0", avp("Subscription-Id", b"")])
def test_service_information_that_names_nobody_is_passed_over(broken):
    assert names(service_information=broken) == Subscription(None, ())


def request_of(*, auth=None, vendor_specific=None):
    return ccr(1, 0, service(ask=0), auth_application_id=auth, vendor_specific_application_id=vendor_specific)


def read_as(profile, request):
    frame = encode_message(0xC0, 272, 4, 1, 1, encode(request))
    return gy_ccr.read(decode(CreditControlRequest, frame, profile=profile), "pgw.host.example", 0, "GB")


def test_a_lenient_peer_may_name_its_application_as_one_of_a_vendor_alone():
    kamailio = request_of(vendor_specific=VendorSpecificApplicationId(vendor_id=10415, auth_application_id=4))
    assert read_as(LENIENT, kamailio).imsi == IMSI
    with pytest.raises(DiameterError) as refused:
        read_as(STANDARD, kamailio)
    assert (refused.value.result_code, refused.value.failed_avp) == (5005, avp("Auth-Application-Id", word(0)))


@pytest.mark.parametrize("named", [None, VendorSpecificApplicationId(vendor_id=10415, auth_application_id=16777238)])
def test_a_lenient_peer_has_to_name_credit_control_somewhere(named):
    with pytest.raises(DiameterError) as refused:
        read_as(LENIENT, request_of(vendor_specific=named))
    assert refused.value.result_code == 5005


@pytest.mark.parametrize("profile", [STANDARD, LENIENT])
@pytest.mark.parametrize("application", [0, 1, 3, 16777238, 0xFFFFFFFF])
def test_a_request_of_another_application_is_5004(profile, application):
    named = VendorSpecificApplicationId(vendor_id=10415, auth_application_id=4)
    with pytest.raises(DiameterError) as refused:
        read_as(profile, request_of(auth=application, vendor_specific=named))
    failed = avp("Auth-Application-Id", word(application))
    assert (refused.value.result_code, refused.value.failed_avp) == (5004, failed)
