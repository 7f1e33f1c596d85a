"""What commands show of several gateways on one store, and of one that gives no answer."""

import json

import pytest
from support.scripted_gateway import Refuse, scripted, write_config

from gateway.cli import main

ONE, TWO = "ocs1.tpo.example", "ocs2.tpo.example"
AT = "2026-11-26T10:00:00Z"
SILENT = {"node": TWO, "code": "node.silent", "detail": f"the gateway {TWO} did not answer within 3 s"}


def link(name, node):
    fields = {
        "name": name,
        "node": node,
        "state": "bound",
        "since": AT,
        "address": "127.0.0.1:2775",
        "system_id": "tpo",
    }
    later = dict.fromkeys(("paused_until", "retry_at", "congestion_state"))
    rest = {"waiting": 0, "unanswered": 0, "wanted": True, "suspended": False, "unmatched_receipts": []}
    return fields | later | rest | {"counters": {}}


def status(node, **more):
    lane = dict.fromkeys(("waiting", "batches", "units", "poisoned", "expired", "failed_batches", "unknown"), 0)
    known = {"state": "running", "drain": None, "node": node, "since": AT, "ready": {"store": True}, "traces": 0}
    return known | {"lane": lane, "peers": [], "events": None, "hosts": []} | more


def trace(node, **more):
    known = {
        "id": "1-1-1",
        "subject": "msisdn 44********01",
        "state": "running",
        "since": AT,
        "until": AT,
        "ended": None,
    }
    rest = {"messages": 2, "missed": 0, "content": False, "pcap": None, "by": "socket:0", "node": node}
    return known | rest | more


def message(node, number, at):
    known = {"number": number, "at": at, "way": "in", "protocol": "diameter", "name": "pgw", "what": f"CCR {number}"}
    return known | {"sequence": None, "status": "", "numbers": "", "node": node}


@pytest.fixture
def tpo(tmp_path, capsys):
    """Run a command against a script of answers: its exit code, its output, its standard error, and the script."""
    config = write_config(tmp_path)

    def run(*words, server=False, **answers):
        if server:
            config.write_text(config.read_text().replace("sqlite:///tpo.db", "postgresql://tpo@db.tpo.example/tpo"))
        with scripted(tmp_path) as script:
            script.answers |= {name.replace("__", "."): answer for name, answer in answers.items()}
            code = main(["--config", str(config), *words])
        said = capsys.readouterr()
        return code, said.out, said.err, script

    return run


def test_links_of_several_gateways_say_whose_they_are_and_one_alone_does_not(tpo):
    _, out, _, script = tpo("link", "list", link__list={"rows": [link("a", ONE), link("b", ONE)]})
    assert "node" not in out.splitlines()[0]
    assert script.params("link.list") == [{"node": None}]
    code, out, _, _ = tpo("link", "list", link__list={"rows": [link("a", ONE), link("a", TWO)]})
    assert code == 0
    assert [line.split()[-1] for line in out.splitlines()] == ["node", ONE, TWO]


def test_a_gateway_that_gives_no_answer_is_a_row_that_says_so(tpo):
    answer = {"rows": [link("a", ONE)], "silent": [SILENT]}
    _, out, _, _ = tpo("link", "list", link__list=answer)
    assert out.splitlines()[-1].split()[:2] == ["-", "no"]
    assert SILENT["detail"] in out
    code, out, _, _ = tpo("link", "list", "--json", link__list=answer)
    bound, silent = json.loads(out)
    assert code == 0
    assert bound["node"] == ONE
    assert (silent["name"], silent["node"], silent["state"], silent["detail"]) == (
        None, TWO, "no answer", SILENT["detail"],
    )  # fmt: skip
    assert set(bound) <= set(silent)


@pytest.mark.parametrize("order", [(), ("up",), ("down",), ("suspend",), ("resume",)])
def test_a_link_of_a_gateway_is_named_with_it(tpo, order):
    words = ("link", *(order or ("show",)), "a", "--node", TWO)
    _, _, _, script = tpo(*words, link__show=link("a", TWO))
    assert script.params("link.show") == [{"name": "a", "order": order[0] if order else None, "node": TWO}]


@pytest.mark.parametrize("order", ["up", "down", "suspend", "resume"])
def test_why_a_link_is_ordered_goes_with_the_order(tpo, order):
    _, _, _, script = tpo("link", order, "a", "--reason", "change 4711", link__show=link("a", ONE))
    assert script.params("link.show") == [{"name": "a", "order": order, "node": None, "reason": "change 4711"}]


