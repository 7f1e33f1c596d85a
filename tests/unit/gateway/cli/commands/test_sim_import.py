"""`tpo sim import`: rows in chunks with their line numbers, keys that nobody sees, exit codes."""

import json

import pytest
from stdnum import luhn
from support.scripted_gateway import scripted, write_config

from gateway.cli import main
from gateway.cli.commands import sim
from gateway.cli.csv_rows import read_rows
from gateway.cli.csv_table import Row
from gateway.cli.errors import CommandFailed

KI, OPC = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"


@pytest.fixture
def folder(tmp_path):
    write_config(tmp_path)
    return tmp_path


def iccid_of(number):
    digits = f"8944100000000{number:05d}"
    return digits + luhn.calc_check_digit(digits)


def card(number, ki=KI, opc=OPC):
    return f"{iccid_of(number)},23415{number:010d},{ki},{opc}"


def write(folder, *lines, head="iccid,imsi,ki,opc"):
    file = folder / "cards.csv"
    file.write_text("\n".join([head, *lines, ""]))
    return file


def tpo_import(folder, file, *options):
    return main(["--config", str(folder / "gateway.yaml"), "sim", "import", str(file), *options])


def other(number):
    """Another key of 16 octets for each number."""
    return f"{number:032x}"


def all_created(params):
    return {"results": [{"outcome": "created", "message": ""} for _ in params["rows"]]}


def test_rows_go_in_chunks_with_the_line_of_the_first(folder, capsys, monkeypatch):
    monkeypatch.setattr(sim, "CHUNK", 2)
    file = write(folder, *(card(n, other(n), other(n + 100)) for n in range(1, 6)))
    with scripted(folder, sim__import=all_created) as script:
        assert tpo_import(folder, file, "--json") == 0
    assert [(p["first_line"], len(p["rows"])) for p in script.params("sim.import")] == [(2, 2), (4, 2), (6, 1)]
    assert json.loads(capsys.readouterr().out)["created"] == 5


def test_an_op_given_as_opc_is_found_across_chunks_and_named_by_both_lines(folder, capsys, monkeypatch):
    monkeypatch.setattr(sim, "CHUNK", 1)
    file = write(folder, card(1, other(1)), card(2, other(2)), card(3, other(3), other(4)))
    with scripted(folder, sim__import=all_created) as script:
        assert tpo_import(folder, file) == 75
    assert len(script.params("sim.import")) == 2
    told = capsys.readouterr()
    assert f"{file}:3: refused: OPc of row 3 is that of row 2" in told.err
    assert OPC not in told.out + told.err


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        (["created", "unchanged"], 0),
        (["created", "refused"], 75),
        (["differs", "unchanged"], 75),
        (["refused", "differs"], 1),
    ],
)
def test_the_exit_code_tells_whether_all_some_or_no_rows_were_taken(folder, outcomes, code):
    file = write(folder, *(card(n, other(n), other(n + 100)) for n in (1, 2)))
    results = {"results": [{"outcome": outcome, "message": "why"} for outcome in outcomes]}
    with scripted(folder, sim__import=results):
        assert tpo_import(folder, file) == code


def test_a_warning_is_told_and_is_no_fault(folder, capsys):
    results = {"results": [{"outcome": "created", "message": "the check digit is wrong"}]}
    with scripted(folder, sim__import=results):
        assert tpo_import(folder, write(folder, card(1))) == 0
        assert tpo_import(folder, write(folder, card(1)), "--json") == 0
    told = capsys.readouterr()
    assert "cards.csv:2: created: the check digit is wrong" in told.err
    assert json.loads(told.out[told.out.index("{") :])["faults"] == []


@pytest.mark.parametrize("bad", [KI[:-1], KI + "zz", f"OP:{OPC}"])
def test_keys_are_never_printed_whatever_is_wrong_with_them(folder, capsys, bad):
    file = write(folder, card(1, KI, bad), card(2, bad, OPC), f"{OPC},{KI},{KI},{OPC}")
    assert tpo_import(folder, file) == 1
    told = capsys.readouterr()
    assert "cards.csv:2: refused: " in told.err
    for key in (KI, OPC, bad):
        assert key[:8] not in (told.out + told.err).replace(str(folder), "")


def test_cards_are_taken_in_by_a_stopped_gateway_and_once(folder, capsys):
    file = write(folder, card(1), head="ICCID, IMSI,Ki,OPc")
    assert tpo_import(folder, file, "--json") == 0
    assert json.loads(capsys.readouterr().out)["created"] == 1
    assert tpo_import(folder, file, "--json") == 0
    assert json.loads(capsys.readouterr().out)["unchanged"] == 1
    assert tpo_import(folder, write(folder, card(1, other(1))), "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["faults"][0]["line"], report["faults"][0]["outcome"]) == (2, "differs")


def test_columns_are_read_in_any_case_and_lines_are_those_of_the_file(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text('\ufeffICCID , Imsi\n1,2\n\n"3\n",4\n', encoding="utf-8")
    assert list(read_rows(file, ("iccid", "imsi"))) == [
        Row(2, {"iccid": "1", "imsi": "2"}),
        Row(5, {"iccid": "3\n", "imsi": "4"}),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"iccid,ki\n1,2\n", "no column imsi"),
        (b"", "no column iccid, imsi"),
        (b"iccid,imsi,ki,KI\n", "two columns of the same name"),
        (b"iccid,imsi,other\n", "there is no column `other`"),
        (b"iccid,imsi\n\xff,1\n", "cannot be read"),
    ],
)
def test_a_file_that_is_not_right_says_so(tmp_path, content, message):
    file = tmp_path / "a.csv"
    file.write_bytes(content)
    with pytest.raises(CommandFailed, match=message):
        list(read_rows(file, ("iccid", "imsi"), ("iccid", "imsi")))
