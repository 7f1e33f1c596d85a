"""A file is read whole or not at all, and what is wrong is named with its line."""

import pytest
from support.scripted_gateway import scripted, write_config

from gateway.cli import main
from gateway.cli.commands import subscriber
from gateway.cli.csv_rows import read_rows
from gateway.cli.csv_table import CsvInvalid, CsvTable
from gateway.cli.errors import CommandFailed

COLUMNS = ("msisdn", "imsi", "iccid", "plan", "cause", "balance")
REQUIRED = COLUMNS[:4]
HEAD = ",".join(COLUMNS)
GOOD = "447700900101,234150000000001,8944100000000000018,payg-gb,wateraid,5.00"
VALUES = dict(zip(COLUMNS, GOOD.split(","), strict=True))


def table(content):
    return CsvTable(content if isinstance(content, bytes) else content.encode(), REQUIRED, COLUMNS)


def refused(content):
    with pytest.raises(CsvInvalid) as told:
        table(content)
    return told.value.line, told.value.what


def values(content):
    return [row.values for row in table(content)]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_every_separator_and_line_end_is_read(separator, end):
    text = end.join([HEAD, GOOD, ""]).replace(",", separator)
    assert values(text) == [VALUES]
    quoted = end.join(['"' + line.replace(",", f'"{separator}"') + '"' for line in (HEAD, GOOD)])
    assert values(quoted) == [VALUES]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_every_encoding_of_spreadsheets_is_read(encoding):
    assert values(f"{HEAD}\r\n{GOOD}\r\n".encode(encoding)) == [VALUES]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;", "\ufeffsep=;"])
def test_a_line_that_names_the_separator_is_followed_and_counted(first):
    [row] = table(f"{first}\r\n{HEAD}\r\n{GOOD}\r\n".replace(",", ";"))
    assert row == (3, VALUES)


def test_rows_of_blank_cells_are_not_looked_at_however_many_they_have():
    assert values(f"\n{HEAD}\n,,,,,\n\n{GOOD}\n  \n,,,,\n ,\t,\n,,,,,,,,,\n") == [VALUES]


def test_columns_that_a_spreadsheet_adds_without_a_name_are_left_out_while_they_are_empty():
    assert values(f"{HEAD},,\n{GOOD},,\n") == [VALUES]
    assert refused(f"{HEAD},,\n{GOOD},,\n{GOOD},7,\n") == (3, "the row has a value in a column without a name")


@pytest.mark.parametrize(("wrong", "meant"), [("balence", "balance"), ("imsis", "imsi"), ("Caus", "cause")])
def test_a_column_that_is_not_known_is_refused_with_the_name_that_was_meant(wrong, meant):
    others = [name for name in COLUMNS if name != meant]
    line, what = refused(",".join([*others, wrong]) + "\n" + GOOD)
    if meant in REQUIRED:
        assert what == f"the file has no column {meant}"
    else:
        assert what == f"there is no column `{wrong.lower()}`; did you mean `{meant}`?"
    assert line == 1


@pytest.mark.parametrize("row", [GOOD + ",7", GOOD.rpartition(",")[0], "447700900101", GOOD.replace("5.00", "5,00")])
def test_a_row_with_a_field_too_many_or_too_few_is_refused_with_its_line(row):
    line, what = refused(f"{HEAD}\n{GOOD}\n\n{row}\n")
    assert line == 4
    assert what == f"the row has {row.count(',') + 1} fields, the header 6"


def test_a_file_without_a_header_is_refused_without_its_numbers():
    line, what = refused(f"{GOOD}\n{GOOD}\n")
    assert line == 1
    assert "names no columns" in what
    assert not any(value in what for value in GOOD.split(","))


