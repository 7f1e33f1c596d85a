"""Two gateways on one PostgreSQL, and a client of python-diameter's at one of them: whichever is asked speaks for both."""

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("diameter", reason="python-diameter is not installed")

from support import postgres
from support.gateways import Gateway, subscribers
from support.obedient_pgw import ASR, RAR, ObedientPgw
from support.patience import PATIENCE
from support.ports import free_port

from gateway.store.engine import open_writer

pytestmark = [
    pytest.mark.xdist_group("many_gateways"),
    pytest.mark.skipif(not postgres.BINARIES, reason="PostgreSQL is not installed"),
]
ONE, TWO = "ocs1.tpo.example", "ocs2.tpo.example"
ROWS = subscribers(4)
POOR = subscribers(1, balance="0.05", first=50)[0]
PEERS = [f"{{identity: {name}.host.example, realm: host.example}}" for name in ("pgw", "other")]


def gateway(folder, number, store):
    """A gateway with a link of its own to an SMSC that does not answer, and one whose name both have."""
    links = ", ".join(
        f"{{name: {name}, host: 127.0.0.1, port: {free_port()}, system_id: tpo, password: secret}}"
        for name in (f"smsc-{number}", "both")
    )
    extra = f'privacy: {{key: "one key of both gateways, 32 octets"}}\nsmpp: {{links: [{links}]}}'
    return Gateway(folder, store=store, identity=f"ocs{number}.tpo.example", extra=extra, peers=PEERS)


@pytest.fixture(scope="module")
def store():
    with postgres.server() as database:
        yield database("pair")


@pytest.fixture(scope="module")
def pair(tmp_path_factory, store):
    """Both gateways, running, with the customers of the tests."""
    folder = tmp_path_factory.mktemp("pair")
    one, two = (gateway(folder / str(number), number, store) for number in (1, 2))
    with one, two:
        one.enrol([*ROWS, POOR])
        yield one, two


@pytest.fixture
def pgw(pair):
    """A client of the second gateway, which the first one does not know of."""
    with ObedientPgw(pair[1].diameter_port, server=TWO) as client:
        yield client


def test_the_client_at_the_other_gateway_reports_and_ends_as_this_one_is_told(pair, pgw):
    one, two = pair
    session = pgw.open(ROWS[0][1])
    (row,) = one.json("session", "list", "--number", ROWS[0][0])
    assert (row["session_id"], row["node"]) == (session, TWO)
    told = one.json("session", "reauth", session)
    assert (told["result"], told["result_code"], told["node"]) == ("accepted", 2002, TWO)
    request, report = pgw.asked.get(timeout=PATIENCE)
    assert (request.header.command_code, request.origin_host, report.result_code) == (RAR, TWO.encode(), 2001)
    told = one.json("session", "abort", row["id"])
    assert (told["result"], told["result_code"], told["node"]) == ("accepted", 2001, TWO)
    request, report = pgw.asked.get(timeout=PATIENCE)
    assert (request.header.command_code, report.result_code) == (ASR, 2001)
    refused = one.tpo("session", "abort", session, ok=(1,))
    assert "this session is over" in refused.stderr
    assert two.json("session", "show", session)["state"] == "closed"


def test_a_topup_by_one_gateway_wakes_a_session_that_stands_still_at_the_other(pair, pgw):
    one, _ = pair
    session = pgw.open(POOR[1])
    (row,) = one.json("session", "list", "--number", POOR[0])
    assert row["reserved"] == "0.05"
    one.tpo("subscriber", "topup", POOR[0], "5.00", "--reference", "many-gateways-1")
    request, report = pgw.asked.get(timeout=PATIENCE)
    assert (request.header.command_code, request.session_id, report.result_code) == (RAR, session, 2001)
    pgw.results[ASR] = 5002
    assert one.json("session", "abort", session)["closed"] is True


def test_links_of_both_are_listed_and_steered_by_either(pair):
    one, two = pair
    rows = one.json("link", "list")
    assert {(row["name"], row["node"]) for row in rows} == {
        ("smsc-1", ONE), ("both", ONE), ("smsc-2", TWO), ("both", TWO),
    }  # fmt: skip
    assert {row["node"] for row in one.json("link", "list", "--node", TWO)} == {TWO}
    down = one.json("link", "down", "smsc-2")
    assert (down["node"], down["wanted"]) == (TWO, False)
    assert two.json("link", "show", "smsc-2")["wanted"] is False
    logged = [json.loads(line) for line in two.log.read_text().splitlines()]
    assert ("node.request.done", "link.show", 1) in [
        (line["event"], line.get("action"), line.get("from")) for line in logged
    ]
    assert one.json("link", "up", "smsc-2")["wanted"] is True
    assert one.json("link", "suspend", "both")["node"] == ONE  # the one that is asked comes first
    assert one.json("link", "suspend", "both", "--node", TWO)["suspended"] is True
    assert {row["suspended"] for row in two.json("link", "list") if row["name"] == "both"} == {True}
    for name in (ONE, TWO):
        two.tpo("link", "resume", "both", "--node", name)
    unknown = one.tpo("link", "show", "nowhere", ok=(1,))
    assert "there is no link 'nowhere'; there are: smsc-1, both" in unknown.stderr
    unknown = one.tpo("link", "list", "--node", "ocs9.tpo.example", ok=(1,))
    assert f"there are: {ONE}, {TWO}" in unknown.stderr


