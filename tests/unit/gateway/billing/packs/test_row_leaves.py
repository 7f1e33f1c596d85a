"""What a leaf is made of never changes: days that were sealed years ago are hashed again for each pack."""

import msgspec
import pytest

from gateway.billing.content import Content, Moved, Used, write_content
from gateway.billing.packs.reading import EntryRow, UsageRow
from gateway.billing.packs.row_leaves import RowLeaves, RowSecrets
from gateway.billing.packs.row_trees import BillRow
from gateway.billing.packs.sum_tree import Salts
from gateway.billing.packs.verify import SEALED, canonical, digest
from gateway.ledger.row_tree import Shuffle

KEY, AT, LINE = b"k" * 32, 1_700_000_000_000_000, 1 << 41
USE = UsageRow(1001, AT, LINE, 7, "data", 10, 400, 0, 0, 4, "GBP", "payg-gb", 3, "///peak", None, None, None, None)
CHARGE = EntryRow(1002, AT, "charge", LINE, 2, 4, "GBP", AT, 1001, None, None, None, None)
TENTH = EntryRow(1003, AT, "accrual", 3, 9, 1, "GBP", AT, 1001, 4, "2026-1", 10_000, None)
BACK = EntryRow(1004, AT, "accrual_reversal", 9, 3, 1, "GBP", AT, None, 4, "2026-1", 10_000, "refund:1")
CONTENT = Content([Used("data", "", 1, 400, 0, 0, 0, 4, [1001])], [Moved("topup", "payments", 1, 100, [900])])
BILL = BillRow(2001, "bill", 1, 5, "2023-11", LINE, AT, "GBP", 0, 96, 0, None, 1, write_content(CONTENT), None)


@pytest.fixture
def leaves():
    leaves = RowLeaves.__new__(RowLeaves)
    leaves.secrets, leaves._salts, leaves._days = RowSecrets(KEY), Salts(KEY), {}
    leaves._accounts, leaves._prices = {9: "cause:wwf"}, {3: "ab" * 32}
    return leaves


def test_leaves_are_those_of_before(leaves):
    found = [
        leaves.leaf_of_usage(USE),
        *(leaves.leaf_of_transfer(row) for row in (CHARGE, TENTH, BACK)),
        leaves.leaf_of_bill(BILL),
        leaves.secrets.empty(1005),
    ]
    assert [octets.hex()[:16] for octets in found] == [
        "7038b493297264b4",
        "63c43e7d4e0e922f",
        "c0cdadc93308897f",
        "67551ebfca91bee3",
        "6b03fd399964f0cf",
        "bbaf893d07f2e4ee",
    ]


def test_places_are_those_of_before():
    shuffle = Shuffle(KEY, 1000)
    assert [shuffle.place_of(index) for index in range(5)] == [770, 284, 630, 896, 652]


def test_a_pack_tells_of_a_row_what_its_leaf_is_made_of_and_in_that_order(leaves):
    for name, told, row, leaf in (
        ("usage", leaves.usage(USE), USE, leaves.leaf_of_usage(USE)),
        ("entries", leaves.entry(CHARGE), CHARGE, leaves.leaf_of_transfer(CHARGE)),
        ("tenths", leaves.tenth(TENTH), TENTH, leaves.leaf_of_transfer(TENTH)),
    ):
        assert tuple(told) == SEALED[name]
        assert leaf == digest(0, leaves.secrets.salt(row.id), canonical([name, *told.values()]))
    assert tuple(leaves.bill(BILL)) == SEALED["bills"]


def test_nobody_without_the_key_finds_out_what_a_row_hides_and_no_two_rows_hide_it_alike(leaves):
    other = EntryRow(*{**TENTH._asdict(), "id": 1005}.values())
    assert leaves.tenth(TENTH)["to"] != leaves.tenth(other)["to"]  # the same cause
    assert leaves.tenth(TENTH)["use"] != leaves.entry(CHARGE)["use"]  # the same use
    assert leaves.cause_account(BACK) == leaves.cause_account(TENTH) == "cause:wwf"
    said = msgspec.json.encode([leaves.tenth(TENTH), leaves.entry(CHARGE), leaves.usage(USE), leaves.bill(BILL)])
    assert not [secret for secret in (b"wwf", str(LINE).encode(), b"1001", b"peak", b"refund:1") if secret in said]
    assert RowSecrets(b"another key").of(1001) != leaves.secrets.of(1001)
