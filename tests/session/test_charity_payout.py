"""A month's giving, from a customer's charge to the cause's bank account, by the commands of a gateway that runs."""

import calendar
import hashlib
import json
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select
from support.bank_files import balance, entry, payment, statement
from support.gateways import Gateway, subscribers
from support.patience import PATIENCE

from gateway.store.engine import open_writer
from gateway.store.tables import accounts, transfers

LONDON = ZoneInfo("Europe/London")
"""Where the operator is, by whose months is confirmed and reported."""
CAUSES = """\
wateraid:
  name: WaterAid
  country: GB
  regulator: GB-CHC
  number: "288701"
  vetting: approved
  statement: "WaterAid gets 10% of your bill."
  agreement: {signed: "2020-01-15", starts: "2020-02-01", currency: GBP, method: bacs, transmit_within: 60}
wwf: {name: WWF-UK, country: GB}
"""
CHARITY = """\
charity:
  accounts:
    - {currency: GBP, format: pain.001.001.09, name: "Example Giving", sort_code: 20-00-00, account: "55779911"}
"""
SECOND = "a-second-person-0123456789"


def last_month():
    """The latest month that may be confirmed, which it may an hour after its end, and a moment in it."""
    moment = (datetime.now(LONDON) - timedelta(hours=2)).replace(day=1, hour=12) - timedelta(days=2)
    return moment.strftime("%Y-%m"), int(moment.timestamp()) * 1_000_000


def spent(gateway, owner, at):
    """A customer paid in, and was charged, in the month that is over."""
    engine = open_writer(f"sqlite:///{gateway.folder}/var/tpo.db")
    number = (1 << 40) + (1 << 30)
    with engine.begin() as connection:
        known = dict(connection.execute(select(accounts.c.name, accounts.c.id)).all())
        for place, (kind, debit, credit, amount) in enumerate(
            (
                ("topup", known["cash"], owner, 7_500_000),
                ("charge", owner, known["revenue"], 7_500_000),
                ("accrual", known["giving"], known["cause:wateraid"], 750_000),
            )
        ):
            row = {"id": number + place, "at": at, "kind": kind, "debit": debit, "credit": credit, "amount": amount}
            row |= {"currency": "GBP", "event_at": at, "usage_id": number, "base": 7_500_000, "policy": "2026-1"}
            connection.execute(insert(transfers).values(row | {"share": 10_000, "reference": f"r-{kind}"}))
    engine.dispose()


