"""`tpo sim bulk`: rows and their keys, the pace of a run, its results and exit codes."""

import csv
import itertools
import json

import msgspec
import pytest
from support.scripted_gateway import Refuse, card, scripted, write_config

from gateway.cli import bulk_run, main
from gateway.cli.bulk_rows import COLUMNS, Checker
from gateway.cli.bulk_run import BulkRun, Results
from gateway.cli.csv_rows import Row, read_rows
from gateway.cli.errors import CommandFailed
from gateway.settings import load


@pytest.fixture
def folder(tmp_path):
    write_config(tmp_path)
    return tmp_path


def iccid(number):
    return f"89441000000000{number:05d}"


def activation(number, **more):
    return {"iccid": iccid(number), "msisdn": f"4477009{number:05d}", "plan": "payg-gb", **more}


def check(folder, *rows, batch="", **options):
    numbered = [Row(line, row) for line, row in enumerate(rows, 2)]
    return Checker(load(folder / "gateway.yaml"), batch, **options).check(numbered)


def write(folder, *rows):
    file = folder / "lines.csv"
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return file


def tpo_bulk(folder, file, *options):
    return main(["--config", str(folder / "gateway.yaml"), "sim", "bulk", str(file), *options])


def results(file):
    with file.with_name(f"{file.name}.results.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


class Orders:
    """A gateway's orders by key: each ends in the state named for its card, `done` if none is, at the first look."""

    def __init__(self, **states):
        self.keys, self.states, self.ended = {}, states, {}
        self.ids = itertools.count(1)

    def bulk(self, params):
        return {"results": [self._take(row) for row in params["rows"]]}

    def _take(self, row):
        wanted = self.states.get(f"c{int(row['iccid'][-5:])}", "done")
        if wanted == "refused":
            return {"order": None, "state": None, "code": "sim.state", "message": "the card is active"}
        order = self.keys.setdefault(row["key"], str(next(self.ids)))
        state = self.ended.get(order, "accepted")
        self.ended[order] = wanted
        return {"order": order, "state": state, "code": None, "message": ""}

    def look(self, params):
        return {
            "rows": [
                {
                    "id": order,
                    "state": self.ended[order],
                    "error": None if self.ended[order] == "done" else "host says no",
                }
                for order in params["ids"]
            ]
        }


@pytest.fixture
def no_wait(monkeypatch):
    monkeypatch.setattr(bulk_run, "POLL", 0)


# Rows


def test_a_row_becomes_what_the_gateway_takes_and_activates_by_default(folder):
    [order_row], faults = check(folder, activation(1, msisdn=" +447700900001 ", cause="wateraid", reason=""))
    key = order_row.params.pop("key")
    assert order_row.params == {"kind": "activate", **activation(1, cause="wateraid")}
    assert (faults, key.startswith("bulk:"), len(key)) == ([], True, 69)


def test_rows_that_adopt_say_so_where_they_activate_and_are_other_orders_than_before(folder):
    rows = [activation(1), {"action": "suspend", "iccid": iccid(2), "reason": "lost"}]
    plain, adopting = check(folder, *rows)[0], check(folder, *rows, adopt=True)[0]
    assert [order_row.params.get("adopt") for order_row in adopting] == [True, None]
    assert [one.key == other.key for one, other in zip(plain, adopting, strict=True)] == [False, True]


def test_the_same_row_has_the_same_key_wherever_it_stands_and_any_difference_another(folder):
    def keys(*rows, batch=""):
        return [order_row.key for order_row in check(folder, *rows, batch=batch)[0]]

    first, second = keys(activation(1), activation(2))
    assert keys(activation(2), activation(1, msisdn="+447700900001", action="ACTIVATE")) == [second, first]
    others = [keys(activation(1, plan="bundle-gb")), keys(activation(1), batch="b")]
    assert len({first, second, *itertools.chain(*others)}) == 4
    assert keys(activation(1, cause="wwf")) == [first]  # a digest of few causes would tell which one it is


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"iccid": "123"}, "activate needs it"),
        (activation(1, iccid="123"), "ICCID '123' has 3 digits"),
        (activation(1, msisdn="2025550129"), "by accident"),
        (activation(1, plan="nonsense"), "plan: 'nonsense' is none of"),
        (activation(1, cause="nonsense"), "cause: 'nonsense' is none of"),
        (activation(1, reason="lost"), "reason: is not for activate"),
        ({"action": "suspend", "iccid": iccid(1)}, "reason: suspend needs it"),
        ({"action": "suspend", "iccid": iccid(1), "reason": "boredom"}, "customer, fraud, credit, lost"),
        ({"action": "swap", "iccid": iccid(1)}, "new_iccid: swap needs it"),
        ({"action": "retire", "iccid": iccid(1)}, "kind: give one of"),
        ({"action": "terminate"}, "iccid: terminate needs it"),
    ],
)
def test_a_row_that_cannot_be_ordered_is_named_with_its_reason(folder, row, why):
    order_rows, [fault] = check(folder, row)
    assert (order_rows, fault.line) == ([], 2)
    assert why in fault.message


