"""The life of a line by the gateway's own orders, on a real osmo-hlr with a phone attached to it."""

import shutil

import pytest
from support.gsup_vlr import DELETE_DATA, Vlr
from support.osmo_hlr import osmo_hlr
from support.sim_gateway import card, phone, sim_desk

pytestmark = pytest.mark.skipif(not shutil.which("osmo-hlr"), reason="needs Debian's osmo-hlr")

FIRST, SECOND = card(1), card(2)
NUMBER = phone(1)


@pytest.fixture
def hlr(tmp_path):
    (tmp_path / "hlr").mkdir()
    with osmo_hlr(tmp_path / "hlr") as process:
        yield process


def hosts(hlr):
    (ctrl, ctrl_port), (vty, vty_port) = hlr.ctrl, hlr.vty
    return [f"{{name: home, adapter: osmohlr, plans: [payg-gb], ctrl: '{ctrl}:{ctrl_port}', vty: '{vty}:{vty_port}'}}"]


async def test_a_line_lives_its_whole_life_on_the_hlr(tmp_path, hlr):
    async with sim_desk(tmp_path, hosts=hosts(hlr), provisioning="swap_notice: 2s\n  quarantine: 0s") as (desk, centre):
        await desk.import_cards([FIRST, SECOND])
        activated = await desk.order("activate", FIRST["iccid"], msisdn=NUMBER, plan="payg-gb", cause="wateraid")
        assert activated["state"] == "done", activated
        held = hlr.subscribers()
        assert {imsi: (row["msisdn"], row["nam_cs"], row["nam_ps"]) for imsi, row in held.items()} == {
            FIRST["imsi"]: (NUMBER, 1, 1)
        }
        assert (held[FIRST["imsi"]]["k"], held[FIRST["imsi"]]["opc"]) == (FIRST["ki"], FIRST["opc"])
        customer = await desk.run("subscriber", "show", NUMBER)
        assert (customer["imsi"], customer["iccid"], customer["plan"], customer["status"]) == (
            FIRST["imsi"], FIRST["iccid"], "payg-gb", "active",
        )  # fmt: skip
        assert customer["causes"] == [{"cause": "wateraid", "percent": 100}]
        await centre.has(1)
        assert "Welcome" in centre.words()[0]

        async with Vlr(hlr.gsup) as vlr:
            assert (await vlr.attach(FIRST["imsi"])).accepted
            vlr.pushed.clear()
            suspended = await desk.order("suspend", FIRST["iccid"], reason="credit")
            assert suspended["state"] == "done", suspended
            assert (DELETE_DATA, None) in await vlr.pushes(FIRST["imsi"])
            assert not (await vlr.attach(FIRST["imsi"])).accepted
            assert (await desk.run("subscriber", "show", NUMBER))["status"] == "suspended"

            assert (await desk.order("suspend", FIRST["iccid"], reason="fraud"))["state"] == "done"
            assert (await desk.order("resume", FIRST["iccid"], reason="credit"))["state"] == "done"
            assert not (await vlr.attach(FIRST["imsi"])).accepted  # paying a bill lifts no bar for fraud
            assert (await desk.order("resume", FIRST["iccid"], reason="fraud"))["state"] == "done"
            assert (await vlr.attach(FIRST["imsi"])).accepted
            assert (await desk.run("subscriber", "show", NUMBER))["status"] == "active"
            vlr.pushed.clear()

            swapped = await desk.order("swap", FIRST["iccid"], new_iccid=SECOND["iccid"])
            assert swapped["state"] == "done", swapped
            assert any(kind == DELETE_DATA for kind, _ in await vlr.pushes(FIRST["imsi"]))
            attached = await vlr.attach(SECOND["imsi"])
            assert attached.accepted
            assert attached.msisdn == NUMBER
        assert "SIM" in centre.words()[1]
        held = {imsi: (row["msisdn"], row["nam_cs"], row["nam_ps"]) for imsi, row in hlr.subscribers().items()}
        assert held == {FIRST["imsi"]: (None, 0, 0), SECOND["imsi"]: (NUMBER, 1, 1)}
        moved = await desk.run("subscriber", "show", NUMBER)
        assert (moved["subscriber_id"], moved["imsi"]) == (customer["subscriber_id"], SECOND["imsi"])

        desk.tpo("subscriber", "topup", NUMBER, "3.00", "--reference", "shop-1")
        ended = await desk.order("terminate", SECOND["iccid"])
        assert ended["state"] == "done", ended
        held = {imsi: (row["msisdn"], row["nam_cs"], row["nam_ps"]) for imsi, row in hlr.subscribers().items()}
        assert held[SECOND["imsi"]] == (None, 0, 0)
        assert (await desk.sim(SECOND["iccid"]))["state"] == "quarantined"
        balances = {row["account"]: row["balance"] for row in await desk.run("ledger", "balances")}
        assert balances["refunds"] == "3.00"
        assert (await desk.run("ledger", "check"))["ok"]


async def test_reconcile_tells_what_the_hlr_holds_otherwise_and_mends_it(tmp_path, hlr):
    async with sim_desk(tmp_path, hosts=hosts(hlr), links=False) as (desk, _):
        await desk.import_cards([FIRST])
        assert (await desk.order("activate", FIRST["iccid"], msisdn=NUMBER, plan="payg-gb"))["state"] == "done"
        assert (await desk.act("sim.reconcile"))[1]["rows"] == []
        hlr.write("UPDATE subscriber SET nam_ps = 0, nam_cs = 0")
        (difference,) = (await desk.act("sim.reconcile"))[1]["rows"]
        assert (difference["found"].split()[0], difference["repaired"]) == ("barred", False)
        (difference,) = (await desk.act("sim.reconcile", repair=True))[1]["rows"]
        assert difference["repaired"]
        assert hlr.subscribers()[FIRST["imsi"]]["nam_ps"] == 1
        assert (await desk.act("sim.reconcile"))[1]["rows"] == []


async def test_a_number_that_another_imsi_has_is_refused_and_everything_is_taken_back(tmp_path, hlr):
    async with sim_desk(tmp_path, hosts=hosts(hlr), links=False) as (desk, _):
        await desk.import_cards([FIRST])
        hlr.write("INSERT INTO subscriber (imsi, msisdn) VALUES ('234159999999999', ?)", NUMBER)
        order = await desk.order("activate", FIRST["iccid"], msisdn=NUMBER, plan="payg-gb")
        assert order["state"] == "compensated", order
        assert list(hlr.subscribers()) == ["234159999999999"]
        shown = await desk.sim(FIRST["iccid"])
        assert (shown["state"], shown["msisdn"]) == ("in_stock", None)


async def test_a_card_that_is_somebody_elses_line_there_is_left_alone(tmp_path, hlr):
    async with sim_desk(tmp_path, hosts=hosts(hlr), links=False) as (desk, _):
        await desk.import_cards([FIRST])
        hlr.write("INSERT INTO subscriber (imsi, msisdn) VALUES (?, '447700900777')", FIRST["imsi"])
        order = await desk.order("activate", FIRST["iccid"], msisdn=NUMBER, plan="payg-gb")
        assert order["state"] == "compensated", order
        assert hlr.subscribers()[FIRST["imsi"]]["msisdn"] == "447700900777"
