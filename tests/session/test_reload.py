"""A configuration that changes under a running gateway: what changed counts, what did not change notices nothing."""

import asyncio
import json
import os
import signal
import time
from contextlib import suppress

from support.diameter_rig import Authority, RawPeer, ccr, cer
from support.gateways import ROOT, subscribers
from support.gy_samples import avp
from support.patience import PATIENCE
from support.sms_gateway import Centre, SmsGateway, desk_and_centre, links, text

from protocols.diameter.codec import decode_header
from protocols.diameter.generated import decode
from protocols.diameter.messages import (
    CapabilitiesExchangeAnswer,
    CreditControlAnswer,
    MultipleServicesCreditControl,
    RequestedServiceUnit,
    SubscriptionId,
    UsedServiceUnit,
)
from protocols.smpp.messages import DeliverSm
from protocols.smpp.node_events import ClientDown, ClientUp

ROWS = subscribers(2)
MEGABYTE = 1_000_000


def rewrite(desk, *replacements):
    """Change the gateway's file."""
    found = desk.config.read_text()
    for old, new in replacements:
        assert found.count(old) == 1, (old, found)
        found = found.replace(old, new)
    desk.config.write_text(found)


def own_plans(desk):
    """Give the gateway plans of its own, which a test may change."""
    plans = desk.folder / "plans.yaml"
    plans.write_text((ROOT / "config" / "plans.yaml").read_text())
    (desk.folder / "taxes.yaml").write_text((ROOT / "config" / "taxes.yaml").read_text())
    rewrite(desk, (f"plans: {ROOT}/config/plans.yaml", "plans: plans.yaml"))
    return plans


def report(number, kind, session, used=None, subscriber=ROWS[0], **more):
    """A CCR of one rating group that asks for more."""
    services = MultipleServicesCreditControl(
        requested_service_unit=RequestedServiceUnit(),
        rating_group=10,
        used_service_unit=() if used is None else (UsedServiceUnit(cc_total_octets=used),),
    )
    return ccr(
        number,
        session_id=session,
        cc_request_type=kind,
        cc_request_number=number,
        subscription_id=(SubscriptionId(1, subscriber[1]),),
        multiple_services_credit_control=(services,),
        **more,
    )


async def ask(peer, *args, **more):
    """Send a CCR; gives the Result-Code."""
    header, frame = await peer.ask(report(*args, **more))
    assert header.command_code == 272
    assert decode_header(frame) == header
    return decode(CreditControlAnswer, frame).result_code


async def let_in(desk, host):
    """The Result-Code that a peer gets for its CER."""
    peer = await RawPeer.connect(desk.diameter_port)
    peer.send(cer(host))
    _, frame = await peer.receive()
    await peer.leave()
    return decode(CapabilitiesExchangeAnswer, frame).result_code


def told(desk, event):
    """The lines of the log that tell of an event."""
    lines = []
    for line in desk.log.read_text().splitlines():
        with suppress(ValueError):
            lines.append(json.loads(line))
    return [line for line in lines if line["event"] == event]


async def until_told(desk, event, count=1):
    async with asyncio.timeout(PATIENCE):
        while len(told(desk, event)) < count:  # noqa: ASYNC110  (another process's log)
            await asyncio.sleep(0.05)


