"""What strangers wrote is a formula in no spreadsheet, and steers no terminal."""

import csv
import io
import json

import pytest
from support.scripted_gateway import scripted, write_config

from gateway.cli import main
from gateway.cli.bulk_rows import Fault
from gateway.cli.bulk_run import Results
from gateway.cli.output import complain, emit, json_text
from gateway.csv_out import CsvOut, safe
from gateway.ledger.export.formats import FORMATS, Standing, Written

FORMULA = "=cmd|'/C calc'!A0"
HOSTILE = [FORMULA, "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-", "-1.5e3", "\uff1d1+1"]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_begins_like_a_formula_is_text(text):
    assert safe(text).startswith("'")
    assert safe(text).isprintable()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_reference_of_an_entry_is_no_formula_to_the_auditor_who_opens_the_export(text):
    written = Written("2026-11-27", "topup", "cash", "wallet:1", 1_000_000, "GBP", 7, text)
    (row,) = csv.reader(io.StringIO(FORMATS["csv"].transactions([written]), newline=""))
    assert row == ["2026-11-27", "topup", "7", "cash", "wallet:1", "1.000000", "GBP", safe(text)]
    (balance,) = csv.reader(
        io.StringIO(FORMATS["csv"].closing("2026-12-01", [Standing("cash", "GBP", -5)]), newline="")
    )
    assert balance[5] == "-0.000005"


@pytest.mark.parametrize("text", ["", "447700900101", "-1.50", "-3", "a=b", "ocs;1;2", "12.50", "caf\u00e9"])
def test_other_cells_stand_as_they_are(text):
    assert safe(text) == text


@pytest.mark.parametrize("octet", [0x00, 0x07, 0x1B, 0x7F, 0x9B, 0x202E])
def test_control_characters_are_escaped_in_csv_json_and_complaints(octet, capsys):
    text = f"a{chr(octet)}b"
    assert safe(text) == f"a\\u{octet:04x}b"
    assert chr(octet) not in json_text({"id": text})
    assert json.loads(json_text({"id": text})) == {"id": text}
    emit({"id": text}, as_json=True)
    emit([{"id": text}], as_json=False)
    complain(f"tpo: {text}\n  where: there")
    told = capsys.readouterr()
    assert chr(octet) not in told.out + told.err
    assert told.err.count("\n") == 2


def test_json_beyond_the_first_plane_is_escaped_in_pairs():
    text = "\U000e0041\U0001f600"
    assert json_text(text) == '"\\udb40\\udc41\U0001f600"'
    assert json.loads(json_text(text)) == text


def test_rows_are_quoted_as_csv_and_none_is_empty():
    out = io.StringIO()
    CsvOut(out).write(["a,b", None, FORMULA, 7])
    assert next(csv.reader([out.getvalue()])) == ["a,b", "", f"'{FORMULA}", "7"]


@pytest.mark.parametrize("words", [["usage", "export"], ["usage", "review", "list", "--format", "csv"]])
def test_a_session_id_that_is_a_formula_comes_out_of_every_export_as_text(tmp_path, capsys, words):
    write_config(tmp_path)
    page = {"rows": [{"session_id": FORMULA, "octets": 5}], "columns": ["session_id", "octets"], "next": None}
    with scripted(tmp_path, usage__export=page, usage__review__list=page):
        assert main(["--config", str(tmp_path / "gateway.yaml"), *words]) == 0
    assert list(csv.reader(capsys.readouterr().out.splitlines())) == [["session_id", "octets"], [f"'{FORMULA}", "5"]]


def test_the_results_of_a_bulk_hold_no_formula(tmp_path):
    with Results(tmp_path / "r.csv", go_on=False) as results:
        results.fault(Fault(2, FORMULA, "@x"))
    [row] = csv.DictReader((tmp_path / "r.csv").open())
    assert (row["iccid"], row["message"]) == (f"'{FORMULA}", "'@x")