def test_a_gateway_that_cannot_be_asked_is_exit_69_and_what_to_do(tpo):
    no = Refuse(504, "node.down", f"the gateway {TWO} does not run")
    code, _, err, _ = tpo("link", "down", "a", "--node", TWO, link__show=no)
    assert code == 69
    assert f"the gateway {TWO} does not run" in err
    assert "start that gateway" in err


def test_status_shows_all_gateways_with_their_rows(tpo):
    peer = dict.fromkeys(
        ("outstanding", "pending", "requests_in", "answers_out", "requests_out", "answers_in", "rejected", "dropped"), 0
    )
    peer |= {"identity": "pgw", "realm": "r", "state": "open", "watchdog": "okay", "since": AT, "address": ""}
    concern = {"id": "host", "words": "a host is gone", "severity": "warning", "runbook": "docs/runbooks/host.md"}
    other = status(TWO, peers=[peer], concerns=[concern], hosts=[{"name": "hlr", "reachable": True, "trouble": ""}])
    three = {"node": "ocs3.tpo.example", "code": "node.down", "detail": "the gateway ocs3.tpo.example does not run"}
    all_of_them = status(ONE, others=[other], silent=[three])
    code, out, _, script = tpo("status", status=all_of_them, link__list={"rows": [link("a", TWO)]})
    assert code == 0
    assert script.params("status") == [{"all": True}]
    gateways = out[out.index("Gateways on this store:") :].splitlines()[2:5]
    assert [line.split()[0] for line in gateways] == [ONE, TWO, "ocs3.tpo.example"]
    assert "does not run" in gateways[2]
    for title in ("Things to look at:", "Diameter peers:", "Hosts:", "SMPP links:"):
        _, head, row, *_ = out[out.index(title) :].splitlines()
        assert head.split()[-1] == "node"
        assert row.split()[-1] == TWO


def test_a_trace_that_has_begun_at_several_gateways_is_a_row_each(tpo):
    begun = trace(ONE, known=True, others=[trace(TWO)], silent=[SILENT | {"node": "ocs3.tpo.example"}])
    code, out, err, _ = tpo("trace", "start", "--msisdn", "447700900101", trace__start=begun)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["id", "1-1-1", "1-1-1", "-"]
    assert all(name in out for name in (ONE, TWO, "ocs3.tpo.example"))
    assert "tpo trace show 1-1-1 --follow" in err
    rows = {"rows": [trace(ONE)], "silent": [SILENT]}
    for words in (("trace", "list"), ("trace", "stop")):
        _, out, _, _ = tpo(*words, trace__list=rows, trace__stop=rows)
        assert SILENT["detail"] in out
        _, out, _, _ = tpo(*words, "--json", trace__list=rows, trace__stop=rows)
        assert [row["state"] for row in json.loads(out)] == ["running", "no answer"]


def test_a_trace_is_followed_at_each_gateway_from_what_it_showed_last(tpo):
    first = {"trace": trace(ONE), "rows": [message(ONE, 7, "T1"), message(TWO, 3, "T2"), message(ONE, 8, "T3")]}
    end = {"trace": trace(ONE, state="ended", ended="its time is over"), "rows": []}
    answers = [first | {"silent": [SILENT]}, end]
    code, out, err, script = tpo("trace", "show", "1-1-1", "--follow", server=True, trace__show=answers)
    assert code == 0
    assert script.params("trace.show")[1] == {"id": "1-1-1", "after": 0, "after_at": {ONE: 8, TWO: 3}}
    assert [line.split()[-1] for line in out.splitlines()] == [ONE, TWO, ONE]
    assert SILENT["detail"] in err


def test_on_a_file_nobody_says_which_gateway_and_on_a_server_everybody_does(tpo):
    seen = {"trace": trace(ONE), "rows": [message(ONE, 7, "T1")]}
    listed = {"rows": [link("a", ONE)]}
    for server, shown in ((False, False), (True, True)):
        _, out, _, _ = tpo("trace", "show", server=server, trace__show=seen)
        assert (ONE in out) is shown
        _, out, _, _ = tpo("link", "list", server=server, link__list=listed)
        assert (ONE in out) is shown
