"""Who gives to whom, by the commands of a gateway that runs and of one that is stopped."""

import os

from sqlalchemy import select
from support.booked_use import use
from support.gateways import Gateway, subscribers

from gateway.store.engine import open_writer
from gateway.store.tables import access_log

ROWS = subscribers(2, cause="wwf")


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