@pytest.mark.parametrize(
    ("second", "what"),
    [
        (activation(1), "card"),
        ({"action": "terminate", "iccid": iccid(1)}, "card"),
        ({"action": "swap", "iccid": iccid(3), "new_iccid": iccid(1)}, "card"),
        (activation(2, msisdn="447700900001"), "number"),
    ],
)
def test_two_orders_for_a_card_or_a_number_in_one_file_are_refused(folder, second, what):
    order_rows, [fault] = check(folder, activation(1), second, activation(4))
    assert [order_row.line for order_row in order_rows] == [2, 4]
    assert (fault.line, fault.message) == (3, f"line 2 is about the same {what}; give one order a {what} in a file")


def test_a_misspelt_column_fails_before_anything_is_ordered(folder, capsys):
    file = folder / "lines.csv"
    file.write_text("iccid,msisdn,plan,cuase\n")
    assert tpo_bulk(folder, file) == 1
    assert "there is no column `cuase`; did you mean `cause`?" in capsys.readouterr().err


# The command


def test_all_done_exits_0_and_each_line_has_its_result(folder, capsys, no_wait):
    orders = Orders()
    file = write(folder, *map(activation, range(1, 451)))
    with scripted(folder, sim__bulk=orders.bulk, order__states=orders.look) as script:
        assert tpo_bulk(folder, file, "--json") == 0
    assert [len(params["rows"]) for params in script.params("sim.bulk")] == [200, 200, 50]
    found = results(file)
    assert sorted(int(row["line"]) for row in found) == list(range(2, 452))
    assert {row["state"] for row in found} == {"done"}
    assert {row["iccid"]: row["order"] for row in found}[iccid(7)] == orders.keys[found[6]["key"]]
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["done"], told["results"]) == (450, 450, f"{file}.results.csv")


def test_some_done_exits_75_and_none_1_and_the_results_say_why(folder, capsys, no_wait):
    orders = Orders(c2="compensated", c3="refused", c4="failed")
    rows = [activation(1), activation(2), activation(3), activation(4), {"iccid": "12"}]
    with scripted(folder, sim__bulk=orders.bulk, order__states=orders.look, order__retry={}):
        assert tpo_bulk(folder, write(folder, *rows), "--json") == 75
        told = json.loads(capsys.readouterr().out)
        assert tpo_bulk(folder, write(folder, *rows[1:])) == 1
    counts = {name: told[name] for name in ("done", "failed", "compensated", "cancelled", "refused")}
    assert counts == {"done": 1, "failed": 1, "compensated": 1, "cancelled": 0, "refused": 2}
    found = {row["line"]: (row["state"], row["message"]) for row in results(folder / "lines.csv")}
    assert found["2"] == ("compensated", "host says no")
    assert found["3"] == ("refused", "sim.state: the card is active")
    assert found["5"][0] == "refused"


def test_the_same_file_again_orders_nothing_twice(folder, capsys, no_wait):
    orders = Orders()
    file = write(folder, *map(activation, range(1, 4)))
    with scripted(folder, sim__bulk=orders.bulk, order__states=orders.look):
        assert tpo_bulk(folder, file) == 0
        assert tpo_bulk(folder, file) == 0
        assert {row["message"] for row in results(file)} == {"ordered before, under the same key"}
        assert len(orders.keys) == 3
        assert tpo_bulk(folder, file, "--batch", "again") == 0
    assert len(orders.keys) == 6


def test_resume_does_not_ask_about_rows_that_were_done(folder, capsys, no_wait):
    orders = Orders(c2="failed")
    file = write(folder, *map(activation, range(1, 4)))
    with scripted(folder, sim__bulk=orders.bulk, order__states=orders.look) as script:
        assert tpo_bulk(folder, file) == 75
        orders.ended = dict.fromkeys(orders.ended, "done")
        assert tpo_bulk(folder, file, "--resume", "--json") == 0
    assert [row["iccid"] for row in script.params("sim.bulk")[1]["rows"]] == [iccid(2)]
    told_of = [(row["line"], row["state"]) for row in results(file)]
    assert told_of == [("2", "done"), ("4", "done"), ("3", "done")]
    told = capsys.readouterr().out
    assert json.loads(told[told.index("{") :])["done"] == 3


