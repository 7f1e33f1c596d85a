"""Notices of a running gateway, at a message centre that is not ours: they arrive after a STOP, in quiet hours, and once."""

import asyncio
import json
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from support.charging_fixture import INITIAL, TERMINATION, UPDATE, ccr, service
from support.gy_link import gy_link
from support.patience import PATIENCE, until
from support.smpp34_smsc import desk_at_smpp34
from support.sms_gateway import TOKENS

MSISDN, IMSI = "447700900001", "234150000000001"
OTHER_IMSI = "234150000000002"
OTHER = ("447700900002", OTHER_IMSI, "8944100000000000002", "bundle-gb", "wwf", "5.00")
FRAUD = "fraud: {plans: {bundle-gb: {spend: 0.01, bar: [spend]}}}\n"
LINE = (MSISDN, IMSI, "8944100000000000001", "payg-gb", "wwf", "5.00")
MEGABYTE = 1_000_000
DECISION = ("--channel", "contract", "--wording", "2026-1")
REACHED = "you have reached your bill limit of £0.05"


def quiet_now():
    """Quiet hours that the moment lies in, by the operator's clocks."""
    now = datetime.now(ZoneInfo("Europe/London"))
    begin, end = now - timedelta(hours=2), now + timedelta(hours=2)
    return f"{begin:%H:%M}-{end:%H:%M}"


def said(smsc):
    """The words of every text that the message centre has taken."""
    return [event.short_message.replace(b"\x01", "£".encode()).decode() for event in smsc.submits]


def asked(*parts, **more):
    """A charging request to the gateway."""
    return msgspec.structs.replace(ccr(*parts, **more), destination_realm="tpo.example")


def post(desk, body, token):
    request = urllib.request.Request(
        f"http://127.0.0.1:{desk.http_port}/v1/subscribers/{MSISDN}/limits",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read())


async def test_a_statutory_notice_arrives_once_after_a_stop_in_quiet_hours_and_over_a_kill(tmp_path):
    async with desk_at_smpp34(tmp_path) as (desk, smsc):
        notices = f'notices: {{quiet_hours: "{quiet_now()}", low_balance: 5.00}}\n'
        desk.config.write_text(desk.config.read_text() + notices + FRAUD)
        await desk.run("reload")
        await asyncio.to_thread(desk.enrol, [LINE, OTHER])
        await smsc.say(MSISDN, "STOP")
        shown = await desk.run("subscriber", "bill-limit", MSISDN, "0.05", *DECISION)
        assert (shown["limit"], shown["charged"]) == ("0.05", "0.00")
        await until(lambda: any("your bill limit is now £0.05" in words for words in said(smsc)))
        await desk.run("link", "suspend", "smsc-1")  # so that the kill comes before the notice has left, for certain
        async with gy_link(desk.diameter_port) as link:
            await link.ask(asked(INITIAL, 0, service(ask=0)))
            over = await link.ask(asked(UPDATE, 1, service(used=(7 * MEGABYTE,), ask=0)))
            assert over.multiple_services_credit_control[0].result_code == 4012
        await asyncio.to_thread(desk.kill)
        assert not any(REACHED in words for words in said(smsc))
        smsc.bound.clear()
        await asyncio.to_thread(desk.start)
        await until(lambda: any(REACHED in words for words in said(smsc)))
        told = await desk.run("notice", "list")
        assert [(row["kind"], row["notice_class"]) for row in told] == [
            ("bill_limit_set", "statutory"),
            ("bill_limit_reached", "statutory"),
        ]
        assert MSISDN not in json.dumps(told)
        async with gy_link(desk.diameter_port) as link:
            again = await link.ask(asked(UPDATE, 2, service(used=(MEGABYTE,), ask=0)))
            assert again.multiple_services_credit_control[0].result_code == 4012
            agreed = {"decision": "agreed", "channel": "app", "wording": "2026-1"}
            with pytest.raises(urllib.error.HTTPError, match="403"):
                await asyncio.to_thread(post, desk, agreed, TOKENS["viewer"])
            taken = await asyncio.to_thread(post, desk, agreed, TOKENS["operator"])
            assert (taken["agreed"], taken["charged"]) == (True, "0.05")
            more = await link.ask(asked(UPDATE, 3, service(ask=0)))
            assert more.multiple_services_credit_control[0].result_code == 2001
            await link.ask(asked(TERMINATION, 4, service(used=(MEGABYTE,))))
        await until(lambda: any("as you agreed" in words for words in said(smsc)))
        assert sum(REACHED in words for words in said(smsc)) == 1
        assert not any("your balance" in words for words in said(smsc))
        balances = {row["account"]: row["balance"] for row in await desk.run("ledger", "balances")}
        assert balances["absorbed"].lstrip("-") == "0.03"
        assert (await desk.run("ledger", "check"))["ok"]
        assert [row["decision"] for row in (await desk.run("subscriber", "bill-limit", MSISDN))["decisions"]] == [
            "set",
            "agreed",
        ]
        await suspicious(desk)


async def suspicious(desk):
    """A line whose use passes its plan's fraud limit: barred, shown as a concern, and served again once it was cleared."""
    line = {"session": "pgw;2;1", "imsi": OTHER_IMSI}
    async with gy_link(desk.diameter_port) as link:
        await link.ask(asked(INITIAL, 0, service(ask=0), **line))
        await link.ask(asked(UPDATE, 1, service(used=(2 * MEGABYTE,), ask=0), **line))
        barred = await link.ask(asked(UPDATE, 2, service(ask=0), **line))
        assert barred.multiple_services_credit_control[0].result_code == 4010
        (case,) = await desk.run("fraud", "list")
        assert (case["kind"], case["measured"], case["barred"]) == ("spend", "0.02", True)
        assert OTHER[0] not in json.dumps(case)
        assert await desk.run("fraud", "clear", case["id"], "--reason", "confirmed by call") == {
            "id": case["id"],
            "subscriber_id": case["subscriber_id"],
            "barred": False,
        }
        served = await link.ask(asked(UPDATE, 3, service(ask=0), **line))
        assert served.multiple_services_credit_control[0].result_code == 2001
    assert await desk.run("fraud", "list") == []
