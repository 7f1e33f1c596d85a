"""Who gives to whom, by the commands of a gateway that runs and of one that is stopped."""

import os

from sqlalchemy import insert, select
from support.gateways import Gateway, subscribers

from gateway.store.engine import open_writer
from gateway.store.tables import access_log, accounts, transfers, usage

ROWS = subscribers(2, cause="wwf")


def use(gateway, owner):
    """A line uses something, and its tenth goes to its cause."""
    engine = open_writer(f"sqlite:///{gateway.folder}/var/tpo.db")
    number = (1 << 40) + (1 << 30)
    with engine.begin() as connection:
        known = dict(connection.execute(select(accounts.c.name, accounts.c.id)).all())
        record = {"id": number, "event_at": 1, "subscriber_id": owner, "session": 1, "service": "data", "octets": 5}
        record |= {"seconds": 0, "units": 0, "price": 1_000_000, "currency": "GBP", "plan": "payg-gb"}
        connection.execute(insert(usage).values(record))
        for entry, kind, debit, credit, amount in (
            (number + 1, "charge", owner, known["revenue"], 1_000_000),
            (number + 2, "accrual", known["giving"], known["cause:wwf"], 100_000),
        ):
            row = {"id": entry, "at": 1, "kind": kind, "debit": debit, "credit": credit, "amount": amount}
            row |= {"currency": "GBP", "event_at": 1, "usage_id": number, "policy": "2026-1", "share": 10_000}
            connection.execute(insert(transfers).values(row | {"base": 1_000_000}))
    engine.dispose()


def looks(gateway):
    engine = open_writer(f"sqlite:///{gateway.folder}/var/tpo.db")
    with engine.connect() as connection:
        found = connection.execute(select(access_log).order_by(access_log.c.id)).all()
    engine.dispose()
    return [(row.actor, row.action) for row in found]


def test_usage_and_journal_give_no_cause_unless_it_is_asked_for_and_then_it_is_noted(tmp_path):
    gateway = Gateway(tmp_path / "gw")
    gateway.enrol(ROWS)
    use(gateway, int(gateway.json("subscriber", "show", ROWS[0][0])["subscriber_id"]))
    said = [("local", "subscriber.show")]

    def ask(who):
        assert gateway.usage()[0]["msisdn"] == ROWS[0][0]
        entries = gateway.json("ledger", "journal")["rows"]
        (accrual,) = [row for row in entries if row["kind"] == "accrual"]
        assert (accrual["credit"], str(accrual["record_id"])) == ("causes", gateway.usage()[0]["record_id"])
        assert "wwf" not in gateway.tpo("ledger", "journal").stdout
        assert "cause:wwf" in gateway.tpo("ledger", "journal", "--with-causes").stdout
        assert gateway.balances()["cause:wwf"] == "0.10"
        assert gateway.json("subscriber", "show", ROWS[0][0])["causes"] == [{"cause": "wwf", "percent": 100}]
        said.extend((who, action) for action in ("ledger.journal", "ledger.balances", "subscriber.show"))

    ask("local")
    with gateway:
        ask("socket")
    assert looks(gateway) == [(f"{who}:{os.getuid()}", action) for who, action in said]
    log = gateway.log.read_text()
    assert log.count("charity.causes.seen") == 3
    for hidden in (*ROWS[0][:3], "wwf"):
        assert hidden not in log
