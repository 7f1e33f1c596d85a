"""The simulated host operator, asked by a plain HTTP client: TMF640 as its specification has it, faults as they are ordered."""

import asyncio
import json
import re
import signal
import sys

import aiohttp
import pytest

from simulators.host_api import HostApi, Mode, Tell
from simulators.host_callbacks import MAX_LISTENERS
from simulators.host_faults import ANY_CALL, Fault, Faults, FaultsUnreadable, read_faults

CARD, NUMBER = "8944110000000000018", "447700900001"


def body(card=CARD, number=NUMBER, *, order="o-1", state="active", **characteristics):
    told = {"iccid": card, "msisdn": number} | characteristics
    return {
        "state": state,
        "serviceSpecification": {"id": "mobile-line"},
        "serviceCharacteristic": [{"name": name, "value": value} for name, value in told.items()],
        "supportingResource": [{"id": card}],
        "serviceOrderItem": [{"serviceOrderId": order}],
    }


class Client:
    def __init__(self, host, session):
        self.host, self.session = host, session

    async def ask(self, method, path, given=None, **options):
        async with self.session.request(method, self.host.url + path, json=given, **options) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None, response.headers


@pytest.fixture
async def start():
    open_things = []

    async def start_one(**options):
        host, session = HostApi(**options), aiohttp.ClientSession()
        open_things.extend([session.close, host.stop])
        await host.start()
        return host, Client(host, session).ask

    yield start_one
    for close in open_things:
        await close()


async def test_a_service_is_made_read_found_changed_and_deleted(start):
    host, ask = await start()
    status, made, headers = await ask("POST", "/service", body())
    assert (status, made["state"], headers["Location"]) == (201, "active", made["href"])
    path = f"/service/{made['id']}"
    assert (await ask("GET", path))[:2] == (200, made)
    status, found, headers = await ask("GET", f"/service?supportingResource.id={CARD}")
    assert (status, found, headers["X-Total-Count"]) == (200, [made], "1")
    assert (await ask("GET", "/service?supportingResource.id=other"))[1] == []
    change = {"state": "inactive", "note": None, "serviceOrderItem": [{"serviceOrderId": "o-2"}]}
    status, changed, _ = await ask("PATCH", path, change)
    assert (status, changed) == (200, made | {"state": "inactive", "serviceOrderItem": change["serviceOrderItem"]})
    assert (await ask("DELETE", path))[:2] == (204, None)
    assert (await ask("GET", path))[0] == (await ask("DELETE", path))[0] == 404
    assert host.inventory.effects == {"o-1": 1, "o-2": 1}
    assert host.calls == {"create": 1, "read": 2, "search": 2, "change": 1, "delete": 2}


async def test_a_page_is_part_of_what_there_is(start):
    host, ask = await start()
    for n in range(5):
        host.inventory.create(body(f"card-{n}", f"44770090000{n}", order=f"o-{n}"))
    status, page, headers = await ask("GET", "/service?state=active&offset=3&limit=10")
    assert ([service["id"] for service in page], headers["X-Total-Count"]) == (["svc-1-4", "svc-1-5"], "5")
    assert (status, headers["X-Result-Count"]) == (206, "2")
    assert (await ask("GET", "/service?state=inactive"))[1] == []


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"state": "active"}, "missing"),
        (body() | {"supportingResource": []}, "missing"),
        (body() | {"id": "mine"}, "fixed"),
        (body(state="suspended"), "state"),
        (body(ki="1"), "keys"),
        (body(secret="0aF1" * 8), "keys"),
        (body(number="+44 7700"), "number"),
        (body() | {"serviceCharacteristic": ["x"]}, "characteristic"),
        (body() | {"serviceCharacteristic": 5}, "characteristic"),
        ([], "json"),
    ],
)
async def test_what_is_no_service_or_has_keys_is_refused_and_not_kept(start, given, code):
    host, ask = await start()
    status, error, _ = await ask("POST", "/service", given)
    assert (status, error["code"], error["status"]) == (400, code, "400")
    assert host.services == {}