def test_a_key_in_the_place_of_a_column_is_not_shown():
    line, what = refused(f"{HEAD},feedfacefeedfacefeedfacefeedface\n")
    assert (line, what) == (1, "column 7 has a name that is none")


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (f"{HEAD}\n{GOOD}\n".encode() * 1 + b"\xe9,1,2,3,4,5\n", 3, "0xE9 is no UTF-8"),
        (f"{HEAD}\r{GOOD}\r{GOOD}\r".encode() + b"caf\xe9", 4, "0xE9 is no UTF-8"),
        (f"{HEAD}\n{GOOD}\n".encode("utf-16") + b"\x00", 3, "it begins like UTF-16-LE, and is none here"),
        (f"{HEAD}\n{GOOD}\n{GOOD[:-1]}\0\n", 3, "U+0000 in a row"),
        (f'{HEAD}\n{GOOD}\n"44{GOOD}\n{GOOD}\n', 3, "a row cannot be read"),
        (f'{HEAD}\n{GOOD}\n{GOOD}"\n"a"b,{GOOD}', 4, "a row cannot be read"),
        ("", 0, "the file is empty"),
        ("\n,,,\n", 0, "the file is empty"),
        (f"{HEAD},Balance\n", 1, "two columns of the same name"),
        (b"PK\x03\x04\x14\0\x06\0", 0, "no CSV but a workbook of a spreadsheet"),
        (b"\x1f\x8b\x08\0\0", 0, "no CSV but compressed"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(content, line, what):
    found, words = refused(content)
    assert (found, what in words) == (line, True), words


def test_blanks_after_a_separator_are_none_of_the_value_nor_in_the_way_of_its_quotes():
    assert values(f"{HEAD}\n{GOOD}\n".replace(",", ", ")) == [VALUES]
    assert values(f"{HEAD}\n{GOOD}\n".replace("wateraid", ' "wateraid"')) == [VALUES]


def test_a_value_may_hold_the_separator_in_quotes_and_the_file_may_be_read_again():
    read = table(f'{HEAD}\n"447700900101",1,2,3,"a,b","5.00"\n')
    assert [row.values["cause"] for row in read] == [row.values["cause"] for row in read] == ["a,b"]
    assert read.count == 1


def test_a_file_that_cannot_be_opened_says_why(tmp_path):
    with pytest.raises(CommandFailed, match="cannot be read: No such file"):
        read_rows(tmp_path / "none.csv", REQUIRED, COLUMNS)
    with pytest.raises(CommandFailed, match="cannot be read: it is a folder"):
        read_rows(tmp_path, REQUIRED, COLUMNS)


# The command


@pytest.fixture
def folder(tmp_path):
    write_config(tmp_path)
    return tmp_path


def tpo_import(folder, content, *options):
    file = folder / "lines.csv"
    file.write_bytes(content)
    return main(["--config", str(folder / "gateway.yaml"), "subscriber", "import", str(file), *options])


def created(params):
    return {"results": [{"outcome": "created", "subscriber_id": "1", "message": ""} for _ in params["rows"]]}


def test_nothing_is_booked_of_a_file_whose_last_row_cannot_be_read(folder, capsys, monkeypatch):
    monkeypatch.setattr(subscriber, "CHUNK", 10)
    content = f"{HEAD}\n".encode() + f"{GOOD}\n".encode() * 3000 + GOOD.replace("wateraid", "caf\xe9").encode("latin-1")
    with scripted(folder, subscriber__import=created) as script:
        assert tpo_import(folder, content) == 1
    assert script.params("subscriber.import") == []
    said = capsys.readouterr().err
    assert "lines.csv:3002" in said
    assert "nothing was taken" in said


def test_an_import_that_breaks_off_says_how_far_it_came_and_is_partly_done(folder, capsys, monkeypatch):
    monkeypatch.setattr(subscriber, "CHUNK", 2)
    chunks = []

    def until_the_third(params):
        chunks.append(params["rows"])
        return created(params) if len(chunks) < 3 else {"unexpected": True}

    with scripted(folder, subscriber__import=until_the_third):
        assert tpo_import(folder, f"{HEAD}\n".encode() + f"{GOOD}\n".encode() * 7) == 75
    said = capsys.readouterr().err
    assert "before that: 4 created" in said
    assert "lines.csv:6" in said
