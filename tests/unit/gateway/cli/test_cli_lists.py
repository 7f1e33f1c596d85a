"""Long lists come page by page, and filters reach the gateway as it takes them."""

import json
from itertools import chain

import pytest
from support.scripted_gateway import scripted, write_config

from gateway.cli import main
from gateway.cli.output import emit, emit_pages
from gateway.cli.pages import pages

NOVEMBER = 1_793_491_200_000_000
EMPTY = {"rows": [], "next": None, "columns": ["record_id"]}


@pytest.fixture
def config(tmp_path):
    return str(write_config(tmp_path))


@pytest.mark.parametrize(
    ("action", "words", "period"),
    [
        ("usage.export", ["usage", "export"], ("start", "end")),
        ("sms.list", ["sms", "list"], ("since", "until")),
        ("order.list", ["order", "list"], ("since", "until")),
        ("ledger.journal", ["ledger", "journal"], ("since", "until")),
        ("ledger.balances", ["ledger", "balances"], ("since", "until")),
    ],
)
def test_filters_go_to_the_gateway(config, tmp_path, action, words, period):
    options = [
        "--number",
        "447700900001",
        "--since",
        "2026-11-01",
        "--until",
        "2026-11-01T01:00:01+01:00",
        "--limit",
        "7",
    ]
    with scripted(tmp_path, **{action: EMPTY}) as script:
        assert main(["--config", config, *words, *options]) == 0
        if words[0] == "ledger":
            assert main(["--config", config, *words, "--account", "revenue"]) == 0
            assert script.params(action)[1]["account"] == "revenue"
    params = script.params(action)[0]
    wanted = {"number": "447700900001", period[0]: NOVEMBER, period[1]: NOVEMBER + 1_000_000, "limit": 7}
    assert wanted.items() <= params.items()


@pytest.mark.parametrize("words", [["usage", "export"], ["sms", "list"], ["ledger", "balances"]])
def test_a_time_that_is_none_is_a_usage_error(config, words, capsys):
    assert main(["--config", config, *words, "--since", "yesterday"]) == 64
    assert "is no RFC 3339 time" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["usage", "export"], ["order", "list"], ["ledger", "journal"]])
@pytest.mark.parametrize("until", ["2026-10-31", "2026-11-01", "2026-11-01T01:00:00+01:00"])
def test_a_period_that_ends_before_it_has_begun_is_a_usage_error_and_not_an_empty_list(config, words, until, capsys):
    assert main(["--config", config, *words, "--since", "2026-11-01", "--until", until]) == 64
    assert f"'{until}' is not after --since" in capsys.readouterr().err


class Asked:
    """Gives so many rows in pages, and counts how many pages are alive."""

    def __init__(self, count):
        self.count, self.limits = count, []

    def __call__(self, _action, params, kind):
        self.limits.append(params["limit"])
        rows = [{"id": n} for n in range(params["after"], min(params["after"] + params["limit"], self.count))]
        last = params["after"] + len(rows)
        return kind(rows, [], last if last < self.count else None)


@pytest.mark.parametrize(
    ("limit", "limits"), [(None, [5000] * 60), (12_000, [5000, 5000, 2000]), (5000, [5000]), (1, [1])]
)
def test_three_hundred_thousand_lines_are_asked_for_in_pages_and_given_one_after_the_other(limit, limits):
    ask = Asked(300_000)
    found = pages(ask, "subscriber.list", {}, limit=limit)
    first = next(found)
    assert ask.limits == limits[:1]
    ids = [row["id"] for row in chain(first.rows, chain.from_iterable(page.rows for page in found))]
    assert ids == list(range(limit or 300_000))
    assert ask.limits == limits


@pytest.mark.parametrize("made", [[[]], [[{"a": 1}]], [[{"a": 1}, {"a": [2]}], [{"a": {"b": "\u009b"}}], []]])
def test_pages_are_printed_as_one_array_just_as_a_list_is(made, capsys):
    emit_pages(iter(made), as_json=True)
    paged = capsys.readouterr().out
    emit(list(chain.from_iterable(made)), as_json=True)
    assert paged == capsys.readouterr().out
    assert json.loads(paged) == list(chain.from_iterable(made))


def test_subscribers_are_listed_and_found(config, tmp_path, capsys):
    page = {"rows": [{"subscriber_id": "7", "msisdn": "44********01"}], "next": None}
    with scripted(tmp_path, subscriber__list=[{**page, "next": 7}, page], subscriber__find=page) as script:
        assert main(["--config", config, "subscriber", "list", "--limit", "2", "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)) == 2
        assert main(["--config", config, "subscriber", "find", "0001"]) == 0
    assert script.params("subscriber.list") == [{"after": 0, "limit": 2}, {"after": 7, "limit": 1}]
    assert script.params("subscriber.find") == [{"tail": "0001"}]
    assert "44********01" in capsys.readouterr().out
