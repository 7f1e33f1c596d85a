"""The upgrade of a store that has numbers beside causes: what is not needed goes, from the file too, and the rest works on."""

import hashlib

import msgspec
import pytest
from sqlalchemy import insert, select, text
from support.charging_fixture import PLANS
from support.lane_fixture import CAUSE_SEALS, EVIDENCE_KEY, Workplace
from support.old_stores import store_at

from gateway.balance.opening_balances import Enrol, read_row
from gateway.store import schema
from gateway.store.engine import open_writer
from gateway.store.errors import SchemaMismatch
from gateway.store.idempotency import digest
from gateway.store.tables import accounts, idempotency_keys, marks, nodes, orders, unpublished_sums
from provisioning.orders import Kind, OrderRequest

KEY = b"a key of tests alone"
ROW = {
    "msisdn": "447700900001", "imsi": "234150000000001", "iccid": "8944100000000000001",
    "plan": "payg-gb", "cause": "wwf", "balance": 5_000_000,
}  # fmt: skip


def key_row(scope, key, plain, result):
    return {"scope": scope, "key": key, "digest": digest(plain), "result": result, "created_at": 1}


def order_row(number, kind, state, cause, is_open=0):
    request = msgspec.msgpack.encode(OrderRequest(msisdn=f"44770090010{number}", plan="payg-gb", cause=cause))
    row = {"id": number, "node": 1, "kind": str(kind), "iccid": "x", "host": "lab", "state": state, "actor": "a"}
    return row | {
        "request": request,
        "steps": b"\x90",
        "undoing": 0,
        "due_at": 0,
        "created_at": 0,
        "updated_at": 0,
        "open": is_open,
    }


@pytest.fixture
def old(tmp_path):
    """A store as the version before left it; gives its path."""
    engine = store_at(f"sqlite:///{tmp_path}/t.db", "0003")
    with engine.begin() as connection:
        connection.execute(insert(nodes).values(id=1, name="n", next_id=1 << 40, origin_state_id=1))
        connection.execute(insert(accounts), [{"id": 8, "name": "cause:wwf"}, {"id": 9, "name": "unassigned"}])
        connection.execute(insert(marks).values(node=1, name="charity/accrued", value=77))
        held = "INSERT INTO held_accruals VALUES (:node, :account, 'GBP', :amount, 0, 1, :subscribers)"
        for node, account, amount, members in ((1, 8, 900, [5, 6, 7]), (2, 8, 100, [7]), (1, 9, 50, [])):
            values = {
                "node": node,
                "account": account,
                "amount": amount,
                "subscribers": msgspec.msgpack.encode(members),
            }
            connection.execute(text(held), values)
        imported = msgspec.json.encode({"subscriber_id": 4711, "row": ROW})
        connection.execute(
            insert(idempotency_keys),
            [
                key_row("import", ROW["iccid"], "\x1f".join(map(str, ROW.values())), imported),
                key_row("order:socket", "bulk:one", "an order for wwf", b"1"),
                key_row("order:socket", "bulk:two", "a suspension", b"2"),
                key_row("order:shop", "their-own", "an order for wwf", b"4"),
                key_row("sms:shop", "r", "a text", b"9"),
                key_row("topup:4711", "r", "10000000", b"{}"),
            ],
        )
        connection.execute(
            insert(orders),
            [
                order_row(1, Kind.ACTIVATE, "done", "wwf"),
                order_row(2, Kind.SUSPEND, "done", ""),
                order_row(3, Kind.ACTIVATE, "failed", "wwf"),
                order_row(4, Kind.ACTIVATE, "compensated", "wwf"),
                order_row(5, Kind.ACTIVATE, "running", "wwf", is_open=1),
            ],
        )
    engine.dispose()
    return tmp_path / "t.db"


@pytest.fixture
def place(old):
    engine = open_writer(f"sqlite:///{old}")
    assert schema.upgrade(engine, schema.Keys(KEY, EVIDENCE_KEY, CAUSE_SEALS)) == ("0003", schema.head())
    engine.dispose()
    place = Workplace(f"sqlite:///{old}", node="n")
    place.lane.start()
    yield place
    place.close()


