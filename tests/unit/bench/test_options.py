"""What `make bench` is asked for, and what it says where a tool is missing."""

import pytest

from tests.bench import __main__ as bench
from tests.bench import charging
from tests.support import postgres


def test_both_hot_paths_are_measured_by_default():
    options = bench.parse([])
    assert (options.parts, options.lines, options.record) == (["charging", "texts"], [1000], False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--ctf", "/nowhere/ctf"], "CTF=/nowhere/ctf is no program"),
        (["charging", "speed"], "no such part: speed"),
        (["--stores", "oracle"], "--stores"),
        (["--gateways", "3"], "--gateways"),
        (["--record", "--profile", "file"], "not recorded"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_what_to_do(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        bench.parse(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_without_postgresql_the_default_is_sqlite_and_asking_for_it_names_the_package(monkeypatch, capsys):
    monkeypatch.setattr(postgres, "BINARIES", [])
    assert bench.parse([]).stores == ["sqlite"]
    with pytest.raises(SystemExit):
        bench.parse(["--stores", "sqlite,postgresql"])
    assert "apt-get install postgresql" in capsys.readouterr().err


def test_a_reference_is_recorded_by_the_name_of_its_program_alone():
    assert charging.program("env PORT={port} /opt/erlang/bin/erl -pa /home/me/ebin -s server") == "erl"
    assert charging.program("") == "none"


def test_each_variant_differs_from_the_base_in_one_thing():
    options = bench.parse(["--lines", "1000,300_000", "--stores", "sqlite,postgresql", "--lanes", "process,thread"])
    assert list(map(str, charging.variants(options))) == [
        "sqlite, 1000 lines, lane process",
        "sqlite, 300000 lines, lane process",
        "sqlite, 1000 lines, lane thread",
        "postgresql, 1000 lines, lane process",
        "postgresql, 1000 lines, lane process, 2 gateways",
    ]
