"""The rows that the bench of scale puts into a store are whole, whatever columns its tables have got since."""

import pytest

from gateway.store.tables import sessions, texts
from tests.bench.scale import session_rows, text_rows


@pytest.mark.parametrize(("table", "rows"), [(sessions, session_rows), (texts, text_rows)])
def test_every_column_that_has_to_have_a_value_has_one_and_there_is_no_other(table, rows):
    needed = {column.name for column in table.columns if not column.nullable}
    for row in rows(7, 2, 1, 0):
        assert needed <= row.keys() <= set(table.columns.keys())
