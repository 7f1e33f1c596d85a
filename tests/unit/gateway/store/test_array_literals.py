"""Columns as PostgreSQL's array literals; tests/interop/test_array_statements.py shows that the server reads them alike."""

import pytest
from sqlalchemy import BigInteger, Column, Float, LargeBinary, MetaData, SmallInteger, String, Table, Text

from gateway.store.array_literals import array_of, literals
from gateway.store.tables import metadata

ROWS = Table(
    "rows",
    MetaData(),
    Column("number", BigInteger),
    Column("small", SmallInteger),
    Column("name", String(3)),
    Column("words", Text),
    Column("octets", LargeBinary),
    Column("share", Float),
)


def test_each_column_is_a_literal_with_nothing_in_it_that_the_server_would_take_for_its_syntax():
    rows = [(1, -2, "a,b", 'say "no\\"', b"\x00\xff"), (1 << 62, None, "", "{NULL}", b""), (0, 3, None, "NULL", None)]
    assert literals(rows, [array_of(column)[1] for column in list(ROWS.columns)[:5]]) == (
        "{1,4611686018427387904,0}",
        "{-2,null,3}",
        '{"a,b","",null}',
        '{"say \\"no\\\\\\"","{NULL}","NULL"}',
        '{"\\\\x00ff","\\\\x",NULL}',
    )


def test_text_that_json_would_escape_is_written_as_the_server_reads_it():
    write = array_of(ROWS.c.words)[1]
    assert write(("line\nbreak", "tab\t", "\x07", None)) == '{"line\nbreak","tab\t","\x07",NULL}'
    assert write(("Médecins", "null", None)) == '{"Médecins","null",null}'  # a word in quotes is no NULL


def test_text_is_cast_to_no_length_since_a_cast_would_cut_it():
    assert [array_of(ROWS.c[name])[0] for name in ("number", "small", "name", "octets")] == [
        "bigint[]",
        "bigint[]",
        "text[]",
        "bytea[]",
    ]


def test_a_kind_of_column_that_no_table_has_is_refused_by_name():
    with pytest.raises(TypeError, match=r"no array is known of rows\.share: FLOAT"):
        array_of(ROWS.c.share)


def test_every_column_of_every_table_has_an_array():
    assert {array_of(column)[0] for table in metadata.tables.values() for column in table.columns} <= {
        "bigint[]",
        "text[]",
        "bytea[]",
    }
