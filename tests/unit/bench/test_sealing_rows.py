"""The month that the bench of sealing puts into a store is one that the books' check takes for whole."""

from support import new_stores
from support.gateways import ROOT

from gateway.settings import load
from tests.bench.sealing import CONFIG, books, fill, open_context


def test_a_month_made_for_the_bench_has_nothing_that_the_check_finds(tmp_path):
    (tmp_path / "gateway.yaml").write_text(CONFIG.format(folder=tmp_path, root=ROOT))
    new_stores.place(tmp_path / "tpo.db")
    context = open_context(load(tmp_path / "gateway.yaml"), None)
    fill(tmp_path / "tpo.db", context, 400)
    found = books(context)
    context.close()
    assert (found.findings, found.entries) == ([], 400)
