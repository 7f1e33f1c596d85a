"""Other people's accounting programs read an export of the journal, and refuse one that is a micro-unit off anywhere."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from beancount.loader import load_file
from support.charging_fixture import INITIAL, MSISDN, PLANS, TERMINATION, UPDATE, ccr, charging_place, service
from support.taxed_place import GB, book, record_taxes

from gateway.balance.changes import ChooseCauses
from gateway.charity.choices import Share
from gateway.ledger.account_names import GIFT_PREFIXES, TENTH_PREFIXES
from gateway.ledger.balances import balances
from gateway.ledger.export.formats import account_of
from gateway.ledger.export.pages import Wanted, export
from gateway.ledger.postings import AccountClass

pytestmark = pytest.mark.xdist_group("ledger_export")

MEGABYTE = 1_000_000
CHECKERS = {
    "beancount": [str(Path(sys.executable).with_name("bean-check"))],
    "hledger": ["hledger", "check", "-f"],
}
REFERENCE = 'M\u00e9decins "1"; \u65e5\u672c, \u0411 a:b\n\\'
AMOUNT = re.compile(r"(?<!~ )(?<!commodity )-?\b\d+\.\d{6}(?= (?:~ 0\.000000 )?GBP)")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    taxed = {name: msgspec.structs.replace(plan, tax=GB) for name, plan in PLANS.items()}
    with charging_place(f"sqlite:///{tmp_path_factory.mktemp('store')}/books.db", plans=taxed) as opened:
        record_taxes(opened)
        opened.enrol(5_000_000)
        opened.ask(ccr(INITIAL, 0, service(ask=0)))
        for number in range(1, 7):
            opened.ask(ccr(UPDATE, number, service(used=[1_300_001], ask=0)))
        opened.top_up(MSISDN, 2_345_678, REFERENCE)
        assert opened.lane.run(ChooseCauses("msisdn", MSISDN, (Share("wwf", 6_000), Share("wateraid", 4_000))))
        opened.ask(ccr(TERMINATION, 7, service(used=[8 * MEGABYTE])))
        opened.ticks.skip(86_400)
        assert book(opened)  # so that the tax of the day is in the file, too
        yield opened


def exported(place, written, causes=True, limit=3):
    """The whole file, in pages of a few entries."""
    text, after, until = "", 0, None
    while after is not None:
        with place.reader.connect() as connection:
            page = export(connection, Wanted(written, after, until=until, causes=causes, limit=limit))
        text, after, until = text + page.text, page.next, page.until
    return text


def accepts(program, file):
    """Check a file, of UTF-8 as the locale is: hledger refuses letters beyond ASCII in the locale C."""
    return run(*CHECKERS[program], file)


def run(*words):
    environ = os.environ | {"LC_ALL": "C.UTF-8"}
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=300, env=environ)


@pytest.fixture(params=["beancount", "hledger"])
def program(request):
    if shutil.which(CHECKERS[request.param][0]) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.mark.parametrize("causes", [True, False])
def test_the_program_accepts_the_file_with_causes_apart_or_as_one(place, program, causes, tmp_path):
    file = tmp_path / "tpo"
    file.write_text(exported(place, program, causes))
    checked = accepts(program, file)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert ("Wwf" in file.read_text()) is causes


def test_a_reference_is_read_as_it_was_written_but_for_what_a_line_or_a_tag_cannot_hold(place, program, tmp_path):
    file = tmp_path / "tpo"
    file.write_text(exported(place, program))
    if program == "hledger":
        found = json.loads(run("hledger", "print", "-O", "json", "-f", file).stdout)
        read = [value for each in found for name, value in each["ttags"] if name == "reference"]
        assert REFERENCE.replace("\n", "_").replace(",", "_") in read
    else:
        entries = load_file(str(file))[0]
        assert REFERENCE.replace("\n", "_") in [each.meta.get("reference") for each in entries]


def test_every_account_has_a_place_of_its_own_among_those_of_other_programs():
    names = [
        *(str(each) for each in AccountClass if "<" not in each and each is not AccountClass.UNKNOWN),
        *("wallet:17", "vat:GB-20", "vat:GB-17.5", "vat:GB-1.75", "tax:US-NY-state", "tax:US-federal"),
        *("cause:wwf", "unassigned", "causes", "gifts:wwf", "gifts", "matcher:winter-2026", "matchers"),
        *(f"{prefix}wwf" for prefix in (*TENTH_PREFIXES, *GIFT_PREFIXES)),
    ]
    found = [account_of(name) for name in names]
    assert len(set(found)) == len(names)
    assert {each.partition(":")[0] for each in found} == {"Assets", "Liabilities", "Equity", "Income", "Expenses"}
    assert [each for each in found if "Unnamed" in each] == []


def test_the_program_refuses_a_file_in_which_one_amount_is_a_micro_unit_off(place, program, tmp_path):
    text, file = exported(place, program), tmp_path / "tpo"
    amounts = list(AMOUNT.finditer(text))
    assert len(amounts) > 20
    for found in (*amounts[:2], amounts[len(amounts) // 2], *amounts[-2:]):
        micro = round(float(found[0]) * 1_000_000) + 1
        changed = f"{'-' if micro < 0 else ''}{abs(micro) // 1_000_000}.{abs(micro) % 1_000_000:06d}"
        file.write_text(text[: found.start()] + changed + text[found.end() :])
        assert accepts(program, file).returncode != 0, found


def test_the_program_refuses_a_file_in_which_a_transaction_is_missing(place, program, tmp_path):
    text, file = exported(place, program), tmp_path / "tpo"
    first = re.search(r"^2023-11-14 \*.*?\n\n", text, re.DOTALL | re.MULTILINE)
    file.write_text(text.replace(first[0], "", 1))
    assert accepts(program, file).returncode != 0


def test_the_csv_has_a_row_an_entry_sums_of_accruals_and_the_balances_of_the_books(place):
    rows = list(csv.DictReader(StringIO(exported(place, "csv"), newline="")))
    accruals = [row for row in rows if row["kind"] == "accrual"]
    assert [(row["date"], row["credit"], row["entry"]) for row in accruals] == [
        ("2023-11-30", "cause:wateraid", ""), ("2023-11-30", "cause:wwf", ""),
    ]  # fmt: skip
    with place.reader.connect() as connection:
        known = {each.account: each.balance for each in balances(connection, after=0, limit=100).rows}
    stood = {row["credit"]: round(float(row["amount"]) * 1_000_000) for row in rows if row["kind"] == "balance"}
    assert stood == known
    assert all(re.fullmatch(r"-?\d+\.\d{6}", row["amount"]) for row in rows)