async def test_other_mistakes_of_a_client_get_an_error_resource(start):
    _, ask = await start()
    asked = [
        (await ask("POST", "/service", data=b"{"))[0],
        (await ask("POST", "/service", data=b"{", headers={"Content-Type": "application/json"}))[0],
        (await ask("POST", "/service", data=b" " * 70_000, headers={"Content-Type": "application/json"}))[0],
        (await ask("GET", "/service?colour=red"))[0],
        (await ask("GET", "/service?limit=x"))[0],
        (await ask("GET", "/elsewhere"))[0],
        (await ask("PUT", "/service", {}))[0],
        (await ask("GET", "/monitor/none"))[0],
    ]
    assert asked == [415, 400, 413, 400, 400, 404, 405, 404]


async def test_a_number_and_a_card_belong_to_one_live_service(start):
    host, ask = await start(deletes=False)
    await ask("POST", "/service", body())
    status, error, _ = await ask("POST", "/service", body("another", order="o-2"))
    assert (status, error["code"]) == (409, "msisdn_taken")
    status, error, _ = await ask("POST", "/service", body(number="447700900002", order="o-2"))
    assert (status, error["code"]) == (409, "card_taken")
    assert (await ask("DELETE", "/service/svc-1-1"))[0] == 405
    await ask("PATCH", "/service/svc-1-1", {"state": "terminated"})
    assert (await ask("POST", "/service", body(order="o-2")))[0] == 201
    assert (await ask("PATCH", "/service/svc-1-1", {"state": "active"}))[1]["code"] == "terminated"
    assert host.inventory.effects == {"o-1": 1, "o-2": 1}


async def test_a_number_that_was_given_up_is_free(start):
    host, ask = await start()
    await ask("POST", "/service", body())
    other = body(number="447700900002")["serviceCharacteristic"]
    assert (await ask("PATCH", "/service/svc-1-1", {"serviceCharacteristic": other}))[0] == 200
    assert (await ask("POST", "/service", body("another", order="o-2")))[0] == 201
    taken = body("another", number="447700900002")["serviceCharacteristic"]
    assert (await ask("PATCH", "/service/svc-1-2", {"serviceCharacteristic": taken}))[0] == 409
    assert host.inventory.find("svc-1-2")["serviceCharacteristic"][1]["value"] == NUMBER


async def test_an_order_that_comes_again_gets_what_it_got_and_does_nothing(start):
    host, ask = await start()
    first, again = await ask("POST", "/service", body()), await ask("POST", "/service", body())
    assert first[:2] == again[:2]
    for _ in range(2):
        change = {"state": "inactive", "serviceOrderItem": [{"serviceOrderId": "o-2"}]}
        assert (await ask("PATCH", "/service/svc-1-1", change))[1]["state"] == "inactive"
    assert host.inventory.effects == {"o-1": 1, "o-2": 1}
    assert host.asked == {"o-1": 2, "o-2": 2}
    assert host.summary()["orders"] == {"asked": 2, "done": 2, "repeated": 2, "done_twice": 0}


async def test_a_host_may_refuse_an_order_that_comes_again(start):
    host, ask = await start(repeats_conflict=True)
    await ask("POST", "/service", body())
    status, error, _ = await ask("POST", "/service", body())
    assert (status, error["code"]) == (409, "order_known")
    assert host.inventory.effects == {"o-1": 1}


