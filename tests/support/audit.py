"""The reckoning after a load: what the network used against what the gateway charged, held, told and booked."""

import json
from collections import Counter
from decimal import Decimal

from sqlalchemy import func, select

from gateway.cli.client import _UnixConnection
from gateway.rating.plans import Rate
from gateway.rating.prices import price
from gateway.store.engine import open_reader, reading
from gateway.store.tables import answers, lines, sessions, wallets

DATA_RATE = Rate(10_000, 1_000_000)
"""payg-gb, data and rating group 100: a penny a megabyte."""
PAGE = 5000


def micro(amount):
    """A decimal string of major units as micro-units."""
    return int(Decimal(amount) * 1_000_000)


def ask(gateway, action, **params):
    """Ask the running gateway for an action, by its socket."""
    connection = _UnixConnection(gateway.folder / "var" / "tpo.sock", 60)
    try:
        connection.request("POST", f"/v1/actions/{action}", json.dumps(params), {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert response.status == 200, response.read()
        return json.loads(response.read())
    finally:
        connection.close()


def told(gateway):
    """Every event of the outbox, by topic: how often each id stands there."""
    found, last = {}, 0
    while rows := ask(gateway, "events.list", after=last, limit=PAGE)["rows"]:
        for row in rows:
            found.setdefault(row["topic"], Counter())[row["event"]["id"]] += 1
        last = rows[-1]["id"]
    return found


def reckon(gateway, pgw, url, opening, paid=None):
    """Hold everything against everything; gives the number of usage records.

    `opening` in micro-units, and so is what was `paid` in since, by MSISDN.
    """
    assert not pgw.surprises, pgw.surprises[:5]
    records = gateway.usage()
    charged = {}
    for record in records:
        charged.setdefault((record["session_id"], int(record["rating_group"])), []).append(record)
    octets = {key: sorted(int(record["octets"]) for record in found) for key, found in charged.items()}
    assert octets == {key: sorted(reports) for key, reports in pgw.reported.items()}
    for key, found in charged.items():
        assert sum(micro(record["price"]) for record in found) == price(DATA_RATE, sum(octets[key])), key
    _check_wallets(gateway, pgw, url, opening, records, paid or {})
    events = told(gateway)["usage/rated"]
    assert events == Counter(record["record_id"] for record in records)
    gateway.check()
    return len(records)


def _check_wallets(gateway, pgw, url, opening, records, paid):
    engine = open_reader(url)
    with reading(engine) as connection:
        owners = dict(
            connection.execute(select(lines.c.subscriber_id, lines.c.value).where(lines.c.kind == "msisdn")).all()
        )
        held = [connection.execute(select(func.sum(t.c.reserved))).scalar_one() for t in (wallets, sessions)]
        left_open = connection.execute(
            select(func.count()).select_from(sessions).where(sessions.c.closed_at.is_(None))
        ).scalar_one()
        decided = connection.execute(select(func.count()).select_from(answers)).scalar_one()
    engine.dispose()
    assert (*map(int, held), left_open) == (0, 0, 0)
    assert decided == pgw.requests
    spent = Counter()
    for record in records:
        spent[record["msisdn"]] += micro(record["price"])
    balances = {owners[int(name[7:])]: micro(b) for name, b in gateway.balances().items() if name.startswith("wallet:")}
    assert balances == {msisdn: opening - spent[msisdn] + paid.get(msisdn, 0) for msisdn in owners.values()}
    by_session = {record["session_id"]: record["msisdn"] for record in records}
    assert by_session == {session: pgw.customers[place][0] for session, place in pgw.subscriber_of.items()}