def enrol(place, **changes):
    row = ROW | {"balance": "5.00"} | changes
    checked = read_row(row, PLANS, ("wwf", "wateraid"))
    return place.lane.run(Enrol(checked, "GBP"))


def test_a_row_that_was_imported_before_is_known_and_says_what_differs(place):
    assert (enrol(place).outcome, enrol(place).subscriber_id) == ("unchanged", 4711)
    for name, value in (("cause", "wateraid"), ("balance", "6.00"), ("msisdn", "447700900002")):
        assert enrol(place, **{name: value}).message.startswith(f"{name}: not as first imported")


def test_no_number_or_cause_of_an_import_is_left_in_the_store_or_its_file(place, old):
    (row,) = place.read(select(idempotency_keys).where(idempotency_keys.c.scope == "import"))
    assert set(msgspec.json.decode(row.result)) == {"subscriber_id", "columns"}
    place.close()
    for file in old.parent.glob("t.db*"):
        left = file.read_bytes()
        assert ROW["msisdn"].encode() not in left, file
        assert ROW["imsi"].encode() not in left, file
        assert b'"cause":"wwf"' not in left, file


def test_digests_are_made_anew_under_the_key_and_keys_made_of_a_cause_too(place):
    rows = {(row.scope, row.key): row for row in place.read(select(idempotency_keys))}
    plain = {("topup:4711", "r")}
    for key, row in rows.items():
        assert (len(row.digest), row.digest == digest("10000000")) == (64, key in plain), key
    assert rows["order:shop", "their-own"].digest == place.digests("an order for wwf")
    assert ("order:socket", "bulk:two") in rows
    assert ("order:socket", "bulk:one") not in rows
    assert len(rows) == 6


def test_orders_that_have_ended_forget_the_cause_and_keep_the_rest(place):
    found = {
        row.id: msgspec.msgpack.decode(row.request, type=OrderRequest)
        for row in place.read(select(orders.c.id, orders.c.request))
    }
    causes = {number: CAUSE_SEALS.open_text(request.cause, f"order/{number}") for number, request in found.items()}
    assert causes == {1: "", 2: "", 3: "wwf", 4: "", 5: "wwf"}
    assert {number: request.msisdn[-1] for number, request in found.items()} == {n: str(n) for n in range(1, 6)}


def test_what_was_held_back_of_minutes_is_carried_on_to_the_first_month(place):
    rows = place.read(select(unpublished_sums))
    opened = {row.cause: CAUSE_SEALS.open_octets(row.parts, f"carried/{row.cause}/{row.currency}") for row in rows}
    amounts = {row.cause: row.amount for row in rows}
    assert (amounts["wwf"], msgspec.msgpack.decode(opened["wwf"], strict=False)) == (1000, {5: 300, 6: 300, 7: 400})
    assert (amounts["unassigned"], msgspec.msgpack.decode(opened["unassigned"])) == (50, {})
    assert place.read(select(marks.c.value).where(marks.c.name == "charity/accrued")) == [(77,)]


def test_such_a_store_is_not_upgraded_without_the_key_and_stays_as_it_was(old):
    engine = open_writer(f"sqlite:///{old}")
    with pytest.raises(SchemaMismatch, match="privacy key"):
        schema.upgrade(engine)
    with engine.connect() as connection:
        assert schema.current(connection) == "0003"
        assert connection.execute(text("SELECT count(*) FROM held_accruals")).scalar() == 3
    engine.dispose()


def test_a_digest_under_the_key_is_not_found_by_trying(place):
    (row,) = place.read(select(idempotency_keys).where(idempotency_keys.c.scope == "import"))
    columns = msgspec.json.decode(row.result)["columns"]
    tried = {
        hashlib.sha256(guess.encode()).hexdigest()[:16]
        for cause in ("wwf", "wateraid", "")
        for guess in (cause, "\x1f".join((ROW["iccid"], "cause", cause)))
    }
    assert not tried & set(columns.values())