@pytest.mark.parametrize("tell", list(Tell))
async def test_a_202_names_its_monitor_where_this_host_does(start, tell):
    host, ask = await start(mode=Mode.ASYNC, tell=tell, work_seconds=None)
    status, told, headers = await ask("POST", "/service", body())
    href = f"{host.url}/monitor/mon-1-1"
    assert (status, host.services) == (202, {})
    assert headers.get("Location") == (href if tell is Tell.LOCATION else None)
    assert headers.get("Link") == (f'<{href}>; rel="monitor"' if tell is Tell.LINK else None)
    assert (told or {}).get("href") == (href if tell is Tell.BODY else None)
    assert (await ask("GET", "/monitor/mon-1-1"))[1]["state"] == "InProgress"
    assert (await ask("POST", "/service", body()))[0] == 202
    assert await host.finish() == 1
    monitor = (await ask("GET", "/monitor/mon-1-1"))[1]
    assert (monitor["state"], json.loads(monitor["response"]["body"])) == ("Completed", host.services["svc-1-1"])


async def test_work_that_is_refused_leaves_its_monitor_in_error(start):
    host, ask = await start(mode=Mode.ASYNC, work_seconds=None)
    for order, card in (("o-1", CARD), ("o-2", "another")):
        await ask("POST", "/service", body(card, order=order))
    await host.finish()
    monitor = (await ask("GET", "/monitor/mon-1-2"))[1]
    assert (monitor["state"], json.loads(monitor["response"]["body"])["code"]) == ("InError", "msisdn_taken")
    assert (await ask("POST", "/service", body("another", "447700900002", order="o-2")))[0] == 202
    await host.finish()
    assert host.inventory.effects == {"o-1": 1, "o-2": 1}


async def test_listeners_come_and_go_and_their_number_is_bounded(start):
    host, ask = await start()
    assert (await ask("POST", "/hub", {"callback": "ftp://x"}))[0] == 400
    for n in range(MAX_LISTENERS):
        assert (await ask("POST", "/hub", {"callback": f"http://127.0.0.1:9/{n}"}))[0] == 201
    assert (await ask("POST", "/hub", {"callback": "http://127.0.0.1:9/0"}))[0] == 409
    assert (await ask("POST", "/hub", {"callback": "http://127.0.0.1:9/more"}))[0] == 409
    name = next(iter(host.callbacks.listeners))
    assert [(await ask("DELETE", f"/hub/{name}"))[0] for _ in range(2)] == [204, 404]


async def test_a_listener_that_is_away_costs_nothing_but_its_event(start):
    host, ask = await start()
    await ask("POST", "/hub", {"callback": "http://127.0.0.1:9/"})
    host.faults.next_changes(Fault.CALLBACK_FIRST)
    assert (await ask("POST", "/service", body()))[0] == 201
    assert host.callbacks.counters == {"failed": 1}


async def test_changes_beyond_the_rate_are_told_when_to_come_again(start):
    now = 0.0
    host, ask = await start(rate=10.0, clock=lambda: now)
    first = await ask("POST", "/service", body())
    status, error, headers = await ask("POST", "/service", body())
    assert (first[0], status, headers["Retry-After"], error["@type"]) == (201, 429, "1", "Error")
    assert (await ask("GET", "/service"))[0] == 200
    now = 0.1
    assert (await ask("POST", "/service", body()))[0] == 201
    assert host.calls["limited"] == 1


async def test_the_rate_may_count_every_call(start):
    _, ask = await start(rate=1.0, limit_reads=True, clock=lambda: 0.0)
    assert [(await ask("GET", "/service"))[0] for _ in range(2)] == [200, 429]


async def test_a_token_is_asked_for(start):
    _, ask = await start(token="right")
    for given, status in (("right", 200), ("wrong", 401), ("röng", 401)):
        assert (await ask("GET", "/service", headers={"Authorization": f"Bearer {given}"}))[0] == status


@pytest.mark.parametrize("fault", [Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER])
async def test_a_call_that_is_never_answered_ends_with_its_host(start, fault):
    host, ask = await start()
    host.faults.next_changes(fault)
    call = asyncio.create_task(ask("POST", "/service", body()))
    while not host.happened:  # noqa: ASYNC110 - the simulator has no event for it
        await asyncio.sleep(0.001)
    await host.stop()
    with pytest.raises(aiohttp.ClientError):
        await call
    assert len(host.services) == (fault is Fault.TIMEOUT_AFTER)


