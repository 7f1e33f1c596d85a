"""Who pays, and for which direction: calls and texts that come in, free numbers, and emergencies, which are never refused."""

import msgspec
import pytest
from sqlalchemy import select, update
from support.books import check
from support.charging_fixture import EVENT, INITIAL, MSISDN, PENNY, TERMINATION, UPDATE, ccr, charging_place, service
from support.gy_samples import avp, word

from gateway.charging.gy.service_information import Called, read_called
from gateway.charity.policies import recompute
from gateway.rating.plans import Plan, Rate
from gateway.store import tables
from gateway.store.errors import RowUnknown
from protocols.diameter.messages import RequestedServiceUnit, UsedServiceUnit

POUND = 100 * PENNY
VOICE, VCS, TEXTS = "32260@3gpp.org", "32276@3gpp.org", "32274@3gpp.org"
ORIGINATING, TERMINATING, SUBMISSION, DELIVERY_REPORT, DELIVERY = 0, 1, 0, 1, 3
PLANS = {
    "payg-gb": Plan("payg-gb", "", "GBP", Rate(PENNY, 10**6), Rate(3 * PENNY, 60), Rate(2 * PENNY, 1)),
    "paid-in": Plan(
        "paid-in", "", "GBP", Rate(PENNY, 10**6), Rate(3 * PENNY, 60), Rate(2 * PENNY, 1),
        incoming_voice=Rate(PENNY, 60), incoming_sms=Rate(PENNY, 2),
    ),
}  # fmt: skip


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/desk.db", plans=PLANS) as opened:
        yield opened
        with opened.reader.connect() as connection:
            assert check(connection, recompute).findings == []


def ims(*called, role=None, requested=(), group="IMS-Information", more=b""):
    inside = more if role is None else more + avp("Role-Of-Node", word(role))
    inside += b"".join(avp("Called-Party-Address", address.encode()) for address in called)
    inside += b"".join(avp("Requested-Party-Address", address.encode()) for address in requested)
    return avp(group, inside)


def sms(*recipients, kind=None, received=()):
    inside = b"" if kind is None else avp("SM-Message-Type", word(kind))
    for name, addresses in (("Recipient-Address", recipients), ("Recipient-Received-Address", received)):
        for address in addresses:
            data = avp("Address-Type", word(1)) + avp("Address-Data", address.encode())
            inside += avp("Recipient-Info", avp(name, data))
    return avp("SMS-Information", inside)


def call(place, information, seconds=60, context=VOICE, session="msc;1;1"):
    """A call from its start to its end; gives the answers and what it cost in pence."""

    def say(request_type, number, information, **item):
        more = {} if information is None else {"service_information": information}
        return place.ask(ccr(request_type, number, service(None, **item), session=session, context=context, **more))

    first = say(INITIAL, 0, information, ask=0)
    last = say(TERMINATION, 1, None, used=[UsedServiceUnit(cc_time=seconds)])
    return first, last, cost(place)


def text(place, information, parts=1):
    wanted = RequestedServiceUnit(cc_service_specific_units=parts)
    more = {"requested_service_unit": wanted, "requested_action": 0, "service_information": information}
    return place.ask(ccr(EVENT, 0, session="smsc;1;1", context=TEXTS, **more)), cost(place)


def cost(place):
    return sum(price for (price,) in place.read(select(tables.usage.c.price))) / PENNY


def suspend(place):
    with place.writer.begin() as connection:
        connection.execute(tables.subscribers.update().values(status="suspended"))


def reserved(place):
    return [amount for (amount,) in place.read(select(tables.wallets.c.reserved))]


@pytest.mark.parametrize("group", ["IMS-Information", "VCS-Information"])
@pytest.mark.parametrize(("plan", "pence"), [("payg-gb", 0), ("paid-in", 1)])
def test_the_called_customer_pays_the_plans_rate_for_incoming_calls(place, plan, pence, group):
    place.enrol(POUND, plan=plan)
    caller = ims(f"tel:+{MSISDN}", role=TERMINATING, group=group)
    assert call(place, caller, context=VCS if group.startswith("VCS") else VOICE)[2] == pence