class Host(Orders):
    """Orders at a host that may be mended between two runs: `now` is how orders end that are given or retried from now on."""

    def __init__(self, now, error="Cannot create subscriber."):
        super().__init__()
        self.now, self.error, self.retried = now, error, []

    def _take(self, row):
        order = self.keys.get(row["key"])
        if order is None:
            order = self.keys[row["key"]] = str(next(self.ids))
            self.ended[order] = self.now
            return {"order": order, "state": "accepted", "code": None, "message": ""}
        return {"order": order, "state": self.ended[order], "code": None, "message": ""}

    def look(self, params):
        rows = [(order, self.ended[order]) for order in params["ids"]]
        return {"rows": [{"id": i, "state": s, "error": None if s == "done" else self.error} for i, s in rows]}

    def retry(self, params):
        self.retried.append(params["id"])
        self.ended[params["id"]] = self.now
        return {}

    def script(self, folder, **more):
        actions = {"sim__bulk": self.bulk, "order__states": self.look, "order__retry": self.retry}
        return scripted(folder, **actions, **more)


@pytest.mark.parametrize("options", [(), ("--resume",)])
def test_the_same_file_again_orders_what_the_host_would_not_do_before(folder, capsys, no_wait, options):
    host, file = Host("compensated"), write(folder, *map(activation, range(1, 4)))
    with host.script(folder):
        assert tpo_bulk(folder, file) == 1
        assert tpo_bulk(folder, file, *options) == 1
        host.now = "done"
        assert tpo_bulk(folder, file, *options) == 0
        assert {row["state"] for row in results(file)} == {"done"}
        assert len(host.keys) == 9
        assert tpo_bulk(folder, file) == 0
    assert len(host.keys) == 9  # what is done is found at the end of the row's orders
    assert {row["key"] for row in results(file)} == {key for key in host.keys if key.count(":") == 1}


def test_the_same_file_again_retries_what_failed_half_way(folder, capsys, no_wait):
    host, file = Host("failed"), write(folder, *map(activation, range(1, 4)))
    with host.script(folder):
        assert tpo_bulk(folder, file) == 1
        host.now = "done"
        assert tpo_bulk(folder, file) == 0
    assert (len(host.keys), sorted(host.retried)) == (3, ["1", "2", "3"])
    assert {row["state"] for row in results(file)} == {"done"}


def test_what_cannot_be_retried_says_why(folder, no_wait):
    host, file = Host("failed"), write(folder, activation(1))
    refusal = Refuse(409, "order.stale", "another order has changed the card")
    with host.script(folder) as script:
        assert tpo_bulk(folder, file) == 1
        script.answers["order.retry"] = refusal
        assert tpo_bulk(folder, file) == 1
    (row,) = results(file)
    assert (row["state"], row["message"].split("; ")[1]) == ("failed", f"not retried: {refusal.body['detail']}")


def test_what_a_person_took_back_is_not_ordered_again(folder, no_wait):
    host, file = Host("compensated", error=None), write(folder, activation(1))
    with host.script(folder):
        assert tpo_bulk(folder, file) == 1
        assert tpo_bulk(folder, file) == 1
    assert (len(host.keys), results(file)[0]["message"][:15]) == (1, "a person took t")


@pytest.mark.parametrize(("msisdn", "state"), [("447700900001", "done"), ("447700900009", "refused")])
def test_a_line_that_was_brought_into_service_by_hand_is_not_told_as_taken_back(folder, no_wait, msisdn, state):
    host, file = Host("compensated"), write(folder, activation(1))
    live = card(iccid(1), msisdn=msisdn, plan="payg-gb")
    refused = {"order": None, "state": None, "code": "sim.state", "message": "the card is active"}

    def bulk(params):
        return {"results": [refused if row["key"].count(":") > 1 else host._take(row) for row in params["rows"]]}

    with host.script(folder, sim__show=live) as script:
        assert tpo_bulk(folder, file) == 1
        script.answers["sim.bulk"] = bulk
        assert tpo_bulk(folder, file) == (0 if state == "done" else 1)
    assert [row["state"] for row in results(file)] == [state]


def test_a_dry_run_orders_nothing_and_names_each_row_that_the_gateway_would_refuse(folder, capsys):
    wrong = {
        iccid(2): ("sim.unknown", "this card is not in the inventory"),
        iccid(3): ("order.busy", "another order works on this card"),
    }

    def check(params):
        told = [wrong.get(row["iccid"], (None, "")) for row in params["rows"]]
        return {"results": [{"code": code, "message": message} for code, message in told]}

    bad = [
        {"action": "suspend", "iccid": iccid(3), "reason": "lost"},
        {"action": "swap", "iccid": iccid(2), "new_iccid": iccid(4)},
        {"iccid": "x"},
    ]
    with scripted(folder, sim__check=check) as script:
        assert tpo_bulk(folder, write(folder, activation(1)), "--dry-run") == 0
        assert tpo_bulk(folder, write(folder, *bad), "--dry-run") == 1
        capsys.readouterr()
        assert tpo_bulk(folder, write(folder, activation(1), *bad), "--dry-run", "--json") == 75
    assert {name for name, _ in script.asked} == {"status", "sim.check"}
    report = json.loads(capsys.readouterr().out)
    assert (report["rows"], report["good"]) == (4, 1)
    assert [(fault["line"], fault["message"][:28]) for fault in report["faults"]] == [
        (3, "order.busy: another order wo"),
        (4, "sim.unknown: this card is no"),
        (5, "msisdn: activate needs it"),
    ]
    assert not (folder / "lines.csv.results.csv").exists()


