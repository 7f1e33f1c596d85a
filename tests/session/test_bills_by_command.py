"""Bills by the commands of a gateway that runs and of one that is stopped."""

import json
import urllib.request
from datetime import UTC, datetime, timedelta

from support.booked_use import use
from support.gateways import Gateway, subscribers
from support.patience import PATIENCE

from gateway.charity.months import following
from gateway.languages.dates import write_month

GIVEN_OUT = (1 << 40) + (1 << 19)
"""A number of the block that the gateway took when it was started first."""
ROWS = subscribers(2, cause="wwf")
TOKEN = "0123456789abcdef-shop"


def pay(gateway, file, reference):
    """A bank's file pays the bill, twice as the same, and has a line that is nobody's."""
    file.write_text(f"""reference,amount,currency,date,bill
b-1,1.50,GBP,2026-11-02,{reference}
b-2,9.00,GBP,2026-11-02,rent
""")
    done = gateway.tpo("bill", "paid", file, ok=(75,))
    assert "b-2: unmatched: it names no bill" in done.stderr
    again = json.loads(gateway.tpo("bill", "paid", file, "--json", ok=(75,)).stdout)
    assert again["counts"] == {"repeated": 1, "unmatched": 1}


def post(gateway, path, body):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"http://127.0.0.1:{gateway.http_port}{path}"
    with urllib.request.urlopen(
        urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=PATIENCE
    ) as answer:
        return json.loads(answer.read())


def prefer(gateway, number, period):
    """A customer asks for French bills without single calls, by command and by HTTP: bills are so, unless told otherwise."""
    by_command = gateway.json("subscriber", "preferences", number, "--unitemised", "--reason", "asked by phone")
    assert (by_command["language"], by_command["itemised"]) == (None, False)
    gateway.tpo("subscriber", "preferences", number, "--language", "fr", ok=(1, 64))  # without a reason
    by_http = post(gateway, f"/v1/subscribers/{number}/preferences", {"language": "fr", "reason": "on the web"})
    assert by_http == gateway.json("subscriber", "preferences", number) == {**by_command, "language": "fr"}
    assert gateway.json("bill", "show", number, period)["items"] is None
    assert (
        gateway.tpo("bill", "show", number, period)
        .stdout.splitlines()[0]
        .endswith(f"Facture 1 pour {write_month(period, 'fr')}")
    )
    history = gateway.json("subscriber", "history", number)
    assert [(row["change"], row["after"]) for row in history] == [("bills", "unitemised"), ("language", "fr")]


def last_month():
    """The month that is over, by a clock in London."""
    first = datetime.now(UTC).replace(day=1, hour=12)
    return (first - timedelta(days=1)).strftime("%Y-%m")


def test_a_month_is_previewed_closed_and_shown_and_a_stopped_gateway_shows_the_same(tmp_path):
    gateway = Gateway(tmp_path / "gw")
    tokens = f"tokens: [{{name: shop, role: operator, token: {TOKEN}}}]"
    gateway.config.write_text(gateway.config.read_text().replace("socket: var", f"{tokens}, socket: var"))
    gateway.enrol(ROWS)
    period, number = last_month(), ROWS[0][0]
    use(gateway, int(gateway.json("subscriber", "show", number)["subscriber_id"]), GIVEN_OUT)
    with gateway:
        previewed = gateway.json("bill", "preview", period)
        assert (previewed["over"], previewed["lines"]) == (True, 1)
        closed = gateway.json("bill", "close", period)
        assert (closed["state"], closed["bills"], closed["sums"][0]["moved"]) == ("closed", 1, "-1.00")
        early = gateway.tpo("bill", "close", following(following(period)), ok=(1,))
        assert "is not over" in early.stderr
        shown = gateway.tpo("bill", "show", number, period).stdout
        assert "Data" in shown
        assert "-£1.00" in shown
        assert "wwf" not in shown.lower()
        prefer(gateway, number, period)
        pay(gateway, tmp_path / "bank.csv", gateway.json("bill", "show", number, period)["payment_reference"])
    assert gateway.tpo("bill", "show", number, period, "--itemised", "--language", "en").stdout == shown
    bill = gateway.json("bill", "show", number, period, "--itemised")
    assert (bill["number"], bill["closing"], bill["given"], len(bill["items"])) == (1, "-1.00", "0.10", 1)
    assert "WWF" in gateway.tpo("bill", "show", number, period, "--with-causes", "--language", "fr").stdout
    assert [row["msisdn"] for row in gateway.json("bill", "list")] != [number]