@pytest.mark.parametrize(
    "address",
    [
        f"tel:+{MSISDN}",
        f"sip:+{MSISDN}@ims.example;user=phone",
        MSISDN,
        f"+{MSISDN}",
        f"00{MSISDN}",
        "tel:07700-900-001",
        "tel:7700900001;phone-context=+44",
    ],
)
def test_a_call_to_the_customer_is_incoming_though_no_role_is_told(place, address):
    place.enrol(POUND)
    answer = place.ask(
        ccr(INITIAL, 0, service(None, ask=0), msisdn=MSISDN, context=VOICE, service_information=ims(address))
    )
    assert answer.result_code == 2001
    assert reserved(place) == [0]


@pytest.mark.parametrize("role", [None, ORIGINATING, 2, 3])
def test_whoever_calls_somebody_else_pays_for_the_call(place, role):
    place.enrol(POUND)
    assert call(place, ims("tel:+447700900999", role=role))[2] == 3


@pytest.mark.parametrize("kind", [DELIVERY, DELIVERY_REPORT, 4])
@pytest.mark.parametrize(("plan", "pence"), [("payg-gb", 0), ("paid-in", 0.5)])
def test_a_text_that_comes_in_costs_the_plans_rate_for_incoming_texts(place, kind, plan, pence):
    place.enrol(POUND, plan=plan)
    answer, paid = text(place, sms(MSISDN, kind=kind))
    assert (answer.result_code, paid) == (2001, pence)


@pytest.mark.parametrize("kind", [None, SUBMISSION, 2, 5, 6])
def test_a_text_that_goes_out_is_paid(place, kind):
    place.enrol(POUND)
    assert text(place, sms("447700900999", kind=kind))[1] == 2


EMERGENCIES = [
    "999",
    "112",
    "911",
    "tel:999",
    "sip:112@ims.example;user=phone",
    "urn:service:sos.ambulance",
    "18000",
    "116123",
    "*31#999",
]


@pytest.mark.parametrize("address", EMERGENCIES)
@pytest.mark.parametrize("state", ["empty", "suspended", "without a plan", "unknown"])
def test_an_emergency_call_is_free_and_never_held_nor_refused(place, address, state):
    if state != "unknown":
        place.enrol(0, plan="gone" if state == "without a plan" else "payg-gb")
    if state == "suspended":
        suspend(place)
    first, last, paid = call(place, ims(address, role=ORIGINATING), seconds=300)
    (granted,) = first.multiple_services_credit_control
    assert (first.result_code, granted.result_code, granted.granted_service_unit.cc_time) == (2001, 2001, 300)
    assert granted.final_unit_indication is None
    assert last.result_code == (5030 if state == "unknown" else 2001)
    assert (paid, set(reserved(place)) <= {0}) == (0, True)


@pytest.mark.parametrize("group", ["IMS-Information", "VCS-Information"])
def test_a_call_that_the_network_says_is_an_emergency_is_one_whatever_number_it_was_routed_to(place, group):
    place.enrol(0)
    suspend(place)
    routed = ims("tel:+441234567890", role=ORIGINATING, group=group, more=avp("IMS-Emergency-Indicator", word(1)))
    first, last, paid = call(place, routed, seconds=300)
    assert (first.result_code, last.result_code, paid) == (2001, 2001, 0)
    ordinary = ims("tel:+441234567890", group=group, more=avp("IMS-Emergency-Indicator", word(0)))
    assert call(place, ordinary, session="msc;2")[0].result_code == 4010


def test_an_emergency_call_goes_on_after_we_forgot_it(place):
    place.enrol(0)
    suspend(place)
    more = {"session": "msc;9", "context": VOICE, "service_information": ims("urn:service:sos")}
    (granted,) = place.ask(ccr(UPDATE, 4, service(None, ask=0), **more)).multiple_services_credit_control
    assert (granted.result_code, granted.granted_service_unit.cc_time) == (2001, 300)


def test_a_number_that_was_dialled_as_an_emergency_is_one_wherever_it_was_routed(place):
    place.enrol(0)
    assert call(place, ims("sip:psap-7@police.example", requested=["urn:service:sos.police"]))[0].result_code == 2001


@pytest.mark.parametrize("address", ["999", "112", "116123"])
def test_an_emergency_text_is_free_and_never_refused(place, address):
    place.enrol(0)
    suspend(place)
    answer, paid = text(place, sms(address, kind=SUBMISSION))
    assert (answer.result_code, paid) == (2001, 0)