def test_a_dry_run_asks_in_chunks(folder):
    def check(params):
        return {"results": [{"code": None, "message": ""} for _ in params["rows"]]}

    with scripted(folder, sim__check=check) as script:
        assert tpo_bulk(folder, write(folder, *map(activation, range(1, 451))), "--dry-run") == 0
    assert [len(params["rows"]) for params in script.params("sim.check")] == [200, 200, 50]


def test_ctrl_c_leaves_the_orders_to_the_gateway_and_exits_75(folder, capsys, monkeypatch):
    def interrupt(_seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("gateway.cli.commands.sim_bulk.time.sleep", interrupt)
    with scripted(folder, sim__bulk=Orders().bulk):
        assert tpo_bulk(folder, write(folder, activation(1), activation(2)), "--json") == 75
    told = capsys.readouterr()
    assert json.loads(told.out)["open"] == 2
    assert "2 orders go on in the gateway; run the same command again" in told.err


def test_without_a_gateway_nothing_is_ordered_and_it_exits_69(folder, capsys):
    assert tpo_bulk(folder, write(folder, activation(1))) == 69
    assert "the gateway is not running" in capsys.readouterr().err


# The run


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


def run_of(folder, ask, count, *, rate=0.0, show=lambda run: None):
    time = Time()
    order_rows, _ = check(folder, *map(activation, range(1, count + 1)))

    def typed(action, params, kind):
        return msgspec.convert(ask(action, params), kind)

    with Results(folder / "results.csv", go_on=False) as written:
        run = BulkRun(typed, order_rows, written, rate=rate, clock=time, sleep=time.sleep, show=show)
        run.run()
    return run, time


def query_link(orders):
    return lambda action, params: {"sim.bulk": orders.bulk, "order.states": orders.look}[action](params)


def test_no_more_than_a_thousand_orders_are_open_at_once(folder):
    most = []
    run, _ = run_of(folder, query_link(Orders()), 2500, show=lambda run: most.append(len(run.open)))
    assert (max(most), run.ended["done"]) == (1000, 2500)


def test_the_rate_is_kept(folder):
    sent = []
    orders = Orders()

    def ask(action, params):
        if action == "sim.bulk":
            sent.append(len(params["rows"]))
        return query_link(orders)(action, params)

    run, time = run_of(folder, ask, 200, rate=20)
    assert run.ended["done"] == 200
    assert 9.4 <= time.now <= 10.6
    assert max(sent) <= 10


def test_rows_that_a_gateway_in_trouble_does_not_take_are_ordered_later(folder):
    orders, times = Orders(), itertools.count()
    closed = {"order": None, "state": None, "code": "store.closed", "message": "the gateway is stopping"}

    def ask(action, params):
        if action == "sim.bulk" and next(times) < 3:
            return {"results": [closed for _ in params["rows"]]}
        return query_link(orders)(action, params)

    run, time = run_of(folder, ask, 3)
    assert (run.ended, time.now >= 3) == ({"done": 3}, True)
    with pytest.raises(CommandFailed, match="has taken no orders for 60 s") as lost:
        run_of(folder, lambda _, params: {"results": [closed for _ in params["rows"]]}, 3)
    assert lost.value.exit_code == 69


def test_an_order_that_the_gateway_does_not_know_any_more_ends_the_wait_for_it(folder):
    taken = {"results": [{"order": "1", "state": "accepted", "code": None, "message": ""}]}
    answers = {"sim.bulk": taken, "order.states": {"rows": []}}
    run, _ = run_of(folder, lambda action, _: answers[action], 1)
    assert run.ended == {"lost": 1}


def test_a_results_file_that_is_something_else_is_not_gone_on_with(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(CommandFailed, match="cannot be used"):
        Results(path, go_on=True)
    assert path.read_text() == "a,b\n1,2\n"


def test_the_columns_are_those_of_the_help(tmp_path):
    file = write(tmp_path, activation(1))
    assert [row.values["iccid"] for row in read_rows(file, ("iccid",), COLUMNS)] == [iccid(1)]