async def test_what_it_holds_outlives_a_restart_on_the_same_port(start):
    host, ask = await start()
    await ask("POST", "/service", body())
    port = host.port
    await host.stop()
    await host.start()
    assert host.port == port
    assert (await ask("GET", "/service/svc-1-1"))[0] == 200


async def test_a_port_that_is_taken_is_told(start):
    host, _ = await start()
    with pytest.raises(OSError, match="in use"):
        await HostApi(port=host.port).start()


def test_the_same_seed_gives_the_same_faults_however_calls_overlap():
    share = {Fault.ERROR_AFTER: 0.3, Fault.SLOW: 0.2}
    names = [f"o-{n}" for n in range(400)]
    there, back = Faults(share, seed=5), Faults(share, seed=5)
    drawn = {name: there.of_change(name) for name in names}
    assert {name: back.of_change(name) for name in reversed(names)} == drawn
    assert {name: Faults(share, seed=6).of_change(name) for name in names} != drawn
    found = list(drawn.values())
    assert found.count(Fault.ERROR_AFTER) == pytest.approx(120, abs=35)
    assert found.count(Fault.SLOW) == pytest.approx(80, abs=30)
    assert [there.of_change(name) for name in names] != found  # another try, another fate


def test_a_script_comes_before_chance_and_a_reading_has_no_fault_of_a_change():
    faults = Faults({Fault.ERROR_AFTER: 1.0})
    faults.next_changes(Fault.SLOW, None)
    faults.next_reads(Fault.DROPPED)
    assert [faults.of_change("o") for _ in range(3)] == [Fault.SLOW, None, Fault.ERROR_AFTER]
    assert [faults.of_read("o") for _ in range(2)] == [Fault.DROPPED, None]
    assert Fault.ERROR_AFTER not in ANY_CALL


def test_faults_are_read_from_a_text():
    assert read_faults("slow=0.5, error-after=0.1,") == {Fault.SLOW: 0.5, Fault.ERROR_AFTER: 0.1}
    assert read_faults("") == {}


@pytest.mark.parametrize("text", ["slow", "slow=x", "quick=0.1", "slow=2", "slow=-1", "slow=nan", "slow=0.1,slow=0.1"])
def test_faults_that_cannot_be_read_are_told(text):
    with pytest.raises(FaultsUnreadable):
        read_faults(text)


def test_faults_come_to_one_at_most():
    with pytest.raises(FaultsUnreadable, match="more than 1"):
        read_faults("slow=0.6,dropped=0.6")


async def tpo(*arguments):
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "gateway.cli", "simulate", "host-api", *arguments)
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)


async def test_the_command_serves_until_it_is_told_to_end_and_sums_up():
    process = await tpo("--port", "0", "--mode", "async", "--work", "0", "--json")
    line = (await process.stderr.readline()).decode()
    url = re.search(r"http://\S+", line).group()
    async with aiohttp.ClientSession() as session, session.post(f"{url}/service", json=body()) as response:
        assert response.status == 202
        async with session.get(response.headers["Location"]) as monitor:
            assert monitor.status == 200
    process.send_signal(signal.SIGTERM)
    out, _ = await process.communicate()
    told = json.loads(out)
    assert process.returncode == 0
    assert (told["services"], told["calls"]) == ({"active": 1}, {"create": 1, "monitor": 1})


async def test_the_command_says_when_its_port_is_taken(start):
    host, _ = await start()
    process = await tpo("--port", str(host.port))
    _, err = await process.communicate()
    assert process.returncode == 1
    assert b"cannot listen" in err
    assert b"--port" in err


async def test_the_command_tells_which_faults_there_are():
    process = await tpo("--faults", "quick=1")
    _, err = await process.communicate()
    assert process.returncode == 64
    assert b"error-after" in err
