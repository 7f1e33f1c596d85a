"""Prices by number, time and what was used before, as python-diameter tells of them, over a kill and in the books."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

pytest.importorskip("diameter", reason="python-diameter is not installed")

from diameter.message import Message
from diameter.message.avp.grouped import (
    ImsInformation,
    MultipleServicesCreditControl,
    RequestedServiceUnit,
    ServiceInformation,
    UsedServiceUnit,
)
from support.gateways import ROOT, Gateway, subscribers
from support.python_diameter_pgw import INITIAL, TERMINATION, UPDATE, TheirPgw, service

MSCC, GRANTED, TARIFF_CHANGE = 456, 431, 451
PLANS = """\
payg-gb:
  name: Pay as you go
  currency: GBP
  data: {{price: 0.01, per: 1000000, at: {{soon: {{price: 0.03, per: 1000000}}}}}}
  voice: {{price: 0.03, per: 60, increments: 60/1, connection: 0.05}}
  sms: {{price: 0.02, per: 1}}
  deck: world.csv
  periods: {{soon: {{begins: "{begins}", ends: "{ends}"}}}}
  caps: [{{services: [data], day: 1}}]
"""
DECK = "prefix,name,voice,increments,service,tenth\n449,Premium rate,0.55,60/1,3.60,no\n33,France,0.20,60/60,,\n"


def call(number, seconds=None):
    item = MultipleServicesCreditControl()
    if seconds is None:
        item.requested_service_unit = RequestedServiceUnit()
    else:
        item.used_service_unit = [UsedServiceUnit(cc_time=seconds)]
    information = ServiceInformation(ims_information=ImsInformation(role_of_node=0, called_party_address=[number]))
    return [item], {"service_context_id": "32260@3gpp.org", "service_information": information}


def test_a_call_a_change_of_tariff_and_a_cap_are_charged_as_the_plan_says_and_as_tpo_plan_price_does(tmp_path):
    now = datetime.now(UTC)
    zone = f"Etc/GMT{now.hour - 12:+}"  # of an operator who has midday: no day ends before the test does
    change = now.replace(second=0, microsecond=0) + timedelta(minutes=4)
    clock = [each.astimezone(ZoneInfo(zone)).strftime("%H:%M") for each in (change, change + timedelta(hours=2))]
    gateway = Gateway(tmp_path / "gateway", diameter="  served_realms: [host.example]")
    (gateway.folder / "plans.yaml").write_text(PLANS.format(begins=clock[0], ends=clock[1]))
    (gateway.folder / "world.csv").write_text(DECK)
    config = gateway.config.read_text().replace(f"{ROOT}/config/plans.yaml", "plans.yaml")
    gateway.config.write_text(config.replace("Test operator", f"Test operator, timezone: {zone}"))
    (line,) = subscribers(1, balance="30.00")

    def balance():
        return gateway.json("subscriber", "show", line[0])["balance"]

    with gateway:
        gateway.enrol([line])
        with TheirPgw(gateway.diameter_port) as pgw:
            session = pgw.session_id()
            wanted, more = call("09098790123")
            answer = pgw.ask(pgw.ccr(session, INITIAL, 0, wanted, imsi=line[1], **more))
            assert answer.multiple_services_credit_control[0].granted_service_unit.cc_time == 300
            used, more = call("09098790123", 75)
            pgw.ask(pgw.ccr(session, TERMINATION, 1, used, imsi=line[1], **more))
            data = pgw.session_id()
            answer = pgw.ask(pgw.ccr(data, INITIAL, 0, [service(10)], imsi=line[1]))
            told = Message.from_bytes(pgw.last_octets, plain_msg=True).find_avps(
                (MSCC, 0), (GRANTED, 0), (TARIFF_CHANGE, 0)
            )
            assert [avp.value.astimezone(UTC) for avp in told] == [change]
            before = UsedServiceUnit(cc_total_octets=2_000_000, tariff_change_usage=0)
            after = UsedServiceUnit(cc_total_octets=3_000_000, tariff_change_usage=1)
            item = service(10)
            item.used_service_unit = [before, after]
            then = (change + timedelta(seconds=5)).astimezone().replace(tzinfo=None)
            pgw.ask(pgw.ccr(data, UPDATE, 1, [item], imsi=line[1], event_timestamp=then))
        assert balance() == "24.7025", "5.1875 for the call, 0.02 for data before the change, 0.09 for data after it"
        gateway.kill()
        gateway.start()
        with TheirPgw(gateway.diameter_port) as pgw:
            last = service(10, ask=False)
            last.used_service_unit = [UsedServiceUnit(cc_total_octets=400_000_000)]
            pgw.ask(pgw.ccr(data, TERMINATION, 2, [last], imsi=line[1]))
        gateway.check()
        records = gateway.usage()
        assert sum(float(row["price"]) for row in records if row["service"] == "data") == pytest.approx(1.0)
        quoted = gateway.json("plan", "price", "--plan", "payg-gb", "--to", "09098790123", "--seconds", "75")
        assert [row["price"] for row in records if row["service"] == "voice"] == [quoted["price"]]
        owed = gateway.balances()
        assert (owed["service-charges"], quoted["without_tenth"]) == ("4.50", "4.50")
