"""A gift outlives kill -9 between its holding and its making, is made once, and is claimed on by its giver's declaration."""

import csv
import json
import time
import urllib.request
from datetime import datetime
from zoneinfo import ZoneInfo

from support.gateways import Gateway, subscribers
from support.patience import PATIENCE

LINE = subscribers(1)[0]
TOKEN = "a token of this test alone"
GIFT = {"cause": "wateraid", "amount": "5.00", "currency": "GBP"}


def ask(gateway, method, path, body=None, **headers):
    url = f"http://127.0.0.1:{gateway.http_port}/v1/subscribers/{LINE[0]}/gifts{path}"
    data = None if body is None else json.dumps(body).encode()
    headers |= {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=PATIENCE) as answer:
        return answer.status, json.load(answer)


def give(gateway, key):
    return ask(gateway, "POST", "", GIFT, **{"Idempotency-Key": key})


def made(gateway, number):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        _, told = ask(gateway, "GET", "")
        (gift,) = [row for row in told["rows"] if row["id"] == number]
        if gift["state"] == "given":
            return gift
        time.sleep(0.05)
    raise AssertionError("the gift is not made")


def test_a_held_gift_outlives_kills_is_made_once_and_one_that_is_taken_back_is_not(tmp_path):
    gateway = Gateway(tmp_path / "gw", extra="charity: {gift_window: 2s}")
    token = f"socket: var/tpo.sock, tokens: [{{name: app, role: operator, token: {TOKEN}}}]"
    gateway.config.write_text(gateway.config.read_text().replace("socket: var/tpo.sock", token))
    gateway.enrol([LINE])
    declared = ("--first", "Ada", "--last", "King", "--house", 1, "--postcode", "X", "--channel", "app", "--wording", 1)
    gateway.tpo("charity", "gift-aid", "declare", LINE[0], "wateraid", *declared)
    with gateway:
        status, first = give(gateway, "k-1")
        assert (status, first["gift"]["state"], first["gift"]["fee"]) == (202, "held", "0.00")
        _, second = give(gateway, "k-2")
        assert ask(gateway, "DELETE", f"/{second['gift']['id']}")[1]["gift"]["state"] == "withdrawn"
        gateway.kill()
        gateway.start()
        _, again = give(gateway, "k-1")
        assert (again["repeated"], again["gift"]["id"]) == (True, first["gift"]["id"])
        gift = made(gateway, first["gift"]["id"])
        assert gift["cause"] is None
        gateway.kill()
    assert [row["state"] for row in gateway.json("subscriber", "gifts", LINE[0])] == ["withdrawn", "given"]
    assert gateway.json("subscriber", "show", LINE[0])["balance"] == "5.00"
    assert gateway.balances()["gifts:wateraid"] == "5.00"
    gateway.check()
    done = datetime.fromisoformat(gift["done"]).astimezone(ZoneInfo("Europe/London"))  # where the operator is
    out = tmp_path / "schedule.csv"
    gateway.tpo("charity", "gift-aid", "export", "wateraid", f"{done:%Y-%m}", "--out", out)
    _, row = csv.reader(out.open())
    assert (row[1:5], row[8], out.stat().st_mode & 0o777) == (["Ada", "King", "1", "X"], "5.00", 0o600)
    for hidden in ("wateraid", "Ada", "King", LINE[0]):
        assert hidden not in gateway.log.read_text()