def post(gateway, path):
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.http_port}{path}", data=b"", headers={"Authorization": f"Bearer {SECOND}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_a_months_tenths_are_confirmed_paid_by_two_people_and_stand_on_the_banks_statement(tmp_path):
    period, at = last_month()
    gateway = Gateway(tmp_path / "gw", extra=CHARITY)
    (gateway.folder / "causes.yaml").write_text(CAUSES)
    written = gateway.config.read_text().replace(
        "tpo.sock}", f"tpo.sock, tokens: [{{name: checker, role: operator, rights: [causes], token: {SECOND}}}]}}"
    )
    gateway.config.write_text(
        "".join(f"{line}\n" for line in written.splitlines() if not line.startswith("causes:"))
        + "causes: causes.yaml\n"
    )
    rows = subscribers(1)
    gateway.enrol(rows)
    spent(gateway, int(gateway.json("subscriber", "show", rows[0][0])["subscriber_id"]), at)
    (tmp_path / "register.csv").write_text("number,name,status\n288701,WATERAID,Registered\n")
    (tmp_path / "account.json").write_text('{"name": "WaterAid", "sort_code": "20-00-00", "account": "12345678"}')
    out = ("--out", str(tmp_path))
    with gateway:
        gateway.tpo(
            "charity", "register", tmp_path / "register.csv", "--regulator", "GB-CHC", "--as-of", f"{period}-01"
        )
        (tmp_path / "us.json").write_text('{"name": "A", "routing": "021000021", "account": "12345"}')
        refused = gateway.tpo("charity", "bank", "wateraid", "--details", tmp_path / "us.json", ok=(1,))
        assert "give a sort code and account, or an IBAN" in refused.stderr
        proposed = gateway.json("charity", "bank", "wateraid", "--details", tmp_path / "account.json")["details"]
        assert gateway.tpo("charity", "bank", "--approve", proposed, ok=(1,)).returncode == 1
        assert gateway.json("charity", "bank", "--show", proposed)["account"] == "12345678"
        assert post(gateway, f"/v1/charity/bank-details/{proposed}/approval")[0] == 200
        (details,) = gateway.json("charity", "bank")["rows"]
        assert (details["approved_by"], details["valid_from"] is None) == ("checker", False)
        (standing,) = [row for row in gateway.json("charity", "confirm", period)["rows"] if row["cause"] == "wateraid"]
        assert (standing["payable"], standing["confirmed"]) == ("0.75", "0.00")
        (file,) = gateway.json("charity", "payout", period, *out)["files"]
        octets = Path(file["file"]).read_bytes()
        assert hashlib.sha256(octets).hexdigest() == file["sha256"]
        assert (
            "same_person"
            in gateway.tpo("charity", "payout", period, "--approve", file["sha256"], "--json", ok=(1,)).stderr
        )
        removed = tmp_path / "removed.csv"
        removed.write_text("number,name,status\n288701,WATERAID,Removed\n")
        register = ("charity", "register", "--regulator", "GB-CHC", "--as-of", f"{period}-02")
        assert "288701" in gateway.tpo(*register, removed, ok=(1,)).stdout
        assert post(gateway, f"/v1/charity/payouts/{file['sha256']}/approval")[1]["code"] == "payout.obstacle"
        elsewhere = tmp_path / "elsewhere.csv"
        elsewhere.write_text("number,name,status\n999999,SOMEBODY ELSE,Registered\n")
        assert "288701" in gateway.tpo(*register, elsewhere, ok=(1,)).stdout, "one of several files is not the register"
        gateway.tpo(*register, tmp_path / "register.csv", elsewhere)
        status, approved = post(gateway, f"/v1/charity/payouts/{file['sha256']}/approval")
        assert (status, approved["state"], approved["total"]) == (200, "approved", "0.75")
        number = octets.partition(b"<EndToEndId>")[2].partition(b"<")[0].decode()
        year, month = map(int, period.split("-"))
        day = f"{period}-{calendar.monthrange(year, month)[1]}"
        booked = entry("0.75", credit=False, day=day, reference="B-1", details=payment(number))
        moved = entry("1.00", day=day, reference="B-2", details=payment("NOTPROVIDED", remittance="CHARITY-ACCOUNT"))
        lines = (balance("OPBD", "5.00", day=day), booked, moved, balance("CLBD", "5.25", day=day))
        data = statement(*lines, account="GB33BUKB20000055779911")
        (tmp_path / "statement.xml").write_bytes(data)
        read = gateway.json("charity", "paid", tmp_path / "statement.xml")
        assert (read["paid"], read["received"], read["unmatched"]) == (1, 1, [])
        assert gateway.json("charity", "paid", tmp_path / "statement.xml")["repeated"] == 2
        this_month = datetime.now(LONDON).strftime("%Y-%m")
        (line,) = [
            row
            for row in gateway.json("charity", "remittance", this_month)["rows"]
            if row["closing"] == "0.00" and row["paid"] != "0.00"
        ]
        assert (line["opening"], line["paid"]) == ("0.75", "-0.75")
        today = f"{datetime.now(LONDON):%Y-%m-%d}"
        assert "5.00 that no entry tells of" in gateway.tpo("charity", "cover", today, ok=(75,)).stderr
        opening = ("charity", "transfer", "5.00", "--reference", "opening", "--day", f"{period}-01")
        assert [gateway.json(*opening)["repeated"] for _ in range(2)] == [False, True]
        (covered,) = gateway.json("charity", "cover", today)["rows"]
        assert (covered["covered"], covered["booked"], covered["unbooked"]) == (True, "5.25", "0.00")
        assert gateway.json("charity", "matched")["rows"] == []
        assert "wateraid" not in gateway.tpo("ledger", "journal", "--limit", "500").stdout
        assert "tenth_state" not in gateway.tpo("ledger", "check", ok=(0, 1)).stderr
    assert "12345678" not in gateway.log.read_text()