async def test_a_changed_price_counts_for_what_is_used_from_then_on_in_a_session_that_runs(tmp_path):
    desk = SmsGateway(tmp_path / "gw")
    plans = own_plans(desk)
    async with desk:
        await asyncio.to_thread(desk.enrol, ROWS)
        peer = await RawPeer.open(desk.diameter_port)
        assert await ask(peer, 0, 1, b"s;1") == 2001
        assert await ask(peer, 1, 2, b"s;1", 3 * MEGABYTE) == 2001
        plans.write_text(
            plans.read_text().replace("data: {price: 0.01, per: 1000000}", "data: {price: 0.10, per: 1000000}", 1)
        )
        done = await desk.run("reload")
        assert (done["applied"], done["changed"]) == (True, ["plans"])
        assert await ask(peer, 2, 2, b"s;1", 2 * MEGABYTE) == 2001  # the same connection: nobody was sent away
        an_hour_ago = int(time.time()) - 3600  # of a report that was kept until now
        assert await ask(peer, 9, 3, b"late;1", 5 * MEGABYTE, event_timestamp=an_hour_ago) == 2001
        price = "{price: 5, per: 1000000}"
        sea = f"{{networks: ['901'], data: {price}, voice: {price}, sms: {price}}}"
        roaming = f"\n  roaming: {{home: ['234'], zones: {{sea: {sea}}}}}\n  voice"
        plans.write_text(plans.read_text().replace("\n  voice", roaming, 1))
        assert (await desk.run("reload"))["changed"] == ["plans"]
        for code, result in ((b"90112", 2001), (b"20801", 5031)):
            information = avp("PS-Information", avp("3GPP-SGSN-MCC-MNC", code))
            assert await ask(peer, 1, 3, b"at;" + code, MEGABYTE // 10, service_information=information) == result
        await peer.leave()
        used = await asyncio.to_thread(desk.usage)
        assert [row["octets"] for row in used] == ["3000000", "2000000", "5000000", "100000"]
        assert [float(row["price"]) for row in used] == [0.03, 0.20, 0.05, 0.50]
        desk.check()


async def test_a_wrong_file_changes_nothing_and_each_mistake_is_named(tmp_path):
    async with desk_and_centre(tmp_path / "gw", enrol=ROWS) as (desk, smsc):
        before = desk.config.read_text()
        rewrite(desk, ("charging: {}", "charging: {slice: 0, validty: 5}"), ("window: 64", "window: 8"))
        refused = await asyncio.to_thread(desk.tpo, "reload", ok=(78,))
        assert "charging.slice" in refused.stderr
        assert "did you mean `validity`?" in refused.stderr
        assert "goes on with its old configuration" in refused.stderr
        os.kill(desk.process.pid, signal.SIGHUP)
        await until_told(desk, "config.refused")
        assert any("charging.slice" in line["problem"] for line in told(desk, "config.refused"))
        (text_id,) = await desk.send(text("still here"))
        await desk.becomes(text_id, "delivered")
        assert not [event for event in smsc.events if isinstance(event, ClientDown)]
        desk.config.write_text(before)
        done = await desk.run("reload")
        assert (done["applied"], done["changed"]) == (True, [])


async def test_a_plan_or_a_cause_that_customers_stand_on_stays_and_is_named(tmp_path):
    desk = SmsGateway(tmp_path / "gw")
    plans, causes = own_plans(desk), desk.folder / "causes.yaml"
    known = (ROOT / "config" / "causes.yaml").read_text()
    causes.write_text(
        f"{known}\nseagrass: {{name: Seagrass Trust, country: GB}}\nkelp: {{name: Kelp Trust, country: GB}}\n"
    )
    rewrite(desk, (f"causes: {ROOT}/config/causes.yaml", "causes: causes.yaml"))
    good = plans.read_text()
    async with desk:
        await asyncio.to_thread(desk.enrol, ROWS)
        await desk.run("subscriber", "cause", ROWS[0][0], "seagrass")
        plans.write_text(good.replace("payg-gb:", "payg-uk:"))
        causes.write_text(known)  # nobody chose kelp
        refused = await asyncio.to_thread(desk.tpo, "reload", "--json", ok=(78,))
        (problem,) = json.loads(refused.stdout)["problems"]
        assert "2 customers stand on payg-gb" in problem
        assert ("seagrass is chosen" in problem, "kelp" in problem) == (True, False)
        causes.write_text(f"{known}\nseagrass: {{name: Seagrass Trust, country: GB, open: false}}\n")
        plans.write_text(good.replace("currency: GBP\n  tax: {inclusive: GB}", "currency: EUR", 1))
        refused = await asyncio.to_thread(desk.tpo, "reload", "--json", ok=(78,))
        assert "wallets in GBP" in json.loads(refused.stdout)["problems"][0]
        plans.write_text(good.replace("payg-us:", "payg-us-new:"))  # on which nobody stands
        assert (await desk.run("reload"))["applied"]
        desk.check()


async def test_a_secret_that_only_the_gateway_reads_is_missed_by_the_gateway(tmp_path):
    async with SmsGateway(tmp_path / "gw") as desk:
        rewrite(desk, ("tokens: [", "tokens: [{name: new, role: viewer, token: {env: NOWHERE_TO_BE_FOUND}}, "))
        refused = await asyncio.to_thread(desk.tpo, "reload", ok=(78,))
        assert "NOWHERE_TO_BE_FOUND is not set" in refused.stderr
        assert desk.ask("/v1/charity/causes")[0] == 200


async def test_what_needs_a_restart_is_named_and_keeps_the_rest_out_too(tmp_path):
    async with SmsGateway(tmp_path / "gw") as desk:
        rewrite(desk, ("realm: tpo.example", "realm: tpo2.example"), ("role: viewer", "role: operator"))
        refused = await asyncio.to_thread(desk.tpo, "reload", ok=(78,))
        assert "diameter.realm: needs a restart" in refused.stderr
        assert told(desk, "config.restart.needed")[0]["setting"] == "diameter.realm"
        viewer = {"from": "TPO", "to": "447700900200", "text": "hello"}
        assert desk.ask("/v1/sms", viewer, token="0123456789abcdef-viewer")[0] == 403
        rewrite(desk, ("realm: tpo2.example", "realm: tpo.example"))
        assert (await desk.run("reload"))["changed"] == ["api"]
        assert desk.ask("/v1/sms", viewer, token="0123456789abcdef-viewer")[0] == 202


async def test_links_come_go_and_change_while_the_one_that_stayed_keeps_its_connection(tmp_path):
    async with (
        Centre() as stays,
        Centre() as goes,
        Centre() as comes,
        SmsGateway(tmp_path / "gw", stays.port, goes.port) as desk,
    ):
        await stays.bound()
        await goes.bound()
        third = f"\n    - {{name: smsc-3, host: 127.0.0.1, port: {comes.port}, system_id: tpo, password: secret, window: 5}}"
        rewrite(desk, (links(stays.port, goes.port), links(stays.port) + third))
        done = await desk.run("reload")
        assert (done["links"]["added"], done["links"]["removed"], done["links"]["changed"]) == (
            ["smsc-3"],
            ["smsc-2"],
            [],
        )
        await comes.bound()
        assert [row["name"] for row in await desk.run("link", "list")] == ["smsc-1", "smsc-3"]
        assert [type(event) for event in goes.events] == [ClientUp, ClientDown]
        rewrite(desk, ("window: 5", "window: 6"))
        assert (await desk.run("reload"))["links"]["changed"] == ["smsc-3"]
        await comes.bound(2)
        assert [type(event) for event in comes.events] == [ClientUp, ClientDown, ClientUp]
        assert [type(event) for event in stays.events] == [ClientUp]
        for link in await desk.run("link", "list"):
            assert link["state"] == "bound_trx"
        ids = await desk.send(*(text(f"number {n}") for n in range(20)))
        await desk.all_become("delivered", len(ids))
        assert len(stays.submits) + len(comes.submits) == 20
        assert goes.submits == []


async def test_a_link_that_goes_takes_the_answers_to_what_is_out_with_it(tmp_path):
    held = []
    async with (
        Centre(on_submit=lambda request, message_id: held.append((request, message_id))) as smsc,
        Centre() as other,
        SmsGateway(tmp_path / "gw", smsc.port, window=4) as desk,
    ):
        await smsc.bound()
        ids = await desk.send(*(text(f"number {n}") for n in range(10)))
        await smsc.has(4)
        rewrite(desk, (f"port: {smsc.port}", f"port: {other.port}"))
        reload = asyncio.create_task(desk.run("reload"))
        while await desk.run("link", "list"):  # until it leaves
            assert not reload.done()
        for request, message_id in held:
            smsc.accept(request, message_id)
        done = await reload
        assert done["links"]["changed"] == ["smsc-1"]
        await other.has(6)
        assert len(smsc.submits) == 4
        shown = [await desk.becomes(text_id, "delivered", "submitted") for text_id in ids]
        assert not any(row["maybe_double"] for row in shown)
        assert sorted(smsc.words() + other.words()) == sorted(f"number {n}" for n in range(10))


async def test_keywords_causes_and_a_new_peer_are_there_after_a_reload(tmp_path):
    desk = SmsGateway(tmp_path / "gw")
    causes = desk.folder / "causes.yaml"
    causes.write_text((ROOT / "config" / "causes.yaml").read_text())
    rewrite(desk, (f"causes: {ROOT}/config/causes.yaml", "causes: causes.yaml"))
    async with desk:
        await asyncio.to_thread(desk.enrol, ROWS)
        assert await let_in(desk, "new.host.example") == 3010
        refused = await asyncio.to_thread(desk.tpo, "subscriber", "cause", ROWS[0][0], "seagrass", ok=(1,))
        assert "seagrass" in refused.stderr
        causes.write_text(causes.read_text() + "\nseagrass:\n  name: Seagrass Trust\n  country: GB\n")
        rewrite(
            desk,
            ("realm: host.example}", "realm: host.example}\n    - {identity: new.host.example, realm: host.example}"),
        )
        done = await desk.run("reload")
        assert (done["changed"], done["peers"]["added"]) == (["diameter", "causes"], ["new.host.example"])
        await desk.run("subscriber", "cause", ROWS[0][0], "seagrass")
        assert await let_in(desk, "new.host.example") == 2001
        pgw = await RawPeer.open(desk.diameter_port)
        assert await ask(pgw, 0, 1, b"s;1") == 2001
        assert await ask(pgw, 1, 3, b"s;1", 10 * MEGABYTE) == 2001
        await pgw.leave()
        assert (await asyncio.to_thread(desk.balances))["cause:seagrass"] == "0.01"
        desk.check()


async def test_a_link_whose_certificate_was_renewed_at_its_path_is_made_anew(tmp_path):
    authority = Authority()
    certificate, key, ca = authority.issue(tmp_path, "esme.example")
    async with Centre() as smsc:
        tls = f"{{ca: {ca}, cert: {certificate}, key: {key}}}"
        async with SmsGateway(tmp_path / "gw", smsc.port, tls=tls) as desk:
            assert (await desk.run("reload"))["links"]["changed"] == []
            authority.issue(tmp_path, "esme.example")
            done = await desk.run("reload")
            assert (done["applied"], done["links"]["changed"]) == (True, ["smsc-1"])
            certificate.write_text("no certificate")
            refused = (await asyncio.to_thread(desk.tpo, "reload", ok=(78,))).stderr
            assert "smpp.links[0].tls" in refused
            assert "warning" not in refused
            assert [row["name"] for row in await desk.run("link", "list")] == ["smsc-1"]


async def test_a_host_is_known_after_a_reload_and_changes_with_the_next(tmp_path):
    host = "hosts: [{{name: lab, adapter: tmf640, plans: [payg-gb], url: 'http://127.0.0.1:9/x', timeout: {}}}]"
    async with SmsGateway(tmp_path / "gw") as desk:
        assert (await asyncio.to_thread(desk.tpo, "sim", "reconcile", "--host", "lab", ok=(1,))).stderr
        whole = desk.config.read_text()
        desk.config.write_text(f"{whole}\nprovisioning: {{{host.format(5)}}}\n")
        assert (await desk.run("reload"))["hosts"]["added"] == ["lab"]
        assert (
            "was not reached"
            in (await asyncio.to_thread(desk.tpo, "sim", "reconcile", "--host", "lab", ok=(69,))).stderr
        )
        desk.config.write_text(f"{whole}\nprovisioning: {{{host.format(6)}}}\n")
        assert (await desk.run("reload"))["hosts"]["changed"] == ["lab"]
        desk.config.write_text(whole)
        assert (await desk.run("reload"))["hosts"]["removed"] == ["lab"]
        assert (await asyncio.to_thread(desk.tpo, "sim", "reconcile", "--host", "lab", ok=(1,))).stderr


async def test_sighup_takes_the_new_configuration_over_and_says_so(tmp_path):
    async with SmsGateway(tmp_path / "gw") as desk:
        rewrite(desk, ("role: viewer", "role: operator"))
        os.kill(desk.process.pid, signal.SIGHUP)
        await until_told(desk, "config.reloaded")
        assert told(desk, "config.reloaded")[0]["changed"] == "api"
        assert desk.process.poll() is None


def test_a_reload_without_a_gateway_says_that_none_runs(tmp_path):
    desk = SmsGateway(tmp_path / "gw")
    refused = desk.tpo("reload", ok=(69,))
    assert "not running" in refused.stderr


async def test_a_yes_to_a_cause_that_closed_meanwhile_is_refused_and_takes_nothing(tmp_path):
    async with desk_and_centre(tmp_path, enrol=ROWS) as (desk, smsc):
        causes, number = desk.folder / "causes.yaml", ROWS[0][0]
        causes.write_text((ROOT / "config" / "causes.yaml").read_text())
        rewrite(desk, (f"causes: {ROOT}/config/causes.yaml", "causes: causes.yaml"))
        await desk.run("reload")

        def say(words):
            smsc.deliver(DeliverSm(source_addr=number, destination_addr="70070", short_message=words))

        say(b"GIVE WWF 5")
        await smsc.has(1)
        found = causes.read_text()
        assert found.count("\nwwf:\n") == 1
        causes.write_text(found.replace("\nwwf:\n", "\nwwf:\n  open: false\n"))
        assert (await desk.run("reload"))["changed"] == ["causes"]
        say(b"YES")
        await smsc.has(2)
        assert "takes no new gifts" in smsc.words()[1]
        say(b"yes")
        await smsc.has(3)
        assert "nothing was taken" in smsc.words()[2]
        assert "gifts:wwf" not in await asyncio.to_thread(desk.balances)