def test_a_text_to_an_emergency_number_and_a_friend_is_paid(place):
    place.enrol(POUND)
    assert text(place, sms("999", "447700900999", kind=SUBMISSION))[1] == 2


@pytest.mark.parametrize("address", ["08001111", "tel:+448001111", "0808 800 0000", "sip:+448088000000@ims.example"])
def test_a_freephone_number_costs_nothing_but_a_line_that_may_not_be_served_is_refused_it(place, address):
    place.enrol(0)
    assert call(place, ims(address))[2] == 0
    suspend(place)
    assert call(place, ims(address), session="msc;2")[0].result_code == 4010


@pytest.mark.parametrize(
    "address", ["118118", "0909 8790123", "+441164960000", "447700900999", "sip:alice@example", ""]
)
def test_other_numbers_have_the_plans_price(place, address):
    place.enrol(POUND)
    assert call(place, ims(address, role=ORIGINATING))[2] == 3


def test_what_a_session_is_stays_when_its_later_requests_do_not_say_it_again(place):
    place.enrol(POUND)
    assert call(place, ims(MSISDN, role=TERMINATING), seconds=250)[2] == 0


@pytest.mark.parametrize(
    ("first", "later"),
    [
        (ims("tel:999", role=ORIGINATING), ims(role=ORIGINATING)),
        (ims("tel:999", role=ORIGINATING), ims("tel:+442079460123", role=ORIGINATING)),
        (ims("+448001111111", role=ORIGINATING), ims(role=ORIGINATING)),
        (ims("+448001111111"), ims("tel:+442079460123")),
        (ims(role=TERMINATING), ims("tel:+447700900777")),
        (ims(role=TERMINATING), ims()),
    ],
)
def test_a_call_stays_what_it_began_as_whatever_part_of_that_a_later_request_says(place, first, later):
    place.enrol(POUND)
    for number, (kind, information, used) in enumerate(
        [(INITIAL, first, 0), (UPDATE, later, 60), (TERMINATION, later, 60)]
    ):
        item = service(
            None, used=[UsedServiceUnit(cc_time=used)] if used else [], ask=None if kind == TERMINATION else 0
        )
        answer = place.ask(ccr(kind, number, item, context=VOICE, service_information=information))
        assert answer.multiple_services_credit_control[0].result_code == 2001
    assert cost(place) == 0


def test_an_event_after_an_emergency_text_of_the_same_session_id_is_paid(place):
    place.enrol(POUND)
    one = service(None)
    place.ask(ccr(EVENT, 0, one, context=TEXTS, service_information=sms("999", kind=SUBMISSION)))
    place.ask(ccr(EVENT, 1, one, context=TEXTS))
    assert cost(place) == 2


@pytest.mark.parametrize(
    "broken",
    [
        b"\0\0\0\1",
        avp("IMS-Information", b"\0\0\3\x40"),
        avp("IMS-Information", avp("Role-Of-Node", b"")),
        avp("SMS-Information", avp("Recipient-Info", b"\xff" * 12)),
    ],
)
def test_a_group_that_cannot_be_cut_says_nothing(broken):
    assert read_called(broken).recipients == ()
    assert read_called(broken) in (Called(), Called(incoming=False))


def test_a_call_of_a_traffic_that_nobody_knows_is_refused_alone_and_named(tmp_path):
    url, free = f"sqlite:///{tmp_path}/changed.db", ims("0800 1111", role=ORIGINATING)
    begun = ccr(INITIAL, 0, service(None, ask=0), session="msc;1;1", context=VOICE, service_information=free)
    with charging_place(url, plans=PLANS) as place:
        place.enrol(POUND)
        assert place.ask(begun).result_code == 2001
        with place.writer.begin() as connection:
            packed = connection.execute(select(tables.sessions.c.groups)).scalar_one()
            changed = packed.replace(msgspec.msgpack.encode("free"), msgspec.msgpack.encode("fare"))
            assert changed != packed
            connection.execute(update(tables.sessions).values(groups=changed))
    with charging_place(url, plans=PLANS) as place:
        ended = ccr(TERMINATION, 1, service(None, used=[UsedServiceUnit(cc_time=60)]), session="msc;1;1", context=VOICE)
        with pytest.raises(RowUnknown, match=r"row \d+ of sessions has traffic 'fare', which this version"):
            place.ask(ended)
        assert cost(place) == 0