def test_status_tells_of_both(pair, pgw):
    one, _ = pair
    found = one.json("status")
    assert (found["node"], found["silent"]) == (ONE, [])
    (other,) = found["others"]
    assert (other["node"], other["state"]) == (TWO, "running")
    assert {peer["identity"]: peer["state"] for peer in other["peers"]}["pgw.host.example"] == "open"
    assert {row["node"] for row in found["links"]} == {ONE, TWO}
    words = one.tpo("status").stdout
    assert "Gateways on this store:" in words
    assert TWO in words


def test_a_trace_listens_at_both_and_is_shown_as_one(pair, pgw, tmp_path):
    one, two = pair
    started = one.json("trace", "start", "--msisdn", ROWS[1][0], "--pcap", str(tmp_path / "line.pcap"))
    assert [row["node"] for row in (started, *started["others"])] == [ONE, TWO]
    pgw.open(ROWS[1][1])
    with ObedientPgw(one.diameter_port, server=ONE, host="other.host.example") as other:
        other.open(ROWS[1][1])
    shown = two.json("trace", "show", started["id"])
    assert [(row["node"], row["what"]) for row in shown] == [
        (node, f"{message} INITIAL 0") for node in (TWO, ONE) for message in ("CCR", "CCA")
    ]
    assert [row["at"] for row in shown] == sorted(row["at"] for row in shown)
    stopped = two.json("trace", "stop", started["id"])
    assert {(row["node"], row["id"], row["missed"]) for row in stopped} == {
        (ONE, started["id"], 0), (TWO, started["id"], 0),
    }  # fmt: skip
    followed = one.tpo("trace", "show", started["id"], "--follow", "--json").stdout.splitlines()
    assert [json.loads(line) for line in followed] == shown
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"line.{name}.pcap" for name in (ONE, TWO)]


def test_both_hear_each_other_again_after_the_server_ended_all_connections(pair, store):
    one, two = pair
    engine = open_writer(store)
    with engine.begin() as connection:
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        ended = connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        assert ended.rowcount >= 8  # of each gateway its lock, its lane, its reader and what listens
    engine.dispose()
    for asked, other in ((one, TWO), (two, ONE)):
        deadline = time.monotonic() + PATIENCE
        while asked.tpo("link", "list", "--node", other, ok=(0, 1, 69)).returncode:
            assert time.monotonic() < deadline, asked.log.read_text()[-2000:]
    assert [row["node"] for row in one.json("link", "list", "--node", TWO)] == [TWO, TWO]


def test_a_gateway_that_stands_still_or_is_gone_is_told_in_words_and_holds_nobody_up(pair):
    one, two = pair
    with ObedientPgw(two.diameter_port, server=TWO) as pgw:
        session = pgw.open(ROWS[2][1])
        two.process.send_signal(signal.SIGSTOP)
        try:
            with ThreadPoolExecutor() as both:  # it stands still for three seconds, not for twice as long
                rows = both.submit(one.json, "link", "list")
                refused = both.submit(one.tpo, "link", "down", "smsc-2", ok=(69,))
            (silent,) = (row for row in rows.result() if row["node"] == TWO)
            assert (silent["state"], silent["name"]) == ("no answer", None)
            assert "did not answer within 3 s" in silent["detail"]
            assert f"the gateway {TWO} did not answer" in refused.result().stderr
        finally:
            two.process.send_signal(signal.SIGCONT)
        assert one.json("session", "reauth", session)["node"] == TWO
        pgw.asked.get(timeout=PATIENCE)
    two.kill()
    (silent,) = one.json("status")["silent"]
    assert (silent["node"], silent["code"]) == (TWO, "node.down")
    assert "no answer" in one.tpo("status").stdout
    refused = one.tpo("session", "reauth", session, ok=(69,))
    assert f"the gateway {TWO} does not run" in refused.stderr
    refused = one.tpo("link", "list", "--node", TWO, ok=(69,))
    assert f"the gateway {TWO} does not run" in refused.stderr
    with ObedientPgw(one.diameter_port, server=ONE) as pgw:  # it has turned to the gateway that is left
        pgw.numbers[session], pgw.imsis[session] = 1, ROWS[2][1]
        assert one.json("session", "reauth", session)["node"] == ONE
        request, report = pgw.asked.get(timeout=PATIENCE)
        assert (request.origin_host, report.result_code) == (ONE.encode(), 2001)
        two.start()
        told = two.json("session", "abort", session)  # and is found there, also by the one that is back
        assert (told["result"], told["node"]) == ("accepted", ONE)
        assert pgw.asked.get(timeout=PATIENCE)[1].result_code == 2001
    for each in pair:
        assert "Traceback" not in each.log.read_text()
    one.check()
