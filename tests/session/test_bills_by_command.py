"""Bills by the commands of a gateway that runs and of one that is stopped."""

import json
from datetime import UTC, datetime, timedelta

from support.booked_use import use
from support.gateways import Gateway, subscribers

from gateway.charity.months import following

GIVEN_OUT = (1 << 40) + (1 << 19)
"""A number of the block that the gateway took when it was started first."""
ROWS = subscribers(2, cause="wwf")


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


def last_month():
    """The month that is over, by a clock in London."""
    first = datetime.now(UTC).replace(day=1, hour=12)
    return (first - timedelta(days=1)).strftime("%Y-%m")


def test_a_month_is_previewed_closed_and_shown_and_a_stopped_gateway_shows_the_same(tmp_path):
    gateway = Gateway(tmp_path / "gw")
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
        pay(gateway, tmp_path / "bank.csv", gateway.json("bill", "show", number, period)["payment_reference"])
    assert gateway.tpo("bill", "show", number, period).stdout == shown
    bill = gateway.json("bill", "show", number, period)
    assert (bill["number"], bill["closing"], bill["given"], len(bill["items"])) == (1, "-1.00", "0.10", 1)
    assert "WWF" in gateway.tpo("bill", "show", number, period, "--with-causes", "--language", "fr").stdout
    assert [row["msisdn"] for row in gateway.json("bill", "list")] != [number]
