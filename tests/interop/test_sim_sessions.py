"""What an order does to a line's charging, seen by a client of python-diameter's: served, asked to report, asked to end."""

import asyncio
import json

import pytest

pytest.importorskip("diameter", reason="python-diameter is not installed")

from support.obedient_pgw import ASR, RAR, ObedientPgw
from support.patience import PATIENCE
from support.python_diameter_pgw import INITIAL, service
from support.sim_gateway import card, phone, sim_desk

from simulators.host_api import HostApi

pytestmark = pytest.mark.xdist_group("sim_sessions")

CARD, NUMBER, PLAN = card(1), phone(1), "payg-gb"
DENIED, UNKNOWN = 4010, 5030


async def asked(pgw):
    """The next request of the gateway, and the answer to the report that followed."""
    return await asyncio.to_thread(pgw.asked.get, timeout=PATIENCE)


async def ccr_initial(pgw, imsi):
    """Ask for a new session; gives the Result-Code of the command."""
    request = pgw.ccr(pgw.session_id(), INITIAL, 0, [service(10)], imsi=imsi)
    return (await asyncio.to_thread(pgw.ask, request)).result_code


async def test_a_line_is_charged_from_its_activation_to_its_end(tmp_path):
    async with HostApi() as host:
        hosts = [f"{{name: home, adapter: tmf640, plans: [{PLAN}], url: '{host.url}', poll: 1s}}"]
        async with sim_desk(tmp_path, hosts=hosts, links=False, provisioning="quarantine: 0s") as (desk, _):
            await desk.import_cards([CARD])
            with ObedientPgw(desk.diameter_port) as pgw:
                assert await ccr_initial(pgw, CARD["imsi"]) == UNKNOWN
                order = await desk.order("activate", CARD["iccid"], msisdn=NUMBER, plan=PLAN, cause="wwf")
                assert order["state"] == "done", order
                await asyncio.to_thread(desk.tpo, "subscriber", "topup", NUMBER, "5.00", "--reference", "shop-1")
                session = await asyncio.to_thread(pgw.open, CARD["imsi"])

                order = await desk.order("suspend", CARD["iccid"], reason="lost")
                assert order["state"] == "done", order
                request, report = await asked(pgw)
                assert (request.header.command_code, request.session_id) == (RAR, session)
                assert report.multiple_services_credit_control[0].result_code == DENIED
                assert await ccr_initial(pgw, CARD["imsi"]) == DENIED

                assert (await desk.order("resume", CARD["iccid"], reason="lost"))["state"] == "done"
                open_again = await asyncio.to_thread(pgw.open, CARD["imsi"])

                order = await desk.order("terminate", CARD["iccid"])
                assert order["state"] == "done", order
                ended = [(await asked(pgw))[0] for _ in range(2)]
                assert {request.header.command_code for request in ended} == {ASR}
                assert {request.session_id for request in ended} == {session, open_again}
                assert await ccr_initial(pgw, CARD["imsi"]) in (DENIED, UNKNOWN)
            exported = await asyncio.to_thread(desk.tpo, "usage", "export", "--format", "json")
            rows = [json.loads(line) for line in exported.stdout.splitlines()]
            assert sum(row["octets"] for row in rows) == 3_000_000
            balances = {row["account"]: row["balance"] for row in await desk.run("ledger", "balances")}
            charged = float(balances["revenue"])
            assert charged > 0
            assert float(balances["refunds"]) == pytest.approx(5.0 - charged)
            assert float(balances["cause:wwf"]) == pytest.approx(charged / 10)
            assert not any(value != "0.00" for name, value in balances.items() if name.startswith("wallet:"))
            assert (await desk.run("ledger", "check"))["ok"]
            assert {service["state"] for service in host.services.values()} == {"inactive"}
